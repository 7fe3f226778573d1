"""One leaf among the free ones, in the order of axes that people see: `(z, y, x)` for a volume."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from adorym._core import DataError, JobError
from adorym._core.trees import replace, resolve
from adorym.objects import Volume
from adorym.problem import Problem


@dataclasses.dataclass(frozen=True, eq=False)
class Leaf:
    """Goes between one leaf as an array and vectors of all free leaves.

    Attributes:
        where: path of the leaf.
        params: the free leaves.
        turned: whether the leaf holds `(z, x, y)`.
    """

    where: str
    params: PyTree
    turned: bool

    @classmethod
    def of(cls, problem: Problem, model: PyTree, where: str) -> Leaf:
        """The leaf at a path.

        Raises:
            JobError: it is not free, or there are several.
        """
        resolve(model, where)
        params, _ = problem.split(model)
        if not eqx.is_array(resolve(params, where)):
            free = ", ".join(problem.free) or "what the problem sets free"
            raise JobError(f'"{where}" is no leaf that is free: name one array below {free}.')
        volume = where.partition(".")[0] == "object" and isinstance(resolve(model, "object"), Volume)
        return cls(where, params, volume and resolve(params, where).ndim == 3)

    @property
    def shape(self) -> tuple[int, ...]:
        """As people see it."""
        return self._turn(np.empty(resolve(self.params, self.where).shape, bool)).shape

    def chosen(self, within: np.ndarray | None) -> np.ndarray:
        """The elements a mask chooses; all where there is none."""
        return np.ones(self.shape, bool) if within is None else self._checked(within) != 0

    def put(self, values: np.ndarray) -> PyTree:
        """A vector that is zero in all other leaves."""
        dtype = resolve(self.params, self.where).dtype
        array = jnp.asarray(self._turn(self._checked(values)), dtype)
        return replace(jax.tree.map(jnp.zeros_like, self.params), self.where, array)

    def take(self, vector: PyTree) -> np.ndarray:
        """The leaf's part of a vector; numbers in 64 bits."""
        leaf = np.asarray(resolve(vector, self.where))
        return self._turn(leaf if leaf.dtype == bool else leaf.astype(np.float64))

    def _turn(self, array: np.ndarray) -> np.ndarray:
        return np.swapaxes(array, 1, 2) if self.turned else array

    def _checked(self, array: np.ndarray) -> np.ndarray:
        if np.shape(array) != self.shape:
            raise DataError(
                f"The region of {self.where} has shape {np.shape(array)}: give weights or a mask of shape {self.shape}."
            )
        return np.asarray(array)
