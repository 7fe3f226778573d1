"""What is known of the object beside the data: scalars of leaves, in nats like the likelihood.

A regulariser acts on one leaf, or on several together: total variation of ("object.delta", "object.beta") is small
where the two have their borders in the same places (vectorial total variation; Bresson & Chan, Inverse Problems and
Imaging 2, 455 (2008)).

Some sum up lengths, of a voxel's values or of their gradient. A length has a corner where it is zero. Solvers that
follow slopes see that corner rounded, below a part of the scale; proximal ones take it as it is.
"""

from __future__ import annotations

import abc
from typing import Any, Literal

import equinox as eqx
from jaxtyping import Array, Float

from adorym._core import JobError

Leaf = Float[Array, "*shape"]
Leaves = tuple[Leaf, ...]
Field = Float[Array, "component *shape"]
Paths = str | tuple[str, ...]
Scale = float | tuple[float, ...]
Weight = float | Literal["auto"] | Float[Array, ""]


class AbstractRegularizer(eqx.Module):
    """A penalty on leaves of the model: weight times a measure of them.

    The measure is Σ a |field| + b Σ x²/2, where `field` is linear in the leaves, a is `slope` and b is `stiffness`; or
    else it touches that sum, up to a constant, where the slope was taken, and lies below it everywhere else.

    Attributes:
        where: path of the leaf such as "object.delta", or of a part such as "object", whose leaves are then taken
            together, or several paths.
        weight: strength, nats per unit of the measure; "auto" follows from the data (see `reconstruct.strength`).
        scale: size of a typical value, in which each leaf is measured; left out, it is decided from the sample (for
            δ, that of water; see `AbstractObject.typical`).

    Example:
        >>> from adorym.regularizers import Tikhonov
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
        return self.weight * self.measure(*self.scaled(leaves))

    def sharp(self) -> AbstractRegularizer:
        """The same with no corner rounded: to measure with, since a corner has no slope."""
        return self

    @abc.abstractmethod
    def measure(self, *leaves: Leaf) -> Float[Array, ""]:
        """What the weight multiplies, of leaves in units of their scale."""

    @abc.abstractmethod
    def lagged(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """A positive semidefinite model of the measure's second derivative, applied to vectors."""

    @abc.abstractmethod
    def lagged_diagonal(self, leaves: Leaves) -> Leaves:
        """The diagonal of `lagged`."""

    @abc.abstractmethod
    def field(self, *leaves: Leaf) -> Field:
        """The vectors whose lengths count, one at every voxel, of leaves in units of their scale; linear in them."""

    @abc.abstractmethod
    def slope(self, *leaves: Leaf) -> Leaf:
        """How much the measure grows with the length of the field, at every voxel."""

    @abc.abstractmethod
    def gain(self, axes: int) -> float:
        """The square of the most by which `field` lengthens leaves that have so many axes; 0 where it has none."""

    @property
    def stiffness(self) -> float:
        """The factor of Σ x²/2 in the measure."""
        return 0.0

    def curvature(self, leaves: Leaves, vectors: Leaves) -> Leaves:
        """The model of the penalty's second derivative, applied to vectors."""
        image = self.lagged(self.scaled(leaves), self.scaled(vectors))
        return tuple(self.weight / s * one for s, one in zip(self.scales, image, strict=True))

    def diagonal(self, leaves: Leaves) -> Leaves:
        """The diagonal of `curvature`."""
        diagonal = self.lagged_diagonal(self.scaled(leaves))
        return tuple(self.weight / s**2 * one for s, one in zip(self.scales, diagonal, strict=True))

    def scaled(self, leaves: Leaves) -> Leaves:
        """The leaves in units of their scale."""
        return tuple(leaf / s for leaf, s in zip(leaves, self.scales, strict=True))


def ensure_corner(where: Paths, corner: float) -> None:
    """Raises a sentence where a corner is to be rounded by less than nothing.

    Example:
        >>> ensure_corner("object.delta", 0.01)
    """
    if not corner >= 0:
        raise JobError(f"The regularizer of {where} has the corner {corner}: give a part of the scale, such as 0.01.")
