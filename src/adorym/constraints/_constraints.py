"""What the object must be: projections of a leaf."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adorym._core import JobError

Leaf = Float[Array, "*shape"]


class AbstractConstraint(eqx.Module):
    """A set that a leaf of the model is kept in.

    Attributes:
        where: path of the leaf, such as "object.delta".

    Example:
        >>> issubclass(Bounds, AbstractConstraint)
        True
    """

    where: eqx.AbstractVar[str]

    @abc.abstractmethod
    def __call__(self, leaf: Leaf) -> Leaf:
        """The nearest point of the set; a point of the set stays where it is."""


class Bounds(AbstractConstraint):
    """Every value between two numbers.

    Example:
        >>> Bounds("object.beta", 0.0, 1.0)(jnp.array([-1.0, 0.5, 2.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    where: str = eqx.field(static=True)
    lower: float = eqx.field(static=True, default=-math.inf)
    upper: float = eqx.field(static=True, default=math.inf)

    def __check_init__(self) -> None:
        if self.lower > self.upper:
            raise JobError(f"Bounds of {self.where}: lower {self.lower} is above upper {self.upper}; exchange the two.")

    def __call__(self, leaf: Leaf) -> Leaf:
        """See `AbstractConstraint`."""
        return jnp.clip(leaf, self.lower, self.upper)


def non_negative(where: str) -> Bounds:
    """No value below zero: matter in vacuum or air has δ, β >= 0.

    Example:
        >>> non_negative("object.delta")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return Bounds(where, lower=0.0)


class Support(AbstractConstraint):
    """Nothing outside a centred shape.

    Attributes:
        where: path of the leaf.
        shape: "cylinder" about the rotation axis (the leaf's first two axes, z and x), "disc" or "box" in all axes.
        fraction: its diameter or edge as a fraction of the array's.

    Example:
        >>> Support("object.phase", "box", 0.5)(jnp.ones((4, 4))).sum().item()
        4.0
    """

    where: str = eqx.field(static=True)
    shape: Literal["cylinder", "disc", "box"] = eqx.field(static=True, default="cylinder")
    fraction: float = eqx.field(static=True, default=1.0)

    def __call__(self, leaf: Leaf) -> Leaf:
        """See `AbstractConstraint`."""
        axes = leaf.ndim if self.shape != "cylinder" else 2
        grids = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) / (n / 2) for n in leaf.shape[:axes]], indexing="ij")
        stacked = np.stack(grids)
        inside = (
            np.all(np.abs(stacked) <= self.fraction, axis=0)
            if self.shape == "box"
            else np.sum(np.square(stacked), axis=0) <= self.fraction**2
        )
        return jnp.where(inside.reshape(inside.shape + (1,) * (leaf.ndim - axes)), leaf, 0)


CONSTRAINTS: dict[str, Callable[..., AbstractConstraint]] = {
    "non-negative": non_negative,
    "bounds": Bounds,
    "support": Support,
}
"""The constraints a job may name."""
