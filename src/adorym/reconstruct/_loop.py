"""The loop: a generator of progress, and a consumer that runs it to its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from adorym._core import DataError, JobError
from adorym._core.trees import leaf_paths
from adorym.data import Dataset, Feed, held_out_frames
from adorym.experiment import Experiment
from adorym.problem import Fit, Problem
from adorym.reconstruct._stages import Stage, with_batches, with_end, with_scales
from adorym.sharding import replicate
from adorym.solvers import Info, Moment


class Progress(NamedTuple):
    """What one step has reached; enough to go on from.

    Attributes:
        step: steps done so far, over all stages.
        steps: steps there will be.
        stage: index of the stage the step belongs to.
        model: the experiment as it stands.
        state: the solver's state after the step.
        info: what the solver said.
        problem: what was being solved, with the weights that it has now.
        feed: what served the data.
        last: whether nothing follows.

    Example:
        >>> Progress._fields[:3]
        ('step', 'steps', 'stage')
    """

    step: int
    steps: int
    stage: int
    model: Experiment
    state: PyTree
    info: Info
    problem: Problem
    feed: Feed
    last: bool


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

    def __post_init__(self) -> None:
        if not self.stages:
            raise DataError("A reconstruction needs at least one stage.")
        object.__setattr__(self, "problem", with_scales(self.problem, self.model))
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

    def feed(self, stage: int) -> Feed:
        """What serves the data of a stage."""
        solver = self.stages[stage].solver
        return Feed(
            self.dataset,
            views_per_batch=solver.views_per_batch,
            frames_per_batch=solver.frames_per_batch,
            held_out=self.held_out,
        )

    def steps(self) -> list[int]:
        """Number of steps of every stage, the most where the data decide its end."""
        per_epoch = [stage.solver.steps_per_epoch(self.feed(i)) for i, stage in enumerate(self.stages)]
        return [stage.most_epochs * steps for stage, steps in zip(self.stages, per_epoch, strict=True)]


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
    arrays: dict[str, np.ndarray]


def snapshot(progress: Progress) -> Snapshot:
    """The arrays to save so that `iterate` can go on bit for bit.

    Example:
        >>> callable(snapshot)
        True
    """
    arrays = {}
    for name, tree in (("model", progress.model), ("state", progress.state)):
        for path, leaf in zip(leaf_paths(tree), jax.tree.leaves(tree), strict=True):
            arrays[f"{name}.{path}"] = np.asarray(leaf)
    return Snapshot(progress.step, arrays)


def _restored(tree: PyTree, name: str, arrays: dict[str, np.ndarray]) -> PyTree:
    leaves = []
    for path, leaf in zip(leaf_paths(tree), jax.tree.leaves(tree), strict=True):
        saved = arrays.get(f"{name}.{path}")
        if saved is None or saved.shape != np.shape(leaf):
            raise DataError(
                f"The checkpoint's {name}.{path} is {'missing' if saved is None else saved.shape} where the job makes "
                f"{np.shape(leaf)}: resume with the job the run was started with."
            )
        leaves.append(jax.numpy.asarray(saved))
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
    counts = task.steps()
    done, model = 0, replicate(task.model)
    for index, (stage, steps) in enumerate(zip(task.stages, counts, strict=True)):
        problem = dataclasses.replace(task.problem, free=stage.free)
        if not stage.solver.sweeps:
            problem = problem.with_weight(0.0)
        feed = task.feed(index)
        first = 0
        state = None
        if start is not None and start.step > done:
            first = min(start.step - done, steps)
            if start.step > done + steps:
                done += steps
                continue
            model = replicate(_restored(model, "model", start.arrays))
            state = replicate(_restored(stage.solver.blank(problem, model), "state", start.arrays))
        if first < steps and state is None:
            state = replicate(stage.solver.init(problem, model, feed, seed=task.seed))
        for step in range(first, steps):
            if stage.solver.finished(state):
                break
            moment = Moment(step, steps, task.seed)
            model, state, info = stage.solver.step(problem, model, state, feed=feed, moment=moment)
            over = step + 1 == steps or stage.solver.finished(state)
            posed, last = stage.solver.posed(problem, state), over and index + 1 == len(counts)
            yield Progress(done + step + 1, sum(counts), index, model, state, info, posed, feed, last)
        done += steps


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
    model = task.model
    for progress in iterate(task):
        model = progress.model
        for consumer in consumers:
            consumer(progress)
    return model
