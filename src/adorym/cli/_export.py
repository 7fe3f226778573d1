"""`adorym export`: a run's result for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "write a result as TIFF or HDF5"
DESCRIPTION = """\
Write a run's result for other programs: TIFF stacks with the voxel size (delta.tif and beta.tif, or phase.tif and
amplitude.tif), or one HDF5 file that plots as NeXus. The run's own volume.zarr opens in napari as it is.
"""
EXAMPLES = """\
examples:
  adorym export runs/scan --to tiff                 into runs/scan/tiff/
  adorym export runs/scan --to hdf5 -o scan.h5
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("folder", metavar="RUN", type=Path, help="the RUN folder")
    parser.add_argument("--to", choices=("tiff", "hdf5"), required=True, help="the format")
    parser.add_argument("-o", "--output", metavar="PATH", type=Path, help="folder (tiff) or file (hdf5) to write")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from adorym.cli._console import say
    from adorym.io import export_run

    usual = arguments.folder / ("tiff" if arguments.to == "tiff" else "result.h5")
    files = export_run(arguments.folder, arguments.to, arguments.output or usual, overwrite=arguments.overwrite)
    for file in files:
        say(str(file))
    return 0
