"""What things are made of: formula and density, and from them delta and beta of n = 1 - delta + i beta."""

from __future__ import annotations

import dataclasses
import difflib
import math

from adorym._core import DataError

# The tables (Chantler) hold no smooth f1 near the plasma resonances below 30 eV and are unreliable above 1 MeV.
_LOWEST, _HIGHEST = 30.0, 1e6


@dataclasses.dataclass(frozen=True)
class Material:
    """A homogeneous material.

    Attributes:
        formula: chemical formula, "SiO2".
        density: grams per cubic centimetre.

    Example:
        >>> delta, beta = Material("SiO2", 2.2).delta_beta(5000.0)
        >>> f"{delta:.3e} {beta:.3e}"
        '1.859e-05 5.795e-07'
    """

    formula: str
    density: float

    def delta_beta(self, energy: float) -> tuple[float, float]:
        """Delta and beta at a photon energy in eV; see `delta_beta`.

        Example:
            >>> Material("Au", 19.3).delta_beta(1000.0)[0] > Material("Li", 0.534).delta_beta(1000.0)[0]
            True
        """
        return delta_beta(self.formula, self.density, energy)


MATERIALS: dict[str, Material] = {
    "silica": Material("SiO2", 2.2),
    "silicon": Material("Si", 2.33),
    "silicon nitride": Material("Si3N4", 3.17),
    "titania": Material("TiO2", 4.23),
    "alumina": Material("Al2O3", 3.95),
    "diamond": Material("C", 3.52),
    "gold": Material("Au", 19.3),
    "platinum": Material("Pt", 21.45),
    "tungsten": Material("W", 19.25),
    "copper": Material("Cu", 8.96),
    "nickel": Material("Ni", 8.91),
    "aluminium": Material("Al", 2.70),
    "lithium": Material("Li", 0.534),
    "propylene carbonate": Material("C4H6O3", 1.205),
    "polyimide": Material("C22H10N2O5", 1.42),
    "pmma": Material("C5H8O2", 1.18),
    "polystyrene": Material("C8H8", 1.05),
    "water": Material("H2O", 1.0),
}
"""Materials by name: formula and density in g/cm^3 at room temperature."""


def find_material(name: str) -> Material:
    """The material of a name in `MATERIALS`.

    Raises:
        DataError: there is none of that name; the message names the nearest.

    Example:
        >>> find_material("silica")
        Material(formula='SiO2', density=2.2)
        >>> find_material("silca")
        Traceback (most recent call last):
        ...
        adorym._core.errors.DataError: There is no material "silca": did you mean "silica"?
    """
    if name in MATERIALS:
        return MATERIALS[name]
    near = difflib.get_close_matches(name.lower(), list(MATERIALS), n=1)
    advice = f'did you mean "{near[0]}"?' if near else f"choose from {', '.join(MATERIALS)}."
    raise DataError(f'There is no material "{name}": {advice}')


def delta_beta(formula: str, density: float | None, energy: float) -> tuple[float, float]:
    """Delta and beta of the refractive index n = 1 - delta + i beta, from xraydb's tables.

    Args:
        formula: chemical formula, "SiO2"; or a name in `MATERIALS`.
        density: grams per cubic centimetre; `None` takes a named material's own.
        energy: photon energy in eV, 30 eV to 1 MeV.

    Raises:
        DataError: an unknown formula or name, a density or an energy outside the tables.

    Example:
        >>> delta, beta = delta_beta("TiO2", 4.23, 5000.0)
        >>> f"{delta:.3e} {beta:.3e}"
        '2.937e-05 3.599e-06'
        >>> delta_beta("titania", None, 5000.0) == (delta, beta)
        True
    """
    if density is None or formula in MATERIALS:
        named = find_material(formula)
        formula, density = named.formula, named.density if density is None else density
    if not (density > 0 and math.isfinite(density)):
        raise DataError(f"The density of {formula} is {density}: give a positive number in g/cm^3.")
    if not _LOWEST <= energy <= _HIGHEST:
        raise DataError(f"The energy is {energy} eV, outside the tables of {formula}: give 30 eV to 1 MeV, in eV.")
    import xraydb

    try:
        delta, beta, _ = xraydb.xray_delta_beta(formula, density, float(energy))
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(
            f'"{formula}" is no chemical formula: write it like "SiO2", or name one of {", ".join(MATERIALS)}.'
        ) from error
    return float(delta), max(float(beta), 0.0)
