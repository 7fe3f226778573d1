"""Quantities: units, exactness, and the sentences for what cannot be read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import JobError, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3 nm", "length", 3e-9),
        ("3nm", "length", 3e-9),
        (" -1.5e3 pm ", "length", -1.5e-9),
        ("0.25 um", "length", 0.25e-6),
        ("2 µm", "length", 2e-6),
        ("2 \N{GREEK SMALL LETTER MU}m", "length", 2e-6),
        ("1 Å", "length", 1e-10),
        ("7 cm", "length", 0.07),
        ("1.2 m", "length", 1.2),
        ("5 keV", "energy", 5000.0),
        ("280 eV", "energy", 280.0),
        ("0.01 MeV", "energy", 1e4),
        ("180 deg", "angle", math.pi),
        ("-90°", "angle", -math.pi / 2),
        ("90 rad", "angle", 90.0),
        ("2 mrad", "angle", 0.002),
        ("4 GB", "memory", 4e9),
        ("1.5GiB", "memory", 1.5 * 2**30),
        ("800 kB", "memory", 8e5),
        ("123456789 B", "memory", 123456789.0),
    ],
)
def test_text_with_a_unit_is_the_si_number_to_the_last_bit(text, kind, value):
    assert parse_quantity(text, kind) == value


def test_bare_numbers_are_si():
    assert parse_quantity(2, "length") == 2.0
    assert isinstance(parse_quantity(2, "length"), float)
    assert parse_quantity(math.inf, "length") == math.inf


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("ten nm", "length", r'expected a length such as "2 nm" or a number of metres, got "ten nm"'),
        ("2 parsec", "length", r"unknown unit of length, parsec; known units: m, cm"),
        ("5 kev", "energy", r"did you mean keV\?"),
        ("5", "energy", r'"5" has no unit'),
        ("5 nm", "energy", r"unknown unit of energy, nm"),
        ("1e9999 m", "length", r"too large"),
        ("", "angle", r"expected an angle"),
        (True, "length", r"got True"),
        ("4 gb", "memory", r"unknown unit of memory, gb; did you mean GB\?"),
        ("much", "memory", r'expected a size such as "4 GB" or a number of bytes, got "much"'),
        (math.nan, "length", r"got nan"),
        (90, "angle", r'an angle of 90 needs its unit: write "90 deg" or "90 rad"'),
        (-math.inf, "angle", r"needs its unit"),
    ],
)
def test_what_cannot_be_read_is_said(value, kind, message):
    with pytest.raises(JobError, match=message):
        parse_quantity(value, kind)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["length", "energy", "angle"]))
def test_written_quantities_read_back_exactly(value, kind):
    assert parse_quantity(format_quantity(value, kind), kind) == value


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (35e-9, "length", "35 nm"),
        (1e-6, "length", "1 um"),
        (1e-3, "length", "1 mm"),
        (5000, "energy", "5 keV"),
        (math.pi / 6, "angle", "30 deg"),
        (0.1234, "angle", "0.1234 rad"),
        (0.0, "energy", "0 eV"),
        (math.inf, "length", math.inf),
    ],
)
def test_quantities_are_written_as_people_write_them(value, kind, text):
    assert format_quantity(value, kind) == text
