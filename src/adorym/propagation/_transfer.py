"""Transfer functions of free space, evaluated in 64 bits on the host.

A plane wave of transverse frequency f gains over a distance z, beside the global phase exp(ikz) that is left out, the
phase φ(f) z with

    exact (angular spectrum)   φ = -2π λ f² / (1 + √(1 - λ² f²))
    Fresnel (paraxial)         φ = -π λ f²

The first is the textbook (2π/λ)(√(1 - λ² f²) - 1) in the form that does not cancel (Goodman, Introduction to Fourier
Optics, 3.10). Evanescent waves (λ f > 1) do not arrive.
"""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np

from adorym._core import SamplingError
from adorym.waves import Grid

Model = Literal["angular spectrum", "fresnel"]


@functools.lru_cache(maxsize=32)
def phase_per_length(grid: Grid, model: Model = "angular spectrum") -> np.ndarray:
    """φ(f) in radians per metre, FFT order, float64 `(y, x)`; -inf where the wave is evanescent.

    Example:
        >>> float(phase_per_length(Grid((4, 4), 1e-9, 1e-10))[0, 0])
        -0.0
    """
    pixel, wavelength = grid.pixel, grid.wavelength
    if pixel <= 0 or wavelength <= 0:
        raise SamplingError(f"Pixel {pixel} m and wavelength {wavelength} m: both have to be positive.")
    fy, fx = (np.fft.fftfreq(n, pixel) for n in grid.shape)
    squared = fy[:, None] ** 2 + fx[None, :] ** 2
    if model == "fresnel":
        phase = -np.pi * wavelength * squared
    else:
        cosine_squared = 1 - wavelength**2 * squared
        phase = -2 * np.pi * wavelength * squared / (1 + np.sqrt(np.maximum(cosine_squared, 0)))
        phase[cosine_squared < 0] = -np.inf
    phase.setflags(write=False)
    return phase


def transfer_function(grid: Grid, distance: float, *, model: Model = "angular spectrum") -> np.ndarray:
    """exp(iφz) for a fixed distance, FFT order, complex128 `(y, x)`.

    Args:
        grid: sampling of the wave.
        distance: in metres; negative goes upstream.
        model: exact angular spectrum or paraxial Fresnel.

    Example:
        >>> kernel = transfer_function(Grid((4, 4), 1e-9, 1e-10), 1e-6)
        >>> bool(np.allclose(np.abs(kernel), 1))
        True
    """
    if distance == 0:
        return np.ones(grid.shape, complex)  # nothing is lost in place, evanescent waves included
    phase = phase_per_length(grid, model)
    travelling = np.isfinite(phase)
    return np.where(travelling, np.exp(1j * np.where(travelling, phase, 0) * distance), 0)
