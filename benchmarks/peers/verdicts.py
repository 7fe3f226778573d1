"""What the limits say of the numbers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

PTYCHI, FASTEST, SOONER, BUDGET = 2.5, 1.4, 5.0, 60.0
"""Times Pty-Chi's speed per epoch, times the fastest's, times sooner at the error that a peer reaches in so many s."""

Curve = list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A number beside its limit.

    Attributes:
        what: in words.
        value: what was found; NaN where it was not measured.
        limit: the least that it should be.
        why: what to know about it.
    """

    what: str
    value: float
    limit: float
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it is; `None` where it was not measured."""
        return None if math.isnan(self.value) else self.value >= self.limit


def reached(curve: Curve, seconds: float) -> float:
    """The least error until then; infinite where there is none."""
    return min((error for at, error in curve if at <= seconds), default=math.inf)


def until(curve: Curve, error: float) -> float:
    """Seconds until an error was reached; infinite where it never was."""
    return next((at for at, found in curve if found <= error), math.inf)


def of_speed(rows: dict[str, dict[str, Any]]) -> list[Verdict]:
    """Of one case: seconds per epoch by program."""
    seconds = {name: row["seconds_per_epoch"] for name, row in rows.items() if row.get("seconds_per_epoch")}
    ours = seconds.get("adorym", math.nan)
    ptychi = [value for name, value in seconds.items() if name.startswith("Pty-Chi")]
    others = [value for name, value in seconds.items() if not name.startswith("adorym")]
    return [
        Verdict("speed per epoch, times Pty-Chi's", min(ptychi, default=math.nan) / ours, PTYCHI),
        Verdict("speed per epoch, times that of the fastest", min(others, default=math.nan) / ours, FASTEST),
    ]


def of_error(rows: dict[str, dict[str, Any]]) -> dict[str, Verdict]:
    """Of one case: how much sooner the default job has the error that each peer has after its time, by peer."""
    ours = next((row["curve"] for name, row in rows.items() if name.startswith("adorym")), [])
    found = {}
    for name, row in rows.items():
        if name.startswith("adorym"):
            continue
        goal = reached(row["curve"], BUDGET)
        at, theirs = until(ours, goal), until(row["curve"], goal)
        if not ours or not math.isfinite(goal):
            found[name] = Verdict("times sooner", math.nan, SOONER, "not measured")
            continue
        has = "does not reach it" if math.isinf(at) else f"has it after {at:.1f} s"
        found[name] = Verdict("times sooner", theirs / at, SOONER, f"{goal:.3g} after {theirs:.0f} s; adorym {has}")
    return found
