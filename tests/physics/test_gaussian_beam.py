"""A Gaussian beam keeps its form in free space (Siegman, Lasers, chapter 17): amplitude, curvature and Gouy phase."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import SamplingError
from adorym.propagation import fresnel_one_step, propagate
from adorym.waves import Wave

WAVELENGTH, PIXEL, SIZE = 1e-10, 1e-7, 160
WAIST = 8 * PIXEL
RAYLEIGH = np.pi * WAIST**2 / WAVELENGTH


def gaussian(x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
    """The beam at a distance z from its waist, without exp(ikz), for waves that go as exp(+ikz)."""
    q = 1 + 1j * z / RAYLEIGH
    return np.exp(-(x**2 + y**2) / (WAIST**2 * q)) / q


def plane(pixel: float, *, centre: float) -> tuple[np.ndarray, np.ndarray]:
    x = (np.arange(SIZE) - centre) * pixel
    return x[None, :], x[:, None]


@pytest.mark.parametrize("model", ["angular spectrum", "fresnel"])
@pytest.mark.parametrize("start", [-1.0, 0.0])
@pytest.mark.parametrize("distance", [-0.5, 0.3, 1.0, 1.5])
def test_transfer_functions_give_the_closed_form(model: str, start: float, distance: float) -> None:
    x, y = plane(PIXEL, centre=(SIZE - 1) / 2)
    wave = Wave(jnp.asarray(gaussian(x, y, start * RAYLEIGH)), PIXEL, WAVELENGTH)
    carried = propagate(wave, distance * RAYLEIGH, model=model)
    expected = gaussian(x, y, (start + distance) * RAYLEIGH)
    # the beam's divergence is 4e-5, so that what the paraxial form leaves out is of the order of 1e-9
    np.testing.assert_allclose(carried.field, expected, atol=1e-8 if model == "angular spectrum" else 1e-10)
    assert carried.pixel == PIXEL


@pytest.mark.parametrize("distance", [1.0, 4.0, 30.0])
def test_one_step_gives_the_closed_form_on_its_own_grid(distance: float) -> None:
    z = distance * RAYLEIGH
    x, y = plane(PIXEL, centre=SIZE // 2)
    far = fresnel_one_step(Wave(jnp.asarray(gaussian(x, y, 0.0)), PIXEL, WAVELENGTH), z)
    assert far.pixel == pytest.approx(WAVELENGTH * z / (SIZE * PIXEL))
    # both grids are centred on pixel N//2, and photons, not amplitudes, are kept: the field grows with the pixel
    expected = gaussian(*plane(far.pixel, centre=SIZE // 2), z) * far.pixel / PIXEL
    np.testing.assert_allclose(far.field, expected, atol=1e-10 * np.abs(expected).max())


def test_the_beam_widens_as_the_rayleigh_length_says() -> None:
    x, y = plane(PIXEL, centre=(SIZE - 1) / 2)
    wave = propagate(Wave(jnp.asarray(gaussian(x, y, 0.0)), PIXEL, WAVELENGTH), float(RAYLEIGH))
    intensity = np.asarray(wave.intensity)
    variance = np.sum(intensity * x**2) / np.sum(intensity)
    assert np.sqrt(variance) * 2 == pytest.approx(np.sqrt(2) * WAIST, rel=1e-6)  # w = 2 standard deviations


def test_a_converging_wave_comes_to_its_focus_downstream() -> None:
    """Fixes the sign of exp(+ikz): exp(-i pi r^2 / lambda f) is focused at z = +f, not at -f."""
    focus = RAYLEIGH / 2
    x, y = plane(PIXEL, centre=SIZE // 2)  # a pixel on the axis, where the light is strongest
    lens = gaussian(x, y, 0.0) * np.exp(-1j * np.pi * (x**2 + y**2) / (WAVELENGTH * focus))
    wave = Wave(jnp.asarray(lens), PIXEL, WAVELENGTH)
    downstream, upstream = (float(propagate(wave, float(z)).intensity.max()) for z in (focus, -focus))
    assert downstream == pytest.approx(4, rel=1e-2)  # 1 / |1 + iz/z_R - z/f|² on the axis
    assert upstream == pytest.approx(1 / 4.25, rel=1e-2)


@pytest.mark.parametrize(("shape", "distance"), [((160, 160), 0.9), ((160, 80), 2.0)])
def test_one_step_refuses_what_it_cannot_sample(shape: tuple[int, int], distance: float) -> None:
    wave = Wave(jnp.ones(shape, complex), PIXEL, WAVELENGTH)
    with pytest.raises(SamplingError, match="square grid and at least"):
        fresnel_one_step(wave, distance * SIZE * PIXEL**2 / WAVELENGTH)
