"""`adorym simulate`: the measurement of a phantom, into a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from adorym.cli._reconstruct import add_job_arguments, sets_of

SUMMARY = "simulate the measurement of a phantom"
DESCRIPTION = """\
Simulate the measurement that a job's [phantom], [scan] and [simulate] describe, and write it as a NeXus/HDF5 file that
`inspect` and `reconstruct` read. The true object is written beside the frames.
"""
EXAMPLES = """\
examples:
  adorym simulate cone.toml -o cone.h5
  adorym simulate cone.toml -o cone-noisy.h5 --set scan.photons=1e4 --set simulate.seed=1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("job", metavar="JOB", type=Path, help="the job, a TOML file")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="the data file (.h5)")
    add_job_arguments(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from adorym.cli._console import say
    from adorym.cli._simulation import simulate_file
    from adorym.config import load_job

    job = load_job(arguments.job, sets_of(arguments))
    simulate_file(job, arguments.output, overwrite=arguments.overwrite)
    say(str(arguments.output))
    return 0
