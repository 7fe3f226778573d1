"""The Siemens star: the resolution target of every x-ray microscope, a thin sheet of metal cut into spokes."""

from __future__ import annotations

import numpy as np

from adorym._core import DataError, Energy, Length
from adorym.phantoms._phantom import Phantom
from adorym.phantoms._render import Block, Canvas
from adorym.physics import find_material

_RADIUS = 108.0
_HUB = 8.0


def siemens_star(
    *,
    size: int = 256,
    voxel: Length = 1e-8,
    energy: Energy = 8000.0,
    material: str = "gold",
    thickness: Length = 5e-7,
    spokes: int = 36,
    seed: int = 0,
    oversample: int = 2,
) -> Phantom:
    """A thin Siemens star: as many spokes as gaps of the same angle, from a hub of 8/256 to a radius of 108/256.

    Args:
        size: pixels along y and x; there is one voxel along z.
        voxel: their edge, metres.
        energy: photon energy, eV.
        material: a name in `adorym.physics.MATERIALS`.
        thickness: of the sheet, metres; the voxel holds delta and beta times thickness / voxel.
        spokes: number of spokes, 2 or more.
        seed: of the star's orientation in its plane.
        oversample: sub-pixels along an edge of a pixel, for its partial volumes.

    Raises:
        DataError: a size, length or energy that is not possible, an unknown material, or fewer than two spokes.

    Example:
        >>> star = siemens_star(size=64, voxel=4e-8, thickness=1e-6)
        >>> star.delta.shape, bool(star.delta[0, 0, 0] == 0), bool(star.delta.max() > 1e-3)
        ((1, 64, 64), True, True)
    """
    if spokes < 2:
        raise DataError(f"A Siemens star of {spokes} spokes is none: give 2 or more.")
    canvas = Canvas(size=size, voxel=voxel, energy=energy, oversample=oversample, thickness=thickness)
    start = np.random.default_rng(seed).uniform()

    def sheet(block: Block) -> np.ndarray:
        radius = np.hypot(block.y, block.x) + 0 * block.z
        turn = np.arctan2(block.y, block.x) * np.float32(spokes / (2 * np.pi)) + np.float32(start)
        edge = np.abs(turn - np.floor(turn) - np.float32(0.5)) - np.float32(0.25)  # in periods, negative in a spoke
        spoke = radius * np.sin(edge * np.float32(2 * np.pi / spokes))
        return np.maximum(spoke, np.maximum(radius - np.float32(_RADIUS), np.float32(_HUB) - radius))

    return canvas.paint("siemens_star", seed, [(find_material(material), sheet)])
