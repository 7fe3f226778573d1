"""What is known of the object beside the data: scalars of leaves, in nats like the likelihood.

A regulariser acts on one leaf, or on several together: total variation of ("object.delta", "object.beta") is small
where the two have their borders in the same places (vectorial total variation; Bresson & Chan, Inverse Problems and
Imaging 2, 455 (2008)).
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from adorym._core import JobError

Leaf = Float[Array, "*shape"]
Leaves = tuple[Leaf, ...]
Paths = str | tuple[str, ...]
Scale = float | tuple[float, ...]
Weight = float | Literal["auto"] | Float[Array, ""]


def differences(leaf: Leaf) -> Float[Array, "axis *shape"]:
    """Forward differences along every axis, zero at the end of each.

    Example:
        >>> differences(jnp.array([1.0, 3.0, 6.0])).tolist()
        [[2.0, 3.0, 0.0]]
    """
    steps = [jnp.diff(leaf, axis=axis, append=jnp.take(leaf, jnp.array([-1]), axis=axis)) for axis in range(leaf.ndim)]
    return jnp.stack(steps)


class AbstractRegularizer(eqx.Module):
    """A penalty on leaves of the model: weight times a measure of them.

    Attributes:
        where: path of the leaf such as "object.delta", or of a part such as "object", whose leaves are then taken
            together, or several paths.
        weight: strength, nats per unit of the measure; "auto" follows from the data (see `reconstruct.strength`).
        scale: size of a typical value, in which each leaf is measured; left out, it is decided from the sample (for
            δ, that of water; see `AbstractObject.typical`).

    Example:
        >>> issubclass(Tikhonov, AbstractRegularizer)
        True
    """

    where: eqx.AbstractVar[Paths]
    weight: eqx.AbstractVar[Any]
    scale: eqx.AbstractVar[Scale]

    def __check_init__(self) -> None:
        name = f"The regularizer of {self.where}"
        if isinstance(self.weight, (int, float)) and not self.weight >= 0:
            raise JobError(f'{name} has the weight {self.weight}: give 0 or more, or "auto".')
        if any(not scale > 0 for scale in self.scales):
            raise JobError(f"{name} has the scale {self.scale}: give sizes above 0, or leave it out.")

    @property
    def scales(self) -> tuple[float, ...]:
        """The scale of every leaf; none while it is not decided."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale,)

    def __call__(self, *leaves: Leaf) -> Float[Array, ""]:
        """The penalty of the leaves at `where`."""
        return self.weight * self.measure(*self._scaled(leaves))

    @abc.abstractmethod
    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """What the weight multiplies, of leaves in units of their scale."""

    @abc.abstractmethod
    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """A positive semidefinite model of the measure's second derivative, applied to vectors."""

    @abc.abstractmethod
    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """The diagonal of `lagged`."""

    def curvature(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """The model of the penalty's second derivative, applied to vectors."""
        image = self.lagged(self._scaled(leaves), self._scaled(vectors))
        return tuple(self.weight / s * one for s, one in zip(self.scales, image, strict=True))

    def diagonal(self, leaves: Leaves) -> Leaves:
        """The diagonal of `curvature`."""
        diagonal = self.lagged_diagonal(self._scaled(leaves))
        return tuple(self.weight / s**2 * one for s, one in zip(self.scales, diagonal, strict=True))

    def _scaled(self, leaves: Leaves) -> Leaves:
        return tuple(leaf / s for leaf, s in zip(leaves, self.scales, strict=True))


class Tikhonov(AbstractRegularizer):
    """½ weight Σ (x / scale)²: values stay small.

    Example:
        >>> float(Tikhonov("object.delta", 2.0, 1.0)(jnp.array([3.0])))
        9.0
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return sum((jnp.sum(jnp.square(leaf)) for leaf in leaves), jnp.zeros(())) / 2

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return vectors

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return tuple(jnp.ones_like(leaf) for leaf in leaves)


class L1(AbstractRegularizer):
    """weight Σ √((x / scale)² + ε²) - ε: few values differ from zero.

    Several leaves count together, as the length of the vector that they make at each voxel. The corner of the modulus
    is rounded below a hundredth of the scale.

    Example:
        >>> round(float(L1("object.delta", 2.0, 1.0)(jnp.array([3.0, 0.0]))), 1)
        6.0
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return jnp.sum(_rounded(_squared(leaves)) - _CORNER)

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """Half-quadratic: the parabola that touches the rounded modulus."""
        length = _rounded(_squared(leaves))
        return tuple(vector / length for vector in vectors)

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        return (1 / _rounded(_squared(leaves)),) * len(leaves)


class TotalVariation(AbstractRegularizer):
    """weight Σ √(|∇x / scale|² + ε²) - ε: regions of one value with sharp borders (Rudin, Osher, Fatemi 1992).

    Several leaves share their borders. Steps below a hundredth of the scale are smoothed like noise.

    Example:
        >>> round(float(TotalVariation("object.delta", 1.0, 1.0)(jnp.array([0.0, 0.0, 5.0]))), 1)
        5.0
    """

    where: Paths = eqx.field(static=True, default="object")
    weight: Weight = "auto"
    scale: Scale = eqx.field(static=True, default=())

    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return jnp.sum(_rounded(_steepness(leaves)) - _CORNER)

    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """Lagged diffusivity (Vogel & Oman, SIAM J. Sci. Comput. 17, 227 (1996)): ∇ᵀ (∇v / |∇x|)."""
        length = _rounded(_steepness(leaves))
        return tuple(_adjoint_differences(differences(vector) / length) for vector in vectors)

    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """See `AbstractRegularizer`."""
        conductance = 1 / _rounded(_steepness(leaves))
        total = jnp.zeros_like(conductance)
        for axis in range(conductance.ndim):  # a voxel has a difference to the next, and one to the voxel before
            inner = jnp.moveaxis(conductance, axis, 0)[:-1]
            zero = jnp.zeros_like(inner[:1])
            total = total + jnp.moveaxis(jnp.concatenate([zero, inner]) + jnp.concatenate([inner, zero]), 0, axis)
        return (total,) * len(leaves)


_CORNER = 1e-2


def _rounded(squared: Leaf) -> Leaf:
    return jnp.sqrt(squared + _CORNER**2)


def _squared(leaves: Leaves) -> Leaf:
    return sum((jnp.square(leaf) for leaf in leaves[1:]), jnp.square(leaves[0]))


def _steepness(leaves: Leaves) -> Leaf:
    """|∇x|² over all leaves."""
    each = [jnp.sum(jnp.square(differences(leaf)), axis=0) for leaf in leaves]
    return sum(each[1:], each[0])


def _adjoint_differences(flux: Float[Array, "axis *shape"]) -> Leaf:
    """The transpose of `differences`."""
    total = jnp.zeros_like(flux[0])
    for axis in range(flux.ndim - 1):
        inner = jnp.moveaxis(flux[axis], axis, 0)[:-1]
        zero = jnp.zeros_like(inner[:1])
        total = total + jnp.moveaxis(jnp.concatenate([zero, inner]) - jnp.concatenate([inner, zero]), 0, axis)
    return total


REGULARIZERS: dict[str, Callable[..., AbstractRegularizer]] = {
    "tikhonov": Tikhonov,
    "l1": L1,
    "total variation": TotalVariation,
}
"""The regularisers a job may name."""
