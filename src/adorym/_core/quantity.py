"""Lengths, energies, angles, memory as people write them ("2 nm", "5 keV", "3 deg", "4 GB"), and in SI and bytes.

A parameter annotated `Length`, `Energy`, `Angle` or `Memory` is a plain float to Python and to the type checker; the
mark tells a job's reader which units it may be written in. Parameters annotated `float` take bare numbers only.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from adorym._core.errors import JobError

QuantityKind: TypeAlias = Literal["length", "energy", "angle", "memory"]


@dataclasses.dataclass(frozen=True)
class Quantity:
    """Marks an annotation as a physical quantity.

    Args:
        kind: "length" (metres), "energy" (eV), "angle" (radians) or "memory" (bytes).

    Example:
        >>> from typing import Annotated, get_args
        >>> get_args(Annotated[float, Quantity("length")])[1].kind
        'length'
    """

    kind: QuantityKind


Length: TypeAlias = Annotated[float, Quantity("length")]
Energy: TypeAlias = Annotated[float, Quantity("energy")]
Angle: TypeAlias = Annotated[float, Quantity("angle")]
Memory: TypeAlias = Annotated[float, Quantity("memory")]

# Decimals, so that "3 nm" is the float 3e-9 itself and not 3 * 1e-9, which differs from it in the last bit.
_ANGLES = {"rad": Decimal(1), "mrad": Decimal("1e-3"), "urad": Decimal("1e-6"), "µrad": Decimal("1e-6")}
_LENGTHS = {
    "m": Decimal(1),
    "cm": Decimal("1e-2"),
    "mm": Decimal("1e-3"),
    "um": Decimal("1e-6"),
    "µm": Decimal("1e-6"),
    "nm": Decimal("1e-9"),
    "Å": Decimal("1e-10"),
    "angstrom": Decimal("1e-10"),
    "pm": Decimal("1e-12"),
}
_ENERGIES = {"eV": Decimal(1), "keV": Decimal("1e3"), "MeV": Decimal("1e6")}
_MEMORIES = {
    "TB": Decimal(10**12),
    "GB": Decimal(10**9),
    "MB": Decimal(10**6),
    "kB": Decimal(1000),
    "B": Decimal(1),
    "TiB": Decimal(2**40),
    "GiB": Decimal(2**30),
    "MiB": Decimal(2**20),
    "KiB": Decimal(2**10),
}
_DEGREES = ("deg", "°")
_UNITS: Mapping[str, Mapping[str, Decimal]] = MappingProxyType(
    {"length": _LENGTHS, "energy": _ENERGIES, "angle": _ANGLES, "memory": _MEMORIES}
)
_WRITTEN = {
    "length": ("m", "mm", "um", "nm", "pm"),
    "energy": ("MeV", "keV", "eV"),
    "memory": ("TB", "GB", "MB", "kB", "B"),
}
_EXPECTED = {
    "length": 'a length such as "2 nm" or a number of metres',
    "energy": 'an energy such as "5 keV" or a number of eV',
    "angle": 'an angle such as "3 deg" or a number of radians',
    "memory": 'a size such as "4 GB" or a number of bytes',
}
_NUMBER_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?)\s*(\S*)\s*", re.ASCII)


def expected_quantity(kind: QuantityKind) -> str:
    """What may be written for a quantity, in words for messages and tables.

    Example:
        >>> expected_quantity("energy")
        'an energy such as "5 keV" or a number of eV'
    """
    return _EXPECTED[kind]


def parse_quantity(value: str | float | int, kind: QuantityKind) -> float:
    """Metres, eV, radians or bytes, from text with a unit or from a bare number of them.

    Args:
        value: text such as "2 nm", or a number already in metres, eV, radians or bytes.
        kind: what the quantity is.

    Raises:
        JobError: not a number with a known unit; not a number (NaN); or a bare angle of more than two turns, which
            is far more often meant in degrees.

    Example:
        >>> parse_quantity("2 nm", "length"), parse_quantity("5 keV", "energy"), parse_quantity(0.5, "angle")
        (2e-09, 5000.0, 0.5)
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise JobError(f"expected {_EXPECTED[kind]}, got {value!r}")
    if not isinstance(value, str):
        return _bare_number(value, kind)
    match = _NUMBER_UNIT.fullmatch(value.replace("μ", "µ").replace("\N{ANGSTROM SIGN}", "Å"))
    if match is None:
        raise JobError(f'expected {_EXPECTED[kind]}, got "{value}"')
    number, unit = match.groups()
    if kind == "angle" and unit in _DEGREES:
        return _finite(math.radians(float(number)), value)
    factor = _UNITS[kind].get(unit)
    if factor is None:
        raise JobError(_unit_message(value, unit, kind))
    return _finite(float(Decimal(number) * factor), value)


def format_quantity(value: float | int, kind: QuantityKind) -> str | float:
    """Text with a unit from which `parse_quantity` reads exactly the same float (infinite values stay numbers).

    Example:
        >>> format_quantity(2e-9, "length"), format_quantity(12345.6, "energy"), format_quantity(0.0, "length")
        ('2 nm', '12.3456 keV', '0 m')
    """
    value = float(value)
    if not math.isfinite(value):
        return value
    if kind == "angle":
        degrees = f"{math.degrees(value):.12g} deg"
        return degrees if parse_quantity(degrees, kind) == value else f"{value!r} rad"
    units = _UNITS[kind]
    fitting = [unit for unit in _WRITTEN[kind] if Decimal(repr(abs(value))) >= units[unit]]
    if value == 0:
        unit = next(unit for unit in _WRITTEN[kind] if units[unit] == 1)
    else:
        unit = fitting[0] if fitting else _WRITTEN[kind][-1]
    number = Decimal(repr(value)) / units[unit]
    digits = format(number.normalize(), "f") if 1e-6 < abs(number) < 1e6 or number == 0 else str(number.normalize())
    return f"{digits} {unit}"


def _bare_number(value: float | int, kind: QuantityKind) -> float:
    if not (abs(value) <= sys.float_info.max or abs(value) == math.inf):  # NaN, or a whole number too large for a float
        raise JobError(f"expected {_EXPECTED[kind]}, got {'nan' if isinstance(value, float) else 'too large a number'}")
    if kind == "angle" and abs(value) > 4 * math.pi:
        raise JobError(f'an angle of {value:g} needs its unit: write "{value:g} deg" or "{value:g} rad"')
    return float(value)


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise JobError(f'"{text}" is too large a number')
    return value


def _unit_message(text: str, unit: str, kind: QuantityKind) -> str:
    known = [*_UNITS[kind], *(_DEGREES if kind == "angle" else ())]
    if not unit:
        return f'"{text}" has no unit: write {_EXPECTED[kind]} without quotes'
    alike = [name for name in known if name.casefold() == unit.casefold()]
    hint = f"did you mean {alike[0]}?" if alike else f"known units: {', '.join(known)}"
    return f'"{text}" has an unknown unit of {kind}, {unit}; {hint}'
