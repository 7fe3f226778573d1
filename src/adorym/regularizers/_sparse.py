"""Few values differ from zero."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from adorym._core import JobError
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


class L1(AbstractRegularizer):
    """weight Σ |x / scale|: few values differ from zero.

    Several leaves count together, as the length of the vector that they make at each voxel.

    Attributes:
        corner: for solvers that follow slopes, |x| counts as √(x² + corner²) - corner, in units of the scale.

    Example:
        >>> round(float(L1("object.delta", 2.0, 1.0)(jnp.array([3.0, 0.0]))), 1)
        6.0
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())
    corner: float = eqx.field(static=True, default=1e-2)

    def __check_init__(self) -> None:
        ensure_corner(self.where, self.corner)

    def sharp(self) -> L1:
        """See `AbstractRegularizer`."""
        return dataclasses.replace(self, corner=0.0)

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return jnp.sum(_rounded(leaves, self.corner) - self.corner)

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """Half-quadratic: the parabola that touches the rounded modulus."""
        length = _rounded(leaves, self.corner)
        return tuple(vector / length for vector in vectors)

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return (1 / _rounded(leaves, self.corner),) * len(leaves)

    def field(self, *leaves: Leaf) -> Field:
        """See `AbstractRegularizer`: the values themselves."""
        return jnp.stack(leaves)

    def slope(self, *leaves: Leaf) -> Leaf:
        """See `AbstractRegularizer`."""
        return jnp.ones_like(leaves[0])

    def gain(self, axes: int) -> float:
        """See `AbstractRegularizer`."""
        return 1.0


class ReweightedL1(AbstractRegularizer):
    """weight Σ ε log(1 + |x / scale| / ε): few values differ from zero, and those are hardly made smaller.

    L1 takes as much from a large value as from a small one. Its majorant here, Σ |x| ε / (|x₀| + ε) about the last
    values x₀, is an L1 with weights of its own for every voxel, nearly one where there was nothing and small where
    there was something (Candès, Wakin, Boyd, J. Fourier Anal. Appl. 14, 877 (2008)). A proximal solver takes such a
    majorant at every step, the others its parabola. Several leaves count together. It is not convex: where it ends
    depends on the start.

    Attributes:
        threshold: ε in units of the scale: what counts as something. The authors find it best somewhat below the values
            that are there, and of little influence otherwise; the scale is such a value, and a tenth of it is taken.
        corner: for solvers that follow slopes, |x| counts as √(x² + corner²) - corner, in units of the scale.

    Example:
        >>> one = ReweightedL1("object.delta", 1.0, 1.0)
        >>> round(float(one(jnp.array([10.0])) / one(jnp.array([1.0]))), 1)
        1.9
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())
    threshold: float = eqx.field(static=True, default=0.1)
    corner: float = eqx.field(static=True, default=1e-2)

    def __check_init__(self) -> None:
        ensure_corner(self.where, self.corner)
        if not self.threshold > 0:
            raise JobError(
                f"The regularizer of {self.where} has the threshold {self.threshold}: give a part of the scale, "
                "such as 0.1."
            )

    def sharp(self) -> ReweightedL1:
        """See `AbstractRegularizer`."""
        return dataclasses.replace(self, corner=0.0)

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return self.threshold * jnp.sum(jnp.log1p((_rounded(leaves, self.corner) - self.corner) / self.threshold))

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """Half-quadratic: the parabola that touches the logarithm of the rounded modulus."""
        factor = self.slope(*leaves) / _rounded(leaves, self.corner)
        return tuple(factor * vector for vector in vectors)

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return (self.slope(*leaves) / _rounded(leaves, self.corner),) * len(leaves)

    def field(self, *leaves: Leaf) -> Field:
        """See `AbstractRegularizer`: the values themselves."""
        return jnp.stack(leaves)

    def slope(self, *leaves: Leaf) -> Leaf:
        """See `AbstractRegularizer`."""
        return self.threshold / (_rounded(leaves, self.corner) - self.corner + self.threshold)

    def gain(self, axes: int) -> float:
        """See `AbstractRegularizer`."""
        return 1.0


def _rounded(leaves: Leaves, corner: float) -> Leaf:
    return jnp.sqrt(sum((jnp.square(leaf) for leaf in leaves[1:]), jnp.square(leaves[0])) + corner**2)
