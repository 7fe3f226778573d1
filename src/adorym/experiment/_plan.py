"""Measurements that are yet to be made: the geometry of a scan with no frames, to simulate or to plan."""

from __future__ import annotations

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


def _turn(views: int, span: float) -> np.ndarray:
    if views < 1:
        raise DataError(f"scan.views is {views}: give at least one view.")
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


def plan_ptychography(
    field: tuple[int, int],
    *,
    pixel: Length,
    energy: Energy,
    probe_pixels: int,
    step: float,
    probe_sigma: float = 6.0,
    probe_curvature: Angle = 0.5,
    views: int = 1,
    span: Angle = np.pi,
    photons: float = 1e6,
    jitter: float = 0.25,
    seed: int = 0,
) -> Dataset:
    """A Gaussian probe with a curved phase, scanned over a jittered grid at every view, recorded in the far field.

    Args:
        field: pixels (y, x) of the sample that the positions cover.
        pixel: sampling at the sample.
        energy: photon energy.
        probe_pixels: size of the probe array and of the frames.
        step: between positions, in pixels.
        probe_sigma: of the probe's amplitude, in pixels.
        probe_curvature: phase at one sigma from the centre.
        views: number of angles.
        span: angle over which they are spread evenly, its end left out.
        photons: per frame.
        jitter: random displacement of every position, as a fraction of the step; breaks the grid's symmetry.
        seed: of the jitter.

    Example:
        >>> plan = plan_ptychography((32, 32), pixel=2e-9, energy=1e3, probe_pixels=16, step=8.0)
        >>> plan.frames.shape, plan.positions.shape
        ((1, 25, 16, 16), (1, 25, 2))
    """
    axes = [(np.arange(round(n / step) + 1) - round(n / step) / 2) * step for n in field]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    offsets = np.random.default_rng(seed).uniform(-jitter, jitter, (views, *grid.shape)) * step
    y, x = np.meshgrid(*[np.arange(probe_pixels) - (probe_pixels - 1) / 2] * 2, indexing="ij")
    radius = (y**2 + x**2) / probe_sigma**2
    probe = np.exp(-radius / 2 + 1j * probe_curvature * radius)
    probe *= np.sqrt(photons / np.sum(np.abs(probe) ** 2))
    return Dataset(
        frames=PlannedFrames((views, len(grid), probe_pixels, probe_pixels)),
        technique="ptychography",
        regime="far field",
        pixel=pixel,
        energy=energy,
        angles=_turn(views, span),
        distances=np.zeros(0),
        positions=(grid + offsets) * pixel,
        mask=np.ones((probe_pixels, probe_pixels), bool),
        weights=np.ones((views, len(grid))),
        probe=probe[None],
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
