"""Regions of one value with sharp borders."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adorym.regularizers._regularizer import (
    AbstractRegularizer,
    Field,
    Leaf,
    Leaves,
    Paths,
    Scale,
    Weight,
    ensure_corner,
)


def differences(leaf: Leaf) -> Float[Array, "axis *shape"]:
    """Forward differences along every axis, zero at the end of each.

    Example:
        >>> differences(jnp.array([1.0, 3.0, 6.0])).tolist()
        [[2.0, 3.0, 0.0]]
    """
    ends = [jax.lax.slice_in_dim(leaf, leaf.shape[axis] - 1, None, axis=axis) for axis in range(leaf.ndim)]
    return jnp.stack([jnp.diff(leaf, axis=axis, append=end) for axis, end in enumerate(ends)])


class TotalVariation(AbstractRegularizer):
    """weight Σ |∇x / scale|: regions of one value with sharp borders (Rudin, Osher, Fatemi 1992).

    Several leaves share their borders.

    Attributes:
        corner: for solvers that follow slopes, |∇x| counts as √(|∇x|² + corner²) - corner, in units of the scale, so
            that smaller steps are smoothed like noise.

    Example:
        >>> round(float(TotalVariation("object.delta", 1.0, 1.0)(jnp.array([0.0, 0.0, 5.0]))), 1)
        5.0
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())
    corner: float = eqx.field(static=True, default=1e-2)

    def __check_init__(self) -> None:
        ensure_corner(self.where, self.corner)

    def sharp(self) -> TotalVariation:
        """See `AbstractRegularizer`."""
        return dataclasses.replace(self, corner=0.0)

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return jnp.sum(self._steepness(leaves) - self.corner)

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """Lagged diffusivity (Vogel & Oman, SIAM J. Sci. Comput. 17, 227 (1996)): ∇ᵀ (∇v / |∇x|)."""
        length = self._steepness(leaves)
        return tuple(_adjoint_differences(differences(vector) / length) for vector in vectors)

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        conductance = 1 / self._steepness(leaves)
        total = jnp.zeros_like(conductance)
        for axis in range(conductance.ndim):  # a voxel has a difference to the next, and one to the voxel before
            inner = jnp.moveaxis(conductance, axis, 0)[:-1]
            zero = jnp.zeros_like(inner[:1])
            total = total + jnp.moveaxis(jnp.concatenate([zero, inner]) + jnp.concatenate([inner, zero]), 0, axis)
        return (total,) * len(leaves)

    def field(self, *leaves: Leaf) -> Field:
        """See `AbstractRegularizer`: the gradients of all leaves."""
        return jnp.concatenate([differences(leaf) for leaf in leaves])

    def slope(self, *leaves: Leaf) -> Leaf:
        """See `AbstractRegularizer`."""
        return jnp.ones_like(leaves[0])

    def gain(self, axes: int) -> float:
        """See `AbstractRegularizer`: 4 for the fastest wave along an axis."""
        return 4.0 * axes

    def _steepness(self, leaves: Leaves) -> Leaf:
        """√(|∇x|² + corner²) over all leaves."""
        each = [jnp.sum(jnp.square(differences(leaf)), axis=0) for leaf in leaves]
        return jnp.sqrt(sum(each[1:], each[0]) + self.corner**2)


def _adjoint_differences(flux: Float[Array, "axis *shape"]) -> Leaf:
    """The transpose of `differences`."""
    total = jnp.zeros_like(flux[0])
    for axis in range(flux.ndim - 1):
        inner = jnp.moveaxis(flux[axis], axis, 0)[:-1]
        zero = jnp.zeros_like(inner[:1])
        total = total + jnp.moveaxis(jnp.concatenate([zero, inner]) - jnp.concatenate([inner, zero]), 0, axis)
    return total
