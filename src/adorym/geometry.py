"""Where the sample stands, where the beam hits it: the nuisance parameters, each a leaf that can be refined."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adorym._core import View


class Placement(NamedTuple):
    """Where the probe array lies on the object's grid, for a number of frames.

    Attributes:
        corner: index (y, x) of the object's pixel under the array's first pixel, `(frame, 2)`.
        fraction: the rest of the position, in pixels from -1/2 to 1/2, by which the probe itself is moved.

    Example:
        >>> Placement(jnp.zeros((1, 2), int), jnp.zeros((1, 2))).corner.shape
        (1, 2)
    """

    corner: Int[Array, "frame 2"]
    fraction: Float[Array, "frame 2"]


class Geometry(eqx.Module):
    """Angles, axis and scan positions.

    Attributes:
        angles: rotation of the sample about +y in radians, `(view,)`.
        axis_offset: where the axis stands in the frame, in pixels right of its centre.
        positions: laboratory (y, x) of the probe's centre relative to the projected axis, in pixels,
            `(view, frame, 2)`; of size 0 where the whole field is lit at once.
        position_offset: dimensionless correction added to the positions, in pixels; this is the leaf to refine.

    Example:
        >>> geometry = Geometry.full_field(np.array([0.0, 0.1]))
        >>> float(geometry.view(jnp.array(1)).angle), geometry.scanned
        (0.1..., False)
    """

    angles: Float[Array, "view"]
    axis_offset: Float[Array, ""]
    positions: Float[Array, "view frame 2"]
    position_offset: Float[Array, "view frame 2"]

    @classmethod
    def full_field(cls, angles: np.ndarray, axis_offset: float = 0.0) -> Geometry:
        """One frame sees the whole field at every view."""
        dtype = jnp.zeros(()).dtype
        none = jnp.zeros((len(angles), 0, 2))
        return cls(jnp.asarray(angles, dtype), jnp.asarray(axis_offset, dtype), none, none)

    @classmethod
    def scan(cls, angles: np.ndarray, positions: np.ndarray) -> Geometry:
        """A probe scanned over positions `(view, frame, 2)` in pixels."""
        dtype = jnp.zeros(()).dtype
        pixels = jnp.asarray(positions, dtype)
        none = jnp.asarray(np.zeros(pixels.shape, dtype))  # made on the host, which compiles nothing
        return cls(jnp.asarray(angles, dtype), jnp.zeros((), dtype), pixels, none)

    @property
    def scanned(self) -> bool:
        """Whether frames differ by the position of the probe."""
        return self.positions.shape[1] > 0

    def view(self, view: Int[Array, ""]) -> View:
        """How the sample stands in a view."""
        return View(self.angles[view], self.axis_offset)

    def frame(
        self, view: Int[Array, ""], frames: Int[Array, "frame"], *, field: tuple[int, int], window: tuple[int, int]
    ) -> Placement:
        """Where the probe array `window` lies on a field of `field` pixels, both (y, x)."""
        centre = jnp.asarray([(f - w) / 2 for f, w in zip(field, window, strict=True)], self.positions.dtype)
        corner = self.positions[view, frames] + self.position_offset[view, frames] + centre
        whole = jax.lax.stop_gradient(jnp.round(corner))
        return Placement(whole.astype(jnp.int32), corner - whole)

    def binned(self, factor: int) -> Geometry:
        """The same scan, for pixels larger by a factor."""
        axis, places, moved = (part / factor for part in (self.axis_offset, self.positions, self.position_offset))
        return Geometry(self.angles, axis, places, moved)
