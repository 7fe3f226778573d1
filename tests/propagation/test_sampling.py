"""Which propagator fits a grid: its limits, its numbers, and that what it says is what then happens."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import SamplingError
from adorym.physics import depth_of_focus, fresnel_number
from adorym.propagation import choose_propagator, fresnel_one_step, padded_size, propagate, spread
from adorym.waves import Wave

PIXEL, WAVELENGTH = 1e-6, 1e-10


def test_in_place() -> None:
    chosen = choose_propagator(256, 0.0, pixel=PIXEL, wavelength=WAVELENGTH)
    assert (chosen.method, chosen.padded, chosen.output_pixel) == ("in place", 256, PIXEL)
    assert chosen.fresnel_number == np.inf


@pytest.mark.parametrize(
    ("distance", "method"), [(0.1, "transfer function"), (1.0, "transfer function"), (20.0, "one step")]
)
def test_short_and_long_distances(distance: float, method: str) -> None:
    chosen = choose_propagator(128, distance, pixel=PIXEL, wavelength=WAVELENGTH)
    assert chosen.method == method
    assert chosen.fresnel_number == pytest.approx(fresnel_number(64 * PIXEL, WAVELENGTH, distance))
    assert chosen.depth_of_focus == pytest.approx(depth_of_focus(2 * PIXEL, WAVELENGTH))
    assert chosen == choose_propagator(128, -distance, pixel=PIXEL, wavelength=WAVELENGTH)


def test_what_is_chosen_can_be_done_and_agrees_where_both_can() -> None:
    """A smooth aperture, by one step from its own grid and by the transfer function on a padded one."""
    size, distance = 64, 1.6  # 2.5 times the shortest for one step
    one = choose_propagator(size, 400.0, pixel=PIXEL, wavelength=WAVELENGTH)
    assert one.method == "one step"
    assert one.output_pixel == pytest.approx(WAVELENGTH * 400.0 / (size * PIXEL))
    x = (np.arange(512) - 256) * PIXEL
    spot = np.exp(-(x[:, None] ** 2 + x[None, :] ** 2) / (2 * (6 * PIXEL) ** 2)) * np.exp(1j * 0.3 * x / (6 * PIXEL))
    inner = slice(256 - size // 2, 256 + size // 2)
    far = fresnel_one_step(Wave(jnp.asarray(spot[inner, inner]), PIXEL, WAVELENGTH), distance)
    assert far.pixel == pytest.approx(2.5 * PIXEL)
    near = propagate(Wave(jnp.asarray(spot), PIXEL, WAVELENGTH), distance, model="fresnel").field
    points = np.arange(-20, 21, 2)  # every second output pixel is a fifth one of the input's
    sampled = np.asarray(near)[np.ix_(256 + points * 5 // 2, 256 + points * 5 // 2)]
    found = np.asarray(far.field)[np.ix_(size // 2 + points, size // 2 + points)] * PIXEL / far.pixel
    np.testing.assert_allclose(found, sampled, atol=1e-6 * np.abs(sampled).max())


@pytest.mark.parametrize("distance", [1e-2, -5e-2])
def test_spread_is_the_walk_of_the_steepest_wave(distance: float) -> None:
    """A ray at sin a = λ f with f = 1 / 2 pixel."""
    angle = np.arcsin(WAVELENGTH / (2 * PIXEL))
    assert spread(PIXEL, WAVELENGTH, distance) == pytest.approx(abs(distance) * np.tan(angle) / PIXEL)


def test_padding_is_what_is_needed_and_little_more() -> None:
    for wave, detector, distance in [(128, 128, 0.3), (100, 40, 1.0), (31, 64, 0.0)]:
        needed = max(wave, detector, (wave + detector) / 2 + spread(PIXEL, WAVELENGTH, distance))
        size = padded_size(wave, detector, distance, pixel=PIXEL, wavelength=WAVELENGTH)
        assert needed <= size <= 1.2 * needed + 2
        assert size % 2 == 0


def test_pixels_finer_than_half_a_wavelength_are_refused() -> None:
    with pytest.raises(SamplingError, match="finer than half the wavelength"):
        choose_propagator(64, 1.0, pixel=4e-11, wavelength=1e-10)


def test_a_pixel_that_has_to_be_kept_is_kept_or_refused() -> None:
    """Frames of a measurement have the pixel of the sample, so one step is no way to them."""
    far, near = 20.0, 0.5
    free = choose_propagator(512, far, pixel=PIXEL, wavelength=WAVELENGTH)
    assert free.method == "transfer function"
    chosen = choose_propagator(128, near, pixel=PIXEL, wavelength=WAVELENGTH, keep_pixel=True)
    assert chosen == choose_propagator(128, near, pixel=PIXEL, wavelength=WAVELENGTH)
    kept = choose_propagator(16, 4.0, pixel=PIXEL, wavelength=WAVELENGTH, keep_pixel=True)  # small all the same
    assert (kept.method, kept.output_pixel) == ("transfer function", PIXEL)
    with pytest.raises(SamplingError, match=r"undersamples the wave: it spreads over .* one Fresnel step would make"):
        choose_propagator(128, far, pixel=PIXEL, wavelength=WAVELENGTH, keep_pixel=True)


@pytest.mark.parametrize("distance", [0.0, 1.0, -100.0])
def test_no_distance_makes_a_pixel_valid_that_is_too_fine(distance: float) -> None:
    with pytest.raises(SamplingError, match="finer than half the wavelength"):
        choose_propagator(64, distance, pixel=4e-11, wavelength=1e-10)


def test_one_step_goes_upstream_as_it_is_chosen_to() -> None:
    """What one step undoes is what it did, up to the order of the axes' grids: the same pixel, the same field."""
    assert choose_propagator(64, -100.0, pixel=PIXEL, wavelength=WAVELENGTH).method == "one step"
    random = np.random.default_rng(0)
    field = random.normal(size=(32, 32)) + 1j * random.normal(size=(32, 32))
    there = fresnel_one_step(Wave(jnp.asarray(field), PIXEL, WAVELENGTH), 0.32)  # N pixel² / λ: the pixel stays
    back = fresnel_one_step(there, -0.32)
    assert back.pixel == pytest.approx(PIXEL)
    np.testing.assert_allclose(back.field, field, atol=1e-9)
