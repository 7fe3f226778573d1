"""What a reconstruction will take, before it is begun: kernels are compiled and tried on a few real batches.

Memory follows from what the compiler says of its kernels and from the shapes of what a solver keeps; time from how long
the kernels took on those batches, times how many of them the solver says that it computes, and from a few steps on
them, of which all that is no kernel is the solver's own.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import PyTree

from adorym.data import Feed
from adorym.problem import Problem
from adorym.reconstruct._cut import SEARCH, model_bytes
from adorym.reconstruct._levels import Leg, Level
from adorym.reconstruct._loop import Task, placed
from adorym.reconstruct._stages import problem_of
from adorym.sharding import dealt, dealt_bytes, replicate
from adorym.solvers import AbstractSolver, Moment, Relaxation, Work, summed

_USUAL = 60
"""Steps that a leg usually has where the data decide its end."""

_BATCHES, _REPEATS, _STEPS = 3, 3, 4
"""How many batches are tried and how often, and how many steps on them."""

_PATIENCE = 20.0
"""Seconds after which no kernel is tried again."""


@dataclasses.dataclass(frozen=True)
class Rates:
    """Seconds that were measured.

    Attributes:
        gradient, curvature, product, fit: of each kernel, for one batch.
        read: to read the frames of one batch for the first time.
        solver: of a step, besides its kernels.
        begin: to compile, or to fetch what was compiled before where it is kept, and to take the first step.

    Example:
        >>> Rates(gradient=0.5, read=0.1).of(Work(gradients=4))
        2.0
    """

    gradient: float = 0.0
    curvature: float = 0.0
    product: float = 0.0
    fit: float = 0.0
    read: float = 0.0
    solver: float = 0.0
    begin: float = 0.0

    def of(self, work: Work) -> float:
        """Seconds for some batches."""
        each = dataclasses.astuple(self)[: len(dataclasses.fields(work))]
        return sum(count * seconds for count, seconds in zip(dataclasses.astuple(work), each, strict=True))


@dataclasses.dataclass(frozen=True)
class LegForecast:
    """What one leg of a reconstruction takes.

    Attributes:
        leg: which stage and binning, and how many steps there are at most.
        usual: steps that are to be expected.
        batches: batches of a pass over all that are trained on.
        shape: views and frames of a batch.
        leaves: how many arrays are free.
        state: bytes of what the solver keeps from step to step on each device.
        rewritten: bytes of it that a step writes anew.
        model: bytes of the model.
        search: bytes of what a step has besides, while a kernel is at work for it.
        kernels: bytes that each kernel takes on one device besides its arguments.
        cached: bytes of the frames that are kept in memory.
        rates: what was measured; `None` where there was not the memory for it.
        work: of so many steps; or of as many that all see every so many-th view.
        parts: every how many-th view the first of them see, and how many steps each; later ones see all.

    Example:
        >>> LegForecast.__dataclass_fields__["usual"].type
        'int'
    """

    leg: Leg
    usual: int
    batches: int
    shape: tuple[int, int]
    leaves: int
    state: int
    rewritten: int
    model: int
    search: int
    kernels: dict[str, int]
    cached: int
    rates: Rates | None
    work: Callable[..., Work] = dataclasses.field(repr=False)
    parts: tuple[tuple[int, int], ...]

    @property
    def working(self) -> int:
        """Bytes on one device at the worst moment: a state and what the next has anew, or a kernel at work."""
        return self.model + self.state + max(self.rewritten, self.search + max(self.kernels.values(), default=0))

    def seconds(self, steps: int) -> float | None:
        """Of so many steps, beginning included."""
        if self.rates is None:
            return None
        work = self.work(steps)
        passes = 1 if self.cached else sum(dataclasses.astuple(work)) / max(self.batches, 1)
        return self.rates.begin + self.rates.of(work) + steps * self.rates.solver + passes * self._reading

    @property
    def _reading(self) -> float:
        return 0.0 if self.rates is None else self.batches * self.rates.read

    @property
    def seconds_per_pass(self) -> float | None:
        """Of the gradient over all that is trained on."""
        return None if self.rates is None else self.batches * self.rates.gradient + (not self.cached) * self._reading

    def seconds_per_step(self, every: int = 1) -> float | None:
        """Of a step that sees every so many-th view, and is neither among the first nor alone."""
        if self.rates is None:
            return None
        once, twice = (self.work(steps, every) for steps in (self.usual, 2 * self.usual))
        passes = 0 if self.cached else sum(dataclasses.astuple(twice - once)) / max(self.batches, 1)
        return (self.rates.of(twice - once) + passes * self._reading) / self.usual + self.rates.solver

    @property
    def usual_parts(self) -> dict[int, int]:
        """How many of the usual steps see every how many-th view."""
        found, left = dict[int, int](), self.usual
        for every, steps in (*self.parts, (1, left)):
            found[every] = found.get(every, 0) + min(steps, left)
            left -= min(steps, left)
        return found


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What a reconstruction takes.

    Attributes:
        legs: one after the other.
        copies: how many devices share the memory of the host, each with its own copy of model and state; 0 where the
            devices have a memory of their own.

    Example:
        >>> Forecast((), 1).seconds()
        (0.0, 0.0)
    """

    legs: tuple[LegForecast, ...]
    copies: int

    @property
    def on_device(self) -> int:
        """Bytes at the peak on one device."""
        return max((one.working for one in self.legs), default=0)

    @property
    def on_host(self) -> int:
        """Bytes that the process grows by."""
        return max((self.copies * one.working + one.cached for one in self.legs), default=0)

    @property
    def complete(self) -> bool:
        """Whether there was memory for all to be tried."""
        return all(one.rates is not None for one in self.legs)

    def seconds(self) -> tuple[float, float] | None:
        """With the usual number of steps, and with the most; `None` where not all could be tried."""
        usual = [one.seconds(one.usual) for one in self.legs]
        most = [one.seconds(one.leg.steps) for one in self.legs]
        return None if None in usual else (sum(filter(None, usual), 0.0), sum(filter(None, most), 0.0))


def forecast(task: Task, *, room: float = math.inf, tell: Callable[[str], None] = lambda what: None) -> Forecast:
    """What a task takes, found without doing it; nothing is written.

    Args:
        task: what to reconstruct.
        room: bytes that the process, or the device, may still take; what needs more is compiled, and not tried.
        tell: told what is being done.

    Example:
        >>> callable(forecast)
        True
    """
    shared = jax.default_backend() == "cpu"
    copies = jax.local_device_count() if shared else 0
    found = []
    legs = task.legs()
    for index, leg in enumerate(legs):
        stage, feed = task.stages[leg.stage], task.feed(leg.stage, leg.factor)
        solver = stage.solver
        if index and all(isinstance(one, Relaxation) for one in (solver, task.stages[legs[index - 1].stage].solver)):
            solver = solver.following((1.0, 1.0))  # with all views
        model = Level.begun(index, 0, factor=leg.factor, base=task.model).model
        problem = problem_of(task.problem, task.stages, leg.stage, model=model)
        model = placed(problem, model)
        name = f"part {index + 1} of {len(legs)}: " if len(legs) > 1 else ""
        tell(f"{name}compiling")
        begun = time.perf_counter()
        kernels = problem.with_weight(0.0).compile_ahead(model, feed.blank(), products=solver.products)
        compiling = time.perf_counter() - begun
        leaves = len(jax.tree.leaves(problem.split(model)[0]))
        state = eqx.filter_eval_shape(stage.solver.blank, problem, model)
        free = problem.split(model)[0]
        one = LegForecast(
            leg=leg,
            usual=min(leg.steps, _USUAL) if isinstance(stage.epochs, str) else leg.steps,
            batches=feed.batches(),
            shape=(feed.views_per_batch, feed.frames_per_batch),
            leaves=leaves,
            state=dealt_bytes(state),
            rewritten=dealt_bytes(stage.solver.rewritten(state)),
            model=model_bytes(model, free),
            search=SEARCH * dealt_bytes(free) if stage.solver.sweeps else 0,
            kernels=kernels,
            cached=feed.cached_bytes,
            rates=None,
            work=_work(solver, feed, leaves),
            parts=solver.parts(feed),
        )
        needed = copies * one.working + one.cached if shared else one.working
        if needed <= room:
            tell(f"{name}trying {min(_BATCHES, one.batches)} of {one.batches} batches")
            feed = task.feed(leg.stage, leg.factor)  # none of its frames have been read
            rates = _rates(problem, model, feed, solver=solver)
            again = 0.0 if _kept() else compiling  # by a run of its own
            one = dataclasses.replace(one, rates=dataclasses.replace(rates, begin=rates.begin + again))
        found.append(one)
    return Forecast(tuple(found), copies)


def _kept() -> bool:
    """Whether what is compiled is kept for other runs."""
    names = "jax_enable_compilation_cache", "jax_compilation_cache_dir"
    return all(getattr(jax.config, name) for name in names)


def _work(solver: AbstractSolver, feed: Feed, leaves: int) -> Callable[..., Work]:
    def of(steps: int, every: int = 0) -> Work:
        if not every:
            return solver.work(feed, steps, leaves=leaves)
        return _of_all(solver).work(feed.every(every), steps, leaves=leaves)

    return of


def _of_all(solver: AbstractSolver) -> AbstractSolver:
    """The solver as it is where it does not begin with a part of the views."""
    return dataclasses.replace(solver, growing=()) if isinstance(solver, Relaxation) else solver


def _rates(problem: Problem, model: PyTree, feed: Feed, *, solver: AbstractSolver) -> Rates:
    """Seconds of the kernels on the first batches, and of a few steps of a solver on them."""
    few, closed, whole = feed.first(_BATCHES), problem.with_weight(0.0), replicate(model)
    split = problem.split(whole)
    count = few.batches()
    begun = time.perf_counter()
    for _ in few.sweep():
        pass
    read = (time.perf_counter() - begun) / count
    begun = time.perf_counter()
    # again, as the run will: what was compiled is fetched
    closed.compile_ahead(model, few.blank(), products=solver.products)
    fetched = time.perf_counter() - begun
    kernels = {
        "gradient": lambda batch: closed.value_and_gradient(*split, batch),
        "curvature": lambda batch: closed.curvature(*split, batch, vector=split[0]),
        "fit": lambda batch: closed.fit(whole, batch),
    }
    if solver.products:
        kernels["product"] = lambda batch: closed.gauss_newton_product(*split, batch, vector=split[0])
    took = {name: _median(lambda kernel=kernel: summed(kernel, few)) / count for name, kernel in kernels.items()}
    rates = Rates(**took, read=read)
    relaxed = isinstance(solver, Relaxation)
    if isinstance(solver, Relaxation):  # on all of the few views, with one look among the steps
        solver = dataclasses.replace(_of_all(solver), steps=_STEPS - 1)
    seconds = _steps(problem if relaxed else closed, model, few if solver.sweeps else feed, solver=solver)
    moves = solver.solver if isinstance(solver, Relaxation) else solver
    begun, done = (moves.work(few, steps, leaves=len(jax.tree.leaves(split[0]))) for steps in (0, 1))
    alone = max(0.0, min(seconds[1:]) - rates.of(done - begun))
    return dataclasses.replace(rates, solver=alone, begin=fetched + max(0.0, seconds[0] - rates.of(done) - alone))


def _median(run: Callable[[], PyTree]) -> float:
    """Median seconds of what has been run once before; of fewer runs where they take long."""
    times: list[float] = []
    jax.block_until_ready(run())
    while len(times) < _REPEATS and sum(times) < _PATIENCE:
        begun = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _steps(problem: Problem, model: PyTree, feed: Feed, *, solver: AbstractSolver) -> list[float]:
    """Seconds of a few steps, the first together with what comes before it."""
    times, begun = [], time.perf_counter()
    state = dealt(solver.init(problem, model, feed, seed=0))
    for step in range(_STEPS):
        model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, _STEPS, 0))
        jax.block_until_ready((model, state))
        times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    return times
