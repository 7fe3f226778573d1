"""Fourier ring and shell correlation with the half-bit and 1/7 thresholds (van Heel & Schatz 2005).

    FSC(shell) = Re sum A conj(B) / sqrt(sum |A|^2 sum |B|^2)

over the Fourier samples of a shell one sample thick. The thresholds hold for two independent half sets; the same
curves against a noise-free truth are the usual, slightly generous, practice.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

from adorym._core import DataError
from adorym.metrics._checks import finite, same_shape

Threshold = Literal["half bit", "1/7"]


@dataclasses.dataclass(frozen=True, eq=False)
class FourierCorrelation:
    """A Fourier ring (2D) or shell (3D) correlation; every array is `(shell,)`, from the first shell to Nyquist.

    Attributes:
        frequency: cycles per voxel, above 0 and up to 0.5.
        correlation: -1 to 1; 0 where one of the two has nothing in the shell.
        half_bit: the half-bit threshold for the shell's independent samples.
        one_seventh: the fixed threshold 1/7.
        counts: Fourier samples in the shell, mirror images included.

    Example:
        >>> import numpy as np
        >>> image = np.random.default_rng(0).normal(size=(16, 16))
        >>> curve = fourier_correlation(image, image)
        >>> bool(np.allclose(curve.correlation, 1)), curve.resolution("half bit")
        (True, 1.0)
    """

    frequency: np.ndarray
    correlation: np.ndarray
    half_bit: np.ndarray
    one_seventh: np.ndarray
    counts: np.ndarray

    def crossing(self, threshold: Threshold = "half bit") -> float:
        """The frequency, cycles per voxel, where the correlation first falls below a threshold.

        Interpolated linearly between shells; 0.5 (Nyquist) where it never falls below, 0 where the first shell that
        can tell is below already. Shells whose threshold is 1 (a single independent sample) cannot tell.

        Example:
            >>> import numpy as np
            >>> shells = np.array([0.125, 0.25, 0.375, 0.5])
            >>> seventh = np.full(4, 1 / 7)
            >>> curve = FourierCorrelation(shells, seventh + [0.5, 0.1, -0.1, 0.2], seventh, seventh, np.ones(4))
            >>> round(curve.crossing("1/7"), 6)
            0.3125
        """
        level = self.half_bit if threshold == "half bit" else self.one_seventh
        tells = level < 1
        frequency, above = self.frequency[tells], (self.correlation - level)[tells]
        below = np.flatnonzero(above < 0)
        if not below.size:
            return 0.5
        i = int(below[0])
        if i == 0:
            return 0.0
        part = above[i - 1] / (above[i - 1] - above[i])
        return float(frequency[i - 1] + part * (frequency[i] - frequency[i - 1]))

    def resolution(self, threshold: Threshold = "half bit") -> float:
        """Resolution in voxels as a half period, 1 / (2 crossing): 1.0 is Nyquist, infinite is nothing resolved.

        Multiply by the voxel size for metres, and by two for the full period.

        Example:
            >>> import numpy as np
            >>> noise = np.random.default_rng(0).normal(size=(2, 32, 32))
            >>> fourier_correlation(noise[0], noise[1]).resolution("1/7") > 2
            True
        """
        frequency = self.crossing(threshold)
        return 1 / (2 * frequency) if frequency else math.inf


def fourier_correlation(
    a: np.ndarray, b: np.ndarray, *, mask: np.ndarray | None = None, window: float = 0.125
) -> FourierCorrelation:
    """Fourier ring correlation of two images, or shell correlation of two volumes.

    Both have their mean (weighted by mask and window) taken off before they are weighted, so that the shape of the
    mask is not correlated with itself. Complex images must be free of their gauge first (`align_image`).

    Args:
        a: `(y, x)` or `(z, y, x)`, real or complex; axes of length 1 are dropped; axes may differ in length.
        b: the same shape.
        mask: weights 0 to 1 of the same shape; a soft edge (`soft_mask`) keeps it from correlating with itself.
        window: part of each axis, at either end, over which a raised cosine falls to zero; 0 for none.

    Raises:
        DataError: shapes differ or are not 2D or 3D, values are not finite, or nothing is left to compare.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.normal(size=(24, 24, 24))
        >>> curve = fourier_correlation(truth, truth + rng.normal(size=truth.shape), window=0.0)
        >>> bool(abs(curve.correlation[4:].mean() - 0.5**0.5) < 0.02)
        True
    """
    a, b = np.asarray(a), np.asarray(b)
    same_shape(a, b, ("first array", "second array"))
    weight = _weight(a.shape, mask, window)
    a, b, weight = np.squeeze(a), np.squeeze(b), np.squeeze(weight)
    if a.ndim not in (2, 3) or min(a.shape) < 4:
        raise DataError(
            f"A Fourier correlation of shape {a.shape} is not defined: give 2D or 3D arrays, axes 4 or more."
        )
    finite(a, "first array", "replace them")
    finite(b, "second array", "replace them")
    total = float(weight.sum())
    if not total:
        raise DataError("The mask leaves nothing to correlate: give one that is above zero somewhere.")
    real = not (np.iscomplexobj(a) or np.iscomplexobj(b))
    transform = np.fft.rfftn if real else np.fft.fftn
    spectrum_a, spectrum_b = (transform((v - np.sum(v * weight) / total) * weight) for v in (a, b))
    shell, multiplicity = _shells(a.shape, real)
    count = min(a.shape) // 2

    def ring(values: np.ndarray) -> np.ndarray:
        return np.bincount(shell.ravel(), (values * multiplicity).ravel(), count + 2)[1 : count + 1]

    common = ring((spectrum_a * spectrum_b.conj()).real)
    power = np.sqrt(ring(np.abs(spectrum_a) ** 2) * ring(np.abs(spectrum_b) ** 2))
    counts = ring(np.ones(shell.shape))
    # A mask of which a part f is open leaves a part f of the samples independent, and so does a real array's symmetry.
    independent = counts * total / weight.size * (0.5 if real else 1.0)
    return FourierCorrelation(
        frequency=np.minimum(np.arange(1, count + 1) / min(a.shape), 0.5),
        correlation=np.divide(common, power, out=np.zeros(count), where=power > 0),
        half_bit=_half_bit(independent),
        one_seventh=np.full(count, 1 / 7),
        counts=counts.astype(np.int64),
    )


def _half_bit(independent: np.ndarray) -> np.ndarray:
    root = 1 / np.sqrt(np.maximum(independent, 1))
    return (0.2071 + 1.9102 * root) / (1.2071 + 0.9102 * root)


def _weight(shape: tuple[int, ...], mask: np.ndarray | None, window: float) -> np.ndarray:
    if not 0 <= window <= 0.5:
        raise DataError(f"The window is {window}: give the part of each axis to taper at either end, 0 to 0.5.")
    weight = np.ones(shape) if mask is None else np.asarray(mask, dtype=np.float64)
    if weight.shape != shape:
        raise DataError(f"The mask has shape {weight.shape} and the arrays {shape}: give a mask of the same shape.")
    if not (weight.min() >= 0 and weight.max() <= 1):
        raise DataError("The mask has values outside 0 to 1: give weights in that range.")
    for axis, n in enumerate(shape):
        if window and n > 1:
            depth = np.minimum(np.arange(n) + 0.5, n - 0.5 - np.arange(n)) / (window * n)
            taper = np.sin(np.minimum(depth, 1) * np.pi / 2) ** 2
            weight = weight * np.expand_dims(taper, [i for i in range(len(shape)) if i != axis])
    return weight


def _shells(shape: tuple[int, ...], real: bool) -> tuple[np.ndarray, np.ndarray]:
    """Index of every Fourier sample's shell (the last is beyond Nyquist), and how often each stands in the whole."""
    n = shape[-1]
    axes = [np.fft.fftfreq(length) for length in shape[:-1]] + [np.fft.rfftfreq(n) if real else np.fft.fftfreq(n)]
    squares = sum(np.expand_dims(f**2, [j for j in range(len(axes)) if j != i]) for i, f in enumerate(axes))
    shell = np.rint(np.sqrt(squares) * min(shape)).astype(np.int64)
    multiplicity = np.full(axes[-1].shape, 2.0 if real else 1.0)
    if real:
        multiplicity[0] = 1
        if n % 2 == 0:
            multiplicity[-1] = 1
    return np.minimum(shell, min(shape) // 2 + 1), multiplicity


def soft_mask(mask: np.ndarray, width: float = 3.0) -> np.ndarray:
    """A mask whose edge falls smoothly from 1 to 0: the mask blurred by a Gaussian.

    Args:
        mask: non-zero inside, `(y, x)` or `(z, y, x)`; beyond the array it goes on as at the edge.
        width: standard deviation of the blur in voxels; 0 for none.

    Returns:
        Weights 0 to 1, float64, of the mask's shape.

    Example:
        >>> import numpy as np
        >>> edge = soft_mask(np.arange(32)[None, :].repeat(32, 0) < 16, width=2.0)
        >>> bool(edge[16, 4] > 0.999), bool(edge[16, 28] < 0.001), bool(0.3 < edge[16, 16] < 0.5)
        (True, True, True)
    """
    soft = (np.asarray(mask) != 0).astype(np.float64)
    if not width > 0:
        return soft
    from skimage.filters import gaussian

    # Beyond the array the mask goes on as at its edge, or it would fade there too.
    return np.clip(gaussian(soft, sigma=width, mode="nearest", truncate=4.0), 0, 1)
