"""Measurements that are yet to be made: the geometry of a scan with no frames, to simulate or to plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from adorym._core import Angle, DataError, Energy, Length
from adorym.data import Dataset, FrameSource


class PlannedFrames(FrameSource):
    """Frames that have a shape but were never taken.

    Example:
        >>> PlannedFrames((2, 1, 4, 4)).shape
        (2, 1, 4, 4)
    """

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        self.shape = shape

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        raise DataError("This data set is a plan without frames: simulate it first (adorym simulate JOB -o FILE).")


_MOST_PHOTONS = 1e15
"""More than any detector counts, and as many as random numbers are drawn for."""


def _check(values: Mapping[str, int | float], *, least: float = 0.0, above: bool = False) -> None:
    """Refuse numbers of a scan that no experiment has.

    Args:
        values: by their keys in [scan].
        least: the smallest that is allowed.
        above: whether the smallest is left out itself.
    """
    for name, value in values.items():
        if not np.isfinite(value) or value < least or (above and value == least):
            raise DataError(f"scan.{name} is {value:g}: give {'more than' if above else 'at least'} {least:g}.")


def _check_photons(photons: float) -> None:
    _check({"photons": photons}, above=True)
    if photons > _MOST_PHOTONS:
        raise DataError(f"scan.photons is {photons:g}: give {_MOST_PHOTONS:g} at most.")


def _turn(views: int, span: float) -> np.ndarray:
    _check({"views": views}, least=1.0)
    _check({"span": span}, least=-np.inf)
    return np.arange(views) * (span / views)


def plan_holography(
    shape: tuple[int, int],
    *,
    pixel: Length,
    energy: Energy,
    distances: tuple[Length, ...],
    views: int,
    span: Angle = 2 * np.pi,
    photons: float = 1.0,
) -> Dataset:
    """Full-field frames by a plane wave, at one or several distances, over a turn of the sample.

    Args:
        shape: detector pixels (y, x).
        pixel: effective pixel.
        energy: photon energy.
        distances: from the rotation axis to the detector, effective.
        views: number of angles.
        span: angle over which they are spread evenly, its end left out.
        photons: per detector pixel without a sample.

    Example:
        >>> plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7, 2e-7), views=3).frames.shape
        (3, 2, 8, 8)
    """
    _check_photons(photons)
    return Dataset(
        frames=PlannedFrames((views, len(distances), *shape)),
        technique="holography",
        regime="near field",
        pixel=pixel,
        energy=energy,
        angles=_turn(views, span),
        distances=np.asarray(distances, float),
        mask=np.ones(shape, bool),
        weights=np.ones((views, len(distances))),
        photons=photons,
        source="plan",
    )


@dataclasses.dataclass(frozen=True)
class GaussianProbe:
    """A Gaussian beam with a curved phase.

    Attributes:
        pixels: size of the probe array and of the frames.
        sigma: of the amplitude, in pixels.
        curvature: phase at one sigma from the centre.

    Example:
        >>> float(np.round(np.sum(np.abs(GaussianProbe(16, 2.0).field(100.0)) ** 2), 6))
        100.0
    """

    pixels: int
    sigma: float = 6.0
    curvature: Angle = 0.5

    def __post_init__(self) -> None:
        _check({"probe.pixels": self.pixels}, least=2.0)
        _check({"probe.sigma": self.sigma}, above=True)

    def field(self, photons: float) -> np.ndarray:
        """Complex amplitudes `(y, x)` with a number of photons."""
        y, x = np.meshgrid(*[np.arange(self.pixels) - (self.pixels - 1) / 2] * 2, indexing="ij")
        squared = (y**2 + x**2) / self.sigma**2
        field = np.exp(-squared / 2 + 1j * self.curvature * squared)
        return field * np.sqrt(photons / np.sum(np.abs(field) ** 2))


@dataclasses.dataclass(frozen=True)
class Raster:
    """Scan positions on a jittered grid.

    Attributes:
        step: between positions, in pixels.
        jitter: random displacement as a fraction of the step; it breaks the grid's symmetry.
        seed: of the jitter.

    Example:
        >>> Raster(8.0).positions((32, 32), views=2).shape
        (2, 25, 2)
    """

    step: float
    jitter: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        _check({"raster.step": self.step}, above=True)
        _check({"raster.jitter": self.jitter, "raster.seed": self.seed})

    def positions(self, field: tuple[int, int], *, views: int) -> np.ndarray:
        """Positions (y, x) about the centre of a field of pixels, `(view, frame, 2)`."""
        counts = [round(n / self.step) + 1 for n in field]
        axes = [(np.arange(count) - (count - 1) / 2) * self.step for count in counts]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
        return grid + np.random.default_rng(self.seed).uniform(-1, 1, (views, *grid.shape)) * self.jitter * self.step


def plan_ptychography(
    field: tuple[int, int],
    *,
    pixel: Length,
    energy: Energy,
    probe: GaussianProbe,
    raster: Raster,
    views: int = 1,
    span: Angle = np.pi,
    photons: float = 1e6,
) -> Dataset:
    """A probe scanned over a grid at every view, recorded in the far field.

    Args:
        field: pixels (y, x) of the sample that the positions cover.
        pixel: sampling at the sample.
        energy: photon energy.
        probe: the beam.
        raster: where it goes.
        views: number of angles.
        span: angle over which they are spread evenly, its end left out.
        photons: per frame.

    Example:
        >>> plan = plan_ptychography((32, 32), pixel=2e-9, energy=1e3, probe=GaussianProbe(16), raster=Raster(8.0))
        >>> plan.frames.shape, plan.positions.shape
        ((1, 25, 16, 16), (1, 25, 2))
    """
    _check_photons(photons)
    positions = raster.positions(field, views=views)
    shape = (probe.pixels, probe.pixels)
    return Dataset(
        frames=PlannedFrames((views, positions.shape[1], *shape)),
        technique="ptychography",
        regime="far field",
        pixel=pixel,
        energy=energy,
        angles=_turn(views, span),
        distances=np.zeros(0),
        positions=positions * pixel,
        mask=np.ones(shape, bool),
        weights=np.ones(positions.shape[:2]),
        probe=probe.field(photons)[None],
        photons=photons,
        source="plan",
    )


def plan_tomography(
    shape: tuple[int, int], *, pixel: Length, energy: Energy, views: int, span: Angle = np.pi, photons: float = 1e4
) -> Dataset:
    """Projections in focus over half a turn.

    Example:
        >>> plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=4).frames.shape
        (4, 1, 8, 8)
    """
    _check_photons(photons)
    return Dataset(
        frames=PlannedFrames((views, 1, *shape)),
        technique="tomography",
        regime="in focus",
        pixel=pixel,
        energy=energy,
        angles=_turn(views, span),
        distances=np.zeros(0),
        mask=np.ones(shape, bool),
        weights=np.ones((views, 1)),
        photons=photons,
        source="plan",
    )
