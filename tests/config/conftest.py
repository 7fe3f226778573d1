"""A small set of dummy constructors that uses every kind of annotation a job may meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from adorym._core import Angle, Energy, Length
from adorym.config import Section


@dataclasses.dataclass(frozen=True)
class Modes:
    """Incoherent modes.

    Attributes:
        count: how many modes.
        width: width of the first.
        powers: share of each.
    """

    count: int
    width: Length = 6e-9
    powers: list[float] = dataclasses.field(default_factory=lambda: [1.0])


def holography(
    data: np.ndarray,
    *,
    slab_voxels: int,
    voxel: Length = 1e-9,
    distances: tuple[Length, ...] = (1e-6,),
    tilt: Angle | None = None,
    boundary: Literal["vacuum", "periodic"] = "vacuum",
    hook: Callable[[], None] | None = None,
) -> dict[str, object]:
    """Full-field holography.

    Args:
        data: the frames.
        slab_voxels: voxels that share one slab | thickness.
        voxel: edge of a voxel.
        distances: sample to detector,
            one for each frame.
        tilt (Angle): of the axis.
        boundary: what is beyond the frame.
        hook: called at the end.
    """
    return {"frames": len(data), "slab_voxels": slab_voxels, "voxel": voxel, "distances": distances, "tilt": tilt}


def ptychography(*, probe: Modes = Modes(1), chunk: int | Literal["auto"] = "auto") -> Modes:
    """Scanned probe."""
    return probe


def poisson(*, background: float = 0.0) -> float:
    """Photon counts."""
    return background


def amplitude() -> None:
    """Square roots of counts."""


def total_variation(*, weight: float, where: str = "object", axes: tuple[int, int] = (0, 1)) -> float:
    """Total variation."""
    return weight


def adam(*, rates: dict[str, float] | float = 1.0) -> object:
    """First order."""
    return rates


def newton(*, damping: float | None = 0.5, log: bool = False) -> object:
    """Second order."""
    return damping


def stage(*, free: Sequence[str], steps: int = 10) -> None:
    """One stage of a reconstruction.

    Args:
        free: the leaves to refine.
        steps: how many steps.
    """


def data(*, path: str | Path, energy: Energy | None = None, flip: bool = False) -> Path:
    """The measurement."""
    return Path(path)


def output(*, truth: Path | None = None, frames: int = 3) -> None:
    """What is kept."""


@pytest.fixture(scope="session")
def registries() -> dict[str, Section]:
    return {
        "data": Section(common=data),
        "experiment": Section(kinds={"holography": holography, "ptychography": ptychography}, absent="refuse"),
        "likelihood": Section(kinds={"poisson": poisson, "amplitude": amplitude}, default="poisson", absent="fill"),
        "regularizers": Section(
            kinds={"total_variation": total_variation}, many=True, about="Terms added to the misfit."
        ),
        "stages": Section(
            kinds={"adam": adam, "newton": newton}, common=stage, selector="solver", many=True, absent="fill"
        ),
        "output": Section(common=output, absent="fill"),
    }


JOB = """
version = 1
seed = 3

[data]
path = "scans/cone.h5"
energy = "5 keV"

[experiment]
kind = "holography"
slab_voxels = 4
voxel = "2000 pm"
tilt = "3 deg"

[[regularizers]]
kind = "total_variation"
weight = 1

[[stages]]
solver = "adam"
free = ["object.delta"]
rates = { "object.delta" = 0.5 }

[[stages]]
solver = "newton"
free = ["object.delta", "probe"]
steps = 3
damping = "none"
"""


@pytest.fixture
def job_text() -> str:
    return JOB
