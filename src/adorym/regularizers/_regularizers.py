"""What is known of the object beside the data: scalars of a leaf, in nats like the likelihood."""

from __future__ import annotations

import abc
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

Leaf = Float[Array, "*shape"]


def differences(leaf: Leaf) -> Float[Array, "axis *shape"]:
    """Forward differences along every axis, zero at the end of each.

    Example:
        >>> differences(jnp.array([1.0, 3.0, 6.0])).tolist()
        [[2.0, 3.0, 0.0]]
    """
    steps = [jnp.diff(leaf, axis=axis, append=jnp.take(leaf, jnp.array([-1]), axis=axis)) for axis in range(leaf.ndim)]
    return jnp.stack(steps)


class AbstractRegularizer(eqx.Module):
    """A penalty on one leaf of the model.

    Attributes:
        where: path of the leaf, such as "object.delta".
        weight: strength, nats per unit of the penalty.
        scale: size of a typical value, in which the leaf is measured; 0 is decided from the sample (for δ, that of
            water; see `AbstractObject.typical`).

    Example:
        >>> issubclass(Tikhonov, AbstractRegularizer)
        True
    """

    where: eqx.AbstractVar[str]
    weight: eqx.AbstractVar[float]
    scale: eqx.AbstractVar[float]

    @abc.abstractmethod
    def __call__(self, leaf: Leaf) -> Float[Array, ""]:
        """The penalty times the weight."""

    @abc.abstractmethod
    def curvature(self, leaf: Leaf, vector: Leaf) -> Leaf:
        """A positive semidefinite model of the second derivative, applied to a vector."""


class Tikhonov(AbstractRegularizer):
    """½ weight Σ (x / scale)²: values stay small.

    Example:
        >>> float(Tikhonov("object.delta", 2.0, 1.0)(jnp.array([3.0])))
        9.0
    """

    where: str = eqx.field(static=True)
    weight: float = eqx.field(static=True)
    scale: float = eqx.field(static=True, default=0.0)

    def __call__(self, leaf: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return self.weight / 2 * jnp.sum(jnp.square(leaf / self.scale))

    def curvature(self, leaf: Leaf, vector: Leaf) -> Leaf:
        """See `AbstractRegularizer`."""
        return self.weight / self.scale**2 * vector


class L1(AbstractRegularizer):
    """weight Σ √((x / scale)² + ε²) - ε: few values differ from zero.

    The corner of the modulus is rounded below a hundredth of the scale.

    Example:
        >>> round(float(L1("object.delta", 2.0, 1.0)(jnp.array([3.0, 0.0]))), 1)
        6.0
    """

    where: str = eqx.field(static=True)
    weight: float = eqx.field(static=True)
    scale: float = eqx.field(static=True, default=0.0)

    def __call__(self, leaf: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        return self.weight * jnp.sum(_rounded(jnp.square(leaf / self.scale)) - _CORNER)

    def curvature(self, leaf: Leaf, vector: Leaf) -> Leaf:
        """Half-quadratic: the parabola that touches the rounded modulus."""
        return self.weight / self.scale**2 * vector / _rounded(jnp.square(leaf / self.scale))


class TotalVariation(AbstractRegularizer):
    """weight Σ √(|∇x / scale|² + ε²) - ε: regions of one value with sharp borders (Rudin, Osher, Fatemi 1992).

    Steps below a hundredth of the scale are smoothed like noise.

    Example:
        >>> round(float(TotalVariation("object.delta", 1.0, 1.0)(jnp.array([0.0, 0.0, 5.0]))), 1)
        5.0
    """

    where: str = eqx.field(static=True)
    weight: float = eqx.field(static=True)
    scale: float = eqx.field(static=True, default=0.0)

    def __call__(self, leaf: Leaf) -> Float[Array, ""]:
        """See `AbstractRegularizer`."""
        squared = jnp.sum(jnp.square(differences(leaf / self.scale)), axis=0)
        return self.weight * jnp.sum(_rounded(squared) - _CORNER)

    def curvature(self, leaf: Leaf, vector: Leaf) -> Leaf:
        """Lagged diffusivity (Vogel & Oman, SIAM J. Sci. Comput. 17, 227 (1996)): ∇ᵀ (∇v / |∇x|)."""
        squared = jnp.sum(jnp.square(differences(leaf / self.scale)), axis=0)
        flux = differences(vector) / _rounded(squared)
        return self.weight / self.scale**2 * _adjoint_differences(flux)


_CORNER = 1e-2


def _rounded(squared: Leaf) -> Leaf:
    return jnp.sqrt(squared + _CORNER**2)


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
