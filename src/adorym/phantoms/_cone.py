"""The hollow cone: a truncated tube of glass or silicon with titania spheres on it."""

from __future__ import annotations

import numpy as np

from adorym._core import Energy, Length
from adorym.phantoms._phantom import Phantom
from adorym.phantoms._render import Block, Canvas, balls
from adorym.physics import find_material

# Drawing units: nanometres where the field of 256 is sampled by 256 voxels of 1 nm.
_HALF_LENGTH = 100.0
_OUTER = (10.0, 80.0)
_WALL = (5.0, 15.0)
_SPHERES = 50
_SPHERE_RADII = (4.0, 10.0)


def cone(
    *,
    size: int = 64,
    voxel: Length = 2e-9,
    energy: Energy = 1000.0,
    wall: str = "silica",
    seed: int = 0,
    oversample: int = 2,
) -> Phantom:
    """A truncated hollow cone along y with fifty titania spheres on its outer surface, vacuum within and around.

    In parts of the field of view: 200/256 long, outer radius 10/256 at the top growing to 80/256, wall 5/256 growing
    to 15/256, spheres 4/256 to 10/256 in radius, centred on the outer surface.

    Args:
        size: voxels along each axis.
        voxel: their edge, metres.
        energy: photon energy, eV.
        wall: name of the wall's material, "silica" or "silicon" (any of `adorym.physics.MATERIALS`).
        seed: of the spheres' places and radii.
        oversample: sub-voxels along an edge of a voxel, for its partial volumes.

    Raises:
        DataError: a size, length or energy that is not possible, or an unknown material.

    Example:
        >>> phantom = cone(size=32, voxel=4e-9, energy=1000.0)
        >>> phantom.delta.shape, bool(phantom.delta[16, 20, 16] == 0), f"{phantom.delta.max():.2e}"
        ((32, 32, 32), True, '8.33e-04')
    """
    canvas = Canvas(size=size, voxel=voxel, energy=energy, oversample=oversample)
    layers = [(find_material(wall), _tube), (find_material("titania"), balls(*_spheres(seed)))]
    return canvas.paint("cone", seed, layers)


def _outer(y: np.ndarray) -> np.ndarray:
    return np.interp(y, (-_HALF_LENGTH, _HALF_LENGTH), _OUTER)


def _tube(block: Block) -> np.ndarray:
    length = 2 * _HALF_LENGTH
    slope, thinning = (_OUTER[1] - _OUTER[0]) / length, (_WALL[1] - _WALL[0]) / length
    height = block.y + np.float32(_HALF_LENGTH)
    radius = np.sqrt(block.z * block.z + block.x * block.x)
    outer = _OUTER[0] + slope * height
    inner = outer - _WALL[0] - thinning * height
    outside = (radius - outer) * np.float32(1 / np.hypot(1, slope))
    inside = (inner - radius) * np.float32(1 / np.hypot(1, slope - thinning))
    return np.maximum(np.maximum(outside, inside), np.abs(block.y) - np.float32(_HALF_LENGTH))


def _spheres(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres `(50, 3)` spread evenly over the cone's surface, and radii `(50,)`."""
    rng = np.random.default_rng(seed)
    # The area below a height grows as the square of the distance from the cone's apex, that is of the radius.
    radius = np.sqrt(rng.uniform(_OUTER[0] ** 2, _OUTER[1] ** 2, _SPHERES))
    y = np.interp(radius, _OUTER, (-_HALF_LENGTH, _HALF_LENGTH))
    turn = rng.uniform(0, 2 * np.pi, _SPHERES)
    centres = np.stack([radius * np.cos(turn), y, radius * np.sin(turn)], axis=1)
    return centres, rng.uniform(*_SPHERE_RADII, _SPHERES)
