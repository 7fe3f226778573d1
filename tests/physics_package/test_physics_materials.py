"""Optical constants against the published table of the cone phantom and against the Drude limit."""

from __future__ import annotations

import math

import pytest

from adorym._core import DataError
from adorym.physics import MATERIALS, Material, delta_beta, find_material, wavelength


@pytest.mark.parametrize(
    ("name", "delta", "beta"),
    [("silica", 1.859e-5, 5.795e-7), ("silicon", 1.981e-5, 1.082e-6), ("titania", 2.937e-5, 3.599e-6)],
)
def test_the_cones_materials_at_5_kev(name: str, delta: float, beta: float) -> None:
    assert MATERIALS[name].delta_beta(5000.0) == pytest.approx((delta, beta), rel=5e-4)


@pytest.mark.parametrize("name", MATERIALS)
def test_every_named_material_is_matter_across_the_spectrum(name: str) -> None:
    for energy in (500.0, 5000.0, 30000.0):
        delta, beta = delta_beta(name, None, energy)
        assert 0 <= beta < 0.05
        assert 1e-8 < delta < 0.05


def test_delta_of_a_light_element_is_that_of_free_electrons() -> None:
    """Far above its edges carbon has six free electrons: delta = r_e wavelength^2 n_e / 2 pi."""
    electrons = 6 * 3.52e6 / 12.011 * 6.02214076e23
    expected = 2.8179403e-15 * wavelength(30e3) ** 2 * electrons / (2 * math.pi)
    assert delta_beta("C", 3.52, 30e3)[0] == pytest.approx(expected, rel=1e-3)


def test_both_are_proportional_to_density_and_a_named_materials_density_can_be_replaced() -> None:
    delta, beta = delta_beta("SiO2", 2.2, 1000.0)
    assert delta_beta("SiO2", 1.1, 1000.0) == pytest.approx((delta / 2, beta / 2))
    assert delta_beta("silica", 1.1, 1000.0) == pytest.approx((delta / 2, beta / 2))
    assert delta_beta("silica", None, 1000.0) == (delta, beta)


def test_results_are_plain_floats() -> None:
    assert [type(value) for value in Material("Au", 19.3).delta_beta(5000.0)] == [float, float]


@pytest.mark.parametrize("formula", ["Xx2", "SiO2)", "", "silcia glass"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(DataError, match="no chemical formula"):
        delta_beta(formula, 1.0, 5000.0)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match='did you mean "lithium"'):
        find_material("Lithum")
    with pytest.raises(DataError, match="choose from silica"):
        delta_beta("zzz", None, 5000.0)


@pytest.mark.parametrize("density", [0.0, -1.0, math.nan])
def test_a_density_that_is_not_positive_is_refused(density: float) -> None:
    with pytest.raises(DataError, match="density of SiO2"):
        delta_beta("SiO2", density, 5000.0)


@pytest.mark.parametrize("energy", [0.0, 5.0, 2e6, math.nan])
def test_an_energy_outside_the_tables_is_refused(energy: float) -> None:
    with pytest.raises(DataError, match="outside the tables"):
        delta_beta("SiO2", 2.2, energy)
