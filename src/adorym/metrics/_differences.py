"""Differences in one number: of volumes and images (nrmse, ssim), of intensities (misfit, reduced chi squared)."""

from __future__ import annotations

import math

import numpy as np

from adorym._core import DataError
from adorym.metrics._checks import finite, same_shape, selected


def nrmse(estimate: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Relative error ||estimate - truth|| / ||truth||: 0 is perfect, 1 is what an estimate of zero scores.

    Args:
        estimate: any shape, real or complex.
        truth: the same shape.
        mask: non-zero where to compare, of the arrays' shape or of their last axes.

    Raises:
        DataError: shapes differ, nothing is left to compare, values are not finite, or the truth is zero there.

    Example:
        >>> import numpy as np
        >>> nrmse(np.array([3.0, 5.0]), np.array([3.0, 4.0]))
        0.2
    """
    same_shape(estimate, truth, ("estimate", "truth"))
    found, wanted = selected((estimate, truth), mask)
    finite(found, "estimate")
    finite(wanted, "truth")
    scale = _norm(wanted)
    if not scale:
        raise DataError("The truth is zero everywhere it is compared: a relative error needs a truth that is not.")
    return _norm(found.astype(_wide(found)) - wanted) / scale


def _norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values.astype(_wide(values))))


def _wide(values: np.ndarray) -> type:
    return np.complex128 if np.iscomplexobj(values) else np.float64


def ssim(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of a real image or volume to the truth: 1 is identical (Wang et al. 2004, scikit-image).

    Args:
        estimate: `(y, x)` or `(z, y, x)`; axes of length 1 are dropped.
        truth: the same shape; its range, maximum minus minimum, is the dynamic range.

    Raises:
        DataError: shapes differ, an axis is shorter than 3, values are complex or not finite, or the truth is constant.

    Example:
        >>> import numpy as np
        >>> ramp = np.add.outer(np.arange(8.0), np.arange(8.0))
        >>> ssim(ramp, ramp), ssim(ramp[::-1], ramp) < 0.5
        (1.0, True)
    """
    same_shape(estimate, truth, ("estimate", "truth"))
    a, b = np.squeeze(estimate), np.squeeze(truth)
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        raise DataError("Structural similarity is for real arrays: compare the phase or the amplitude.")
    if not a.ndim or min(a.shape) < 3:
        raise DataError(f"Structural similarity needs axes of 3 or more, not {a.shape}: compare a larger region.")
    finite(a, "estimate")
    finite(b, "truth")
    span = float(b.max()) - float(b.min())
    if not span:
        raise DataError("The truth is constant: structural similarity needs one that varies.")
    from skimage.metrics import structural_similarity

    window = min(7, min(a.shape) - 1 + min(a.shape) % 2)
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(structural_similarity(a, b, data_range=span, win_size=window))  # pyright: ignore[reportArgumentType]


def misfit(predicted: np.ndarray, measured: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Normalised misfit of amplitudes, sum (sqrt I_predicted - sqrt I)^2 / sum I, over the measured pixels.

    Args:
        predicted: intensities `(..., y, x)`; rounding's negative values count as 0.
        measured: intensities of the same shape.
        mask: non-zero where a pixel is measured, of the arrays' shape or of their last axes.

    Raises:
        DataError: shapes differ, nothing is left to compare, values there are not finite, or no photon was measured.

    Example:
        >>> import numpy as np
        >>> misfit(np.array([[4.0, 16.0]]), np.array([[9.0, 16.0]]))
        0.04
    """
    found, wanted = _intensities(predicted, measured, mask)
    total = wanted.sum()
    if not total > 0:
        raise DataError("The measured intensities are zero everywhere they are compared: give frames with photons.")
    return float(np.sum((np.sqrt(found) - np.sqrt(wanted)) ** 2) / total)


def reduced_chi2(
    predicted: np.ndarray, measured: np.ndarray, mask: np.ndarray | None = None, *, parameters: int = 0
) -> float:
    """Reduced chi squared of counts under Poisson statistics: 1 is shot noise, more is a model that does not fit.

    Each pixel's squared residual is divided by its expected variance, the predicted count. Pixels where less than one
    photon is predicted share their mean variance: the expectation stays exactly 1, and no prediction near zero
    outweighs the rest.

    Args:
        predicted: expected photons `(..., y, x)`.
        measured: counted photons of the same shape.
        mask: non-zero where a pixel is measured, of the arrays' shape or of their last axes.
        parameters: number of unknowns fitted, taken from the number of pixels.

    Raises:
        DataError: shapes differ, nothing is left to compare, values there are not finite, or there are as many
            unknowns as pixels.

    Example:
        >>> import numpy as np
        >>> reduced_chi2(np.array([100.0, 100.0]), np.array([110.0, 90.0]))
        1.0
    """
    found, wanted = _intensities(predicted, measured, mask)
    freedom = found.size - parameters
    if freedom <= 0:
        raise DataError(f"There are {parameters} unknowns for {found.size} pixels: reduced chi squared needs fewer.")
    faint = found < 1
    squares = (found - wanted) ** 2
    bright = np.sum(squares[~faint] / found[~faint])
    residual, variance = float(squares[faint].sum()), float(found[faint].sum())
    if residual and not variance:
        return math.inf
    shared = np.count_nonzero(faint) * residual / variance if variance else 0.0
    return float(bright + shared) / freedom


def _intensities(predicted: np.ndarray, measured: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    same_shape(predicted, measured, ("prediction", "measurement"))
    found, wanted = selected((predicted, measured), mask)
    finite(found, "prediction")
    finite(wanted, "measurement")
    return np.maximum(found.astype(np.float64), 0), np.maximum(wanted.astype(np.float64), 0)
