"""Quantities as people write them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import JobError
from adorym.physics import Kind, format_quantity, parse_quantity


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
        ("3°", "angle", 3 * (math.pi / 180)),
        ("5 mrad", "angle", 5e-3),
        ("1 rad", "angle", 1.0),
        ("1e-9", "length", 1e-9),
    ],
)
def test_text_with_a_unit_becomes_exactly_the_si_number(text: str, kind: Kind, value: float) -> None:
    assert parse_quantity(text, kind) == value


@pytest.mark.parametrize("number", [3, 3.0, np.float32(3), np.int64(3), np.array(3.0)])
def test_numbers_are_si_already(number: object) -> None:
    result = parse_quantity(number, "length")
    assert result == 3.0
    assert type(result) is float


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ("2 mn", "length", 'did you mean "2 nm"?'),
        ("2 NM", "length", 'did you mean "2 nm"?'),
        ("5 kev", "energy", 'did you mean "5 keV"?'),
        ("5e3 ev", "energy", 'did you mean "5e3 eV"?'),
        ("3 degrees", "angle", 'did you mean "3 deg"?'),
        ("3 furlongs", "length", "use one of m, cm, mm"),
        ("5 keV", "length", 'which is an energy: give a length such as "2 nm"'),
        ("5 nm", "energy", 'which is a length: give an energy such as "5 keV"'),
        ("wide", "length", "which is no length: give a number and a unit"),
        ("", "angle", "which is no angle"),
        ("1e999 m", "length", "give a finite length"),
        ("nan", "length", "which is no length"),
        (math.nan, "energy", "give a finite energy"),
        (True, "length", "which is no length"),
        (None, "angle", "which is no angle"),
        ([1.0], "length", "which is no length"),
        (np.ones(2), "length", "which is no length"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_key_and_the_remedy(value: object, kind: Kind, sentence: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_quantity(value, kind, key="data.thing")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("data.thing is ")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (2e-9, "length", "2 nm"),
        (9.99999e-7, "length", "1 um"),
        (3.65e-3, "length", "3.65 mm"),
        (-1.5, "length", "-1.5 m"),
        (5e-14, "length", "0.05 pm"),
        (0.0, "length", "0 m"),
        (250.0, "energy", "250 eV"),
        (5000.0, "energy", "5 keV"),
        (math.pi / 2, "angle", "90 deg"),
    ],
)
def test_quantities_are_shown_in_the_unit_that_suits(value: float, kind: Kind, text: str) -> None:
    assert format_quantity(value, kind) == text


@given(st.floats(1e-13, 1e3), st.sampled_from(["length", "energy", "angle"]))
def test_showing_and_reading_again_keeps_the_digits(value: float, kind: Kind) -> None:
    assert parse_quantity(format_quantity(value, kind, digits=9), kind) == pytest.approx(value, rel=1e-8)
