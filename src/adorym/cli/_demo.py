"""`adorym demo`: two microscopes look at a thick glass cone, from simulation to report."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "simulate a thick glass cone and reconstruct it by two microscopes"
DESCRIPTION = """\
Simulate holograms and ptychography of a hollow glass cone that is thicker than the depth of focus, on a grid finer than
the reconstruction's, with shot noise; reconstruct each with the wave followed through the sample (multislice) and as if
each view were a flat shadow (projection); and set them side by side in RUN/report.html.
"""
EXAMPLES = """\
examples:
  adorym demo                        a few minutes on two cores
  adorym demo --size 32 -o runs/tiny --overwrite
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--size", metavar="N", type=int, default=64, help="voxels along each edge (64)")
    parser.add_argument(
        "-o", "--output", metavar="RUN", type=Path, default=Path("runs/demo"), help="where to (runs/demo)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier demonstration")
    parser.add_argument("--picture", metavar="PNG", type=Path, help="write the comparison's first picture there, too")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from adorym.cli._console import say
    from adorym.cli._demonstration import demonstrate

    code = demonstrate(arguments.output, arguments.size, overwrite=arguments.overwrite, picture=arguments.picture)
    if code == 0:
        say(str(arguments.output / "report.html"))
    return code
