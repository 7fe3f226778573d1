"""How far to go along a direction, where constraints bend the way.

The way is the projection of params + length * direction. A length is good if the objective falls by a share of what
the slope promises (Armijo). Near the answer the fall is lost in the rounding of the objective, long before the
gradient is: there the slope at the end tells instead, by a condition that is the same on a parabola (Hager & Zhang,
SIAM J. Optim. 16, 170 (2005)). The first length is that of the Gauss-Newton model, or 1 where a direction carries its
own; a bad one is shortened by the parabola through what is known.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym.data import Feed
from adorym.problem import Call, Problem
from adorym.sharding import dealt, replicate
from adorym.solvers._passes import curvature_along, ensure_bounded, fitted, penalized, undefined
from adorym.solvers._vectors import axpy, dot

_SHARE = 1e-4
_TRIALS = 8


class Found(NamedTuple):
    """Where a line search ended, and what it knows of the place.

    Attributes:
        params: the free leaves.
        value: the objective.
        gradient: its gradient.
        note: how it went, in a few words.
        gain: whether the first length was good, or the objective fell by more than its rounding.

    Example:
        >>> Found((jnp.ones(2),), jnp.ones(()), (jnp.zeros(2),), "1 trial", True).note
        '1 trial'
    """

    params: PyTree
    value: Float[Array, ""]
    gradient: PyTree
    note: str
    gain: bool


def newton_length(
    problem: Problem, split: tuple[PyTree, PyTree], direction: PyTree, *, gradient: PyTree, feed: Feed
) -> Float[Array, ""]:
    """The length at which the Gauss-Newton model of the objective is least along a direction; 1 if it is flat.

    Example:
        >>> callable(newton_length)
        True
    """
    curvature = curvature_along(problem, split, direction, feed=feed)
    return _newton_length(problem, split, (direction, gradient), curvature=curvature)


def searching(problem: Problem, split: tuple[PyTree, PyTree]) -> list[Call]:
    """How what `newton_length` and `search` have of their own will be called.

    Example:
        >>> callable(searching)
        True
    """
    params = split[0]
    number = replicate(jnp.zeros((), jax.tree.leaves(params)[0].dtype))
    return [
        Call(_newton_length, (problem, split, (params, params)), {"curvature": number}),
        Call(_reached, (problem, params, (params, params)), {"length": number}),
        Call(_along, (params, params, params), {}),
    ]


@eqx.filter_jit
def _newton_length(
    problem: Problem, split: tuple[PyTree, PyTree], both: tuple[PyTree, PyTree], *, curvature: Array
) -> Float[Array, ""]:
    direction, gradient = both
    curvature = curvature + dot(direction, problem.penalty_curvature(*split, direction))
    return jnp.where(curvature > 0, -dot(gradient, direction) / jnp.where(curvature > 0, curvature, 1), 1)


def search(
    problem: Problem,
    split: tuple[PyTree, PyTree],
    direction: PyTree,
    *,
    start: tuple[Float[Array, ""], PyTree],
    length: Float[Array, ""],
    feed: Feed,
) -> Found | None:
    """The first good point along a direction; `None` if there is none.

    Args:
        problem: whose objective falls.
        split: free leaves, which obey the constraints, and the rest.
        direction: where to go; zero in elements that a constraint holds.
        start: objective and gradient at the free leaves.
        length: what to try first.
        feed: what serves the data.

    Raises:
        JobError: the objective has no lower bound, or no finite value at any length.

    Example:
        >>> callable(search)
        True
    """
    params, frozen = split
    value, gradient = float(start[0]), start[1]
    noise = 16 * float(jnp.finfo(start[0].dtype).eps) * abs(value)
    values = []
    for trial in range(1, _TRIALS + 1):
        candidate, promised = _reached(problem, params, (direction, gradient), length=length)
        fall, factor = float(promised), 0.1
        if fall < 0:
            whole = replicate(candidate)
            del candidate  # each device has all of it during the pass, and only a part before and afterwards
            found = fitted(problem, (whole, frozen), feed)
            candidate = dealt(whole)
            del whole
            after, slope = penalized(problem, (candidate, frozen), found)
            del found
            values.append(float(after))
            ensure_bounded(values[-1])
            change, end = values[-1] - value, float(_along(slope, candidate, params))
            flat = change <= noise and end <= (1 - 2 * _SHARE) * -fall
            if math.isfinite(end) and (change <= _SHARE * fall or flat):
                note, gain = f"{trial} trial{'s' * (trial > 1)}", trial == 1 or change < -noise
                return Found(candidate, after, slope, note, gain)
            if math.isfinite(change) and change > fall:
                factor = min(max(-fall / (2 * (change - fall)), 0.1), 0.5)
        length = length * factor
    if values and not any(map(math.isfinite, values)):
        raise undefined(f"objective is {values[-1]} after the shortest step that was tried,")
    return None


@eqx.filter_jit
def _reached(problem: Problem, params: PyTree, both: tuple[PyTree, PyTree], *, length: Array) -> tuple[PyTree, Array]:
    """The point at a length, and what the gradient promises there."""
    direction, gradient = both
    candidate = problem.project(axpy(length, direction, params))
    return candidate, _along(gradient, candidate, params)


@jax.jit
def _along(gradient: PyTree, end: PyTree, start: PyTree) -> Float[Array, ""]:
    """A gradient's part along the way between two places."""
    return dot(gradient, jax.tree.map(jnp.subtract, end, start))
