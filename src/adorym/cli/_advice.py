"""Which keys of a job would make its run cheaper, or right."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from typing import TYPE_CHECKING, Any

from adorym._core import JobError
from adorym.cli._memory import remedies

if TYPE_CHECKING:
    from adorym.cli._prepare import Prepared

_LONG = 60.0
"""Seconds of a run that is worth making shorter."""

_LEAST_PIXELS = 16
"""Pixels across a frame that binning has to leave."""


def advice(prepared: Prepared, facts: dict[str, Any]) -> list[dict[str, str]]:
    """What to change: a key of the job, its new value as TOML, and a sentence why.

    Args:
        prepared: the job.
        facts: its plan in numbers.
    """
    found = [*_slabs(prepared, facts), *_memory(prepared)]
    usual = facts["time"]["usual"]
    if usual is None or usual > _LONG:
        found += [*_views(prepared, facts), *_binning(prepared, facts)]
        found += [one for one in _precision(prepared) if one["key"] not in {told["key"] for told in found}]
    output = prepared.output
    if output.half_sets:
        found.append(_one("output.half_sets", "false", "Half sets take about as long again as the run itself."))
    if output.deviation != "none":
        found.append(_one("output.deviation", '"none"', "Deviations take many more passes over the data."))
    return found


def _one(key: str, value: object, why: str) -> dict[str, str]:
    return {"key": key, "value": str(value), "why": why}


def _slabs(prepared: Prepared, facts: dict[str, Any]) -> list[dict[str, str]]:
    from adorym.experiment import automatic_slab

    sample, key = facts["sample"], "experiment.slab_voxels"
    settable = "slab_voxels" in prepared.job.tables["experiment"]
    if sample is None or sample["depth_of_focus"] is None or not settable:
        return []
    depth, dataset = sample["voxels"][0], prepared.task.dataset
    automatic = automatic_slab(dataset.pixel, dataset.wavelength, depth)
    if not sample["multislice_needed"]:
        if sample["slabs"] == 1:
            return []
        why = f"The sample is thinner than the depth of focus: one slab is enough, where there are {sample['slabs']}."
        return [_one(key, depth, why)]
    if sample["slab"] > sample["depth_of_focus"] / 2:
        why = "A slab is thicker than half the depth of focus, within which waves do not spread: multislice is needed."
        return [_one(key, automatic, why)]
    if automatic >= 2 * sample["slab_voxels"]:
        return [_one(key, automatic, "Slabs are much thinner than a tenth of the depth of focus, which is enough.")]
    return []


def _memory(prepared: Prepared) -> list[dict[str, str]]:
    """Where there is not enough of it, however the work is cut."""
    if prepared.allotment.fits:
        return []
    short = "There is not enough memory, however the work is cut."
    return [_one(key, value, f"{short} {why}") for key, value, why in remedies(prepared.task, prepared.job)]


def _views(prepared: Prepared, facts: dict[str, Any]) -> list[dict[str, str]]:
    """More views than the sample's detail asks for (Crowther et al. 1970), on half a turn."""
    views, _, _, width = facts["frames"]
    if facts["sample"] is None or views < 1.5 * math.pi / 2 * width:
        return []
    why = f"There are {views} views, more than a field of {width} pixels needs: half of them take half the time."
    if facts["simulated"]:
        return [_one("scan.views", views // 2, why)]
    told = prepared.job.tables["data"].get("views")
    return [] if told else [_one("data.views", '"::2"', why)]


def _binning(prepared: Prepared, facts: dict[str, Any]) -> list[dict[str, str]]:
    """A quick look, where data and model have a coarser form."""
    from adorym.reconstruct import check_levels

    task = prepared.task
    first, *later = task.stages
    for factor in (4, 2):
        stage = dataclasses.replace(first, binning=(factor,))
        fits = min(facts["frames"][2:]) // factor >= _LEAST_PIXELS
        if not fits or later or min(first.binning) > 1 or not first.solver.sweeps:
            continue
        with contextlib.suppress(JobError):
            check_levels(stage, task.dataset, task.model)
            why = f"For a quick look first: pixels {factor} times larger and fewer views take a small part of the time."
            return [_one("stages.0.binning", [factor], why)]
    return []


def _precision(prepared: Prepared) -> list[dict[str, str]]:
    if prepared.job.precision == 32:
        return []
    return [_one("precision", 32, "Numbers of 64 bits take twice the memory and about twice the time.")]
