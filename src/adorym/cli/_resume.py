"""`adorym resume`: go on with a run that was stopped or killed."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "go on with a run that was stopped"
DESCRIPTION = """\
Go on with a run from its newest checkpoint that is whole, with the job, the decisions and the order of data it was
started with: on the same machine the result is the same, bit for bit, as if it had never been stopped.
"""
EXAMPLES = """\
examples:
  adorym resume runs/scan
  adorym resume runs/scan --profile
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    from adorym.cli._reconstruct import add_profile_argument

    parser.add_argument("folder", metavar="RUN", type=Path, help="the RUN folder")
    add_profile_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from adorym.cli._reconstruct import tell
    from adorym.cli._run import resume_run

    outcome = resume_run(arguments.folder, profile=arguments.profile)
    tell(outcome, arguments.folder)
    return outcome.code
