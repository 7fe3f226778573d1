"""Quantities as people write them: their units are those of `adorym.physics`."""

from __future__ import annotations

import math

import pytest

from adorym import physics
from adorym._core import JobError, QuantityKind


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2 nm", "length", 2e-9),
        ("2nm", "length", 2e-9),
        (" 178.66 nm ", "length", 178.66e-9),
        ("3.65 mm", "length", 3.65e-3),
        ("1.5e2 um", "length", 1.5e-4),
        ("7 µm", "length", 7e-6),
        ("7 μm", "length", 7e-6),
        ("1.2 Å", "length", 1.2e-10),
        ("-4 cm", "length", -0.04),
        ("2 m", "length", 2.0),
        (".5 pm", "length", 5e-13),
        ("5 keV", "energy", 5000.0),
        ("12.658keV", "energy", 12658.0),
        ("2eV", "energy", 2.0),
        ("2e3 eV", "energy", 2000.0),
        ("0.1 MeV", "energy", 1e5),
        ("180 deg", "angle", math.pi),
        ("5 mrad", "angle", 5e-3),
        ("1 rad", "angle", 1.0),
    ],
)
def test_text_with_a_unit_becomes_exactly_the_si_number(text: str, kind: QuantityKind, value: float) -> None:
    assert physics.parse_quantity(text, kind) == value


@pytest.mark.parametrize("unit", ["m", "cm", "mm", "um", "nm", "angstrom", "pm", "eV", "keV", "rad", "mrad", "deg"])
def test_every_unit_that_python_has_can_be_written(unit: str) -> None:
    kind = "energy" if unit.endswith("V") else "angle" if unit in ("rad", "mrad", "deg") else "length"
    assert physics.parse_quantity(f"3 {unit}", kind) == pytest.approx(3 * getattr(physics, unit), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2 mn", "length"),
        ("5 kev", "energy"),
        ("5 keV", "length"),
        ("5 nm", "energy"),
        ("wide", "length"),
        ("", "angle"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, kind: QuantityKind) -> None:
    with pytest.raises(JobError, match=rf'"{text}"'):
        physics.parse_quantity(text, kind)
