"""The loop: a generator of progress, and a consumer that runs it to its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from adorym._core import DataError, JobError
from adorym._core.allocator import Returning
from adorym._core.trees import leaf_paths
from adorym.data import Dataset, Feed, held_out_frames
from adorym.experiment import Experiment
from adorym.problem import Fit, Problem
from adorym.reconstruct._levels import LEAST_VIEWS, Leg, Level
from adorym.reconstruct._stages import Stage, check_levels, problem_of, with_batches, with_end, with_scales
from adorym.sharding import dealt, on_host, replicate
from adorym.solvers import Info, Moment


class Progress(NamedTuple):
    """What one step has reached; enough to go on from.

    Attributes:
        step: steps done so far, over all stages.
        steps: steps there will be.
        stage: index of the stage the step belongs to.
        state: the solver's state after the step.
        info: what the solver said.
        problem: what was being solved, with the weights that it has now.
        feed: what served the data.
        over: whether its level is done.
        last: whether nothing follows.
        coarse: the binning of a level that is a start for a finer one, else 1.
        level: the binning at which the step was done, and what it started from.

    Example:
        >>> Progress._fields[:3]
        ('step', 'steps', 'stage')
    """

    step: int
    steps: int
    stage: int
    state: PyTree
    info: Info
    problem: Problem
    feed: Feed
    over: bool
    last: bool
    coarse: int
    level: Level

    @property
    def model(self) -> Experiment:
        """The experiment as it stands, at full resolution; of a coarser level it is made anew each time."""
        return self.level.whole(self.problem)


@dataclasses.dataclass(frozen=True)
class Task:
    """All that determines a reconstruction.

    Attributes:
        dataset: the measurement.
        model: the experiment to start from.
        problem: likelihood, regularisers and constraints; each stage says what is free.
        stages: one after the other.
        seed: of the order of the data and of all that is random.
        held_out: True for frames that are not trained on `(view, frame)`; left out, some are kept back where weights
            or the end are left to the data.
        cache: bytes of host memory that frames may take to be kept; if all of them do not fit they are read again for
            every pass.

    Example:
        >>> [field.name for field in dataclasses.fields(Task)][:2]
        ['dataset', 'model']
    """

    dataset: Dataset
    model: Experiment
    problem: Problem
    stages: tuple[Stage, ...]
    seed: int = 0
    held_out: np.ndarray | None = None
    cache: int = 2 << 30

    def __post_init__(self) -> None:
        if not self.stages:
            raise DataError("A reconstruction needs at least one stage.")
        object.__setattr__(self, "problem", with_scales(self.problem, self.model))
        for stage in self.stages:
            check_levels(stage, self.dataset, self.model)
        stages = (with_end(with_batches(stage, self.dataset), self.problem) for stage in self.stages)
        object.__setattr__(self, "stages", tuple(stages))
        if self.held_out is None and (self.problem.open or any(isinstance(one.epochs, str) for one in self.stages)):
            object.__setattr__(self, "held_out", held_out_frames(self.dataset))
        if self.problem.open and (self.held_out is None or not self.held_out.any()):
            raise JobError("There are too few views or frames to find the weight of a regularizer: give it a number.")
        if self.problem.open and not self.stages[-1].solver.sweeps:
            raise JobError(
                "Steps on batches cannot find a regularizer's weight: give one, or end with a stage of l-bfgs."
            )

    def feed(self, stage: int, factor: int = 1) -> Feed:
        """What serves the data of a stage; with a binning fewer views, since coarse detail needs no more."""
        solver, dataset = self.stages[stage].solver, self.dataset
        if factor > 1:
            spared = np.zeros(dataset.weights.shape, bool) if self.held_out is None else self.held_out
            fitted = int(np.count_nonzero((dataset.weights * ~spared).any(axis=1)))
            dataset = dataset.binned(factor).thinned(min(factor, fitted // LEAST_VIEWS), spared)
        return Feed(
            dataset,
            views_per_batch=solver.views_per_batch,
            frames_per_batch=solver.frames_per_batch,
            held_out=self.held_out,
            memory=self.cache,
        )

    def legs(self) -> list[Leg]:
        """The parts of the reconstruction in their order, with the most steps where the data decide the end."""
        per_epoch = [stage.solver.steps_per_epoch(self.feed(i)) for i, stage in enumerate(self.stages)]
        return [
            Leg(i, factor, stage.most_epochs * steps)
            for i, (stage, steps) in enumerate(zip(self.stages, per_epoch, strict=True))
            for factor in stage.binning
        ]

    def compile_ahead(self, start: Snapshot | None = None) -> None:
        """Compile what the first leg needs side by side, which is sooner done than one after the other.

        Args:
            start: where to go on; then it is the leg of that.
        """
        if start is None:
            level = Level.begun(0, 0, factor=self.legs()[0].factor, base=self.model)
        else:
            level = _level(self, start)
        self.compile_leg(level.leg, level.model)

    def compile_leg(self, leg: int, model: Experiment) -> None:
        """Compile what a leg needs for a model on its grid."""
        stage, factor, _ = self.legs()[leg]
        problem = problem_of(self.problem, self.stages, stage, model=model)
        others = self.stages[stage].solver.kernels(problem, placed(problem, model))
        products, batch = self.stages[stage].solver.products, self.feed(stage, factor).blank()
        problem.with_weight(0.0).compile_ahead(model, batch, products=products, others=others)

    def compile_after(self, leg: int) -> None:
        """Compile what the leg after one needs."""
        following = self.legs()[leg + 1]
        self.compile_leg(leg + 1, Level.begun(leg + 1, 0, factor=following.factor, base=self.model).model)


class Snapshot(NamedTuple):
    """Where a reconstruction stands, as arrays: what a checkpoint holds.

    Attributes:
        step: steps done, over all stages.
        arrays: every array of the model and of the solver's state, by path.

    Example:
        >>> Snapshot(0, {}).step
        0
    """

    step: int
    arrays: Mapping[str, np.ndarray]


class _OnHost(Mapping[str, np.ndarray]):
    """Arrays of devices, each brought to the host when it is asked for: all at once may be more than there is room for.

    Of those whose type files do not know, the bits.

    Args:
        leaves: by their names.
    """

    def __init__(self, leaves: Mapping[str, Any]) -> None:
        self._leaves = leaves

    def __getitem__(self, name: str) -> np.ndarray:
        array = on_host(self._leaves[name])
        return array.view(np.uint16) if array.dtype == jnp.bfloat16 else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._leaves)

    def __len__(self) -> int:
        return len(self._leaves)


def snapshot(progress: Progress) -> Snapshot:
    """The arrays to save so that `iterate` can go on bit for bit.

    Example:
        >>> callable(snapshot)
        True
    """
    level = progress.level
    trees = {"model": level.base, "coarse": level.model} if level.factor > 1 else {"model": level.model}
    leaves = {"level.leg": np.asarray(level.leg), "level.first": np.asarray(level.first)}
    if level.before is not None:
        leaves["level.before"] = np.asarray(level.before)
    for name, tree in {**trees, "state": progress.state}.items():
        for path, leaf in zip(leaf_paths(tree), jax.tree.leaves(tree), strict=True):
            leaves[f"{name}.{path}"] = leaf
    return Snapshot(progress.step, _OnHost(leaves))


def restored(task: Task, start: Snapshot) -> Experiment:
    """The model of a saved reconstruction, at full resolution.

    Raises:
        DataError: it belongs to another task.

    Example:
        >>> callable(restored)
        True
    """
    level = _level(task, start)
    stage = task.stages[task.legs()[level.leg].stage]
    return level.whole(dataclasses.replace(task.problem, free=stage.free))


def _level(task: Task, start: Snapshot) -> Level:
    base, legs = _restored(task.model, "model", start.arrays), task.legs()
    leg, first = (int(start.arrays.get(f"level.{name}", -1)) for name in ("leg", "first"))
    if not 0 <= leg < len(legs):
        raise DataError("The checkpoint belongs to another job: resume with the job the run was started with.")
    before = start.arrays.get("level.before")
    left = None if before is None else (float(before[0]), float(before[1]))
    level = Level.begun(leg, first, factor=legs[leg].factor, base=base, before=left)
    return level if level.factor == 1 else level._replace(model=_restored(level.model, "coarse", start.arrays))


def _restored(tree: PyTree, name: str, arrays: Mapping[str, np.ndarray]) -> PyTree:
    leaves = []
    for path, leaf in zip(leaf_paths(tree), jax.tree.leaves(tree), strict=True):
        saved = arrays.get(f"{name}.{path}")
        short = jnp.asarray(leaf).dtype == jnp.bfloat16
        if saved is None or saved.shape != np.shape(leaf) or (short and saved.dtype != np.uint16):
            raise DataError(
                f"The checkpoint's {name}.{path} is {'missing' if saved is None else saved.shape} where the job makes "
                f"{np.shape(leaf)}: resume with the job the run was started with, and that version of adorym."
            )
        leaves.append(jnp.asarray(saved.view(jnp.bfloat16) if short else saved))
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def iterate(task: Task, start: Snapshot | None = None) -> Iterator[Progress]:
    """Goes through the stages step by step; the order of data and all that is random follow from the task's seed.

    Args:
        task: what to reconstruct.
        start: where to go on, from `snapshot`; `None` begins.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.simulate import simulate
        >>> from adorym.solvers import FirstOrder
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=100.0)
        >>> data = simulate(plan, np.full((8, 8, 8), 1e-4), np.zeros((8, 8, 8)))
        >>> task = Task(data, holography(data), Problem(Poisson(), free=()), (Stage(("object",), FirstOrder(), 2),))
        >>> [progress.step for progress in iterate(task)]
        [1, 2]
    """
    legs, model, done, returning = task.legs(), task.model, 0, Returning()
    begun = None if start is None else _level(task, start)
    before: tuple[float, float] | None = None
    for index, (stage_index, factor, steps) in enumerate(legs):
        if begun is not None and index < begun.leg:
            continue
        stage, before = task.stages[stage_index], before if begun is None else begun.before
        solver = stage.solver if before is None else stage.solver.following(before)
        rough = index + 1 < len(legs) and legs[index + 1].stage == stage_index
        solver = solver.roughly() if rough else solver
        feed = task.feed(stage_index, factor)
        level = begun or Level.begun(index, done, factor=factor, base=model, before=before)
        problem = problem_of(task.problem, task.stages, stage_index, model=level.model)
        problem = problem if solver.sweeps else problem.with_weight(0.0)
        level = level.moved(placed(problem, level.model))
        if begun is not None and start is not None:
            done, begun = start.step, None
            state = dealt(_restored(solver.blank(problem, level.model), "state", start.arrays))
        else:
            state = dealt(solver.init(problem, level.model, feed, seed=task.seed))
        model = task.model  # the one before would take as much memory as the one that is refined
        later = sum(leg.steps for leg in legs[index + 1 :])
        for step in range(done - level.first, steps):
            if solver.finished(state):
                break
            moment = Moment(step, steps, task.seed)
            with jax.profiler.StepTraceAnnotation("step", step_num=done + 1):  # seen by a trace, if there is one
                moved, state, info = solver.step(problem, level.model, state, feed=feed, moment=moment)
            level, done = level.moved(moved), done + 1
            del moved
            returning.look()
            over = step + 1 == steps or solver.finished(state)
            last, most = over and index + 1 == len(legs), level.first + steps + later
            posed = solver.posed(problem, state)
            coarse = factor if rough else 1
            yield Progress(done, most, stage_index, state, info, posed, feed, over, last, coarse, level)
        if rough and not solver.explains(state):  # a coarse model's errors would stay
            model = level.base
        else:
            model, before = level.whole(problem), solver.left(state)
        del state


def placed(problem: Problem, model: Experiment) -> Experiment:
    """The model where solvers have it: what is free is dealt out over the devices, the rest whole on each.

    Example:
        >>> callable(placed)
        True
    """
    params, frozen = problem.split(model)
    return eqx.combine(dealt(params), replicate(frozen))


def fit(problem: Problem, model: Experiment, feed: Feed, *, held_out: bool = False) -> Fit:
    """How well a model fits all frames that are trained on, or those held out.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.simulate import simulate
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=100.0)
        >>> data = simulate(plan, np.zeros((8, 8, 8)), np.zeros((8, 8, 8)), noise=False)
        >>> feed = Feed(data, views_per_batch=1, frames_per_batch=1)
        >>> float(fit(Problem(Poisson(), free=("object",)), holography(data), feed).misfit) < 1e-6
        True
    """
    total: Fit | None = None
    model = replicate(model)
    for batch in feed.sweep(held_out=held_out):
        part = Fit(*(np.asarray(value, np.float64) for value in problem.fit(model, batch)))
        total = part if total is None else Fit(*(a + b for a, b in zip(total, part, strict=True)))
    if total is None:
        raise DataError("There are no frames to fit.")
    return total


def reconstruct(task: Task, consumers: Sequence[Callable[[Progress], None]] = ()) -> Experiment:
    """Runs a task to its end.

    Args:
        task: what to reconstruct.
        consumers: called with every step's `Progress`: a display, a checkpoint, a stopping rule that raises.

    Returns:
        The experiment with the refined leaves.

    Example:
        >>> callable(reconstruct)
        True
    """
    progress: Progress | None = None
    for progress in iterate(task):
        for consumer in consumers:
            consumer(progress)
    return task.model if progress is None else progress.model
