"""The grids of near-field waves: as wide as what light may cross between sample and detector."""

from __future__ import annotations

import math

import numpy as np

from adorym._core.fourier import smooth_size
from adorym.data import Dataset
from adorym.propagation import padded_size, spread


def near_field_grid(dataset: Dataset) -> tuple[int, int]:
    """A full field's grid (y, x), wide enough that nothing comes back round its edges into the frame.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> near_field_grid(plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3))
        (30, 30)
    """
    shape = dataset.frames.shape[2:]
    pixel, wavelength = dataset.pixel, dataset.wavelength
    reach = float(np.max(np.abs(dataset.distances))) + shape[1] * pixel / 2
    if dataset.probe is None:
        ny, nx = (padded_size(n, n, reach, pixel=pixel, wavelength=wavelength) for n in shape)
    else:  # the seam of a measured wave's continuation must not reach the frame either
        beyond = math.ceil(2 * spread(pixel, wavelength, reach))
        ny, nx = (smooth_size(n + beyond) for n in shape)
    return ny, nx


def extended(field: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """A measured wave `(mode, y, x)` continued by its edge values to the wave's grid.

    Example:
        >>> extended(np.ones((1, 2, 2)), (4, 6)).shape
        (1, 4, 6)
    """
    pads = [(0, 0)]
    for have, want in zip(field.shape[1:], grid, strict=True):
        before = (want - have) // 2
        pads.append((before, want - have - before))
    return np.pad(field, pads, mode="edge")
