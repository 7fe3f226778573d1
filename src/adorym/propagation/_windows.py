"""What the probe's array covers of a slab, frame by frame."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Int

from adorym._core.words import scope

_NUMBERS = jax.lax.ScatterDimensionNumbers((1, 2, 3), (), (0, 1, 2))


class Windows(NamedTuple):
    """A window for each frame on slabs that are wider; all within them.

    A gradient is added where it belongs. Autodiff would make a whole slab of zeros for each frame and slab, with a
    window in it.

    Attributes:
        corners: first row and column of every window.
        shape: rows and columns that a window has.

    Example:
        >>> windows = Windows(jnp.array([[0, 0], [1, 2]]), (2, 2))
        >>> windows.cut(jnp.arange(12.0).reshape(1, 3, 4) + 0j, 0)[1, 0].real.tolist()
        [[6.0, 7.0], [10.0, 11.0]]
    """

    corners: Int[Array, "frame 2"]
    shape: tuple[int, int]

    def cut(self, slabs: Complex[Array, "slab Y X"], k: Any) -> Complex[Array, "frame 1 y x"]:
        """What every frame sees of slab k."""
        with scope("transmit"):
            return jax.vmap(lambda place: jax.lax.dynamic_slice(slabs, place, (1, *self.shape)))(self._places(k))

    def added(
        self, slabs: Complex[Array, "slab Y X"], k: Any, seen: Complex[Array, "frame 1 y x"]
    ) -> Complex[Array, "slab Y X"]:
        """The slabs with a change of what every frame sees of slab k: the adjoint of `cut`."""
        with scope("transmit"):
            if seen.shape[0] > 1:
                return jax.lax.scatter_add(slabs, self._places(k), seen, _NUMBERS, mode="clip")
            place = self._places(k)[0]
            return jax.lax.dynamic_update_slice(slabs, self.cut(slabs, k)[0] + seen[0], place)

    def _places(self, k: Any) -> Int[Array, "frame 3"]:
        slab = jnp.full_like(self.corners[:, :1], k)
        return jnp.concatenate([slab, self.corners], axis=1)
