"""Strength and stopping from the data: penalties start strong and are relaxed while held-out frames gain from it.

With a strong penalty only what the data say most loudly appears; each relaxation lets in finer or fainter detail, from
a start that is already good, so that the way from strong to weak costs little more than the last of its problems
(continuation; Hale, Yin, Zhang, SIAM J. Optim. 19, 1107 (2008)). Frames that were kept back judge it: as long as detail
is real they are predicted better, and when noise begins to be fitted they are predicted worse (cross-validation). What
predicted them best is the result.

The way down was quick, and left every weight long before its own end: part of what made the lower ones better were the
steps that came with them, and some noise came, too. So after a few steps at the best weight, from where the way down
ended, the way goes up: at twice the best weight steps go on for as long as they are a gain, then at twice that, until a
weight brings none. What is slow to come has its time there, and noise goes again. At last the weight goes back to the
best one, and steps go on while they are a gain; where the way went back there first and then up, it took half of its
steps at a weight that was too small.

At a weight that has been a gain, up or back, steps also go on while the objective falls by as much as would be one in
the held-out frames: those are predicted now better, now worse while what is coarse finds its place, and a few looks do
not tell. Where no weight is left open the same rule is early stopping.

The first weight follows from the noise. A voxel's gradient has the curvature of the data along it as its variance, of
which `data_curvature` is the mean h; a penalty that pulls with much less than √h cannot hold noise back, one that pulls
with much more lets nothing appear. The way begins at 8 √h, in units of the scale, and goes down to √h/2: what held-out
frames still gain there comes from further steps, and a weight without effect would be the worse start for the way up.
Held-out frames that are predicted better than their counting statistics allow, χ² < 1, hold less noise than that, and
what is left of them is the penalty's doing as well: there the way goes down to √h/2 times χ² to the power of 1.5. (The
noise that is left would be √(h χ²); but the χ² that a penalty leaves grows with its weight squared, and a lower power
would hold that weight up.)

How much a change of the held-out frames' objective says is known without a scale of its own: in nats, one is what
chance makes, more where the model does not explain the frames (times the reduced χ²). What is left unexplained is more
than chance, too, for the first weight, where another solver has been there before, and for what counts as a clear loss:
frames that are far from explained are predicted now better, now worse by a part of that (times the reduced χ² again).
Where very many elements are free, what nobody would see in the result is more than chance, too: there a gain is a small
part of what noise in all of them costs the held-out frames.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from adorym.data import Feed
from adorym.problem import Call, Problem, reweighting
from adorym.sharding import replicate
from adorym.solvers._follow import followed
from adorym.solvers._lbfgs import LBFGS
from adorym.solvers._passes import held_out
from adorym.solvers._solver import AbstractSolver, Info, Moment, Work

_ABOVE = 8.0  # times the noise's own weight
_BELOW = 0.5  # of it, or of what there is of it: below, what still gains are the steps
_NOISELESS = 1.5  # power of a reduced χ² below 1 that it is lowered by
_AGAIN = 4.0  # times the weight that was best before
_GAIN, _LOSS = 1.0, 10.0  # nats that are a gain, and that are a loss without doubt
_FAINT = 5e-5  # of the nats that noise in every free element costs the held-out frames: too little of a gain
_EXPLAINED = 1.2  # reduced χ² below which nothing is fitted that is not there
_LEAST_VIEWS = 12
_ROUNDING = 1e-5  # of sums over many pixels
_DOWN, _TURN, _UP, _BACK = range(4)


class RelaxationState(NamedTuple):
    """Where the way from strong to weak stands, and the best so far.

    Attributes:
        inner: the solver's own state.
        weight: what "auto" weights are now.
        noise: the weight √h that pulls at an element as much as noise does.
        taken: steps taken at this weight.
        looks: how many were a gain; as many as `growing` has once all views are used.
        best: lowest objective of the held-out frames in nats, and the `best_weight` and `best_params` that had it.
        unexplained: their reduced χ² then.
        counted: what it was when a gain was last seen, or when a way began, from which the next gain is counted: small
            ones add up.
        worse: times in a row that the held-out frames were not predicted better.
        objective: what it was at the last look on this way; minus infinity before.
        way: 0 down, 1 turning at the best weight, 2 up, 3 back at the best weight.

    Example:
        >>> RelaxationState._fields[:2]
        ('inner', 'weight')
    """

    inner: PyTree
    weight: Float[Array, ""]
    noise: Float[Array, ""]
    taken: Int[Array, ""]
    looks: Int[Array, ""]
    best: Float[Array, ""]
    best_weight: Float[Array, ""]
    best_params: PyTree
    unexplained: Float[Array, ""]
    counted: Float[Array, ""]
    worse: Int[Array, ""]
    objective: Float[Array, ""]
    way: Int[Array, ""]


class Relaxation(AbstractSolver):
    """Another solver, with open weights and its end decided by held-out frames.

    Attributes:
        solver: moves the free leaves; it goes over all data in a step.
        views_per_batch, frames_per_batch: the solver's.
        steps: that it takes between two looks at the held-out frames.
        factor: by which the weights fall at each look, and rise on the way up.
        growing: every how many-th view is used, one entry after the other with each look that is a gain, where that
            leaves enough views; then all are. More views begin at the weight where fewer ended. While penalties are
            strong a few views show all that they let through.
        patience: looks without a gain after which a weight is given up, on the way down all of them; one clear loss is
            enough, and one look on the way back, above the best weight and where the solver finds no way down; where
            the objective still falls, looks do not count on the way up and back.
        start: the first weight in units of the noise's own; 0 finds it.
        noise: what the noise's own is where nothing here says so: that of the stage before.
        after: what came before: after another solver what is unexplained at the start counts as noise; after one of
            this kind all views are used from the first step.
        rough: whether the result is but a start: then the way down is all.

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
    growing: tuple[int, ...] = eqx.field(static=True, default=(8, 8, 4, 4, 2, 2))
    patience: int = eqx.field(static=True, default=2)
    start: float = eqx.field(static=True, default=0.0)
    noise: float = eqx.field(static=True, default=1.0)
    after: Literal["nothing", "another", "its kind"] = eqx.field(static=True, default="nothing")
    rough: bool = eqx.field(static=True, default=False)

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

    def work(self, feed: Feed, steps: int, *, leaves: int) -> Work:
        """See `AbstractSolver.work`: as if every look at the first weights were a gain, and one in five a way up."""
        growing = self._growing(feed)
        parts = [feed.every(every) for every in growing]
        looks = -(-steps // self.steps)
        up = max(0, looks - len(parts)) // 5
        total = self.solver.work((parts or [feed])[0], 0, leaves=leaves)
        total += Work(fits=looks * feed.batches(held_out=bool(feed.held_out.any())))
        for before, after in itertools.pairwise((*growing, 1)):
            total += Work(gradients=feed.every(after).batches() if after != before else 0)
        for part in parts:
            taken = min(self.steps, steps)
            total, steps = total + self._inner(part, taken, leaves=leaves), steps - taken
        total += Work(gradients=up * feed.batches())
        return total + self._inner(feed, steps, leaves=leaves)

    def parts(self, feed: Feed) -> tuple[tuple[int, int], ...]:
        """See `AbstractSolver.parts`."""
        return tuple((every, self.steps) for every in self._growing(feed))

    def _inner(self, feed: Feed, steps: int, *, leaves: int) -> Work:
        """What steps alone take."""
        return self.solver.work(feed, steps, leaves=leaves) - self.solver.work(feed, 0, leaves=leaves)

    def blank(self, problem: Problem, model: PyTree) -> RelaxationState:
        """See `AbstractSolver.blank`."""
        params, _ = problem.split(model)
        inner = self.solver.blank(problem, model)
        zero, never, none, yet = _number(0.0), _number(math.inf), _number(0), _number(-math.inf)
        return RelaxationState(inner, zero, zero, none, none, never, zero, params, never, never, none, yet, none)

    def kernels(self, problem: Problem, model: PyTree) -> list[Call]:
        """See `AbstractSolver.kernels`."""
        posed = problem.with_weight(_number(0.0))
        return [*self.solver.kernels(posed, model), *reweighting(problem, problem.split(model))]

    @property
    def products(self) -> bool:
        """See `AbstractSolver.products`."""
        return self.solver.products

    def rewritten(self, state: RelaxationState) -> RelaxationState:
        """See `AbstractSolver.rewritten`."""
        return state._replace(inner=self.solver.rewritten(state.inner))

    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> RelaxationState:
        """See `AbstractSolver.init`."""
        params, frozen = problem.split(model)
        params = problem.project(params)
        blank = self.blank(problem, model)
        part = feed.every(self._keep(feed, blank))
        inner = self.solver.init(problem.with_weight(0.0), eqx.combine(params, frozen), part, seed=seed)
        if problem.open_in(model):
            noise = float(problem.noise_weight(params, frozen, inner.curvature))
            unexplained = held_out(problem, model, feed)[1] if self.after == "another" else 1.0
            weight = (self.start or _ABOVE * math.sqrt(max(unexplained, 1.0))) * noise
        else:  # that of a stage before, to be kept for one that follows
            noise, weight = self.noise, self.start * self.noise / _AGAIN
        state = blank._replace(weight=_number(weight), noise=_number(noise))
        change = problem.reweighted(params, frozen, (blank.weight, state.weight))
        return state._replace(inner=self.solver.moved(inner, change))

    def posed(self, problem: Problem, state: RelaxationState) -> Problem:
        """See `AbstractSolver.posed`."""
        return problem.with_weight(state.best_weight if self.finished(state) else state.weight)

    def left(self, state: RelaxationState) -> tuple[float, float]:
        """See `AbstractSolver.left`."""
        return float(state.best_weight), float(state.noise)

    def following(self, left: tuple[float, float]) -> Relaxation:
        """See `AbstractSolver.following`: the weight begins above the one that was best, or follows from the misfit.

        After another of its kind all views are used: what few of them show is there already.
        """
        weight, noise = left
        if math.isnan(weight):
            return dataclasses.replace(self, after="another")
        return dataclasses.replace(self, start=_AGAIN * weight / noise, noise=noise, after="its kind")

    def roughly(self) -> Relaxation:
        """See `AbstractSolver.roughly`: the way down alone."""
        return dataclasses.replace(self, rough=True)

    def explains(self, state: RelaxationState) -> bool:
        """See `AbstractSolver.explains`: by the held-out frames."""
        return float(state.unexplained) < _EXPLAINED

    def finished(self, state: RelaxationState) -> bool:
        """See `AbstractSolver.finished`."""
        return int(state.worse) >= self.patience

    def step(
        self, problem: Problem, model: PyTree, state: RelaxationState, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, RelaxationState, Info]:
        """See `AbstractSolver.step`."""
        now, every = problem.with_weight(state.weight), self._keep(feed, state)
        model, inner, info = self.solver.step(now, model, state.inner, feed=feed.every(every), moment=moment)
        info = info._replace(every=every)
        taken = int(state.taken) + 1
        state = state._replace(inner=inner, taken=_number(taken))
        if taken == self.steps or moment.step + 1 == moment.steps or info.refused:
            model, state, found = self._look(problem, model, state, feed=feed, moment=moment, done=info)
            info = Info(info.value, f"{info.note}, {found}", every=every)
        return model, state, info

    def _look(
        self, problem: Problem, model: PyTree, state: RelaxationState, *, feed: Feed, moment: Moment, done: Info
    ) -> tuple[PyTree, RelaxationState, str]:
        """Judges the present weight by the held-out frames and goes on to the next, or back to the best.

        Where the step `done` was refused there is no way down at this weight, and nothing to wait for; what held-out
        frames gain from going on all the same, at a corner of the penalties, is no longer worth its many trials.
        """
        model = followed(problem, model, feed, steps=self.steps, seed=moment.seed)
        params, frozen = problem.split(model)
        value, unexplained = held_out(problem, model, feed)
        nat = max(unexplained, 1.0)  # what chance alone may change the value by
        note = f"weight {float(state.weight):.3g}, held out {value:.6g}"
        rounding = _ROUNDING * abs(value)
        gain = max(_GAIN, _FAINT * _cost(params, feed))
        worth = value - float(state.counted) < -gain * nat - rounding
        lost = value - float(state.best) > _LOSS * nat**2 + rounding
        if value < float(state.best):
            best = {"best": _number(value), "best_weight": state.weight, "best_params": params}
            state = state._replace(**best, unexplained=_number(unexplained))
        looks, way, keep = int(state.looks), int(state.way), self._keep(feed, state)
        higher = way == _UP and float(state.weight) > float(state.best_weight)  # than any that was a gain
        falling = way != _DOWN and not higher and (float(state.objective) - done.value) * _share(feed) > gain * nat
        worse = 0 if worth or falling else int(state.worse) + 1
        open_here = problem.open_in(model)
        stuck = done.refused and way != _DOWN and open_here
        enough = 1 if way == _BACK or higher or done.refused else self.patience
        over = lost or stuck or way == _TURN or worse >= enough
        if over and keep > 1:  # what a part of the views cannot tell, all may
            worse, looks, over = 0, len(self._growing(feed)), False
        elif worth:
            looks += 1
        if worth or over:
            state = state._replace(counted=state.best)
        ended = moment.step + 1 == moment.steps or (over and (way == _BACK or not open_here or self.rough))
        if over:
            way = _TURN if way == _DOWN else _BACK if higher or way == _BACK else _UP
        worse = self.patience if ended else (0 if over else worse)
        counts = {"worse": worse, "looks": looks, "way": way, "taken": 0}
        objective = _number(-math.inf if over else done.value)
        after = state._replace(objective=objective, **{name: _number(count) for name, count in counts.items()})
        if ended:
            note += f"; the best was weight {float(state.best_weight):.3g}"
            if self.rough and not self.explains(state):
                note += (
                    f", which leaves a reduced chi squared of {float(state.unexplained):.3g}: no start to go on from"
                )
            return eqx.combine(state.best_params, frozen), after, note
        if over and way != _TURN:
            model = eqx.combine(state.best_params, frozen)
            weight = _number((self.factor if way == _UP else 1.0) * float(state.best_weight))
            inner = self.solver.anew(problem.with_weight(weight), model, state.inner, feed=feed)
            return model, after._replace(inner=inner, weight=weight), note
        return model, self._onwards(problem, model, state, after=after, feed=feed), note

    def _onwards(
        self, problem: Problem, model: PyTree, before: RelaxationState, *, after: RelaxationState, feed: Feed
    ) -> RelaxationState:
        """The next weight, and the inner solver's state for it."""
        weight = before.weight
        if self._keep(feed, after) != self._keep(feed, before):  # with more data, first the same weight
            part = feed.every(self._keep(feed, after))
            return after._replace(
                inner=self.solver.renewed(problem.with_weight(weight), model, before.inner, feed=part)
            )
        if problem.open_in(model) and int(after.way) <= _TURN:
            least = _BELOW * float(before.noise) * min(float(before.unexplained), 1.0) ** _NOISELESS
            lower = _number(max(float(before.weight) / self.factor, least))
            weight = lower if int(after.way) == _DOWN else before.best_weight
        change = problem.reweighted(*problem.split(model), (before.weight, weight))
        return after._replace(inner=self.solver.moved(before.inner, change), weight=weight)

    def _keep(self, feed: Feed, state: RelaxationState) -> int:
        """Every how many-th view is seen: strong penalties let through what few views show, too."""
        growing, looks = self._growing(feed), int(state.looks)
        return growing[looks] if looks < len(growing) else 1

    def _growing(self, feed: Feed) -> tuple[int, ...]:
        """Those parts of the views that are enough of them; none where one of its kind saw all before."""
        growing = () if self.after == "its kind" else self.growing
        return tuple(every for every in growing if every * _LEAST_VIEWS <= feed.views)


def _cost(params: PyTree, feed: Feed) -> float:
    """Nats that noise in every free element costs the held-out frames.

    An element that is free takes up noise until it costs the frames fitted half a nat less than the truth would, and
    others half a nat more times their number by that of those fitted. Of many elements a change too faint to be seen
    is many nats.
    """
    return sum(leaf.size for leaf in jax.tree.leaves(params)) / 2 * _share(feed)


def _share(feed: Feed) -> float:
    """How many frames are kept back for each that is fitted."""
    weights = feed.dataset.weights
    others = float(weights[feed.held_out].sum())
    return others / (float(weights.sum()) - others)


def _number(value: float | int) -> Array:
    """A number of a state, where all devices have it: made on the host, which compiles nothing."""
    return replicate(jnp.asarray(np.asarray(value, np.int32 if isinstance(value, int) else jnp.zeros(()).dtype)))
