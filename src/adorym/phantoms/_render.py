"""Shapes to voxels: layers of material, each given by a signed distance, painted one over the other.

A sub-voxel whose centre lies at signed distance d (negative inside) from a surface is filled to the part
clip(1/2 - d / edge, 0, 1), exact for a flat face across an axis and right on average for every other; round bodies are
drawn smaller by the little that this ramp adds to their volume (edge^2 / 12 r for a ball of radius r, half that for a
tube). Voxels are the means of `oversample`^3 sub-voxels. Volumes are drawn slab by slab, so that memory stays that of
the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adorym._core import DataError
from adorym.phantoms._phantom import Phantom, bin_volume
from adorym.physics import Material

FIELD = 256.0
"""Width of the field of view in the units the phantoms are drawn in."""

FAR = 1e6
_SLAB = 4_000_000  # sub-voxels drawn at a time


@dataclasses.dataclass(frozen=True)
class Block:
    """Part of the grid of sub-voxel centres, in drawing units, for distances to be evaluated on.

    Attributes:
        z, y, x: coordinates, float32, of shapes `(nz, 1, 1)`, `(1, ny, 1)`, `(1, 1, nx)`.
        step: edge of a sub-voxel.
    """

    z: np.ndarray
    y: np.ndarray
    x: np.ndarray
    step: float

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.z.shape[0], self.y.shape[1], self.x.shape[2]

    def around(self, low: np.ndarray, high: np.ndarray) -> tuple[tuple[slice, slice, slice], Block] | None:
        """The part between two corners (z, y, x) and its place in this one; `None` where they do not meet."""
        axes = [axis.ravel() for axis in (self.z, self.y, self.x)]
        ends = [np.searchsorted(axis, (a, b)) for axis, a, b in zip(axes, low, high, strict=True)]
        if any(first >= last for first, last in ends):
            return None
        z, y, x = (slice(int(first), int(last)) for first, last in ends)
        return (z, y, x), Block(self.z[z], self.y[:, y], self.x[:, :, x], self.step)


Layer = tuple[Material | None, Callable[[Block], np.ndarray]]
"""A material (`None`: vacuum) and the signed distance of its surface."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canvas:
    """The grid a phantom is drawn on.

    Attributes:
        size: voxels along y and x (and z, unless thin).
        voxel: edge of a voxel, metres.
        energy: photon energy, eV.
        oversample: sub-voxels along an edge of a voxel.
        thickness: of a thin sample, metres; `None` for a volume.
    """

    size: int
    voxel: float
    energy: float
    oversample: int
    thickness: float | None = None

    def __post_init__(self) -> None:
        if self.size < 8:
            raise DataError(f"A phantom of size {self.size} shows nothing: give 8 voxels or more.")
        if self.oversample < 1:
            raise DataError(f"The phantom's oversample is {self.oversample}: give 1 or more.")
        for name, value in (("voxel", self.voxel), ("thickness", self.thickness)):
            if value is not None and not (value > 0 and np.isfinite(value)):
                raise DataError(f"The phantom's {name} is {value}: give a positive length in metres.")

    def paint(self, name: str, seed: int, layers: Sequence[Layer]) -> Phantom:
        """The phantom of these layers, later ones over earlier ones."""
        constants = [material.delta_beta(self.energy) if material else (0.0, 0.0) for material, _ in layers]
        scale = 1.0 if self.thickness is None else self.thickness / self.voxel
        depth = self.size if self.thickness is None else 1
        result = np.zeros((2, depth, self.size, self.size), np.float32)
        for planes, block in self._blocks(depth):
            drawn = np.zeros((2, *block.shape), np.float32)
            for pair, (_, distance) in zip(constants, layers, strict=True):
                filled = np.clip(0.5 - distance(block) / np.float32(block.step), 0, 1)
                for channel, value in enumerate(pair):
                    drawn[channel] += filled * (np.float32(value * scale) - drawn[channel])
            result[:, planes] = [bin_volume(channel, self.oversample) for channel in drawn]
        return Phantom(delta=result[0], beta=result[1], voxel=self.voxel, energy=self.energy, name=name, seed=seed)

    def _blocks(self, depth: int) -> Iterator[tuple[slice, Block]]:
        fine = self.size * self.oversample
        step = FIELD / fine
        across = ((np.arange(fine) - (fine - 1) / 2) * step).astype(np.float32)
        along = across if depth > 1 else np.zeros(1, np.float32)
        each = self.oversample if depth > 1 else 1
        planes = max(1, _SLAB // (each * fine**2))
        for first in range(0, depth, planes):
            part = slice(first, min(first + planes, depth))
            z = along[part.start * each : part.stop * each]
            yield part, Block(z[:, None, None], across[None, :, None], across[None, None, :], step)


def balls(centres: np.ndarray, radii: np.ndarray) -> Callable[[Block], np.ndarray]:
    """Signed distance of the union of balls: centres `(n, 3)` as (z, y, x), radii `(n,)`."""

    def distance(block: Block) -> np.ndarray:
        field = np.full(block.shape, FAR, np.float32)
        drawn = radii - block.step**2 / (12 * radii)
        for centre, radius in zip(centres.astype(np.float32), drawn.astype(np.float32), strict=True):
            reach = radius + np.float32(block.step)
            met = block.around(centre - reach, centre + reach)
            if met is not None:
                place, near = met
                z, y, x = near.z - centre[0], near.y - centre[1], near.x - centre[2]
                np.minimum(field[place], np.sqrt(z * z + y * y + x * x) - radius, out=field[place])
        return field

    return distance


def cylinder(radius: float, low: float, high: float) -> Callable[[Block], np.ndarray]:
    """Signed distance (exact but beyond its rims) of a cylinder about y between two heights."""

    def distance(block: Block) -> np.ndarray:
        side = np.sqrt(block.z * block.z + block.x * block.x) - np.float32(radius)
        ends = np.maximum(np.float32(low) - block.y, block.y - np.float32(high))
        return np.maximum(side, ends)

    return distance
