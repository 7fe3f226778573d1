"""Some batches of a pass over a job's data, timed; what a job would simulate is noise, which takes as long.

python -m benchmarks.speed.passes JOB [--batches N]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax

from adorym.cli._foresight import _with_frames
from adorym.cli._jax import prepared_jax
from adorym.cli._measure import planned
from adorym.cli._prepare import prepare
from adorym.cli._results import forget_peak_memory, peak_memory
from adorym.cli._run import hardware
from adorym.config import load_job


def part_of_a_pass(file: Path, batches: int) -> dict[str, Any]:
    """The gradient over the first batches of the last stage, read and computed one after the other."""
    job = load_job(file)
    with prepared_jax(*hardware(job)) as devices:
        prepared = prepare(job, devices, measure=planned)
        task = _with_frames(prepared.task) if "phantom" in job.tables else prepared.task
        leg, stage = task.legs()[-1], task.stages[-1]
        feed = task.feed(leg.stage, leg.factor)
        problem = dataclasses.replace(task.problem, free=stage.free).with_weight(0.0)
        split = problem.split(task.model)
        few = feed.first(batches)
        jax.block_until_ready(problem.value_and_gradient(*split, next(few.sweep())))
        forget_peak_memory()
        begun, frames = time.perf_counter(), 0
        for batch in task.feed(leg.stage, leg.factor).first(batches).sweep():
            jax.block_until_ready(problem.value_and_gradient(*split, batch))
            frames += int((batch.weights > 0).sum())
        seconds = time.perf_counter() - begun
        return {
            "seconds": seconds,
            "batches": few.batches(),
            "of": feed.batches(),
            "frames": frames,
            "peak_memory": peak_memory(),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--batches", type=int, default=4)
    arguments = parser.parse_args()
    print(json.dumps(part_of_a_pass(arguments.job, arguments.batches)))
