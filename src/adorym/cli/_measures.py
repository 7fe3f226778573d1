"""How near a result is to the truth, after what the technique cannot tell has been removed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from adorym._core import DataError
from adorym.io import ImageResult, Truth, VolumeResult
from adorym.metrics import FourierCorrelation, align_image, fourier_correlation, nrmse, soft_mask, ssim
from adorym.phantoms import bin_volume
from adorym.physics import wavenumber

Result = VolumeResult | ImageResult


@dataclasses.dataclass(frozen=True, eq=False)
class Agreement:
    """A result beside the truth.

    Attributes:
        error: ||x - truth|| / ||truth|| over the region the measurement reached; x is δ, or the complex image.
        error_whole: the same over everything.
        ssim: structural similarity of δ, or of the phase, over everything.
        correlation: the Fourier correlation over the reached region, its edge softened.
        voxel: edge of a voxel.
        result, truth: what was compared: δ and β, or phase and amplitude, of one shape.
    """

    error: float
    error_whole: float
    ssim: float
    correlation: FourierCorrelation
    voxel: float
    result: tuple[np.ndarray, np.ndarray]
    truth: tuple[np.ndarray, np.ndarray]

    def numbers(self) -> dict[str, float]:
        """All as plain numbers; resolutions are half periods in the voxel's unit."""
        return {
            "error": self.error,
            "error_whole": self.error_whole,
            "ssim": self.ssim,
            "resolution_half_bit": self.correlation.resolution("half bit") * self.voxel,
            "resolution_one_seventh": self.correlation.resolution("1/7") * self.voxel,
        }

    def curve(self) -> dict[str, list[float]]:
        """The Fourier correlation with its thresholds, shell by shell; frequencies in cycles per voxel."""
        names = ("frequency", "correlation", "half_bit", "one_seventh")
        return {name: getattr(self.correlation, name).tolist() for name in names}


def agreement(result: Result, truth: Truth) -> Agreement:
    """A result beside the truth, both on the result's voxels.

    Raises:
        DataError: their voxels or sizes do not fit.
    """
    truth = on_voxels(truth, result)
    if isinstance(result, VolumeResult):
        return _volume_agreement(result, truth)
    return _image_agreement(result, truth)


def error_of(result: Result, truth: Truth) -> float:
    """The error over the reached region alone."""
    truth = on_voxels(truth, result)
    if isinstance(result, VolumeResult):
        shape = truth.delta.shape
        return nrmse(centred(result.delta, shape), truth.delta, _reached(result, shape))
    return nrmse(*_aligned(result, truth))


def on_voxels(truth: Truth, result: Result) -> Truth:
    """The truth averaged to the result's voxels."""
    size = result.voxel if isinstance(result, VolumeResult) else result.pixel
    if truth.voxel is None or result.energy is None or math.isclose(truth.voxel, size, rel_tol=1e-3):
        return truth
    factor = size / truth.voxel
    if factor < 1 or not math.isclose(factor, round(factor), rel_tol=1e-3):
        raise DataError(
            f"The truth has voxels of {truth.voxel:g} m and the result of {size:g} m: the result's have to be a whole "
            "number of times larger."
        )
    whole = round(factor)
    thin = truth.delta.shape[0] == 1  # the deeper voxel holds the same sheet
    delta, beta = (bin_volume(array, whole) / (whole if thin else 1) for array in (truth.delta, truth.beta))
    return Truth(delta, beta, size)


def centred(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The array cut or filled up about its centre.

    Raises:
        DataError: a size differs by an odd number, which would move the centre by half a voxel.
    """
    if array.shape == shape:
        return array
    if array.ndim != len(shape) or any((n - m) % 2 for n, m in zip(array.shape, shape, strict=True)):
        raise DataError(
            f"The result has shape {array.shape} and the truth {shape}: their sizes have to differ by even numbers, "
            "so that both have the same centre."
        )
    return _fitted(array, shape)


def _fitted(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    starts = [max(0, (n - m) // 2) for n, m in zip(array.shape, shape, strict=True)]
    inner = array[tuple(slice(start, start + m) for start, m in zip(starts, shape, strict=True))]
    pads = [((m - n) // 2, m - n - (m - n) // 2) for n, m in zip(inner.shape, shape, strict=True)]
    return np.pad(inner, pads)


def _reached(result: Result, shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, bool) if result.reached is None else _fitted(result.reached, shape)


def _volume_agreement(result: VolumeResult, truth: Truth) -> Agreement:
    shape = truth.delta.shape
    delta, beta = centred(result.delta, shape), centred(result.beta, shape)
    mask = _reached(result, shape)
    return Agreement(
        error=nrmse(delta, truth.delta, mask),
        error_whole=nrmse(delta, truth.delta),
        ssim=ssim(delta, truth.delta),
        correlation=fourier_correlation(delta, truth.delta, mask=soft_mask(mask)),
        voxel=result.voxel,
        result=(delta, beta),
        truth=(truth.delta, truth.beta),
    )


def _image_agreement(result: ImageResult, truth: Truth) -> Agreement:
    aligned, known, mask = _aligned(result, truth)
    found, wanted = ((np.angle(one), np.abs(one)) for one in (aligned, known))
    return Agreement(
        error=nrmse(aligned, known, mask),
        error_whole=nrmse(aligned, known),
        ssim=ssim(found[0], wanted[0]),
        correlation=fourier_correlation(aligned, known, mask=soft_mask(mask)),
        voxel=result.pixel,
        result=found,
        truth=wanted,
    )


def phase_of(truth: Truth, result: ImageResult) -> np.ndarray:
    """The true phase on the pixels of a result that knows its energy."""
    assert result.energy is not None
    truth = on_voxels(truth, result)
    scale = wavenumber(result.energy) * (result.pixel if truth.voxel is None else truth.voxel)
    return _fitted(-scale * truth.delta.sum(0, dtype=np.float64), result.phase.shape)


def _aligned(result: ImageResult, truth: Truth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transmission, true transmission and reached region `(y, x)`, as far as both go.

    A transmission is known up to a phase, a ramp, a shift and a scale, which are taken away.
    """
    if result.energy is None:
        raise DataError("An image in pixel units cannot be compared with δ and β: give data.energy and data.pixel.")
    scale = wavenumber(result.energy) * (result.pixel if truth.voxel is None else truth.voxel)
    known = np.exp(-scale * (truth.beta.sum(0, dtype=np.float64) + 1j * truth.delta.sum(0, dtype=np.float64)))
    mask = _reached(result, result.phase.shape)
    image = result.amplitude * np.exp(1j * result.phase.astype(np.float64))
    shape = tuple(min(a, b) for a, b in zip(image.shape, known.shape, strict=True))
    image, known, mask = (_fitted(one, shape) for one in (image, known, mask))
    return align_image(image, known, mask=mask, scale=True), known, mask
