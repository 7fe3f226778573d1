"""From a job to a task: read, fill in, build, and write every automatic decision back into the job."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adorym._core import JobError
from adorym.cli._checks import check_dataset, check_model
from adorym.cli._console import note
from adorym.cli._defaults import filled, guessed_photons
from adorym.cli._measure import build, check_source, measurement, truth_in, with_format
from adorym.cli._measures import error_of
from adorym.cli._memory import Allotment, allotted, rounded
from adorym.cli._results import result_of
from adorym.config import Job, Output, Registries, ResolvedJob, entries, registries, resolve
from adorym.data import Dataset, held_out_frames
from adorym.io import Truth

if TYPE_CHECKING:
    from adorym.experiment import Experiment
    from adorym.problem import Problem
    from adorym.reconstruct import Task

Advance = Callable[[int, int], None]
Measure = Callable[[ResolvedJob, Registries, Advance], tuple[Dataset, Truth | None]]

_MANY = 10**7
"""Pixels of all frames of a full field from which on it takes seconds to find where to begin."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A job ready to run.

    Attributes:
        job: with nothing left open, and with all that was decided.
        task: what it asks for.
        output: what to leave behind.
        truth: the true object, where it is known.
        allotment: the memory it was cut for, and what it takes of that.
    """

    job: ResolvedJob
    task: Task
    output: Output
    truth: Truth | None
    allotment: Allotment

    @property
    def memory(self) -> dict[str, Any]:
        """What was decided of memory, for a checkpoint and for the summary."""
        model, tables = self.task.model, self.job.tables
        sizes = [[one.solver.views_per_batch, one.solver.frames_per_batch] for one in self.task.stages]
        return {
            "budget": tables["memory"],
            "backward": model.backward,
            "frames_together": model.together,
            "batches": sizes,
            "frames": "cached" if self.allotment.cached else "streamed",
        }


def checked(job: Job) -> tuple[Job, Registries]:
    """The job with the format of its data found and every key checked, before anything takes time."""
    check_source(job)
    job, known = with_format(job), registries()
    open_kinds = [name for name in ("experiment", "likelihood") if "kind" not in job.tables.get(name, {"kind": ""})]
    tables = {name: table for name, table in job.tables.items() if name not in open_kinds}
    if "phantom" in tables:
        tables.setdefault("simulate", {})
        job = dataclasses.replace(job, tables={**job.tables, "simulate": tables["simulate"]})
    resolve(dataclasses.replace(job, tables=tables), known)
    return job, known


def prepare(
    job: Job, devices: int, *, advance: Advance = lambda view, views: None, measure: Measure = measurement
) -> Prepared:
    """Read or simulate the data and build the task.

    Args:
        job: as it was written; one that went through here before comes out the same.
        devices: the number that share the work.
        advance: told views done and views in all while data are simulated.
        measure: reads or simulates them.
    """
    job, known = checked(job)
    first = resolve(dataclasses.replace(job, tables=of_measurement(job.tables)), known)
    dataset, truth = measure(first, known, advance)
    check_dataset(dataset)
    tables = filled(_told(job, dataset), dataset)
    photons = guessed_photons(dataset)
    if photons:
        dataset = dataclasses.replace(dataset, photons=photons)
        tables["data"] = {**tables["data"], "photons": photons}
    resolved = resolve(dataclasses.replace(job, tables=tables), known)
    (output,) = (entry.build() for entry in entries(resolved, known, "output"))
    if truth is None and output.truth is not None:
        truth = measurement_truth(output)
    if dataset.positions is None and math.prod(dataset.frames.shape) > _MANY:
        note("finding where to begin")
    task = task_of(resolved, known, dataset)
    if truth is not None:
        error_of(result_of(task.model, dataset), truth)  # says now, not after the first step, that they do not fit
    task, allotment = allotted(task, resolved, note)
    decided = {"devices": devices, **_decisions(task, resolved), **_of_memory(task, allotment)}
    return Prepared(resolved.decided(decided), task, output, truth, allotment)


def measurement_truth(output: Output) -> Truth | None:
    """The true object that the output table names."""
    from adorym.io import read_truth

    return None if output.truth is None else read_truth(output.truth)


def of_measurement(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables that say what is measured, without those that say what is made of it."""
    later = ("experiment", "likelihood", "regularizers", "constraints", "stages")
    return {name: table for name, table in tables.items() if name not in later}


def _told(job: Job, dataset: Dataset) -> dict[str, Any]:
    """The tables with the truth that one of our own simulated data sets holds beside its frames."""
    tables, output = job.tables, job.tables.get("output", {})
    own = tables.get("data", {}).get("format") == "nexus"
    if own and "truth" not in output and truth_in(job.folder / tables["data"]["file"]):
        return {**tables, "output": {**output, "truth": tables["data"]["file"]}}
    return tables


def task_of(job: ResolvedJob, known: Registries, dataset: Dataset, *, held_out: np.ndarray | None = None) -> Task:
    """What a job asks for, with a data set that its model is built from; frames kept back may be decided already."""
    from adorym.reconstruct import Stage, Task

    (experiment,), (likelihood,) = (entries(job, known, name) for name in ("experiment", "likelihood"))
    (output,) = (entry.build() for entry in entries(job, known, "output"))
    if held_out is None and output.held_out != "auto":
        held_out = held_out_frames(dataset, output.held_out)
    model = _through_slabs(build(experiment, {"dataset": dataset.without(held_out)}), experiment.settings)
    check_model(model, dataset.source)
    parts = {name: entries(job, known, name) for name in ("regularizers", "constraints", "stages")}
    for entry in parts["constraints"]:
        _check_leaf(model, entry.arguments["where"], f"{entry.path}.where")
    for entry in parts["regularizers"]:
        where = entry.arguments["where"]
        for path in (where,) if isinstance(where, str) else where:
            _check_free(model, path, f"{entry.path}.where")
    stages = []
    for entry in parts["stages"]:
        settings = {"free": ("object",), "epochs": "auto", "binning": (1,), **entry.settings}
        for path in settings["free"]:
            _check_free(model, path, f"{entry.path}.free")
        stages.append(Stage(settings["free"], build(entry), settings["epochs"], settings["binning"]))
    if experiment.arguments.get("start") == "auto":  # a resolved job says it; kinds of one's own have no such thing
        model = _vacuum_where_held(model, {path for stage in stages for path in stage.free})
    problem = _problem(build(likelihood), *([build(e) for e in parts[n]] for n in ("regularizers", "constraints")))
    if output.held_out == 0 and problem.open:
        raise JobError(
            'output.held_out is 0, but a regularizer of weight "auto" is judged by frames that are kept back: give '
            'held_out = "auto", or the weight.'
        )
    task = Task(dataset, model, problem, tuple(stages), seed=job.seed, held_out=held_out)
    task.legs()  # says now, before anything is written, which batches cannot be
    return task


def _through_slabs(model: Experiment, settings: dict[str, Any]) -> Experiment:
    """The model with what the job says of the way through the slabs; what it leaves open is as if there was room."""
    backward, together = ({"backward": "auto", "frames_together": 0} | settings).values()
    if together < 0:
        raise JobError(f"experiment.frames_together is {together}: give a number of frames, or 0.")
    return dataclasses.replace(model, backward="stored" if backward == "auto" else backward, together=together)


def _vacuum_where_held(model: Experiment, free: set[str]) -> Experiment:
    """The model without what a start found of leaves that no stage refines: a rough guess is not to stay for good."""
    from adorym._core.trees import replace, resolve, selection

    chosen, names = selection(model, tuple(free)), ("delta", "beta", "phase", "log_amplitude")
    paths = [f"object.{name}" for name in names if hasattr(model.object.parametrization, name)]
    held = [path for path in paths if not resolve(chosen, path)]
    for path in held if len(held) < len(paths) else ():
        model = replace(model, path, 0 * resolve(model, path))
    return model


def _problem(likelihood: Any, regularizers: list[Any], constraints: list[Any]) -> Problem:
    from adorym.problem import Problem

    return Problem(likelihood, (), tuple(regularizers), tuple(constraints))


def _check_free(model: Experiment, path: str, key: str) -> None:
    from adorym._core.trees import selection

    try:
        selection(model, (path,))
    except JobError as error:
        raise JobError(f"{key}: {error}") from None


def _check_leaf(model: Experiment, path: str, key: str) -> None:
    """A regulariser or a constraint acts on one array."""
    from adorym._core.trees import leaf_paths, resolve

    _check_free(model, path, key)
    part = resolve(model, path)
    names = [name for name in leaf_paths(part) if name]
    if names:
        inner = names[0].removeprefix("parametrization.")
        raise JobError(f'{key}: "{path}" has several parts; name one, such as "{path}.{inner}".')


def _of_memory(task: Task, allotment: Allotment) -> dict[str, Any]:
    """What follows from the memory there is, by the job's keys."""
    known = math.isfinite(allotment.budget.total)
    return {
        **({"memory": rounded(allotment.budget.total)} if known and not allotment.budget.given else {}),
        "experiment.backward": task.model.backward,
        "experiment.frames_together": task.model.together,
    }


def _decisions(task: Task, job: ResolvedJob) -> dict[str, Any]:
    """What was decided while building, by the job's keys."""
    import jax

    from adorym.objects import Volume

    decided: dict[str, Any] = {}
    for i, stage in enumerate(task.stages):
        decided[f"stages.{i}.views_per_batch"] = stage.solver.views_per_batch
        decided[f"stages.{i}.frames_per_batch"] = stage.solver.frames_per_batch
    for i, regularizer in enumerate(task.problem.regularizers):
        decided[f"regularizers.{i}.where"] = list(regularizer.where)
        decided[f"regularizers.{i}.scale"] = [float(scale) for scale in regularizer.scales]
    sample, keys = task.model.object, job.tables["experiment"]
    if isinstance(sample, Volume) and "slab_voxels" in keys:
        decided["experiment.slab_voxels"] = sample.slab_voxels
    if isinstance(sample, Volume) and "object_size" in keys:
        decided["experiment.object_size"] = jax.tree.leaves(sample.parametrization)[0].shape[0]
    return decided
