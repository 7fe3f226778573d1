"""The foam: a ball with overlapping pores of many sizes."""

from __future__ import annotations

import math

import numpy as np

from adorym._core import DataError, Energy, Length
from adorym.phantoms._phantom import Phantom
from adorym.phantoms._render import Canvas, balls
from adorym.physics import find_material

_BALL = 108.0
_PORES = (6.0, 24.0)


def foam(
    *,
    size: int = 64,
    voxel: Length = 4e-9,
    energy: Energy = 1000.0,
    material: str = "pmma",
    porosity: float = 0.45,
    seed: int = 0,
    oversample: int = 2,
) -> Phantom:
    """A ball, 108/256 of the field in radius, with spherical pores at random that overlap (a Boolean model).

    Args:
        size: voxels along each axis.
        voxel: their edge, metres.
        energy: photon energy, eV.
        material: of the ball, "pmma" or "silica" (any of `adorym.physics.MATERIALS`).
        porosity: expected part of the ball that is empty, 0 to 0.9; the pores' radii are spread evenly in their
            logarithm from 6/256 to 24/256.
        seed: of the pores' places and radii.
        oversample: sub-voxels along an edge of a voxel, for its partial volumes.

    Raises:
        DataError: a size, length, energy or porosity that is not possible, or an unknown material.

    Example:
        >>> full, half = (foam(size=32, porosity=part).delta.sum() for part in (0.0, 0.5))
        >>> bool(0.4 < half / full < 0.6)
        True
    """
    if not 0 <= porosity <= 0.9:
        raise DataError(f"The foam's porosity is {porosity}: give a part between 0 and 0.9.")
    canvas = Canvas(size=size, voxel=voxel, energy=energy, oversample=oversample)
    ball = balls(np.zeros((1, 3)), np.array([_BALL]))
    return canvas.paint("foam", seed, [(find_material(material), ball), (None, balls(*_pores(porosity, seed)))])


def _pores(porosity: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres `(n, 3)` and radii `(n,)` of pores everywhere a pore could reach the ball.

    Balls of mean volume v, n to a unit of volume, leave exp(-n v) of it uncovered.
    """
    rng = np.random.default_rng(seed)
    small, large = _PORES
    mean_volume = 4 / 3 * math.pi * (large**3 - small**3) / (3 * math.log(large / small))
    reach = _BALL + large
    count = round(-math.log(1 - porosity) / mean_volume * 4 / 3 * math.pi * reach**3)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centres = reach * np.cbrt(rng.uniform(size=(count, 1))) * directions
    return centres, small * (large / small) ** rng.uniform(size=count)
