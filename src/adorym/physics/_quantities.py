"""Lengths, energies and angles as people write them, "2 nm", "5 keV", "3 deg", to SI numbers and back.

A unit is a factor written as a decimal string, so that "2 nm" is the same float as 2e-9: the text is put together and
rounded once.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Annotated, Literal, get_args

from adorym._core import JobError

Kind = Literal["length", "energy", "angle"]

Length = Annotated[float, "length"]
"""A float in metres; in a job it may be written "2 nm"."""
Energy = Annotated[float, "energy"]
"""A float in eV; in a job it may be written "5 keV"."""
Angle = Annotated[float, "angle"]
"""A float in radians; in a job it may be written "3 deg"."""

# Powers of ten apply to the decimal text, the factor to the number: no unit rounds twice.
_UNITS: dict[Kind, dict[str, tuple[int, float]]] = {
    "length": {
        "m": (0, 1.0),
        "cm": (-2, 1.0),
        "mm": (-3, 1.0),
        "um": (-6, 1.0),
        "µm": (-6, 1.0),
        "μm": (-6, 1.0),
        "nm": (-9, 1.0),
        "angstrom": (-10, 1.0),
        "Å": (-10, 1.0),
        "pm": (-12, 1.0),
    },
    "energy": {"eV": (0, 1.0), "keV": (3, 1.0), "MeV": (6, 1.0)},
    "angle": {
        "rad": (0, 1.0),
        "mrad": (-3, 1.0),
        "urad": (-6, 1.0),
        "deg": (0, math.pi / 180),
        "°": (0, math.pi / 180),
    },
}
_SI: dict[Kind, str] = {"length": "metres", "energy": "eV", "angle": "radians"}
_EXAMPLE: dict[Kind, str] = {"length": "2 nm", "energy": "5 keV", "angle": "3 deg"}
_TEXT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+))?\s*(.*?)\s*", re.DOTALL)


def parse_quantity(value: object, kind: Kind, *, key: str = "a value") -> float:
    """A length in metres, an energy in eV or an angle in radians, from text with a unit or a number.

    Args:
        value: "2 nm", "5keV", "-3 deg", or a number (text or not), which is taken as it stands, in SI.
        kind: "length", "energy" or "angle".
        key: where the value stands (the key's path, the option), for the message.

    Raises:
        JobError: not a number, not finite, an unknown unit, or a unit of another kind.

    Example:
        >>> parse_quantity("2 nm", "length"), parse_quantity("5keV", "energy"), parse_quantity(1e-3, "angle")
        (2e-09, 5000.0, 0.001)
        >>> parse_quantity("2 mn", "length", key="experiment.pixel")
        Traceback (most recent call last):
        ...
        adorym._core.errors.JobError: experiment.pixel is "2 mn", but "mn" is no unit of length: did you mean "2 nm"?
    """
    if isinstance(value, str):
        result = _parse_text(value, kind, key)
    elif isinstance(value, bool) or not hasattr(value, "__float__") or getattr(value, "ndim", 0):
        raise JobError(f'{key} is {value!r}, which is no {kind}: give text such as "{_EXAMPLE[kind]}" or a number.')
    else:
        result = float(value)  # pyright: ignore[reportArgumentType]
    if not math.isfinite(result):
        raise JobError(f'{key} is {value!r}: give a finite {kind} such as "{_EXAMPLE[kind]}".')
    return result


def _parse_text(text: str, kind: Kind, key: str) -> float:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise JobError(
            f'{key} is "{text}", which is no {kind}: give a number and a unit such as "{_EXAMPLE[kind]}", '
            f"or a number in {_SI[kind]}."
        )
    digits, exponent, unit = match.groups()
    if unit and unit not in _UNITS[kind]:
        number = text.strip().removesuffix(unit).strip()
        raise JobError(_unit_sentence(text, number, unit, kind, key))
    power, factor = _UNITS[kind][unit] if unit else (0, 1.0)
    return float(f"{digits}e{int(exponent or 0) + power}") * factor


def _unit_sentence(text: str, number: str, unit: str, kind: Kind, key: str) -> str:
    for other in get_args(Kind):
        if unit in _UNITS[other]:
            return f'{key} is "{text}", which is {_article(other)}: give {_article(kind)} such as "{_EXAMPLE[kind]}".'
    known = list(_UNITS[kind])
    lowered = {name.lower(): name for name in reversed(known)}
    # A transposition ("mn") scores no better than other slips, so the letters alone are compared first.
    same_letters = [name for name in known if sorted(name.lower()) == sorted(unit.lower())]
    near = same_letters or [lowered[n] for n in difflib.get_close_matches(unit.lower(), list(lowered), n=1, cutoff=0.5)]
    advice = f'did you mean "{number} {near[0]}"?' if near else f"use one of {', '.join(known)}."
    return f'{key} is "{text}", but "{unit}" is no unit of {kind}: {advice}'


def _article(kind: Kind) -> str:
    return f"a {kind}" if kind == "length" else f"an {kind}"


def format_quantity(value: float, kind: Kind, *, digits: int = 4) -> str:
    """A quantity in the unit that suits its size, the inverse of `parse_quantity`.

    Args:
        value: metres, eV or radians.
        kind: "length", "energy" or "angle" (shown in degrees).
        digits: significant digits.

    Example:
        >>> format_quantity(1.7866e-7, "length"), format_quantity(12658.0, "energy"), format_quantity(0.5, "angle")
        ('178.7 nm', '12.66 keV', '28.65 deg')
    """
    if kind == "angle":
        return f"{value * 180 / math.pi:.{digits}g} deg"
    steps = {"length": ("m", "mm", "um", "nm", "pm"), "energy": ("MeV", "keV", "eV")}[kind]
    size = abs(float(f"{value:.{digits}g}"))
    unit = next((name for name in steps if size >= float(f"1e{_UNITS[kind][name][0]}")), steps[-1])
    if not value:
        unit = "m" if kind == "length" else "eV"
    number = float(f"{value:.{digits}g}") / float(f"1e{_UNITS[kind][unit][0]}")
    return f"{number:.{digits}g} {unit}"
