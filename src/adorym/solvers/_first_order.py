"""Steps along the gradient of a batch, scaled by the curvature of the data instead of by hand.

Adam (Kingma & Ba, 2015) moves every element of a leaf by about the same length, its rate. What rate is right depends
on the leaf's unit, on the photons and on how many frames see an element. Here it is measured: along the first step's
direction d, the Gauss-Newton model of the batch is least at the length <g, d> / <d, JᵀFJ d>. That length, found for each
leaf by itself, is the leaf's unit; the rate is then a fraction of it, which falls to zero over the stage by a cosine.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from adorym.data import Feed
from adorym.problem import Problem
from adorym.solvers._solver import AbstractSolver, Info, Moment
from adorym.solvers._vectors import dot, only


class FirstOrderState(NamedTuple):
    """Unit of every leaf, and the transform's own state.

    Example:
        >>> FirstOrderState((jnp.ones(()),), ()).units[0].item()
        1.0
    """

    units: tuple[Float[Array, ""], ...]
    transform: PyTree


class FirstOrder(AbstractSolver):
    """Adam on batches, in units measured from the data.

    Attributes:
        views_per_batch: views in one step.
        frames_per_batch: frames of each view in one step.
        rate: length of the first steps in units of the one that the Gauss-Newton model finds best.
        memory: decay of the running mean of squares.

    Example:
        >>> FirstOrder(views_per_batch=1, frames_per_batch=16).rate
        1.0
    """

    views_per_batch: int = eqx.field(static=True, default=1)
    frames_per_batch: int = eqx.field(static=True, default=64)
    rate: float = eqx.field(static=True, default=1.0)
    memory: float = eqx.field(static=True, default=0.99)

    def steps_per_epoch(self, feed: Feed) -> int:
        """See `AbstractSolver.steps_per_epoch`."""
        return feed.batches_per_epoch

    def init(self, problem: Problem, model: PyTree, feed: Feed, seed: int) -> FirstOrderState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        batch = feed.batch(seed, 0)
        _, gradient = problem.value_and_gradient(params, frozen, batch, 0.0)
        direction = jax.tree.map(jnp.sign, gradient)
        count = len(jax.tree.leaves(params))
        units = []
        for index in range(count):
            along = only(direction, index)
            curvature = dot(along, problem.gauss_newton_product(params, frozen, batch, along))
            slope = dot(gradient, along)
            units.append(jnp.where(curvature > 0, slope / jnp.maximum(curvature, 1e-30) / math.sqrt(count), 0.0))
        return FirstOrderState(tuple(units), _transform(self.memory).init(params))

    def step(
        self, problem: Problem, model: PyTree, state: FirstOrderState, feed: Feed, moment: Moment
    ) -> tuple[PyTree, FirstOrderState, Info]:
        """See `AbstractSolver.step`."""
        params, frozen = problem.split(model)
        batch = feed.batch(moment.seed, moment.step)
        share = max(float(batch.weights.sum()), 1e-12) / feed.total_weight
        value, gradient = problem.value_and_gradient(params, frozen, batch, share)
        rate = self.rate * 0.5 * (1 + math.cos(math.pi * moment.step / max(moment.steps, 1)))
        params, state = _update(problem, params, gradient, state, jnp.asarray(rate, value.dtype), self.memory)
        return eqx.combine(params, frozen), state, Info(float(value) / share, f"rate {rate:.2f}")


@functools.lru_cache(maxsize=4)
def _transform(memory: float) -> optax.GradientTransformation:
    return optax.scale_by_adam(b1=0.9, b2=memory, eps=1e-30, eps_root=0.0)


@eqx.filter_jit
def _update(
    problem: Problem, params: PyTree, gradient: PyTree, state: FirstOrderState, rate: Array, memory: float
) -> tuple[PyTree, FirstOrderState]:
    leaves, structure = jax.tree.flatten(gradient)
    # in the leaf's own units its gradient is larger by the unit: Adam's moments then stay clear of underflow
    scaled = structure.unflatten([unit * leaf for unit, leaf in zip(state.units, leaves, strict=True)])
    moves, transform = _transform(memory).update(scaled, state.transform)
    moves = jax.tree.leaves(moves)
    steps = structure.unflatten([-rate * unit * move for unit, move in zip(state.units, moves, strict=True)])
    return problem.project(optax.apply_updates(params, steps)), FirstOrderState(state.units, transform)
