"""A wave from one plane to another through vacuum."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from adorym._core import SamplingError
from adorym._core.fourier import convolve, fft2, ifft2
from adorym.propagation._transfer import Model, transfer_function
from adorym.propagation._transmission import phasor
from adorym.waves import Wave


def propagate(wave: Wave, distance: float, *, model: Model = "angular spectrum") -> Wave:
    """Free space on the wave's own periodic grid, whose pixel it keeps: unitary, so |wave|² sums to the same photons.

    Pad the wave first (`padded_size`) where light may reach the edge.

    Args:
        wave: field `(..., y, x)`.
        distance: metres; negative goes upstream.
        model: exact angular spectrum or Fresnel.

    Example:
        >>> wave = Wave(jnp.ones((8, 8), complex), pixel=1e-8, wavelength=1e-10)
        >>> bool(jnp.allclose(propagate(wave, 1e-6).field, 1.0))
        True
    """
    kernel = transfer_function(wave.grid, distance, model=model)
    return wave.with_field(convolve(wave.field, jnp.asarray(kernel, wave.field.dtype)))


def _chirp(shape: tuple[int, int], step: float, curvature: float) -> np.ndarray:
    """exp(iπ r² curvature) about the pixel N//2."""
    y, x = ((np.arange(n) - n // 2) * step for n in shape)
    return np.exp(1j * np.pi * curvature * (y[:, None] ** 2 + x[None, :] ** 2))


def fresnel_one_step(wave: Wave, distance: float) -> Wave:
    """Fresnel's integral as one FFT: for distances where the transfer function is undersampled.

    u(x') = exp(iπ x'²/λz) / (iλz) ∫ u(x) exp(iπ x²/λz) exp(-2πi x x'/λz) dx (Goodman 4-17, without exp(ikz)). Both
    grids are centred like frequency grids, on pixel N//2, and the output pixel is λ z / (N pixel).

    Args:
        wave: field `(..., y, x)` on a square grid, centred on pixel N//2.
        distance: metres, at least N pixel² / λ; negative goes upstream.

    Raises:
        SamplingError: the distance is too short for the chirp to be sampled.

    Example:
        >>> wave = Wave(jnp.ones((8, 8), complex), pixel=1e-6, wavelength=1e-10)
        >>> far = fresnel_one_step(wave, 10.0)
        >>> bool(jnp.isclose(jnp.sum(far.intensity), 64.0)), round(far.pixel * 1e6, 6)
        (True, 125.0)
    """
    if distance < 0:  # upstream is downstream for the wave run backwards
        back = fresnel_one_step(wave.with_field(jnp.conj(wave.field)), -distance)
        return back.with_field(jnp.conj(back.field))
    rows, columns = wave.shape
    shortest = max(rows, columns) * wave.pixel**2 / wave.wavelength
    if rows != columns or distance < shortest:
        raise SamplingError(
            f"One-step Fresnel of {rows} x {columns} pixels over {distance:.4g} m: it takes a square grid and at least "
            f"{shortest:.4g} m; use propagate() for shorter distances."
        )
    pixel = wave.wavelength * distance / (rows * wave.pixel)
    curvature = 1 / (wave.wavelength * distance)
    before = _chirp(wave.shape, wave.pixel, curvature)
    after = -1j * _chirp(wave.shape, pixel, curvature)
    dtype = wave.field.dtype
    shifted = jnp.fft.ifftshift(wave.field * jnp.asarray(before, dtype), axes=(-2, -1))
    field = jnp.fft.fftshift(fft2(shifted), axes=(-2, -1)) * jnp.asarray(after, dtype)
    return Wave(field, pixel, wave.wavelength)


def far_field(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """Fraunhofer diffraction in FFT order: the detector point x = +λ z f sees the frequency f.

    Example:
        >>> bool(jnp.allclose(far_field(jnp.ones((2, 2), complex))[0, 0], 2.0))
        True
    """
    return fft2(field)


def shift(field: Complex[Array, "*batch y x"], pixels: Array) -> Complex[Array, "..."]:
    """The field moved by a fraction of a pixel, by the Fourier shift theorem; periodic.

    Args:
        field: `(..., y, x)`.
        pixels: `(*frames, 2)` how far (y, x) each copy moves towards larger indices.

    Returns:
        `(*frames, ..., y, x)`: one copy of the field for each shift.

    Example:
        >>> field = jnp.zeros((4, 4), complex).at[1, 1].set(1.0)
        >>> bool(jnp.allclose(shift(field, jnp.array([1.0, 0.0]))[2, 1], 1.0))
        True
    """
    return shifted(fft2(field), pixels)


def shifted(spectrum: Complex[Array, "*batch y x"], pixels: Array) -> Complex[Array, "..."]:
    """The field of a spectrum, moved as `shift` moves it; for many shifts of one field.

    Example:
        >>> field = jnp.zeros((4, 4), complex).at[1, 1].set(1.0)
        >>> bool(jnp.allclose(shifted(fft2(field), jnp.array([1.0, 0.0]))[2, 1], 1.0))
        True
    """
    extra, (ny, nx) = (None,) * (spectrum.ndim - 2), spectrum.shape[-2:]
    rates = np.zeros((2, max(ny, nx)))
    for rate, n in zip(rates, (ny, nx), strict=True):
        rate[:n] = -2 * math.pi * np.fft.fftfreq(n)
    phases = jnp.moveaxis(pixels[..., None] * jnp.asarray(rates, pixels.dtype), -2, 0)
    # a loop, out of which a compiler does not fuse what it would then compute again for every pixel
    y, x = jax.lax.map(phasor, phases)
    y = y[..., :ny].astype(spectrum.dtype)[(..., *extra, slice(None), None)]
    x = x[..., :nx].astype(spectrum.dtype)[(..., *extra, None, slice(None))]
    return ifft2(spectrum * (y * x))
