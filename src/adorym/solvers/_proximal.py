"""Accelerated proximal gradients: the data by their slope, penalties and constraints as they are.

A step goes against the slope of the data's part alone, by one measured curvature per leaf times a bound, and the
proximal map of the penalties follows (FISTA; Beck & Teboulle, SIAM J. Imaging Sci. 2, 183 (2009)). It starts from where
the last step's momentum leads. The slope there is carried on from those at the last two places, which is exact where
counts are linear in the unknowns; so one step is one gradient over all data, taken where it ends.

Nothing is tuned. The bound grows with the curvature that steps meet; momentum is dropped where a step leads back
against it (O'Donoghue & Candès, Found. Comput. Math. 15, 715 (2015)); and a step after which the objective is not lower
is taken back, to be repeated without momentum, and then shorter.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym.data import Feed
from adorym.problem import Problem
from adorym.solvers._line_search import newton_length
from adorym.solvers._passes import (
    corrected_curvature,
    data_curvature,
    ensure_bounded,
    objective_and_gradient,
    scaled,
    tried,
    undefined,
)
from adorym.solvers._proximal_map import Duals, Mapped, no_duals, proximal_map
from adorym.solvers._solver import AbstractSolver, Info, Moment
from adorym.solvers._vectors import axpy, dot

_TRIALS = 8
_SHARE = 1e-4  # of what the model promises


class ProximalState(NamedTuple):
    """What is known where the model stands, and of the step that led there.

    Attributes:
        value: the data's part of the objective.
        gradient: its gradient.
        curvature: its mean curvature, for every leaf.
        bound: the largest curvature met so far, in units of the mean.
        age: of the momentum, 1 without.
        moved: the last change of the free leaves.
        change: what it changed the gradient by.
        duals: of the last proximal map.

    Example:
        >>> ProximalState._fields[:2]
        ('value', 'gradient')
    """

    value: Float[Array, ""]
    gradient: PyTree
    curvature: tuple[Float[Array, ""], ...]
    bound: Float[Array, ""]
    age: Float[Array, ""]
    moved: PyTree
    change: PyTree
    duals: Duals


class Proximal(AbstractSolver):
    """Accelerated proximal gradients over all data.

    Attributes:
        views_per_batch: views whose frames are computed in one kernel call; 0 is decided from the data.
        frames_per_batch: frames of each view in one kernel call; 0 is decided from the data.

    Example:
        >>> Proximal().sweeps
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

    def blank(self, problem: Problem, model: PyTree) -> ProximalState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        curvature = tuple(jnp.zeros((), leaf.dtype) for leaf in jax.tree.leaves(params))
        nothing, one = jax.tree.map(jnp.zeros_like, params), jnp.ones_like(curvature[0])
        return ProximalState(0 * one, nothing, curvature, one, one, nothing, nothing, no_duals(problem, model))

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> ProximalState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        split, data = (problem.project(params), frozen), _data_alone(problem)
        value, gradient = objective_and_gradient(data, split, feed)
        curvature = data_curvature(data, split, feed, seed=seed)
        downhill = jax.tree.map(jnp.negative, scaled(gradient, curvature, -1))
        bound = 1 / newton_length(data, split, downhill, gradient=gradient, feed=feed.sample())
        known = {"value": value, "gradient": gradient, "curvature": curvature, "bound": bound}
        return self.blank(problem, model)._replace(**known)

    def renewed(self, problem: Problem, model: PyTree, state: ProximalState, *, feed: Feed) -> ProximalState:
        """See `AbstractSolver.renewed`; the momentum begins again."""
        params, frozen = problem.split(model)
        value, gradient = objective_and_gradient(_data_alone(problem), (problem.project(params), frozen), feed)
        return state._replace(value=value, gradient=gradient, age=jnp.ones_like(state.age))

    def step(
        self, problem: Problem, model: PyTree, state: ProximalState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, ProximalState, Info]:
        """See `AbstractSolver.step`."""
        params, frozen = problem.split(model)
        params, sharp, data = problem.project(params), problem.sharp(), _data_alone(problem)
        curvature = corrected_curvature(data, (params, frozen), feed, known=state.curvature, moment=moment)
        state = state._replace(curvature=curvature)
        start = float(state.value + _penalty(sharp, (params, frozen)))
        noise = 16 * float(jnp.finfo(state.value.dtype).eps) * abs(start)
        values = []
        for trial in range(1, _TRIALS + 1):
            found = _candidate(sharp, (params, frozen), state)
            value, gradient = tried(data, (found.params, frozen), feed)
            values.append(float(value + _penalty(sharp, (found.params, frozen))))
            ensure_bounded(values[-1])
            after, promised, met = _arrived(state, params, found, data=(value, gradient))
            change = values[-1] - start
            if change <= -_SHARE * float(promised) or (change <= noise and bool(met <= 2 * state.bound)):
                note = f"{trial} trial{'s' * (trial > 1)}, {int(found.iterations)} inner iterations"
                return eqx.combine(found.params, frozen), after, Info(values[-1], note)
            state = _calmer(state, met)
        if not any(map(math.isfinite, values)):
            raise undefined(f"objective is {values[-1]} after the shortest step that was tried,")
        return eqx.combine(params, frozen), state, Info(start, "refused", refused=True)


def _data_alone(problem: Problem) -> Problem:
    return dataclasses.replace(problem, regularizers=())


@eqx.filter_jit
def _penalty(problem: Problem, split: tuple[PyTree, PyTree]) -> Float[Array, ""]:
    return problem.penalty(*split)


@eqx.filter_jit
def _candidate(problem: Problem, split: tuple[PyTree, PyTree], state: ProximalState) -> Mapped:
    """Where a step leads."""
    momentum = (state.age - 1) / _older(state.age)
    ahead, gradient = axpy(momentum, state.moved, split[0]), axpy(momentum, state.change, state.gradient)
    stiffness = scaled((state.bound,) * len(state.curvature), state.curvature, 1)
    target = jax.tree.map(jnp.subtract, ahead, scaled(gradient, stiffness, -1))
    return proximal_map(problem, split, target, stiffness=stiffness, duals=state.duals)


def _older(age: Float[Array, ""]) -> Float[Array, ""]:
    return (1 + jnp.sqrt(1 + 4 * age**2)) / 2


@jax.jit
def _arrived(
    state: ProximalState, params: PyTree, found: Mapped, *, data: tuple[Array, PyTree]
) -> tuple[ProximalState, Float[Array, ""], Float[Array, ""]]:
    """The state after a step, what the step promised, and the curvature that it met."""
    value, gradient = data
    moved = jax.tree.map(jnp.subtract, found.params, params)
    change = jax.tree.map(jnp.subtract, gradient, state.gradient)
    square = dot(moved, scaled(moved, state.curvature, 1))
    met = jnp.where(square > 0, dot(moved, change) / jnp.where(square > 0, square, 1), 0)
    momentum = (state.age - 1) / _older(state.age)
    past = axpy(-momentum, state.moved, moved)  # from where the step started, ahead of the model
    back = dot(past, scaled(moved, state.curvature, 1)) < 0
    age = jnp.where(back, 1, _older(state.age))
    after = ProximalState(
        value, gradient, state.curvature, jnp.maximum(met, state.bound), age, moved, change, found.duals
    )
    return after, state.bound * square / 2, met


@jax.jit
def _calmer(state: ProximalState, met: Float[Array, ""]) -> ProximalState:
    """Without momentum, or where there was none with shorter steps."""
    shorter = jnp.clip(jnp.where(jnp.isfinite(met), met, jnp.inf), 1.2 * state.bound, 10 * state.bound)
    return state._replace(bound=jnp.where(state.age > 1, state.bound, shorter), age=jnp.ones_like(state.age))
