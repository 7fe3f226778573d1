"""Regions of one value with sharp borders."""

from __future__ import annotations

import dataclasses
from functools import partial

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
    return jnp.stack([_ahead(leaf, axis) for axis in range(leaf.ndim)])


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
        return _total_variation(self.corner, leaves)

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """Lagged diffusivity (Vogel & Oman, SIAM J. Sci. Comput. 17, 227 (1996)): ∇ᵀ (∇v / |∇x|)."""
        conductance = 1 / _steepness(self.corner, leaves)
        return tuple(_flow(vector, conductance) for vector in vectors)

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        conductance = 1 / _steepness(self.corner, leaves)
        total = jnp.zeros_like(conductance)
        for axis in range(conductance.ndim):  # a voxel has a difference to the next, and one to the voxel before
            inner = jax.lax.slice_in_dim(conductance, 0, -1, axis=axis)
            total = total + _padded(inner, axis, (0, 1)) + _padded(inner, axis, (1, 0))
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


# Differences are written so that the compiler makes one loop of all that is done to a voxel: no difference and no flux
# becomes an array, of which there would be one per leaf and axis.


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _total_variation(corner: float, leaves: Leaves) -> Float[Array, ""]:
    return jnp.sum(_steepness(corner, leaves) - corner)


@_total_variation.defjvp
def _(corner: float, primals: tuple[Leaves], tangents: tuple[Leaves]) -> tuple[Array, Array]:
    """The inner product with the gradient, ∇ᵀ (∇x / |∇x|)."""
    (leaves,), (moves,) = primals, tangents
    length = _steepness(corner, leaves)
    slopes = (_flow(leaf, 1 / length) for leaf in leaves)
    change = sum((jnp.sum(slope * move) for slope, move in zip(slopes, moves, strict=True)), jnp.zeros(()))
    return jnp.sum(length - corner), change


def _steepness(corner: float, leaves: Leaves) -> Leaf:
    """√(|∇x|² + corner²) over all leaves."""
    squares = [jnp.square(_ahead(leaf, axis)) for leaf in leaves for axis in range(leaf.ndim)]
    return jnp.sqrt(sum(squares[1:], squares[0]) + corner**2)


def _flow(leaf: Leaf, conductance: Leaf) -> Leaf:
    """∇ᵀ (conductance ∇x)."""
    total = jnp.zeros_like(leaf)
    for axis in range(leaf.ndim):
        flux = conductance * _ahead(leaf, axis)
        before = _padded(jax.lax.slice_in_dim(flux, 0, -1, axis=axis), axis, (1, 0))
        total = total + before - flux
    return total


def _ahead(leaf: Leaf, axis: int) -> Leaf:
    """The difference to the next voxel, zero at the end."""
    here, following = (jax.lax.slice_in_dim(leaf, *ends, axis=axis) for ends in ((0, -1), (1, None)))
    return _padded(following - here, axis, (0, 1))


def _padded(leaf: Array, axis: int, ends: tuple[int, int]) -> Array:
    """With zeros in front of an axis and behind it."""
    widths = [(*ends, 0) if one == axis else (0, 0, 0) for one in range(leaf.ndim)]
    return jax.lax.pad(leaf, jnp.zeros((), leaf.dtype), widths)
