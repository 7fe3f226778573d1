"""The report of a run: its settings in words, its numbers, pictures and curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from adorym.cli._measures import Agreement, Result
from adorym.cli._results import Predicted
from adorym.data import Dataset
from adorym.io import VolumeResult
from adorym.physics import depth_of_focus
from adorym.report import Confidence, Frames, History, Numbers, Quantity, RunResult, Settings

if TYPE_CHECKING:
    from adorym.cli._prepare import Prepared
    from adorym.objects import AbstractObject

_NAMES = {
    "object": "the object",
    "object.delta": "δ",
    "object.beta": "β",
    "object.phase": "the phase",
    "object.log_amplitude": "the amplitude",
    "probe": "the illumination",
    "geometry.positions": "the scan positions",
    "geometry.position_offset": "the scan positions",
    "geometry.axis_offset": "the rotation axis",
    "geometry.angles": "the angles",
}


def settings_of(prepared: Prepared, result: Result) -> Settings:
    """What was measured and done, for the report."""
    dataset, tables = prepared.task.dataset, prepared.job.tables
    y, x = dataset.frames.shape[2:]
    thick = isinstance(result, VolumeResult)
    values = result.delta if thick else result.phase
    slabs = _slab_count(prepared.task.model.object, values.shape[0])
    known = dataset.energy is not None
    return Settings(
        technique=tables["experiment"]["kind"],
        model="multislice" if slabs > 1 else "projection",
        energy=dataset.energy,
        voxel=dataset.pixel,
        shape=values.shape,
        views=dataset.frames.shape[0],
        frames=int(np.count_nonzero(dataset.weights)),
        frame_shape=(y, x),
        photons=dataset.photons,
        photons_per="frame" if dataset.positions is not None else "pixel",
        distances=tuple(float(distance) for distance in dataset.distances),
        thickness=values.shape[0] * dataset.pixel if thick else None,
        depth_of_focus=depth_of_focus(2 * dataset.pixel, dataset.wavelength) if known else None,
        slabs=slabs,
        likelihood=tables["likelihood"]["kind"].capitalize(),
        regularizers=tuple(_regularizer(table) for table in tables.get("regularizers", [])),
        constraints=tuple(_constraint(table) for table in tables.get("constraints", [])),
        refined=tuple(dict.fromkeys(_name(path) for stage in prepared.task.stages for path in stage.free)),
        stages=tuple(_stage(table) for table in tables["stages"]),
        source=dataset.source,
        more=_more(prepared),
    )


def _slab_count(sample: AbstractObject, depth: int) -> int:
    from adorym.objects import Slices, Volume

    if isinstance(sample, Slices):
        return sample.count
    return -(-depth // sample.slab_voxels) if isinstance(sample, Volume) else 1


def _more(prepared: Prepared) -> tuple[tuple[str, str], ...]:
    job, dataset = prepared.job, prepared.task.dataset
    rows = [(name, text) for name, text in dataset.notes.items()]
    held_out = prepared.task.held_out
    if held_out is not None and held_out.any():
        rows.append(("kept back", f"{held_out.sum()} of {held_out.size} frames, to test the prediction on"))
    rows.append(("arithmetic", f"{job.precision} bits, {job.tables['devices']} devices"))
    return tuple((name[:1].upper() + name[1:], text) for name, text in rows)


def _name(path: str) -> str:
    return _NAMES.get(path, path)


def _regularizer(table: dict[str, Any]) -> str:
    where = [table["where"]] if isinstance(table["where"], str) else table["where"]
    weight = "weight found by held-out frames" if table["weight"] == "auto" else f"weight {table['weight']:g}"
    return f"{table['kind']} of {' and '.join(_name(path) for path in where)} ({weight})"


def _constraint(table: dict[str, Any]) -> str:
    where = _name(table["where"])
    if table["kind"] == "non-negative":
        return f"{where} ≥ 0"
    if table["kind"] == "bounds":
        return f"{table['lower']:g} ≤ {where} ≤ {table['upper']:g}"
    return f"{where} zero outside its support"


def _stage(table: dict[str, Any]) -> str:
    end = "until held-out frames gain no more" if table["epochs"] == "auto" else f"{table['epochs']} epochs"
    *coarse, _ = table["binning"]
    levels = f", from pixels {' and '.join(map(str, coarse))} times larger" if coarse else ""
    return f"{table['solver']} on {' and '.join(_name(path) for path in table['free'])}, {end}{levels}"


def numbers_of(summary: dict[str, Any]) -> Numbers:
    """The report's numbers from a summary."""
    return Numbers(
        misfit=summary["misfit"],
        relative_misfit=summary["relative_misfit"],
        reduced_chi2=summary["reduced_chi2"],
        error=summary.get("error"),
        error_whole=summary.get("error_whole"),
        resolution=summary.get("resolution_half_bit"),
        seconds=summary["seconds"],
        peak_memory=float(summary["peak_memory"]),
        steps=summary["steps"],
    )


def quantities_of(result: Result, found: Agreement | None) -> tuple[Quantity, ...]:
    """δ and β, or phase and amplitude, beside the truth where it is known."""
    thick = isinstance(result, VolumeResult)
    names = (("δ", ""), ("β", "")) if thick else (("phase", "rad"), ("amplitude", ""))
    if found is not None:
        pairs = zip(names, found.result, found.truth, strict=True)
        return tuple(Quantity(symbol=name, values=a, truth=b, unit=unit) for (name, unit), a, b in pairs)
    arrays = (result.delta, result.beta) if thick else (result.phase, result.amplitude)
    return tuple(Quantity(symbol=name, values=a, unit=unit) for (name, unit), a in zip(names, arrays, strict=True))


def history_of(records: Sequence[dict[str, Any]]) -> History | None:
    """The evaluations among the records of a run, all of the same frames."""
    looked = [_of_sample(record) for record in records if record.get("misfit") is not None]
    if not looked:
        return None

    def column(name: str) -> np.ndarray:
        return np.array([math.nan if record.get(name) is None else record[name] for record in looked], float)

    optional = {
        key: column(name) if any(name in record for record in looked) else None
        for key, name in (("held_out", "held_out_misfit"), ("error", "error"))
    }
    return History(
        step=column("step"),
        seconds=column("seconds"),
        misfit=column("misfit"),
        held_out=optional["held_out"],
        error=optional["error"],
    )


def _of_sample(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose misfits are those of the frames that were looked at on the way, as far as it has them."""
    mark = "sampled_"
    return {**record, **{name.replace(mark, ""): value for name, value in record.items() if mark in name}}


def frames_of(shown: Predicted, dataset: Dataset) -> Frames:
    """Measured and predicted frames for the report."""
    views, frames = dataset.frames.shape[:2]
    labels = []
    for view, frame in zip(shown.views, shown.frames, strict=True):
        turned = [name_of_view(dataset, int(view))] if views > 1 else []
        labels.append(", ".join([*turned, *([f"frame {frame}"] if frames > 1 else [])]))
    return Frames(
        measured=shown.measured,
        predicted=shown.predicted,
        labels=tuple(label or "the frame" for label in labels),
        mask=dataset.mask,
        logarithmic=dataset.regime == "far field",
    )


def name_of_view(dataset: Dataset, view: int) -> str:
    """A view's number and angle."""
    return f"view {view}, {np.rad2deg(dataset.angles[view]):.4g} deg"


def run_result(
    prepared: Prepared, result: Result, summary: dict[str, Any], *, found: Agreement | None, shown: Predicted,
    records: Sequence[dict[str, Any]], probe: np.ndarray | None, confidence: Confidence,
) -> RunResult:  # fmt: skip
    """Everything the report shows."""
    dataset = prepared.task.dataset
    settings = settings_of(prepared, result)
    return RunResult(
        name=settings.model if settings.dimensions == 3 else settings.technique,
        settings=settings,
        numbers=numbers_of(summary),
        quantities=quantities_of(result, found),
        history=history_of(records),
        correlation=None if found is None else found.correlation,
        frames=frames_of(shown, dataset),
        probe=probe,
        probe_pixel=dataset.pixel,
        confidence=confidence,
    )
