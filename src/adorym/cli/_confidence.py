"""How far to trust a run's result: what is always told, and what the job asks for besides."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from adorym._core import DataError, JobError
from adorym.cli._console import console, note
from adorym.cli._content import name_of_view
from adorym.cli._interrupt import Interruption
from adorym.cli._measures import Result
from adorym.cli._prepare import Prepared, task_of
from adorym.config import registries
from adorym.io import VolumeResult
from adorym.metrics import FourierCorrelation
from adorym.report import Confidence, Deviations, ViewFits, progress_display

if TYPE_CHECKING:
    from adorym.data import Dataset, Feed
    from adorym.experiment import Experiment
    from adorym.problem import Problem
    from adorym.reconstruct import Residuals, ViewMisfit


class Stopped(Exception):  # noqa: N818
    """A signal asked the run to end while its confidence was found out.

    Attributes:
        signal: its number.
    """

    def __init__(self, signal: int) -> None:
        super().__init__()
        self.signal = signal


@dataclasses.dataclass(frozen=True, eq=False)
class Trust:
    """How far to trust a result, three times.

    Attributes:
        shown: as the report shows it.
        numbers: for `summary.json`.
        arrays: for `confidence.h5`.
    """

    shown: Confidence
    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray]


def check_confidence(prepared: Prepared) -> None:
    """Refuse before the run what could not be told after it.

    Raises:
        JobError: the data cannot be halved, or the object is not refined, so that it has no deviation.
    """
    from adorym.reconstruct import half_sets

    if prepared.output.half_sets:
        try:
            half_sets(prepared.task.dataset, prepared.task.held_out)
        except DataError as error:
            raise JobError(f"output.half_sets: {error}") from None
    if prepared.output.deviation != "none":
        _deviating_leaf(prepared.task.model, _free(prepared))


def confidence_of(
    prepared: Prepared, model: Experiment, result: Result, *, left: Residuals, weight: float, asked: Interruption
) -> Trust:
    """Looks at what is left unexplained, reconstructs the halves, finds deviations, as far as the job asks for it.

    Args:
        prepared: the job.
        model: the estimate.
        result: its arrays.
        left: what it leaves unexplained.
        weight: of regularisers whose weight was left to the data.
        asked: whether to stop.

    Raises:
        Stopped: a signal came.
    """
    from adorym.reconstruct import half_set_correlation

    output, dataset = prepared.output, prepared.task.dataset
    views = left.per_view()
    numbers: dict[str, Any] = {f"outlier_{views.unit}s": views.bad.tolist()}
    arrays = {f"{views.unit}_{name}": getattr(views, name) for name in _VIEW_COLUMNS}
    arrays |= {"residual_mean": left.mean, "residual_mean_square": left.mean_square}
    halves = deviations = None
    if output.half_sets:
        halves = half_set_correlation(*_halves(prepared, asked))
        numbers |= _resolutions(halves, dataset.pixel)
        arrays |= {f"half_sets_{name}": getattr(halves, name) for name in _CURVES}
    if output.deviation != "none":
        deviations = _deviations(prepared, model, result, weight=weight, asked=asked)
        numbers["deviation"] = {
            "kind": output.deviation,
            "of": deviations.symbol,
            "mean": deviations.mean,
            "of_mean": deviations.of_mean if math.isfinite(deviations.of_mean) else None,
            "settled": deviations.settled,
        }
        arrays["deviation"] = deviations.cut
    shown = Confidence(
        views=_views(views, dataset),
        residual=left.mean,
        residual_square=left.mean_square,
        half_sets=halves,
        deviations=deviations,
    )
    return Trust(shown, numbers, arrays)


_VIEW_COLUMNS = ("index", "misfit", "reduced_chi2", "held_out", "outlier")
_CURVES = ("frequency", "correlation", "half_bit", "one_seventh")


def _views(views: ViewMisfit, dataset: Dataset) -> ViewFits:
    names = [name_of_view(dataset, i) if views.unit == "view" else f"frame {i}" for i in views.bad.tolist()]
    columns = {name: getattr(views, name) for name in ("index", "reduced_chi2", "held_out", "outlier")}
    return ViewFits(unit=views.unit, bad=tuple(names), **columns)


def _resolutions(halves: FourierCorrelation, pixel: float) -> dict[str, float | None]:
    """Half periods, in the voxel's unit; `None` where the halves agree on nothing."""
    found = {
        "half_set_resolution_half_bit": halves.resolution("half bit") * pixel,
        "half_set_resolution_one_seventh": halves.resolution("1/7") * pixel,
    }
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _halves(prepared: Prepared, asked: Interruption) -> list[Experiment]:
    """The results of both halves, reconstructed by the job."""
    from adorym.reconstruct import half_sets, iterate

    whole, known = prepared.task, registries()
    results = []
    for number, half in enumerate(half_sets(whole.dataset, whole.held_out), start=1):
        task = task_of(prepared.job, known, half, held_out=whole.held_out)
        task = dataclasses.replace(task, cache=whole.cache)
        model = task.model
        display = progress_display(
            sum(leg.steps for leg in task.legs()),
            note,
            console=console(errors=True),
            title=f"half {number} of the data",
        )
        with display:
            for progress in iterate(task):
                if progress.last:
                    model = progress.model
                display.update(progress.step, total=progress.steps, binning=progress.coarse)
                if asked.signal:
                    raise Stopped(asked.signal)
        results.append(model)
    return results


def _deviations(
    prepared: Prepared, model: Experiment, result: Result, *, weight: float, asked: Interruption
) -> Deviations:
    """Deviation of the mean over the reached region, and of each element of the plane that the report shows."""
    from adorym.reconstruct import Effort, Region, deviation, deviation_map

    kind = "scatter" if prepared.output.deviation == "scatter" else "posterior"
    problem = _problem(prepared).with_weight(weight)
    feed = _feed(prepared)
    where, per_unit = _deviating_leaf(model, problem.free)
    thick = isinstance(result, VolumeResult)
    values = result.delta if thick else result.phase
    region = np.ones(values.shape, bool) if result.reached is None else result.reached
    plane = np.zeros_like(region)
    middle = values.shape[0] // 2 if thick else slice(None)
    plane[middle] = region[middle]
    effort = Effort(iterations=100, seed=prepared.task.seed)
    (of_mean,) = deviation(problem, model, feed, regions=[Region.mean(where, region)], kind=kind, effort=effort)
    cut, settled = np.full(plane.shape, np.nan), of_mean.settled
    display = progress_display(effort.probes, note, console=console(errors=True), title=f"{kind} deviations")
    with display:
        for found in deviation_map(problem, model, feed, where=where, kind=kind, within=plane, effort=effort):
            display.update(found.done)
            if asked.signal:
                raise Stopped(asked.signal)
            cut, settled = found.deviation, of_mean.settled and found.settled
    return Deviations(
        kind=kind,
        symbol="δ" if thick else "phase",
        unit="" if thick else "rad",
        cut=cut[middle] / per_unit,
        mean=float(values[region].mean(dtype=np.float64)),
        of_mean=of_mean.value / per_unit,
        settled=settled,
    )


def _problem(prepared: Prepared) -> Problem:
    """With everything free that any stage refined."""
    return dataclasses.replace(prepared.task.problem, free=_free(prepared))


def _free(prepared: Prepared) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for stage in prepared.task.stages for path in stage.free))


def _feed(prepared: Prepared) -> Feed:
    from adorym.data import Feed
    from adorym.reconstruct import batch_sizes
    from adorym.solvers import GaussNewton

    task = prepared.task
    solver = next((one.solver for one in task.stages if one.solver.sweeps), None)
    sizes = (solver.views_per_batch, solver.frames_per_batch) if solver else batch_sizes(task.dataset, GaussNewton())
    return Feed(
        task.dataset, views_per_batch=sizes[0], frames_per_batch=sizes[1], held_out=task.held_out, memory=task.cache
    )


def _deviating_leaf(model: Experiment, free: tuple[str, ...]) -> tuple[str, float]:
    """Path of the leaf whose deviation is told, and its change per unit of the quantity that people see."""
    from adorym._core.trees import resolve, selection
    from adorym.objects import LogAmplitudePhase, Volume

    phase = isinstance(model.object.parametrization, LogAmplitudePhase)
    where = "object.phase" if phase else "object.delta"
    if not free or resolve(selection(model, free), where) is not True:
        raise JobError(f"output.deviation: {where} is refined in no stage, so it has none; take the key out.")
    return where, model.object.scale if phase and isinstance(model.object, Volume) else 1.0
