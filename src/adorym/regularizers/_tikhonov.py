"""Values stay small."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from adorym.regularizers._regularizer import AbstractRegularizer, Field, Leaf, Leaves, Paths, Scale, Weight


class Tikhonov(AbstractRegularizer):
    """½ weight Σ (x / scale)²: values stay small.

    Example:
        >>> float(Tikhonov("object.delta", 2.0, 1.0)(jnp.array([3.0])))
        9.0
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())

    @property
    def stiffness(self) -> float:
        """See `AbstractRegularizer`."""
        return 1.0

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return sum((jnp.sum(jnp.square(leaf)) for leaf in leaves), jnp.zeros(())) / 2

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return vectors

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return tuple(jnp.ones_like(leaf) for leaf in leaves)

    def field(self, *leaves: Leaf) -> Field:
        """See `AbstractRegularizer`: it has no components, since no length counts."""
        return jnp.zeros((0, *leaves[0].shape), leaves[0].dtype)

    def slope(self, *leaves: Leaf) -> Leaf:
        """See `AbstractRegularizer`."""
        return jnp.zeros_like(leaves[0])

    def gain(self, axes: int) -> float:
        """See `AbstractRegularizer`."""
        return 0.0
