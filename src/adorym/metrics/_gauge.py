"""What ptychography cannot tell apart, found and removed: a global phase, a linear phase ramp, a shift, a scale.

The probe and the object of a ptychogram are known up to a factor exchanged between them (the scale and the phase), a
linear phase ramp (exchanged for a shift of the far-field frames), and a common shift. An estimate is compared with the
truth after the gauge that brings it nearest, in least squares:

    estimate(r) = factor * exp(i ramp . r) * truth(r - shift)

with r in pixels from the image's centre (N - 1) / 2. A coarse gauge comes from correlations, the exact one from a few
damped Gauss-Newton steps on its (at most six) real numbers; shifts are Fourier shifts and wrap round.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from adorym._core import DataError
from adorym.metrics._checks import finite, same_shape
from adorym.metrics._differences import nrmse

_STEPS = 60
_TOLERANCE = 1e-11


@dataclasses.dataclass(frozen=True)
class Gauge:
    """How an image differs from another in what the measurement cannot see.

    Attributes:
        factor: complex factor (a pure phase where the scale is not free).
        ramp: linear phase (y, x), radians per pixel, zero at the image's centre.
        shift: displacement (y, x), pixels.

    Example:
        >>> import numpy as np
        >>> image = np.random.default_rng(0).normal(size=(8, 8)) + 0j
        >>> gauge = Gauge(factor=2j, ramp=(0.1, -0.2), shift=(1.5, 0.25))
        >>> bool(np.allclose(gauge.remove(gauge.apply(image)), image))
        True
    """

    factor: complex = 1.0 + 0j
    ramp: tuple[float, float] = (0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The image `(y, x)` given this gauge: shifted, then ramped and multiplied; complex128.

        Example:
            >>> import numpy as np
            >>> Gauge(shift=(0.0, 1.0)).apply(np.array([[1.0, 0, 0, 0]])).real.round(12) + 0.0
            array([[0., 1., 0., 0.]])
        """
        shifted = np.fft.ifft2(np.fft.fft2(image) * _shift_kernel(image.shape, np.negative(self.shift)))
        return self.factor * _ramp(image.shape, self.ramp) * shifted

    def remove(self, image: np.ndarray) -> np.ndarray:
        """The image `(y, x)` freed of this gauge, the inverse of `apply`; complex128.

        Example:
            >>> import numpy as np
            >>> Gauge(factor=1j).remove(np.array([[1j, 2j]])).real
            array([[1., 2.]])
        """
        flat = image * _ramp(image.shape, np.negative(self.ramp)) / self.factor
        return np.fft.ifft2(np.fft.fft2(flat) * _shift_kernel(image.shape, self.shift))


def find_gauge(
    estimate: np.ndarray,
    truth: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    phase: bool = True,
    ramp: bool = True,
    shift: bool = True,
    scale: bool = False,
) -> Gauge:
    """The gauge that, removed from the estimate, brings it nearest to the truth in least squares.

    Args:
        estimate: `(y, x)`, complex transmission.
        truth: the same shape.
        mask: weights `(y, x)`, non-zero where to compare.
        phase: free the global phase.
        ramp: free the linear phase ramp.
        shift: free the shift.
        scale: free the amplitude's scale.

    Raises:
        DataError: shapes differ or are not 2D, values are not finite, or the truth or the estimate is zero there.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> truth = np.exp(1j * rng.normal(size=(32, 32)))
        >>> found = find_gauge(Gauge(np.exp(0.5j), (0.02, 0.1), (2.25, -1.5)).apply(truth), truth)
        >>> np.round(found.shift, 6).tolist(), np.round(found.ramp, 6).tolist()
        ([2.25, -1.5], [0.02, 0.1])
    """
    estimate, truth, weight = _checked(estimate, truth, mask)
    coarse = _coarse(estimate, truth, weight, ramp=ramp, shift=shift)
    free = np.array([scale, phase, ramp, ramp, shift, shift])
    start = np.array([0.0, 0.0, *coarse.ramp, *coarse.shift])
    if phase or scale:
        overlap = np.vdot(weight * coarse.remove(estimate), truth)
        power = np.vdot(weight * estimate, estimate).real
        start[0] = np.log(max(abs(overlap) / power, 1e-6)) if scale else 0.0
        start[1] = np.angle(overlap) if phase else 0.0
    a, b, *rest = _refine(estimate, truth, weight, start=start, free=free)
    return Gauge(complex(np.exp(-a - 1j * b)), (float(rest[0]), float(rest[1])), (float(rest[2]), float(rest[3])))


def align_image(
    estimate: np.ndarray,
    truth: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    phase: bool = True,
    ramp: bool = True,
    shift: bool = True,
    scale: bool = False,
) -> np.ndarray:
    """The estimate without the gauge it has against the truth (`find_gauge`): `(y, x)`, complex128.

    Args:
        estimate: `(y, x)`, complex transmission.
        truth: the same shape.
        mask: weights `(y, x)`, non-zero where to compare.
        phase: remove a global phase.
        ramp: remove a linear phase ramp.
        shift: remove a shift, to a fraction of a pixel (it wraps round).
        scale: remove a factor of amplitude.

    Raises:
        DataError: as `find_gauge`.

    Example:
        >>> import numpy as np
        >>> truth = np.exp(1j * np.random.default_rng(0).normal(size=(32, 32)))
        >>> moved = np.roll(truth, 3, axis=1) * np.exp(0.7j)
        >>> bool(np.allclose(align_image(moved, truth), truth))
        True
    """
    gauge = find_gauge(estimate, truth, mask=mask, phase=phase, ramp=ramp, shift=shift, scale=scale)
    return gauge.remove(estimate)


def gauge_error(estimate: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Relative error of a ptychographic image, ||aligned - truth|| / ||truth||, without its whole gauge.

    Args:
        estimate: `(y, x)`, complex transmission.
        truth: the same shape.
        mask: `(y, x)`, non-zero where to compare.

    Raises:
        DataError: as `find_gauge`.

    Example:
        >>> import numpy as np
        >>> truth = np.exp(1j * np.random.default_rng(0).normal(size=(32, 32)))
        >>> gauge_error(2 * truth, truth) < 1e-9
        True
    """
    return nrmse(align_image(estimate, truth, mask=mask, scale=True), np.asarray(truth), mask)


def _checked(
    estimate: np.ndarray, truth: np.ndarray, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    estimate, truth = np.asarray(estimate), np.asarray(truth)
    same_shape(estimate, truth, ("estimate", "truth"))
    if truth.ndim != 2:
        raise DataError(f"The image to align has shape {truth.shape}: give one image, (y, x).")
    weight = np.ones(truth.shape) if mask is None else np.asarray(mask, dtype=np.float64)
    same_shape(weight, truth, ("mask", "truth"))
    finite(estimate, "estimate", "replace them")
    finite(truth, "truth", "replace them")
    for image, name in ((estimate, "estimate"), (truth, "truth")):
        if not np.any(weight * np.abs(image)):
            raise DataError(f"The {name} is zero everywhere it is compared: give an image to align.")
    return estimate.astype(np.complex128), truth.astype(np.complex128), weight


def _coordinates(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    return y[:, None], x[None, :]


def _ramp(shape: tuple[int, ...], ramp: np.ndarray | tuple[float, float]) -> np.ndarray:
    y, x = _coordinates(shape)
    return np.exp(1j * ramp[0] * y) * np.exp(1j * ramp[1] * x)


def _shift_kernel(shape: tuple[int, ...], shift: np.ndarray | tuple[float, float]) -> np.ndarray:
    """Fourier factor that turns u(r) into u(r + shift)."""
    y, x = (np.fft.fftfreq(n) for n in shape)
    return np.exp(2j * np.pi * shift[0] * y)[:, None] * np.exp(2j * np.pi * shift[1] * x)[None, :]


def _coarse(estimate: np.ndarray, truth: np.ndarray, weight: np.ndarray, *, ramp: bool, shift: bool) -> Gauge:
    """The ramp to within half a cycle per image and the shift to within a pixel, from peaks of correlations.

    A shift does not change the modulus of a spectrum and a ramp displaces it, so the ramp can be found first; with it
    removed the images can be registered; and the ramp of the registered images' product is sharper than the first.
    """
    gauge = Gauge()
    if ramp and shift:
        moduli = (np.abs(np.fft.fft2(weight * image)) for image in (estimate, truth))
        gauge = dataclasses.replace(gauge, ramp=_cycles(_lag(*moduli), truth.shape))
    if shift:
        gauge = dataclasses.replace(gauge, shift=_lag(*(_textured(v, weight) for v in (gauge.remove(estimate), truth))))
    if ramp:
        registered = Gauge(shift=gauge.shift).remove(estimate)
        spectrum = np.abs(np.fft.fft2(weight * registered * truth.conj()))
        gauge = dataclasses.replace(gauge, ramp=_cycles(_peak(spectrum), truth.shape))
    return gauge


def _textured(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return weight * (image - np.sum(weight * image) / weight.sum())


def _lag(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Whole-sample displacement of a against b; the spectrum is half whitened, which sharpens the peak."""
    cross = np.fft.fft2(a) * np.fft.fft2(b).conj()
    modulus = np.abs(cross)
    return _peak(np.abs(np.fft.ifft2(cross / np.sqrt(modulus + 1e-12 * modulus.max() + 1e-300))))


def _peak(values: np.ndarray) -> tuple[float, float]:
    y, x = np.unravel_index(int(np.argmax(values)), values.shape)
    ny, nx = values.shape
    return float((y + ny // 2) % ny - ny // 2), float((x + nx // 2) % nx - nx // 2)


def _cycles(peak: tuple[float, float], shape: tuple[int, ...]) -> tuple[float, float]:
    return 2 * np.pi * peak[0] / shape[0], 2 * np.pi * peak[1] / shape[1]


def _refine(
    estimate: np.ndarray, truth: np.ndarray, weight: np.ndarray, *, start: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Levenberg-Marquardt on (log scale, phase, ramp y, x, shift y, x) of the gauge to take away."""
    size = np.array([1.0, 1.0, *(2 * np.pi / np.array(truth.shape)), 1.0, 1.0])  # a change of order one in each
    parameters, damping = start, 1e-4
    aligned, jacobian = _model(estimate, parameters)
    cost = _cost(aligned - truth, weight)
    for _ in range(_STEPS if free.any() else 0):
        columns = jacobian()[free].reshape(int(free.sum()), -1) * size[free, None]
        weighted = columns.conj() * weight.ravel()
        matrix, slope = np.real(weighted @ columns.T), np.real(weighted @ (truth - aligned).ravel())
        step = np.zeros(6)
        step[free] = np.linalg.lstsq(matrix + damping * np.diag(np.diag(matrix)), slope, rcond=None)[0]
        trial = parameters + step * size
        trial_aligned, trial_jacobian = _model(estimate, trial)
        trial_cost = _cost(trial_aligned - truth, weight)
        if trial_cost <= cost:
            parameters, aligned, jacobian, cost = trial, trial_aligned, trial_jacobian, trial_cost
            damping /= 10
        else:
            damping *= 10
        if np.abs(step).max() < _TOLERANCE:
            break
    return parameters


def _cost(residual: np.ndarray, weight: np.ndarray) -> float:
    return float(np.sum(weight * np.abs(residual) ** 2))


def _model(estimate: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    """The estimate without the gauge of these parameters, and a function that gives the derivatives `(6, y, x)`."""
    scale, phase, ramp, shift = parameters[0], parameters[1], parameters[2:4], parameters[4:]
    factor = np.exp(scale + 1j * phase)
    flat = estimate * _ramp(estimate.shape, -ramp)
    kernel = factor * _shift_kernel(estimate.shape, shift)
    spectrum = np.fft.fft2(flat) * kernel
    aligned = np.fft.ifft2(spectrum)

    def jacobian() -> np.ndarray:
        y, x = _coordinates(estimate.shape)
        fy, fx = (2j * np.pi * np.fft.fftfreq(n) for n in estimate.shape)
        ramps = (np.fft.ifft2(np.fft.fft2(-1j * axis * flat) * kernel) for axis in (y, x))
        shifts = (np.fft.ifft2(spectrum * f) for f in (fy[:, None], fx[None, :]))
        return np.stack([aligned, 1j * aligned, *ramps, *shifts])

    return aligned, jacobian
