"""Nonlinear conjugate gradients: a direction that keeps what the last ones have gained.

Directions are combined after Polak and Ribière, restarted where that would turn back (PR+; Nocedal & Wright, Numerical
Optimization, section 5.2), in units of one measured curvature per leaf, over the elements that a constraint does not
hold at their bound. The length comes from the Gauss-Newton model along the direction, and is shortened if it misleads.
Where the counts are linear in the unknowns this is the linear method. It needs little memory beside the unknowns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym.data import Feed
from adorym.problem import Problem
from adorym.sharding import dealt
from adorym.solvers._line_search import newton_length, search
from adorym.solvers._passes import (
    added,
    corrected_curvature,
    data_curvature,
    inactive,
    objective_and_gradient,
    scaled,
    with_penalties,
)
from adorym.solvers._solver import AbstractSolver, Info, Moment, Work
from adorym.solvers._vectors import dot


class ConjugateGradientState(NamedTuple):
    """What is known where the model stands.

    Attributes:
        value: objective; infinite where it and its gradient are yet to be found.
        gradient: its gradient.
        curvature: mean curvature of the data's part, for every leaf.
        carried: what the next direction takes over from the last one; zero restarts.

    Example:
        >>> ConjugateGradientState._fields[-1]
        'carried'
    """

    value: Float[Array, ""]
    gradient: PyTree
    curvature: tuple[Float[Array, ""], ...]
    carried: PyTree


class ConjugateGradient(AbstractSolver):
    """Nonlinear conjugate gradients over all data, with projected steps.

    Attributes:
        views_per_batch: views whose frames are computed in one kernel call; 0 is decided from the data.
        frames_per_batch: frames of each view in one kernel call; 0 is decided from the data.

    Example:
        >>> ConjugateGradient().sweeps
        True
    """

    views_per_batch: int = eqx.field(static=True, default=0)
    frames_per_batch: int = eqx.field(static=True, default=0)

    @property
    def sweeps(self) -> bool:
        """See `AbstractSolver.sweeps`."""
        return True

    def steps_per_epoch(self, feed: Feed) -> int:
        """See `AbstractSolver.steps_per_epoch`."""
        return 1

    def work(self, feed: Feed, steps: int, *, leaves: int) -> Work:
        """See `AbstractSolver.work`; every line search begins with the curvature along it."""
        batches = feed.batches()
        return Work((steps + 1) * batches, leaves * feed.sample().batches() + steps * batches)

    def blank(self, problem: Problem, model: PyTree) -> ConjugateGradientState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        curvature = tuple(jnp.zeros((), leaf.dtype) for leaf in jax.tree.leaves(params))
        nothing = jax.tree.map(jnp.zeros_like, params)
        return ConjugateGradientState(jnp.zeros_like(curvature[0]), nothing, curvature, nothing)

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> ConjugateGradientState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        split = problem.project(params), frozen
        value, gradient = objective_and_gradient(problem, split, feed)
        curvature = data_curvature(problem, split, feed, seed=seed)
        return self.blank(problem, model)._replace(value=value, gradient=gradient, curvature=curvature)

    def moved(self, state: ConjugateGradientState, change: tuple[PyTree, PyTree]) -> ConjugateGradientState:
        """See `AbstractSolver.moved`."""
        value, gradient = added(change, (state.value, state.gradient))
        return state._replace(value=value, gradient=gradient)

    def renewed(
        self, problem: Problem, model: PyTree, state: ConjugateGradientState, *, feed: Feed
    ) -> ConjugateGradientState:
        """See `AbstractSolver.renewed`."""
        params, frozen = problem.split(model)
        value, gradient = objective_and_gradient(problem, (problem.project(params), frozen), feed)
        return state._replace(value=value, gradient=gradient)

    def anew(
        self, problem: Problem, model: PyTree, state: ConjugateGradientState, *, feed: Feed
    ) -> ConjugateGradientState:
        """See `AbstractSolver.anew`."""
        blank = dealt(self.blank(problem, model))
        return blank._replace(value=jnp.full_like(state.value, jnp.inf), curvature=state.curvature)

    def step(
        self, problem: Problem, model: PyTree, state: ConjugateGradientState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, ConjugateGradientState, Info]:
        """See `AbstractSolver.step`."""
        if math.isinf(float(state.value)):
            state = self.renewed(problem, model, state, feed=feed)
        params, frozen = problem.split(model)
        params = problem.project(params)
        curvature = corrected_curvature(problem, (params, frozen), feed, known=state.curvature, moment=moment)
        state = state._replace(curvature=curvature)
        metric = with_penalties(problem, (params, frozen), state.curvature)
        gradient = inactive(problem, params, state.gradient, curvature=metric)
        direction = _direction(state.carried, gradient, metric)
        length = newton_length(problem, (params, frozen), direction, gradient=gradient, feed=feed)
        start = state.value, gradient
        found = search(problem, (params, frozen), direction, start=start, length=length, feed=feed)
        if found is None:  # the direction misleads, or nothing is left to gain
            state = state._replace(carried=jax.tree.map(jnp.zeros_like, state.carried))
            return eqx.combine(params, frozen), state, Info(float(state.value), "refused", refused=True)
        after = inactive(problem, found.params, found.gradient, curvature=metric)
        carried = _carried(direction, (gradient, after), metric)
        state = ConjugateGradientState(found.value, found.gradient, state.curvature, carried)
        return eqx.combine(found.params, frozen), state, Info(float(found.value), found.note, refused=not found.gain)


@jax.jit
def _direction(carried: PyTree, gradient: PyTree, metric: tuple[Array, ...]) -> PyTree:
    """Downhill, and on along the last direction as far as that does not lead uphill."""
    downhill = jax.tree.map(jnp.negative, scaled(gradient, metric, -1))
    carried = jax.tree.map(lambda c, g: jnp.where(g == 0, 0, c), carried, gradient)
    both = jax.tree.map(jnp.add, downhill, carried)
    return jax.tree.map(lambda one, other: jnp.where(dot(gradient, both) < 0, one, other), both, downhill)


@jax.jit
def _carried(direction: PyTree, gradients: tuple[PyTree, PyTree], curvature: tuple[Array, ...]) -> PyTree:
    """The share of a direction that the next one keeps."""
    before, after = gradients
    gained = scaled(jax.tree.map(jnp.subtract, after, before), curvature, -1)
    share = dot(after, gained) / jnp.maximum(dot(before, scaled(before, curvature, -1)), 1e-30)
    return jax.tree.map(lambda leaf: jnp.maximum(share, 0) * leaf, direction)
