"""The dendrite: lithium growing from a copper electrode into the electrolyte of a small capillary cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from adorym._core import Energy, Length
from adorym.phantoms._phantom import Phantom
from adorym.phantoms._render import FAR, Block, Canvas, cylinder
from adorym.physics import find_material

# The cell: a closed tube along y; +y is down, the electrode lies at the bottom.
_WALL, _INSIDE = 108.0, 102.0
_LID, _TOP, _FLOOR, _BASE = -112.0, -106.0, 106.0, 112.0
_ELECTRODE = 84.0

# The lithium: how it grows.
_ROOTS = 6
_STEP = 4.0
_THINNEST = 1.8
_GENERATIONS = 4
_FILLET = 4.0


def dendrite(
    *,
    size: int = 64,
    voxel: Length = 4e-9,
    energy: Energy = 1000.0,
    electrolyte: str = "propylene carbonate",
    seed: int = 0,
    oversample: int = 2,
) -> Phantom:
    """Branching lithium dendrites on a copper electrode, in electrolyte, in a closed polyimide tube along y.

    The tube is 216/256 of the field across and 224/256 high, its wall 6/256; the electrode covers its floor. Branches
    wander, taper, fork at random and join smoothly.

    Args:
        size: voxels along each axis.
        voxel: their edge, metres.
        energy: photon energy, eV.
        electrolyte: a name in `adorym.physics.MATERIALS`.
        seed: of the growth.
        oversample: sub-voxels along an edge of a voxel, for its partial volumes.

    Raises:
        DataError: a size, length or energy that is not possible, or an unknown material.

    Example:
        >>> cell = dendrite(size=32)
        >>> bool(cell.delta[16, 28, 16] > cell.delta[16, 4, 16] > cell.delta[0, 0, 0] == 0)
        True
    """
    canvas = Canvas(size=size, voxel=voxel, energy=energy, oversample=oversample)
    layers = [
        (find_material("polyimide"), cylinder(_WALL, _LID, _BASE)),
        (find_material(electrolyte), cylinder(_INSIDE, _TOP, _FLOOR)),
        (find_material("lithium"), _tubes(_grow(np.random.default_rng(seed)))),
        (find_material("copper"), cylinder(_INSIDE, _ELECTRODE, _FLOOR)),
    ]
    return canvas.paint("dendrite", seed, layers)


@dataclasses.dataclass(frozen=True)
class _Branch:
    """A branch about to grow: where, which way (z, y, x), how thick and how long."""

    start: np.ndarray
    direction: np.ndarray
    radius: float
    length: float
    generation: int = 0


def _grow(rng: np.random.Generator) -> np.ndarray:
    """Segments `(n, 8)`: the two ends (z, y, x) and the radius at each."""
    branches = [_root(rng, number) for number in range(_ROOTS)]
    segments: list[np.ndarray] = []
    for branch in branches:  # grows while it is walked: children are appended
        point, direction = branch.start, branch.direction
        steps = max(2, round(branch.length / _STEP))
        radii = np.linspace(branch.radius, max(0.35 * branch.radius, _THINNEST), steps + 1)
        for step in range(steps):
            end = point + _STEP * direction
            if np.hypot(end[0], end[2]) > _INSIDE - 10 or end[1] < _TOP + 10:
                break
            segments.append(np.concatenate([point, end, radii[step : step + 2]]))
            point, direction = end, _wander(rng, end, direction)
            forks = rng.uniform() < 0.28 and 0 < step < steps - 2 and branch.generation < _GENERATIONS
            if forks:
                left = branch.length * (1 - (step + 1) / steps)
                branches.append(_child(rng, point, direction, parent=branch, radius=radii[step + 1], left=left))
    return np.array(segments)


def _root(rng: np.random.Generator, number: int) -> _Branch:
    """Roots on the electrode's face: one tall trunk near the axis, lower ones about it."""
    distance, turn = rng.uniform(0, 12) if number == 0 else rng.uniform(30, 75), rng.uniform(0, 2 * np.pi)
    start = np.array([distance * np.cos(turn), _ELECTRODE + 4, distance * np.sin(turn)])
    direction = np.array([0.0, -1.0, 0.0]) + 0.25 * rng.normal(size=3)
    tall = 1.0 if number == 0 else rng.uniform(0.25, 0.65)
    return _Branch(start, _unit(direction), radius=5 + 5 * tall, length=185 * tall)


def _wander(rng: np.random.Generator, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The next direction: a random turn, a pull upwards (towards the other electrode), and away from the wall."""
    outward = np.array([point[0], 0.0, point[2]])
    near_wall = max(0.0, np.linalg.norm(outward) / _INSIDE - 0.6)
    push = -near_wall * outward / max(np.linalg.norm(outward), 1e-9)
    return _unit(direction + 0.2 * rng.normal(size=3) + np.array([0.0, -0.07, 0.0]) + push)


def _child(
    rng: np.random.Generator, point: np.ndarray, direction: np.ndarray, *, parent: _Branch, radius: float, left: float
) -> _Branch:
    """A side branch that leaves at 35 to 70 degrees, thinner and shorter than what is left of its parent."""
    aside = np.cross(direction, rng.normal(size=3))
    angle = np.radians(rng.uniform(35, 70))
    turned = np.cos(angle) * direction + np.sin(angle) * _unit(aside)
    length = left * rng.uniform(0.4, 0.8)
    return _Branch(point, turned, max(0.75 * radius, _THINNEST), length, parent.generation + 1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _tubes(segments: np.ndarray) -> Callable[[Block], np.ndarray]:
    """Signed distance of tapered tubes `(n, 8)`, joined by fillets (polynomial smooth minimum)."""

    def distance(block: Block) -> np.ndarray:
        field = np.full(block.shape, FAR, np.float32)
        radii = segments[:, 6:] - block.step**2 / (24 * segments[:, 6:])
        for ends, (first, last) in zip(segments[:, :6].astype(np.float32), radii.astype(np.float32), strict=True):
            start, end = ends[:3], ends[3:]
            # Beyond this reach a fillet no longer moves the surface.
            reach = np.float32(max(first, last) + 1.25 * _FILLET + block.step)
            met = block.around(np.minimum(start, end) - reach, np.maximum(start, end) + reach)
            if met is None:
                continue
            place, near = met
            axis = end - start
            z, y, x = near.z - start[0], near.y - start[1], near.x - start[2]
            along = np.clip((z * axis[0] + y * axis[1] + x * axis[2]) / np.float32(axis @ axis), 0, 1)
            z, y, x = z - along * axis[0], y - along * axis[1], x - along * axis[2]
            tube = np.sqrt(z * z + y * y + x * x) - (first + along * (last - first))
            overlap = np.maximum(1 - np.abs(field[place] - tube) / np.float32(_FILLET), 0)
            field[place] = np.minimum(field[place], tube) - overlap * overlap * np.float32(_FILLET / 4)
        return field

    return distance
