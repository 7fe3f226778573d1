"""What the benchmarks are run with."""

from __future__ import annotations

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Settings:
    """How often and how large.

    Attributes:
        rounds: how many times what is compared runs in turn.
        devices: host devices that share the work.
        room: bytes that a benchmark may take.
        small: sizes for a trial of the benchmarks themselves, not for results.
        pythons: interpreters whose FFT libraries take part, besides this one and the peers'.
        patience: seconds after which a comparison has no more rounds.
    """

    rounds: int = 5
    devices: int = 1
    room: float = 8e9
    small: bool = False
    pythons: tuple[Path, ...] = ()
    patience: float = 60.0
