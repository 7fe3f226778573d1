"""`adorym plan`: what a job will take, before it is run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adorym.cli._reconstruct import add_job_arguments, sets_of

if TYPE_CHECKING:
    from adorym.cli._foresight import Plan

SUMMARY = "say what a job will take, before it is run"
DESCRIPTION = """\
Say what `adorym reconstruct` will take: memory, time, disk; into which slabs and batches the work is cut; whether the
sampling holds and multislice is needed at all; and which keys would make it cheaper. The data are read, and the job's
own kernels tried on a few batches; what a job would simulate is not, and planned with frames of noise. Nothing is
written.
"""
EXAMPLES = """\
examples:
  adorym plan job.toml
  adorym plan job.toml --set stages.0.binning="[4]" --set data.views="::2"
  adorym plan job.toml --json > plan.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("job", metavar="JOB", type=Path, help="the job, a TOML file")
    add_job_arguments(parser)
    parser.add_argument("--json", action="store_true", help="write JSON, in bytes, seconds and metres")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import json

    from adorym.cli._console import say, show_table
    from adorym.cli._foresight import foresee
    from adorym.config import load_job

    plan = foresee(load_job(arguments.job, sets_of(arguments)))
    if arguments.json:
        say(json.dumps(plan.numbers(), indent=2))
        return 0
    show_table(_rows(plan))
    for sentence in plan.sentences:
        say(f"\n{sentence}")
    return 0


def _rows(plan: Plan) -> dict[str, str]:
    """The plan in words, name to text."""
    numbers = plan.numbers()
    views, frames, y, x = numbers["frames"]
    return {
        "data": f"{numbers['source']}, {numbers['technique']}: {_count(views, 'view')} of {_count(frames, 'frame')}, "
        f"{y} x {x} pixels",
        "unknowns": f"{numbers['unknowns']:.4g}",
        "memory": "\n".join(_memory(numbers["memory"])),
        "time": "\n".join(_time(numbers["time"])),
        "disk": f"up to {_bytes(numbers['disk'])}",
        **_sample(numbers["sample"]),
        "sampling": f"{numbers['sampling']}; {_waves(numbers)}",
        **{f"stage {leg['stage']}": "\n".join(_leg(leg)) for leg in numbers["legs"] if leg["binning"] == 1},
        **{
            f"stage {leg['stage']}, binning {leg['binning']}": "\n".join(_leg(leg))
            for leg in numbers["legs"]
            if leg["binning"] > 1
        },
    }


def _memory(memory: dict[str, Any]) -> list[str]:
    parts = [f"{_bytes(memory['host'])} at the peak ({_bytes(memory['free'])} are free now)"]
    if memory["device"] is not None:
        free = "" if memory["device_free"] is None else f" ({_bytes(memory['device_free'])} are free now)"
        parts.append(f"{_bytes(memory['device'])} on the device{free}")
    if memory["budget"] is not None:
        enough = "there is room" if memory["fits"] else "NOT ENOUGH, however the work is cut"
        parts.append(f"up to {_bytes(memory['budget'])} may be taken: {enough}")
    together = memory["frames_together"]
    parts.append(
        f"waves for the way back: {_KEPT[memory['backward']]}"
        + (f", of {_count(together, 'frame')} at a time" if together else "")
    )
    cached = f"kept in memory ({_bytes(memory['cached'])})"
    parts.append(f"frames: {cached if memory['cached'] else 'read ahead, anew in every pass'}")
    return parts


_KEPT = {
    "stored": "all are kept",
    "segments": "those at the square root of the slabs are kept, the rest computed again",
    "reversible": "the exit wave is kept, and walked back",
}


def _time(times: dict[str, Any]) -> list[str]:
    if times["usual"] is None:
        return ["not known: there is not the memory to try it"]
    found = [f"{_seconds(times['usual'])} for {times['usual_steps']} steps"]
    if times["open"]:
        found[0] += f", the usual number; {_seconds(times['most'])} for {times['most_steps']}, the most"
        found.append("the data decide when to end")
    return found


def _waves(numbers: dict[str, Any]) -> str:
    arriving, between = (" x ".join(map(str, numbers[one])) for one in ("grid", "grid_between_slabs"))
    told = f"waves of {arriving} pixels"
    return told if arriving == between else f"{told}, {between} between the slabs"


def _sample(sample: dict[str, Any] | None) -> dict[str, str]:
    if sample is None:
        return {"sample": "an image, without depth"}
    voxels = " x ".join(map(str, sample["voxels"]))
    slabs = f"{sample['slabs']} of {sample['slab_voxels']} voxels"
    if sample["depth_of_focus"] is None:
        return {"sample": f"{voxels} voxels", "slabs": slabs}
    ratio = sample["thickness"] / sample["depth_of_focus"]
    return {
        "sample": f"{voxels} voxels, up to {_length(sample['thickness'])} thick: {ratio:.3g} x the depth of focus, "
        f"{_length(sample['depth_of_focus'])}",
        "slabs": f"{slabs}, {_length(sample['slab'])}: {sample['slab'] / sample['depth_of_focus']:.2g} x the depth of "
        f"focus; multislice is {'needed' if sample['multislice_needed'] else 'not needed'}",
    }


def _leg(leg: dict[str, Any]) -> list[str]:
    views, frames = leg["views_per_batch"], leg["frames_per_batch"]
    lines = [
        f"{leg['batches_per_pass']} batches a pass, of {_count(views, 'view')} with {_count(frames, 'frame')} each"
    ]
    if leg["seconds_per_pass"] is not None:
        lines.append(f"{_seconds(leg['seconds_per_pass'])} a pass, {_seconds(leg['seconds_per_step'])} a step")
    lines.append(f"{_bytes(leg['state_bytes'])} kept from step to step")
    return lines


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _bytes(count: float | int) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError


def _seconds(seconds: float | int) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    minutes = seconds / 60
    return f"{minutes:.2g} min" if minutes < 100 else f"{minutes / 60:.2g} h"


def _length(metres: float) -> str:
    from adorym._core import format_quantity

    return str(format_quantity(float(f"{metres:.3g}"), "length"))
