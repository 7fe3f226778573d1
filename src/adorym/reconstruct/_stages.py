"""A reconstruction as a list of stages, and the defaults for each technique."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from adorym._core import JobError, SamplingError
from adorym._core.trees import array_paths, resolve, selection
from adorym.constraints import AbstractConstraint
from adorym.data import Dataset
from adorym.experiment import Experiment
from adorym.problem import Problem
from adorym.sharding import dealt, replicate
from adorym.solvers import AbstractSolver, Relaxation

_MOST_STEPS = 300

_LITTLE = 4
"""How many times as large as what waits for the next stage what a stage refines has to be."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Which leaves move, by which solver, for how long.

    Attributes:
        free: paths of the parts of the model to refine.
        solver: what moves them.
        epochs: how often the data are seen (first order), or how many steps over all of them (the other solvers);
            "auto" ends when held-out frames gain no more.
        binning: from coarse to fine, by how much larger pixels and voxels are than those of the data, each level
            starting from the one before, if that explains its frames.

    Example:
        >>> from adorym.solvers import FirstOrder
        >>> Stage(("object",), FirstOrder(), epochs=10).epochs
        10
    """

    free: tuple[str, ...]
    solver: AbstractSolver
    epochs: int | Literal["auto"] = "auto"
    binning: tuple[int, ...] = (1,)

    @property
    def most_epochs(self) -> int:
        """How many epochs there are at most."""
        return _MOST_STEPS if isinstance(self.epochs, str) else self.epochs

    def __post_init__(self) -> None:
        if self.most_epochs < 1 or not self.free:
            raise JobError(f"A stage needs epochs >= 1 (it has {self.epochs}) and at least one path in free.")
        if min(self.binning, default=0) < 1:
            raise JobError(f"A stage's binning is {list(self.binning)}: give factors of 1 or more, such as [4, 2, 1].")


class Held(AbstractConstraint):
    """A part of the model that stays where it is until its turn comes.

    Attributes:
        where: path of the part.
        place: its leaves.
        on: whether it is held still.

    Example:
        >>> Held("x", jnp.zeros(2), jnp.asarray(True))(jnp.ones(2)).tolist()
        [0.0, 0.0]
    """

    where: str = eqx.field(static=True)
    place: PyTree
    on: Bool[Array, ""]

    def __call__(self, leaf: PyTree) -> PyTree:
        """See `AbstractConstraint`."""
        return jax.tree.map(lambda kept, moved: jnp.where(self.on, kept, moved), self.place, leaf)


def problem_of(problem: Problem, stages: Sequence[Stage], index: int, *, model: PyTree) -> Problem:
    """What a stage solves.

    Something small that only the next stage refines, such as the probe, is free already and held: one set of compiled
    kernels serves both, where another would take as long as dozens of steps.

    Args:
        problem: likelihood, regularisers and constraints.
        stages: all of them.
        index: which.
        model: where the stage begins.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.solvers import LBFGS
        >>> model = holography(plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3))
        >>> stages = (Stage(("object",), LBFGS(), 2), Stage(("object", "probe"), LBFGS(), 2))
        >>> both = [problem_of(Problem(Poisson()), stages, index, model=model) for index in (0, 1)]
        >>> [(one.free, bool(one.constraints[0].on)) for one in both]
        [(('object', 'probe'), True), (('object', 'probe'), False)]
    """
    waiting = _waiting(stages, index, model)
    waited = _waiting(stages, index - 1, model) if index else ()
    problem = dataclasses.replace(problem, free=stages[index + 1 if waiting else index].free)
    params, _ = problem.split(model)
    turns = dict.fromkeys(waited, False) | dict.fromkeys(waiting, True)
    held = (Held(path, dealt(resolve(params, path)), replicate(jnp.asarray(on))) for path, on in turns.items())
    return dataclasses.replace(problem, constraints=(*problem.constraints, *held))


def _waiting(stages: Sequence[Stage], index: int, model: PyTree) -> tuple[str, ...]:
    """What only the stage after one refines, if that is so little that its gradient costs next to nothing."""
    here, following = (stages[i] if i < len(stages) else None for i in (index, index + 1))
    if here is None or following is None or not set(here.free) < set(following.free):
        return ()
    if not (here.solver.sweeps and following.solver.sweeps and here.binning == following.binning == (1,)):
        return ()
    paths = tuple(path for path in following.free if path not in here.free)
    both = (jax.tree.leaves(eqx.filter(model, selection(model, of))) for of in (paths, here.free))
    little, own = (sum(leaf.size for leaf in leaves) for leaves in both)
    return paths if _LITTLE * little <= own else ()


def batch_sizes(dataset: Dataset, solver: AbstractSolver) -> tuple[int, int]:
    """Views and frames of one batch where the solver leaves them open (0).

    Whole views of a full field, and a share of the frames of a scan: some for a step of its own, more where a step
    sweeps over all data anyway, since each batch takes its time to be called.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> from adorym.solvers import FirstOrder
        >>> batch_sizes(plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=30), FirstOrder())
        (2, 1)
    """
    all_views, all_frames = dataset.frames.shape[:2]
    views, frames = solver.views_per_batch, solver.frames_per_batch
    devices = jax.local_device_count()
    if dataset.positions is None:
        wanted = min(max(all_views // 16, 8), 32) if solver.sweeps else 2
        return views or min(all_views, -(-wanted // devices) * devices), frames or all_frames
    share = all_frames if all_views > 1 else max(8, all_frames // (4 if solver.sweeps else 12))
    wanted = -(-all_frames // -(-all_frames // min(all_frames, 128, share)))  # batches alike: none is filled up
    return views or 1, frames or min(all_frames, -(-wanted // devices) * devices)


def with_batches(stage: Stage, dataset: Dataset) -> Stage:
    """The stage with its solver's batch sizes decided.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=30)
        >>> from adorym.solvers import FirstOrder
        >>> with_batches(Stage(("object",), FirstOrder(), 1), plan).solver.frames_per_batch
        1
    """
    views, frames = batch_sizes(dataset, stage.solver)
    if isinstance(stage.solver, Relaxation):
        return stage
    return resized(stage, (views, frames))


def resized(stage: Stage, sizes: tuple[int, int]) -> Stage:
    """The stage with batches of so many views and frames.

    Example:
        >>> from adorym.solvers import LBFGS
        >>> resized(Stage(("object",), LBFGS()), (4, 1)).solver.views_per_batch
        4
    """

    def of(solver: AbstractSolver) -> AbstractSolver:
        changed = dataclasses.replace(solver, views_per_batch=sizes[0], frames_per_batch=sizes[1])
        return dataclasses.replace(changed, solver=of(solver.solver)) if isinstance(solver, Relaxation) else changed

    return dataclasses.replace(stage, solver=of(stage.solver))


def with_end(stage: Stage, problem: Problem) -> Stage:
    """The stage with a solver that decides what is left open: weights, and when to end.

    Steps on batches take open weights as zero, and leave them to a later stage.

    Example:
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.solvers import LBFGS
        >>> type(with_end(Stage(("object",), LBFGS()), Problem(Poisson())).solver).__name__
        'Relaxation'
    """
    if isinstance(stage.solver, Relaxation) or not (problem.open or isinstance(stage.epochs, str)):
        return stage
    if not stage.solver.sweeps:
        if isinstance(stage.epochs, str):
            raise JobError(
                'Steps on batches cannot find their end: give epochs a number in a stage of solver = "first order", or '
                'take solver = "l-bfgs".'
            )
        return stage
    return dataclasses.replace(stage, solver=Relaxation.of(stage.solver))


def check_levels(stage: Stage, dataset: Dataset, model: Experiment) -> None:
    """Refuse levels that data or model do not have.

    Raises:
        JobError: the binning that does not go.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> plan = plan_holography((64, 64), pixel=2e-9, energy=1e3, distances=(1e-7,), views=60)
        >>> from adorym.solvers import LBFGS
        >>> check_levels(Stage(("object",), LBFGS(), binning=(4, 2, 1)), plan, holography(plan))
    """
    for factor in set(stage.binning) - {1}:
        try:
            dataset.binned(factor)
            jax.eval_shape(lambda one, factor=factor: one.binned(factor), model)
        except SamplingError as error:
            raise JobError(f"A stage's binning is {list(stage.binning)}: {error}") from None


def with_scales(problem: Problem, model: Experiment) -> Problem:
    """The problem with the scale of every regulariser decided.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.regularizers import Tikhonov
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=30)
        >>> problem = Problem(Poisson(), ("object",), regularizers=(Tikhonov("object", 1.0),))
        >>> [round(scale * 1e4, 2) for scale in with_scales(problem, holography(plan)).regularizers[0].scale]
        [2.3, 2.3]
    """
    decided = []
    for regularizer in problem.regularizers:
        paths = array_paths(model, regularizer.where)
        scale = regularizer.scales or tuple(_typical(model, path) for path in paths)
        if len(scale) != len(paths):
            raise JobError(f"The regularizer of {regularizer.where} has {len(scale)} scales for {len(paths)} leaves.")
        decided.append(dataclasses.replace(regularizer, where=paths, scale=scale))
    return dataclasses.replace(problem, regularizers=tuple(decided))


def _typical(model: Experiment, path: str) -> float:
    part, _, leaf = path.partition(".")
    return model.object.typical(leaf.removeprefix("parametrization.")) if part == "object" else 1.0
