"""Limited-memory BFGS: the second derivative from how the gradient changed over the last steps.

The two-loop recursion (Nocedal & Wright, Numerical Optimization, algorithm 7.4) starts from one measured curvature per
leaf, of images one per band of spatial frequencies, so that leaves of different units, and what is coarse and fine,
move together. It goes over the elements that a constraint does not hold at their bound, as in projected quasi-Newton
methods (Schmidt, Kim, Sra, in Optimization for Machine Learning, 2011). One step is one gradient over all data: the
line search hands on the one where it ended.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from adorym._core import JobError
from adorym.data import Feed
from adorym.problem import Call, Problem
from adorym.sharding import dealt, dealt_shapes, nbytes, replicate
from adorym.solvers._frequencies import (
    Bands,
    Metric,
    inverse_times,
    measured_bands,
    metric,
    no_bands,
    outdated,
    squared_length,
)
from adorym.solvers._line_search import newton_length, search, searching
from adorym.solvers._passes import (
    added,
    corrected_curvature,
    data_curvature,
    inactive,
    objective_and_gradient,
    passing,
    with_penalties,
)
from adorym.solvers._solver import AbstractSolver, Info, Moment
from adorym.solvers._vectors import axpy, dot, zeros_like

_LITTLE = 1 << 23
"""Bytes of what is free up to which copies of what is remembered do not matter."""


class LBFGSState(NamedTuple):
    """What is known where the model stands, and of the steps that led there.

    Attributes:
        value: objective; infinite where it and its gradient are yet to be found.
        gradient: its gradient.
        curvature: mean curvature of the data's part, for every leaf.
        steps: the last changes of the free leaves, newest first; zero where there was none.
        changes: what each of them changed the gradient by.
        bands: curvature of the leaves that are images, by spatial frequency.
        began: the objective at the beginning.
        measured: the objective where the bands were measured.

    Example:
        >>> LBFGSState._fields[:2]
        ('value', 'gradient')
    """

    value: Float[Array, ""]
    gradient: PyTree
    curvature: tuple[Float[Array, ""], ...]
    steps: tuple[PyTree, ...]
    changes: tuple[PyTree, ...]
    bands: tuple[Bands | None, ...]
    began: Float[Array, ""]
    measured: Float[Array, ""]


class LBFGS(AbstractSolver):
    """Limited-memory BFGS over all data, with projected steps.

    Attributes:
        views_per_batch: views whose frames are computed in one kernel call; 0 is decided from the data.
        frames_per_batch: frames of each view in one kernel call; 0 is decided from the data.
        memory: steps that are remembered; each takes twice the memory of what is free.
        halved: elements of an array from which on it is remembered in half of its bits, to take half as much.

    Example:
        >>> LBFGS().memory
        6
    """

    views_per_batch: int = eqx.field(static=True, default=0)
    frames_per_batch: int = eqx.field(static=True, default=0)
    memory: int = eqx.field(static=True, default=6)
    halved: int = eqx.field(static=True, default=1 << 22)

    def __check_init__(self) -> None:
        if self.memory < 1:
            raise JobError(f"An l-bfgs stage's memory is {self.memory}: give a number of steps from 1, such as 6.")
        if self.halved < 1:
            raise JobError(f"An l-bfgs stage's halved is {self.halved}: give a number of elements from 1.")

    @property
    def sweeps(self) -> bool:
        """See `AbstractSolver.sweeps`."""
        return True

    def steps_per_epoch(self, feed: Feed) -> int:
        """See `AbstractSolver.steps_per_epoch`."""
        return 1

    def blank(self, problem: Problem, model: PyTree) -> LBFGSState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        curvature = tuple(jnp.zeros((), leaf.dtype) for leaf in jax.tree.leaves(params))
        nothing = zeros_like(params)
        none = (_short(nothing, self.halved),) * self.memory
        zero = jnp.zeros_like(curvature[0])
        bands = no_bands(problem.split(model))
        return LBFGSState(zero, nothing, curvature, none, none, bands=bands, began=zero, measured=zero)

    def kernels(self, problem: Problem, model: PyTree) -> list[Call]:
        """See `AbstractSolver.kernels`."""
        params, frozen = problem.split(model)
        numbers = tuple(replicate(jnp.zeros((), leaf.dtype)) for leaf in jax.tree.leaves(params))
        known = params, numbers, dealt(no_bands((params, frozen))), (numbers[0], numbers[0])
        vector = dealt(params)
        pair = dealt((_short(vector, self.halved),) * 2)
        place = dealt((params, params))
        others = [*passing((params, frozen)), *searching(problem, (vector, frozen))]
        others += [Call(_taught, (place, place, self.halved), {}), Call(zeros_like, (params,), {})]
        if nbytes(params) <= _LITTLE:
            return [Call(_at_once, (problem, (params, frozen), known, (pair,) * self.memory), {}), *others]
        units = dealt_shapes(eqx.filter_eval_shape(_ahead, problem, (params, frozen), known)[2])
        return [
            *others,
            Call(_ahead, (problem, (params, frozen), known), {}),
            Call(_newest_first, (vector, pair, vector), {}),
            Call(_oldest_first, (vector, pair, vector), {"numbers": (numbers[0], numbers[0])}),
            Call(_unit, (pair, vector, units), {}),
            Call(_in_units, (vector, units, vector), {"unit": numbers[0]}),
        ]

    def rewritten(self, state: LBFGSState) -> LBFGSState:
        """See `AbstractSolver.rewritten`: the oldest step is forgotten, and the newest is new."""
        return state._replace(steps=state.steps[:1], changes=state.changes[:1])

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> LBFGSState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        split = problem.project(params), frozen
        value, gradient = objective_and_gradient(problem, split, feed)
        curvature = data_curvature(problem, split, feed, seed=seed)
        bands = measured_bands(problem, split, feed, seed=seed)
        known = {"value": value, "gradient": gradient, "curvature": curvature, "bands": bands}
        return self.blank(problem, model)._replace(**known, began=value, measured=value)

    def moved(self, state: LBFGSState, change: tuple[PyTree, PyTree]) -> LBFGSState:
        """See `AbstractSolver.moved`."""
        value, gradient = added(change, (state.value, state.gradient))
        return state._replace(value=value, gradient=gradient)

    def renewed(self, problem: Problem, model: PyTree, state: LBFGSState, *, feed: Feed) -> LBFGSState:
        """See `AbstractSolver.renewed`."""
        params, frozen = problem.split(model)
        value, gradient = objective_and_gradient(problem, (problem.project(params), frozen), feed)
        return state._replace(value=value, gradient=gradient)

    def anew(self, problem: Problem, model: PyTree, state: LBFGSState, *, feed: Feed) -> LBFGSState:
        """See `AbstractSolver.anew`."""
        blank = dealt(self.blank(problem, model))
        kept = {"curvature": state.curvature, "bands": state.bands, "began": state.began}
        return blank._replace(value=jnp.full_like(state.value, jnp.inf), measured=state.measured, **kept)

    def step(
        self, problem: Problem, model: PyTree, state: LBFGSState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, LBFGSState, Info]:
        """See `AbstractSolver.step`."""
        if math.isinf(float(state.value)):
            state = self.renewed(problem, model, state, feed=feed)
        params, frozen = problem.split(model)
        curvature = corrected_curvature(problem, (params, frozen), feed, known=state.curvature, moment=moment)
        state = state._replace(curvature=curvature)
        if outdated(state.bands, measured=state.measured, now=state.value):
            bands = measured_bands(problem, (params, frozen), feed, seed=moment.seed)
            state = state._replace(bands=bands, measured=state.value)
        known = state.gradient, state.curvature, state.bands, (state.value, state.began)
        pairs = tuple(zip(state.steps, state.changes, strict=True))
        aimed = _at_once if nbytes(params) <= _LITTLE else _aimed
        allowed, kept, direction, learnt = aimed(problem, (params, frozen), known, pairs)
        params = params if bool(kept) else allowed
        del allowed
        length = jnp.ones_like(state.value)
        if not bool(learnt):  # a first guess, which the search puts right
            sample = feed.sample()
            length = newton_length(problem, (params, frozen), direction, gradient=state.gradient, feed=sample)
        start = state.value, state.gradient
        found = search(problem, (params, frozen), direction, start=start, length=length, feed=feed)
        if found is None:  # what is remembered misleads, or nothing is left to gain
            nothing = (dealt(_short(zeros_like(params), self.halved)),) * self.memory
            state = state._replace(steps=nothing, changes=nothing)
            return eqx.combine(params, frozen), state, Info(float(state.value), "refused", refused=True)
        state = _remembered(state, params, (found.params, found.value, found.gradient), halved=self.halved)
        return eqx.combine(found.params, frozen), state, Info(float(found.value), found.note, refused=not found.gain)


@eqx.filter_jit
def _ahead(
    problem: Problem,
    split: tuple[PyTree, PyTree],
    known: tuple[PyTree, tuple[Array, ...], tuple[Bands | None, ...], tuple[Array, Array]],
) -> tuple[PyTree, PyTree, Metric, Bool[Array, ""]]:
    """Leaves as constraints allow them, the gradient that is not held there, the metric; whether nothing changed."""
    gradient, curvature, bands, (value, began) = known
    params = problem.project(split[0])
    simple = with_penalties(problem, (params, split[1]), curvature)
    diagonal = problem.penalty_diagonal(params, split[1])
    found = metric(simple, diagonal, bands, part=value / jnp.where(began > 0, began, value))
    same = jax.tree.map(jnp.array_equal, params, split[0])
    kept = jnp.all(jnp.stack(jax.tree.leaves(same)))
    return params, inactive(problem, params, gradient, curvature=simple), dealt(found), kept


def _aimed(
    problem: Problem,
    split: tuple[PyTree, PyTree],
    known: tuple[PyTree, tuple[Array, ...], tuple[Bands | None, ...], tuple[Array, Array]],
    pairs: tuple[tuple[PyTree, PyTree], ...],
) -> tuple[PyTree, Bool[Array, ""], PyTree, Bool[Array, ""]]:
    """Leaves as constraints allow them, whether nothing changed, and what `_direction` says."""
    params, gradient, metric, kept = _ahead(problem, split, known)
    return params, kept, *_direction(pairs, gradient, metric)


_at_once = eqx.filter_jit(_aimed)
"""As one program, in a third of the time; it makes copies of what is remembered."""


def _direction(
    pairs: tuple[tuple[PyTree, PyTree], ...], gradient: PyTree, metric: Metric
) -> tuple[PyTree, Bool[Array, ""]]:
    """Minus the inverse second derivative times the gradient, and whether anything is known of the former.

    One pair of step and change after the other, by a kernel for each way: no copy of what is remembered is made. What
    is held has no part in it: the vector is zero there, as the gradient is.
    """
    vector, told = gradient, []
    for pair in pairs:
        vector, numbers = jax.block_until_ready(_newest_first(vector, pair, gradient))  # XLA takes only so many at once
        told.append(numbers)
    vector = _in_units(vector, metric, gradient, unit=_unit(pairs[0], gradient, metric))
    for pair, numbers in reversed(list(zip(pairs, told, strict=True))):
        vector = jax.block_until_ready(_oldest_first(vector, pair, gradient, numbers=numbers))
    return jax.tree.map(jnp.negative, vector), jnp.any(jnp.stack([rate for rate, _ in told]) > 0)


_HALF = {"float64": jnp.float32, "float32": jnp.bfloat16}


def _short(tree: PyTree, halved: int) -> PyTree:
    """Numbers of half as many bits in large arrays, for what is remembered: an element may be off by a part in 500.

    The second derivative that the pairs make is known to a few directions only; it stays positive, as the pairs that
    are kept are those whose product is when they are rounded.
    """

    def short(leaf: Array) -> Array:
        return leaf.astype(_HALF.get(leaf.dtype.name, leaf.dtype)) if leaf.size >= halved else leaf

    return jax.tree.map(short, tree)


def _whole(tree: PyTree, like: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf, other: leaf.astype(other.dtype), tree, like)


def _free(tree: PyTree, gradient: PyTree) -> PyTree:
    """Zero where the gradient is; by a product, which has no branch to mispredict."""
    return jax.tree.map(lambda x, g: x.astype(g.dtype) * (g != 0).astype(g.dtype), tree, gradient)


@jax.jit
def _newest_first(vector: PyTree, pair: tuple[PyTree, PyTree], gradient: PyTree) -> tuple[PyTree, tuple[Array, Array]]:
    """The first loop: the vector without what one pair explains; rate and share of the pair."""
    step, change = _whole(pair[0], gradient), _free(pair[1], gradient)
    product = dot(step, change)
    rate = jnp.where(product > 0, 1 / jnp.where(product > 0, product, 1), 0)
    share = rate * dot(step, vector)
    return axpy(-share, change, vector), (rate, share)


@jax.jit
def _oldest_first(
    vector: PyTree, pair: tuple[PyTree, PyTree], gradient: PyTree, *, numbers: tuple[Array, Array]
) -> PyTree:
    """The second loop: the vector with what one pair knows."""
    rate, share = numbers
    return axpy(share - rate * dot(_whole(pair[1], gradient), vector), _free(pair[0], gradient), vector)


@jax.jit
def _unit(pair: tuple[PyTree, PyTree], gradient: PyTree, metric: Metric) -> Float[Array, ""]:
    """How much smaller the second derivative is along a pair than the metric has it; 1 if the pair does not tell."""
    change = _free(pair[1], gradient)
    product = dot(_whole(pair[0], gradient), change)
    return jnp.where(product > 0, product / squared_length(metric, change), 1)


@jax.jit
def _in_units(vector: PyTree, metric: Metric, gradient: PyTree, *, unit: Array) -> PyTree:
    """P v in these units; what is held stays zero."""
    return _free(jax.tree.map(lambda leaf: unit * leaf, inverse_times(metric, vector)), gradient)


def _remembered(state: LBFGSState, params: PyTree, place: tuple[PyTree, Array, PyTree], *, halved: int) -> LBFGSState:
    """The state at the next place; a step over which the gradient did not grow along it teaches nothing."""
    after, value, gradient = place
    step, change, useful = _taught((params, state.gradient), (after, gradient), halved)
    if not bool(useful):
        return state._replace(value=value, gradient=gradient)
    steps, changes = ((new, *known[:-1]) for new, known in ((step, state.steps), (change, state.changes)))
    return state._replace(value=value, gradient=gradient, steps=steps, changes=changes)


@partial(jax.jit, static_argnums=2)
def _taught(
    before: tuple[PyTree, PyTree], after: tuple[PyTree, PyTree], halved: int
) -> tuple[PyTree, PyTree, Bool[Array, ""]]:
    """From one place and its gradient to the next, and whether the curvature between them is positive."""
    step, change = (_short(jax.tree.map(jnp.subtract, a, b), halved) for a, b in zip(after, before, strict=True))
    return step, change, dot(_whole(step, after[0]), _whole(change, after[0])) > 0
