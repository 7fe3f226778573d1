"""Levenberg-Marquardt steps with matrix-free conjugate gradients over all views.

Around the present model the objective is replaced by the quadratic g·p + p·(JᵀFJ + R + μD) p / 2, with F the Fisher
information of the counts, R the regularisers' curvature and D the diagonal of R plus one number per leaf, the mean
diagonal of JᵀFJ (found with random signs). Conjugate gradients minimise it over the elements that a constraint does
not hold at their bound; the step is projected, and accepted if the objective falls. μ follows the ratio of the real
gain to the foreseen one (Nocedal & Wright, Numerical Optimization, chapters 4 and 10). Nothing is tuned, and no matrix
is formed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym.data import Feed
from adorym.problem import Problem
from adorym.solvers._passes import (
    corrected_curvature,
    data_curvature,
    data_product,
    inactive,
    objective,
    objective_and_gradient,
    scaled,
    with_penalties,
)
from adorym.solvers._solver import AbstractSolver, Info, Moment, Work
from adorym.solvers._vectors import axpy, dot, plus


class GaussNewtonState(NamedTuple):
    """Damping μ, and the mean curvature of the data for every leaf.

    Example:
        >>> GaussNewtonState(jnp.array(0.1), (jnp.ones(()),)).damping.item() < 1
        True
    """

    damping: Float[Array, ""]
    curvature: tuple[Float[Array, ""], ...]


class GaussNewton(AbstractSolver):
    """Damped Gauss-Newton over all data.

    Attributes:
        views_per_batch: views whose frames are computed in one kernel call; 0 is decided from the data.
        frames_per_batch: frames of each view in one kernel call; 0 is decided from the data.
        iterations: most conjugate-gradient iterations in one step.
        tolerance: residual, relative to the gradient, at which they stop.

    Example:
        >>> GaussNewton().iterations
        10
    """

    views_per_batch: int = eqx.field(static=True, default=0)
    frames_per_batch: int = eqx.field(static=True, default=0)
    iterations: int = eqx.field(static=True, default=10)
    tolerance: float = eqx.field(static=True, default=0.03)

    @property
    def sweeps(self) -> bool:
        """See `AbstractSolver.sweeps`."""
        return True

    def steps_per_epoch(self, feed: Feed) -> int:
        """See `AbstractSolver.steps_per_epoch`."""
        return 1

    def work(self, feed: Feed, steps: int, *, leaves: int) -> Work:
        """See `AbstractSolver.work`; every step with as many iterations as it may have."""
        batches = feed.batches()
        products = steps * (self.iterations + 1) * batches
        return Work(steps * batches, leaves * feed.sample().batches(), products, fits=steps * batches)

    @property
    def products(self) -> bool:
        """See `AbstractSolver.products`."""
        return True

    def blank(self, problem: Problem, model: PyTree) -> GaussNewtonState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        leaves = jax.tree.leaves(params)
        return GaussNewtonState(jnp.zeros((), leaves[0].dtype), tuple(jnp.zeros((), x.dtype) for x in leaves))

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> GaussNewtonState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        curvature = data_curvature(problem, (problem.project(params), frozen), feed, seed=seed)
        return GaussNewtonState(jnp.asarray(0.01, curvature[0].dtype), tuple(curvature))

    def step(
        self, problem: Problem, model: PyTree, state: GaussNewtonState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, GaussNewtonState, Info]:
        """See `AbstractSolver.step`."""
        params, frozen = problem.split(model)
        params = problem.project(params)
        curvature = corrected_curvature(problem, (params, frozen), feed, known=state.curvature, moment=moment)
        state = state._replace(curvature=curvature)
        value, gradient = objective_and_gradient(problem, (params, frozen), feed)
        metric = with_penalties(problem, (params, frozen), state.curvature)
        gradient = inactive(problem, params, gradient, curvature=metric)

        def damped(vector: PyTree) -> PyTree:
            product = data_product(problem, (params, frozen), vector, feed=feed)
            return _damped(problem, (params, frozen), (vector, product, gradient), known=(metric, state.damping))

        step, done = self._conjugate_gradients(damped, gradient, metric)
        trial = problem.project(axpy(1.0, step, params))
        moved = jax.tree.map(jnp.subtract, trial, params)
        foreseen = -(dot(gradient, moved) + 0.5 * dot(moved, damped(moved)))
        gained = value - objective(problem, (trial, frozen), feed)
        ratio = float(gained / jnp.maximum(foreseen, 1e-30))
        accepted = bool(gained > 0)
        factor = 1 / 3 if ratio > 0.75 else (1.0 if ratio >= 0.25 else 4.0)  # not a number is no gain
        state = GaussNewtonState(jnp.clip(state.damping * factor, 1e-8, 1e8), state.curvature)
        note = f"{done} iterations, gain ratio {ratio:.2f}" + ("" if accepted else ", refused")
        kept = eqx.combine(trial if accepted else params, frozen)
        return kept, state, Info(float(value - gained if accepted else value), note)

    def _conjugate_gradients(
        self, product: Callable[[PyTree], PyTree], gradient: PyTree, curvature: tuple[Array, ...]
    ) -> tuple[PyTree, int]:
        solution = jax.tree.map(jnp.zeros_like, gradient)
        residual = jax.tree.map(jnp.negative, gradient)
        preconditioned = scaled(residual, curvature, -1)
        direction, energy = preconditioned, dot(residual, preconditioned)
        first = float(energy)
        for done in range(self.iterations):
            if float(energy) <= self.tolerance**2 * first:
                return solution, done
            image = product(direction)
            length = energy / jnp.maximum(dot(direction, image), 1e-30)
            solution, residual = axpy(length, direction, solution), axpy(-length, image, residual)
            preconditioned = scaled(residual, curvature, -1)
            energy, before = dot(residual, preconditioned), energy
            direction = axpy(energy / before, direction, preconditioned)
        return solution, self.iterations


@eqx.filter_jit
def _damped(
    problem: Problem,
    split: tuple[PyTree, PyTree],
    along: tuple[PyTree, PyTree, PyTree],
    *,
    known: tuple[tuple[Array, ...], Array],
) -> PyTree:
    """JᵀFJ v with the penalties and the damping; what is held at a bound has no gradient left, and is not moved."""
    (vector, product, gradient), (metric, damping) = along, known
    product = plus(product, problem.penalty_curvature(*split, vector))
    product = axpy(damping, scaled(vector, metric, 1), product)
    return jax.tree.map(lambda h, g: jnp.where(g == 0, 0, h), product, gradient)
