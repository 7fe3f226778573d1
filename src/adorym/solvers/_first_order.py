"""Steps along the gradient of a batch, scaled by the curvature of the data instead of by hand.

Adam (Kingma & Ba, 2015) moves every element of a leaf by about the same length, its rate. What rate is right depends
on the leaf's unit, on the photons and on how many frames see an element. Here it is measured: along a leaf's gradient
g the Gauss-Newton model of the batch is least after a step α g. By how much that step moves an element where there is
something to move, Σ |α g|² / Σ |α g|, is the leaf's unit; elements that the batch says little of, such as the dark
surroundings of a probe or voxels beside the beam, do not make it smaller. The rate is a fraction of it, which falls to
zero over the stage by a cosine.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PyTree

from adorym._core import Batch, JobError
from adorym._core.words import span
from adorym.data import Feed
from adorym.problem import Problem
from adorym.sharding import dealt, replicate
from adorym.solvers._passes import ensure_finite, reach
from adorym.solvers._solver import AbstractSolver, Info, Moment, Work
from adorym.solvers._vectors import axpy, dot, only

_NOTHING = 1e-30


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
        views_per_batch: views in one step; 0 is decided from the data.
        frames_per_batch: frames of each view in one step; 0 is decided from the data.
        rate: length of the first steps in units of the one that the Gauss-Newton model finds best.
        memory: decay of the running mean of squares.

    Example:
        >>> FirstOrder(views_per_batch=1, frames_per_batch=16).rate
        0.3
    """

    views_per_batch: int = eqx.field(static=True, default=0)
    frames_per_batch: int = eqx.field(static=True, default=0)
    rate: float = eqx.field(static=True, default=0.3)
    memory: float = eqx.field(static=True, default=0.99)

    def __check_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise JobError(f"A first-order stage's rate is {self.rate}: give a number above 0, such as 0.3.")
        if not 0 <= self.memory < 1:
            raise JobError(
                f"A first-order stage's memory is {self.memory}: give a number from 0 to below 1, such as 0.99."
            )

    @property
    def sweeps(self) -> bool:
        """See `AbstractSolver.sweeps`."""
        return False

    def steps_per_epoch(self, feed: Feed) -> int:
        """See `AbstractSolver.steps_per_epoch`."""
        return feed.batches_per_epoch

    def work(self, feed: Feed, steps: int, *, leaves: int) -> Work:
        """See `AbstractSolver.work`."""
        return Work(gradients=steps + 1, curvatures=leaves)

    def blank(self, problem: Problem, model: PyTree) -> FirstOrderState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        units = tuple(jnp.zeros((), leaf.dtype) for leaf in jax.tree.leaves(params))
        return FirstOrderState(units, _transform(self.memory).init(params))

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> FirstOrderState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        batches = (feed.batch(seed, step) for step in range(feed.batches_per_epoch))
        batch = next(batch for batch in batches if batch.weights.any())  # others hold only frames that are kept back
        units = _units(problem, (params, frozen), batch, known=(None,) * len(jax.tree.leaves(params)))
        return self.blank(problem, model)._replace(units=units)

    def step(
        self, problem: Problem, model: PyTree, state: FirstOrderState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, FirstOrderState, Info]:
        """See `AbstractSolver.step`."""
        with span("read"):
            batch = feed.batch(moment.seed, moment.step)
        if moment.step and moment.step % feed.batches_per_epoch == 0 and batch.weights.any():
            state = state._replace(units=_corrected_units(problem, problem.split(model), batch, known=state.units))
        share = max(float(batch.weights.sum()), 1e-12) / feed.total_weight
        rate = self.rate * 0.5 * (1 + math.cos(math.pi * moment.step / max(moment.steps, 1)))
        numbers = tuple(state.units[0].dtype.type(number) for number in (share, rate))
        found = _stride(replicate(problem), model, state, batch=batch, memory=self.memory, numbers=numbers)
        if not bool(found.finite):
            params, frozen = problem.split(model)
            value, gradient = _with_penalties(problem, (params, frozen), batch, share=share)
            ensure_finite(value, gradient, params=params, batches=(batch,))
        return found.model, found.state, Info(float(found.value) / share, f"rate {rate:.2f}")


def _units(
    problem: Problem, split: tuple[PyTree, PyTree], batch: Batch, *, known: tuple[Float[Array, ""] | None, ...]
) -> tuple[Float[Array, ""], ...]:
    """The units of the leaves, as far as they are not known."""
    value, gradient = problem.value_and_gradient(*split, batch)
    ensure_finite(value, gradient, params=split[0], batches=(batch,))
    direction = jax.tree.map(lambda leaf: leaf / jnp.maximum(jnp.max(jnp.abs(leaf)), _NOTHING), gradient)

    def measured(index: int, leaf: Array, most: float) -> Float[Array, ""]:
        along = only(direction, index)
        curvature = problem.curvature(*split, batch, vector=along)
        length = dot(gradient, along) / jnp.maximum(curvature, _NOTHING) / math.sqrt(len(known))
        moved = jnp.sum(jnp.square(leaf)) / jnp.maximum(jnp.sum(jnp.abs(leaf)), _NOTHING)
        unit = jnp.where(curvature > 0, length * moved, 0.0)
        return jnp.where(unit < most, unit, 0.0) if most else unit

    leaves = zip(jax.tree.leaves(direction), known, reach(split), strict=True)
    return tuple(
        measured(index, leaf, most) if unit is None else unit for index, (leaf, unit, most) in enumerate(leaves)
    )


def _corrected_units(
    problem: Problem, split: tuple[PyTree, PyTree], batch: Batch, *, known: tuple[Float[Array, ""], ...]
) -> tuple[Float[Array, ""], ...]:
    """The units, found at last for corrections that were held because frames did not tell them yet."""
    held = [bool(most) and not float(unit) for most, unit in zip(reach(split), known, strict=True)]
    if not any(held):
        return known
    return _units(
        problem, split, batch, known=tuple(None if one else unit for one, unit in zip(held, known, strict=True))
    )


class _Stride(NamedTuple):
    """Where a step led, the batch's objective before it, and whether that and its gradient are finite."""

    model: PyTree
    state: FirstOrderState
    value: Float[Array, ""]
    finite: Bool[Array, ""]


@eqx.filter_jit
def _stride(
    problem: Problem, model: PyTree, state: FirstOrderState, *, batch: Batch, memory: float, numbers: tuple[Any, ...]
) -> _Stride:
    """A whole step at once, since on small problems every call from Python takes as long as what it computes.

    Args:
        problem: objective and constraints.
        model: where to step from.
        state: the solver's.
        batch: the data of the step.
        memory: the solver's.
        numbers: share of the data that the batch is, and the rate.
    """
    share, rate = numbers
    params, frozen = problem.split(model)
    value, gradient = _with_penalties(problem, (params, frozen), batch, share=share)
    leaves, structure = jax.tree.flatten(gradient)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in (value, *leaves)]))
    # in the leaf's own units its gradient is larger by the unit: Adam's moments then stay clear of underflow
    scaled = structure.unflatten([unit * leaf for unit, leaf in zip(state.units, leaves, strict=True)])
    with jax.numpy_dtype_promotion("standard"):  # Adam's bias correction raises a float to an integer power
        moves, transform = _transform(memory).update(scaled, state.transform)
    units = zip(state.units, jax.tree.leaves(moves), strict=True)
    steps = structure.unflatten([-rate * unit * move for unit, move in units])
    params, transform = dealt((problem.project(optax.apply_updates(params, steps)), transform))
    return _Stride(eqx.combine(params, frozen), FirstOrderState(state.units, transform), value, finite)


def _with_penalties(
    problem: Problem, split: tuple[PyTree, PyTree], batch: Batch, *, share: Any
) -> tuple[Array, PyTree]:
    """The objective and its gradient, of which a batch has the penalties' part that it has of the data."""
    found = problem.value_and_gradient(*split, batch)
    return axpy(share, problem.penalty_and_gradient(*split), found) if problem.regularizers else found


def _transform(memory: float) -> optax.GradientTransformation:
    return optax.scale_by_adam(b1=0.9, b2=memory, eps=1e-30, eps_root=0.0)
