"""The one measure for all programs: how far an object is from the truth once its gauge is removed, slice by slice.

What a measurement cannot tell apart is free for every slice by itself: a complex factor (exchanged with the probe or
with another slice), a linear ramp of the phase, a shift. The error is ||x - t|| / ||t|| of the complex transmissions
over the region between the outermost positions, all slices together.
"""

from __future__ import annotations

import numpy as np

from adorym.metrics import align_image

_MARGIN = 12


def centred(field: np.ndarray, size: int) -> np.ndarray:
    """The last two axes cut, or filled up with vacuum, to `size` about their middle."""
    result = np.ones((*field.shape[:-2], size, size), field.dtype)
    here, there = [], []
    for have in field.shape[-2:]:
        first = (have - size) // 2
        low, high = max(0, first), min(have, first + size)
        here.append(slice(low, high))
        there.append(slice(low - first, high - first))
    result[..., there[0], there[1]] = field[..., here[0], here[1]]
    return result


def object_error(estimate: np.ndarray, truth: np.ndarray, region: np.ndarray) -> float:
    """Relative error of complex transmissions `(slice, y, x)`.

    Args:
        estimate: of a program, on the truth's pixels to within a few.
        truth: the same shape.
        region: `(y, x)`, True where to compare.

    Returns:
        the error; infinite where the estimate holds what is no number.
    """
    if not np.all(np.isfinite(estimate)):
        return float("inf")
    rows, columns = (np.flatnonzero(region.any(axis)) for axis in (1, 0))
    around = tuple(slice(max(0, one[0] - _MARGIN), one[-1] + 1 + _MARGIN) for one in (rows, columns))
    off = size = 0.0
    for found, true in zip(estimate, truth, strict=True):
        mask = region[around]
        aligned = align_image(found[around], true[around], mask=mask, scale=True)
        off += float(np.sum(mask * np.abs(aligned - true[around]) ** 2))
        size += float(np.sum(mask * np.abs(true[around]) ** 2))
    return float(np.sqrt(off / size))
