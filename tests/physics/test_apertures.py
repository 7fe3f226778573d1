"""Diffraction by apertures: Fresnel's integrals behind a slit, Airy's rings and the sinc in the far field."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import fresnel, j1

from adorym.propagation import propagate
from adorym.transport import FarField
from adorym.waves import Wave

WAVELENGTH, PIXEL = 1e-10, 1e-8


def slit_amplitude(x: np.ndarray, half_width: float, distance: float) -> np.ndarray:
    """Behind a slit lit by a plane wave of amplitude 1, from Fresnel's C and S (Goodman, section 4.5.1)."""
    scale = np.sqrt(2 / (WAVELENGTH * distance))
    (s_right, c_right), (s_left, c_left) = fresnel(scale * (half_width - x)), fresnel(scale * (-half_width - x))
    return (c_right - c_left + 1j * (s_right - s_left)) / np.sqrt(2j)


def binned(profile: np.ndarray) -> np.ndarray:
    return profile.reshape(-1, 4).mean(1)


@pytest.mark.parametrize("fresnel_number", [20.0, 4.0, 1.0])
@pytest.mark.parametrize("model", ["angular spectrum", "fresnel"])
def test_slit(model: str, fresnel_number: float) -> None:
    width, size = 256, 32768
    half_width = width * PIXEL / 2
    distance = half_width**2 / (WAVELENGTH * fresnel_number)
    x = (np.arange(size) - (size - 1) / 2) * PIXEL
    slit = np.broadcast_to((np.abs(x) < half_width).astype(complex), (2, size))
    wave = propagate(Wave(jnp.asarray(slit), PIXEL, WAVELENGTH), distance, model=model)
    seen = np.abs(x) < 3 * half_width
    expected = np.abs(slit_amplitude(x, half_width, distance)) ** 2
    # a slit made of points rings at the finest frequency that the grid has: a binning of four takes that away
    measured, foreseen = (binned(np.asarray(a)[seen]) for a in (wave.intensity[0], expected))
    np.testing.assert_allclose(measured, foreseen, atol=5e-3)
    assert float(wave.intensity.sum()) == pytest.approx(2 * width)


def test_edge_of_the_geometric_shadow_has_a_quarter_of_the_light() -> None:
    size = 8192
    x = np.arange(size) - size / 2 + 0.5
    wave = Wave(jnp.asarray(np.broadcast_to((np.abs(x) < 2000).astype(complex), (2, size))), PIXEL, WAVELENGTH)
    intensity = propagate(wave, 2e-4).intensity[0]
    edge = size // 2 - 2000
    assert float(intensity[edge - 1] + intensity[edge]) / 2 == pytest.approx(0.25, abs=0.01)


def test_circular_aperture_gives_airys_rings() -> None:
    size, radius, fine = 256, 39.03, 8
    axis = (np.arange(size * fine) - (size * fine - 1) / 2) / fine
    inside = axis[:, None] ** 2 + axis[None, :] ** 2 < radius**2
    covered = inside.reshape(size, fine, size, fine).mean((1, 3))
    wave = Wave(jnp.asarray(covered, complex)[None, None], PIXEL, WAVELENGTH)
    seen = np.asarray(FarField().carry(wave, 0.0, jnp.array([0])).intensity[0, 0])
    f = np.hypot(*np.meshgrid(*[(np.arange(size) - size // 2) / size] * 2))
    f[size // 2, size // 2] = 1e-9
    airy = (radius * j1(2 * np.pi * radius * f) / f / size) ** 2
    near = f < 0.15  # beyond, the pixels' own form factor shows
    np.testing.assert_allclose(seen[near], airy[near], atol=2e-4 * airy.max())
    first_dark = 0.60983 / radius * size  # 1.22 λ / D; the radius is chosen to put it on a pixel
    assert first_dark == pytest.approx(4, abs=1e-3)
    assert seen[size // 2, size // 2 + 4] < 1e-4 * seen.max()


@pytest.mark.parametrize(("height", "width"), [(6, 10), (7, 3)])
def test_rectangular_aperture_gives_a_product_of_sincs(height: int, width: int) -> None:
    size = 64
    field = np.zeros((size, size), complex)
    field[20 : 20 + height, 30 : 30 + width] = 1
    seen = FarField().carry(Wave(jnp.asarray(field)[None, None], PIXEL, WAVELENGTH), 0.0, jnp.array([0])).intensity
    f = (np.arange(size) - size // 2) / size
    # Dirichlet's kernel: the sinc of a slit made of points
    rows, columns = (
        np.divide(np.sin(np.pi * n * f), np.sin(np.pi * f), out=np.full(size, float(n)), where=f != 0)
        for n in (height, width)
    )
    np.testing.assert_allclose(seen[0, 0], (rows[:, None] * columns[None, :] / size) ** 2, atol=1e-12)
