"""A phantom's measurement, simulated into a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from adorym.cli._jax import prepared_jax
from adorym.cli._measure import check_source, measurement
from adorym.cli._outputs import check_output
from adorym.cli._prepare import checked, of_measurement
from adorym.cli._progress import simulation_progress
from adorym.cli._run import hardware
from adorym.config import Job, resolve
from adorym.io import write_dataset


def simulate_file(job: Job, output: Path, *, overwrite: bool = False) -> Path:
    """Write the data set that a job's phantom and scan give, with the true object beside it.

    Raises:
        JobError: the job has nothing to simulate, or its place is not free.
    """
    check_output(output, overwrite=overwrite, inputs=(Path(job.source),))
    check_source(job, simulated=True)
    with prepared_jax(*hardware(job)):
        job, known = checked(job)
        resolved = resolve(dataclasses.replace(job, tables=of_measurement(job.tables)), known)
        dataset, truth = measurement(resolved, known, simulation_progress())
        return write_dataset(output, dataset, truth=truth)
