"""Strength and stopping from the data: penalties start strong and are relaxed while held-out frames gain from it.

With a strong penalty only what the data say most loudly appears; each relaxation lets in finer or fainter detail, from
a start that is already good, so that the way from strong to weak costs little more than the last of its problems
(continuation; Hale, Yin, Zhang, SIAM J. Optim. 19, 1107 (2008)). Frames that were kept back judge it: as long as detail
is real they are predicted better, and when noise begins to be fitted they are predicted worse (cross-validation). What
predicted them best is the result. Where no weight is left open the same rule is early stopping.

The first weight is the one at which something appears at all. With u the gradient of the data's objective where
nothing is known yet, in units of the scale, total variation keeps a block of voxels flat while its weight exceeds
|Σ u| over the block divided by the block's surface (Meyer, Oscillating Patterns in Image Processing, 2001): the
way begins at an eighth of the largest such ratio over blocks of all sizes.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from adorym.data import Feed
from adorym.problem import Problem
from adorym.solvers._lbfgs import LBFGS
from adorym.solvers._passes import held_out_nll, inactive, objective_and_gradient
from adorym.solvers._solver import AbstractSolver, Info, Moment

_BELOW = 8  # the critical weight is that of the one block that asks loudest
_MUCH = 0.9  # of what an empty sample leaves unexplained


class RelaxationState(NamedTuple):
    """Where the way from strong to weak stands, and the best so far.

    Attributes:
        inner: the solver's own state.
        weight: what "auto" weights are now.
        taken: steps taken at this weight.
        empty: objective of the held-out frames before the first step, in nats.
        best: lowest objective of the held-out frames in nats, and the `best_weight` and `best_params` that had it.
        worse: times in a row that the held-out frames were not predicted better.

    Example:
        >>> RelaxationState._fields[:2]
        ('inner', 'weight')
    """

    inner: PyTree
    weight: Float[Array, ""]
    taken: Int[Array, ""]
    empty: Float[Array, ""]
    best: Float[Array, ""]
    best_weight: Float[Array, ""]
    best_params: PyTree
    worse: Int[Array, ""]


class Relaxation(AbstractSolver):
    """Another solver, with open weights and its end decided by held-out frames.

    Attributes:
        solver: moves the free leaves; it goes over all data in a step.
        views_per_batch, frames_per_batch: the solver's.
        steps: that it takes between two looks at the held-out frames.
        factor: by which the weights fall at each look, squared while hardly anything is explained.
        patience: looks without a gain after which the best is taken and nothing more is done.
        gain: relative fall of the held-out objective that counts as one.

    Example:
        >>> from adorym.solvers import LBFGS
        >>> Relaxation.of(LBFGS(views_per_batch=3)).views_per_batch
        3
    """

    views_per_batch: int = eqx.field(static=True, default=0)
    frames_per_batch: int = eqx.field(static=True, default=0)
    solver: AbstractSolver = eqx.field(default_factory=LBFGS)
    steps: int = eqx.field(static=True, default=6)
    factor: float = eqx.field(static=True, default=2.0)
    patience: int = eqx.field(static=True, default=2)
    gain: float = eqx.field(static=True, default=1e-3)

    @classmethod
    def of(cls, solver: AbstractSolver) -> Relaxation:
        """Of a solver whose batches are decided."""
        return cls(solver=solver, views_per_batch=solver.views_per_batch, frames_per_batch=solver.frames_per_batch)

    @property
    def sweeps(self) -> bool:
        """See `AbstractSolver.sweeps`."""
        return True

    def steps_per_epoch(self, feed: Feed) -> int:
        """See `AbstractSolver.steps_per_epoch`."""
        return 1

    def blank(self, problem: Problem, model: PyTree) -> RelaxationState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        zero, none = jnp.zeros(()), jnp.zeros((), jnp.int32)
        inner = self.solver.blank(problem, model)
        never = jnp.full_like(zero, jnp.inf)
        return RelaxationState(inner, zero, none, never, never, zero, params, none)

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> RelaxationState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        params = problem.project(params)
        weight = jnp.zeros(())
        if problem.open:
            _, gradient = objective_and_gradient(problem.with_weight(0.0), (params, frozen), feed)
            ones = tuple(jnp.full((), 1e30) for _ in jax.tree.leaves(params))  # an infinitely small step is tried
            weight = problem.critical_weight(inactive(problem, params, gradient, curvature=ones), frozen) / _BELOW
        model = eqx.combine(params, frozen)
        inner = self.solver.init(problem.with_weight(weight), model, feed, seed=seed)
        empty = held_out_nll(problem, model, feed)
        return self.blank(problem, model)._replace(inner=inner, weight=weight, empty=empty)

    def posed(self, problem: Problem, state: RelaxationState) -> Problem:
        """See `AbstractSolver.posed`."""
        return problem.with_weight(state.best_weight if self.finished(state) else state.weight)

    def finished(self, state: RelaxationState) -> bool:
        """See `AbstractSolver.finished`."""
        return bool(state.worse >= self.patience)

    def step(
        self, problem: Problem, model: PyTree, state: RelaxationState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, RelaxationState, Info]:
        """See `AbstractSolver.step`."""
        now = problem.with_weight(state.weight)
        model, inner, info = self.solver.step(now, model, state.inner, feed=feed, moment=moment)
        state = state._replace(inner=inner, taken=state.taken + 1)
        end = moment.step + 1 == moment.steps
        if int(state.taken) == self.steps or end:
            model, state, found = self._look(problem, model, state, feed=feed, end=end)
            info = Info(info.value, f"{info.note}, {found}")
        return model, state, info

    def _look(
        self, problem: Problem, model: PyTree, state: RelaxationState, *, feed: Feed, end: bool
    ) -> tuple[PyTree, RelaxationState, str]:
        """Judges the present weight by the held-out frames and goes on to the next, or back to the best."""
        params, frozen = problem.split(model)
        value = held_out_nll(problem, model, feed)
        note = f"weight {float(state.weight):.3g}, held out {float(value):.6g}"
        worth = bool(value < state.best - self.gain * jnp.abs(state.best)) or not bool(jnp.isfinite(state.best))
        if bool(value < state.best):
            state = state._replace(best=value, best_weight=state.weight, best_params=params)
        worse = jnp.full_like(state.worse, self.patience) if end else jnp.where(worth, 0, state.worse + 1)
        state = state._replace(worse=worse.astype(jnp.int32))
        if self.finished(state):
            note += f"; the best was weight {float(state.best_weight):.3g}"
            return eqx.combine(state.best_params, frozen), state, note
        weight = state.weight / self._factor(value, state) if problem.open else state.weight
        change = problem.reweighted(params, frozen, (state.weight, weight))
        inner = self.solver.moved(state.inner, change)
        return model, state._replace(inner=inner, weight=weight, taken=jnp.zeros_like(state.taken)), note

    def _factor(self, value: Array, state: RelaxationState) -> float:
        """Larger steps while hardly anything is explained."""
        return self.factor if bool(value < _MUCH * state.empty) else self.factor**2
