"""`adorym reconstruct`: a job in, a RUN folder out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adorym.cli._run import Outcome

SUMMARY = "reconstruct what a job describes"
DESCRIPTION = """\
Reconstruct what a job (TOML) describes, into a RUN folder: the resolved job, metrics, checkpoints, the volume or image
as OME-Zarr, a summary and a self-contained report. Ctrl-C and SIGTERM stop it with a checkpoint.
"""
EXAMPLES = """\
examples:
  adorym reconstruct job.toml
  adorym reconstruct job.toml -o runs/thin --set experiment.slab_voxels=64
  adorym reconstruct job.toml --profile                    where its time goes
  adorym reconstruct job.toml --set stages.0.epochs=50 --set data.energy="5 keV" --overwrite
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("job", metavar="JOB", type=Path, help="the job, a TOML file")
    parser.add_argument("-o", "--output", metavar="RUN", type=Path, help="the RUN folder (runs/NAME-OF-THE-JOB)")
    add_job_arguments(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a run that is there already")
    add_profile_argument(parser)


def add_profile_argument(parser: argparse.ArgumentParser) -> None:
    """Asks for a profile."""
    parser.add_argument("--profile", action="store_true", help="tell where the time goes; traces in RUN/profile")


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """What changes a job from the command line."""
    parser.add_argument(
        "--set", metavar="KEY=VALUE", dest="sets", action="append", default=[], help="change a key of the job (repeat)"
    )
    parser.add_argument("--precision", type=int, choices=(32, 64), help="bits of a number in the computation")


def sets_of(arguments: argparse.Namespace) -> list[str]:
    """The settings of the command line, in the order in which they apply."""
    precision = [] if arguments.precision is None else [f"precision={arguments.precision}"]
    return [*arguments.sets, *precision]


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from adorym.cli._run import start_run
    from adorym.config import load_job

    job = load_job(arguments.job, sets_of(arguments))
    folder = arguments.output or Path("runs") / arguments.job.stem
    outcome = start_run(job, folder, overwrite=arguments.overwrite, profile=arguments.profile)
    tell(outcome, folder)
    return outcome.code


def tell(outcome: Outcome, folder: Path) -> None:
    """The result in a few lines, except of a run that was stopped; and the profile."""
    from adorym.cli._console import show_table
    from adorym.cli._profile import show_profile

    summary = outcome.summary
    if summary:
        show_table(
            {
                **{title: f"{summary[name]:.4g}" for name, title in _SHOWN.items() if summary.get(name) is not None},
                "report": str(folder / "report.html"),
            }
        )
    if outcome.profile is not None:
        show_profile(outcome.profile, folder / "profile")


_SHOWN = {
    "misfit": "misfit",
    "relative_misfit": "relative to an empty object",
    "reduced_chi2": "reduced chi squared",
    "held_out_misfit": "misfit of frames kept back",
    "error": "error in the reached region",
    "error_whole": "error everywhere",
    "resolution_half_bit": "resolution (half bit)",
    "seconds": "seconds",
}
