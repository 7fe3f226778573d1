"""The arithmetic of a beam against numbers worked by hand and CONVENTIONS' formulas."""

from __future__ import annotations

import math

import pytest

from adorym import physics
from adorym._core import DataError


def test_units_are_si_and_energies_electronvolts() -> None:
    assert (physics.m, physics.cm, physics.mm, physics.um, physics.nm, physics.angstrom, physics.pm) == (
        1,
        1e-2,
        1e-3,
        1e-6,
        1e-9,
        1e-10,
        1e-12,
    )
    assert (physics.eV, 5 * physics.keV) == (1, 5000)
    assert (180 * physics.deg, physics.rad, physics.mrad) == (math.pi, 1, 1e-3)


def test_wavelength_and_wavenumber_are_those_of_the_convention() -> None:
    assert physics.wavelength(1.0) == 1.23984198e-6
    assert physics.wavelength(5000.0) == pytest.approx(2.47968396e-10, rel=1e-12)
    assert physics.wavenumber(5000.0) * physics.wavelength(5000.0) == pytest.approx(2 * math.pi, rel=1e-15)


def test_depth_of_focus_is_five_point_four_resolution_squared_over_wavelength() -> None:
    assert physics.depth_of_focus(1e-8, 1e-9) == pytest.approx(5.3749e-7, rel=1e-4)


@pytest.mark.parametrize(
    ("count", "pixel", "energy", "ratio"),
    [(256, 1e-9, 5000.0, 2.9), (128, 2e-9, 5000.0, 0.74), (64, 4e-9, 5000.0, 0.18), (64, 1e-9, 1000.0, 3.7)],
)
def test_thickness_over_depth_of_focus_of_the_cones(count: int, pixel: float, energy: float, ratio: float) -> None:
    depth = physics.depth_of_focus(2 * pixel, physics.wavelength(energy))
    assert count * pixel / depth == pytest.approx(ratio, rel=0.03)


def test_fresnel_number_is_even_in_distance_and_infinite_in_contact() -> None:
    assert physics.fresnel_number(2e-6, 1e-10, 0.04) == pytest.approx(1.0)
    assert physics.fresnel_number(2e-6, 1e-10, -0.04) == physics.fresnel_number(2e-6, 1e-10, 0.04)
    assert physics.fresnel_number(2e-6, 1e-10, 0.0) == math.inf


def test_cone_beam_of_a_known_instrument() -> None:
    beam = physics.cone_beam(3.65e-3, 3.65e-3 * 306.85)
    assert beam.magnification == pytest.approx(307.85)
    assert beam.pixel(55e-6) == pytest.approx(178.66e-9, rel=1e-4)
    assert beam.distance == pytest.approx(3.638e-3, rel=1e-4)


def test_cone_beam_becomes_parallel_as_the_focus_recedes() -> None:
    parallel = physics.cone_beam(math.inf, 0.5)
    assert (parallel.magnification, parallel.distance, parallel.pixel(1e-6)) == (1.0, 0.5, 1e-6)
    distant = physics.cone_beam(1e9, 0.5)
    assert distant.magnification == pytest.approx(1, abs=1e-8)
    assert distant.distance == pytest.approx(0.5, abs=1e-8)


def test_cone_beam_keeps_the_geometrical_relation() -> None:
    """1/z_eff = 1/z1 + 1/z2."""
    beam = physics.cone_beam(0.2, 3.0)
    assert 1 / beam.distance == pytest.approx(1 / 0.2 + 1 / 3.0)


def test_far_field_pixel_is_the_discrete_transforms() -> None:
    pixel = physics.far_field_pixel(1e-10, 2.0, 100, detector_pixel=50e-6)
    assert pixel * 100 * 50e-6 == pytest.approx(1e-10 * 2.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_lengths_and_energies_that_are_not_positive_are_refused(bad: float) -> None:
    with pytest.raises(DataError, match="energy is"):
        physics.wavelength(bad)
    with pytest.raises(DataError, match="focus to sample"):
        physics.cone_beam(bad, 1.0)
    with pytest.raises(DataError, match="sample to detector"):
        physics.cone_beam(1.0, bad)
    with pytest.raises(DataError, match="detector pixel"):
        physics.far_field_pixel(1e-10, 1.0, 10, detector_pixel=bad)
    with pytest.raises(DataError, match="resolution"):
        physics.depth_of_focus(bad, 1e-10)
    with pytest.raises(DataError, match="size"):
        physics.fresnel_number(bad, 1e-10, 1.0)
