"""From the tables of a job to a measurement: read from a file, or simulated."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adorym._core import AdorymError, DataError, JobError
from adorym.config import Entry, Job, Registries, ResolvedJob, entries
from adorym.data import Dataset
from adorym.io import Truth, find_format, read_dataset, read_truth


def with_format(job: Job) -> Job:
    """The job with the format of its data found by looking into the file, so that its keys can be checked."""
    table = job.tables.get("data")
    if not isinstance(table, dict) or table.get("format", "auto") != "auto":
        return job
    if not isinstance(table.get("file"), str):
        raise JobError(f"{job.source}: data.file: give the path of the measurement's file in quotes.")
    found = find_format(job.folder / table["file"]).name
    return dataclasses.replace(job, tables={**job.tables, "data": {**table, "format": found}})


def check_source(job: Job, *, simulated: bool = False) -> None:
    """A job has either a file or something to simulate."""
    has = [name for name in ("data", "phantom", "scan") if name in job.tables]
    if simulated and has != ["phantom", "scan"]:
        raise JobError(f"{job.source}: to simulate, give [phantom] and [scan], and no [data].")
    if has not in (["data"], ["phantom", "scan"]):
        raise JobError(f"{job.source}: give [data] with a file, or both [phantom] and [scan] to simulate; not both.")


def measurement(
    job: ResolvedJob, registries: Registries, advance: Callable[[int, int], None] = lambda view, views: None
) -> tuple[Dataset, Truth | None]:
    """The job's data set, and the true object where it is known.

    Args:
        job: with its source checked.
        registries: the sections it was resolved with.
        advance: told views done and views in all while simulating.
    """
    (output,) = (entry.build() for entry in entries(job, registries, "output"))
    told = None if output.truth is None else read_truth(output.truth)
    if "phantom" in job.tables:
        dataset, truth = _simulated(job, registries, advance)
        return dataset, told or truth
    return read_data(job, registries), told


def planned(
    job: ResolvedJob, registries: Registries, advance: Callable[[int, int], None] = lambda view, views: None
) -> tuple[Dataset, Truth | None]:
    """As `measurement`, but what would have to be simulated has a geometry and no frames."""
    if "phantom" not in job.tables:
        return measurement(job, registries, advance)
    (phantom,), (scan,) = entries(job, registries, "phantom"), entries(job, registries, "scan")
    (output,) = (entry.build() for entry in entries(job, registries, "output"))
    return _scan_of(scan, phantom), None if output.truth is None else read_truth(output.truth)


def _scan_of(scan: Entry, phantom: Entry) -> Dataset:
    size, voxel, energy = (phantom.arguments[name] for name in ("size", "voxel", "energy"))
    return build(scan, {"shape": (size, size), "field": (size, size), "pixel": voxel, "energy": energy})


def read_data(job: ResolvedJob, registries: Registries) -> Dataset:
    """The data set of a job's [data]."""
    (entry,) = entries(job, registries, "data")
    options = {**entry.settings, **entry.arguments}
    file = options.pop("file")
    return read_dataset(file, format=entry.kind, options=options)


def truth_in(file: Path) -> bool:
    """Whether a data file holds the true object too."""
    with contextlib.suppress(AdorymError):
        read_truth(file)
        return True
    return False


def _simulated(job: ResolvedJob, registries: Registries, advance: Callable[[int, int], None]) -> tuple[Dataset, Truth]:
    (phantom,), (scan,) = entries(job, registries, "phantom"), entries(job, registries, "scan")
    (simulate,) = entries(job, registries, "simulate")
    refine = simulate.arguments.get("refine", 1)
    if refine < 1:
        raise JobError(f"simulate.refine is {refine}: give 1 or more.")
    size, voxel = phantom.arguments["size"], phantom.arguments["voxel"]
    finer = {**phantom.arguments, "size": size * refine, "voxel": voxel / refine}
    sample = build(dataclasses.replace(phantom, arguments=finer))
    plan = _scan_of(scan, phantom)
    views = plan.frames.shape[0]
    given = {
        "plan": plan, "delta": sample.delta, "beta": sample.beta, "advance": lambda view: advance(view + 1, views)
    }  # fmt: skip
    coarse = sample.binned(refine)
    return build(simulate, given), Truth(coarse.delta, coarse.beta, coarse.voxel)


def build(entry: Entry, given: dict[str, Any] | None = None) -> Any:
    """What a table of a job describes; what its constructor refuses is an error of the job."""
    try:
        return entry.build(given or {})
    except DataError as error:
        named = str(error).startswith(f"{entry.path}.")
        raise JobError(str(error) if named else f"{entry.path}: {error}") from error
    except (ValueError, ZeroDivisionError) as error:
        raise JobError(f"{entry.path}: {error}; correct the values in this table.") from error
