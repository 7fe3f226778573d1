"""`adorym compare`: how near a result is to the truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adorym.cli._measures import Result
    from adorym.io import Truth

SUMMARY = "measure a result against the truth"
DESCRIPTION = """\
Measure a result against the truth: the error ||x - truth|| / ||truth|| of δ (of the complex transmission, for an image)
over the region that the measurement reached, which the run has written, and over everything; structural similarity; and
the resolution where the Fourier correlation falls below the half-bit and the 1/7 threshold. What ptychography cannot
tell (phase, ramp, shift, scale of an image) is removed first.
"""
EXAMPLES = """\
examples:
  adorym compare runs/cone cone.h5               a simulated data set holds its truth
  adorym compare runs/cone cone_truth.h5 --json
  adorym compare runs/thin runs/thick            one run against another
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("result", metavar="RESULT", type=Path, help="a RUN folder, or its volume.zarr or image.zarr")
    parser.add_argument("truth", metavar="TRUTH", type=Path, help="HDF5 with delta and beta (z, y, x), or another run")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import json
    import math

    from adorym.cli._console import say, show_table
    from adorym.cli._measures import agreement

    result = read_result(arguments.result)
    found = agreement(result, _truth(arguments.truth))
    numbers = found.numbers()
    reached = 1.0 if result.reached is None else float(result.reached.mean())
    if arguments.json:
        shown = {**numbers, "reached": reached, "voxel": found.voxel}
        finite = {name: value if math.isfinite(value) else None for name, value in shown.items()}
        say(json.dumps({**finite, "fourier_correlation": found.curve()}, indent=2))
        return 0
    unit = "m" if result.energy is not None else "pixels"
    show_table(
        {
            "error, reached region": f"{numbers['error']:.4g} (the region is {100 * reached:.3g} % of the result)",
            "error, everything": f"{numbers['error_whole']:.4g}",
            "structural similarity": f"{numbers['ssim']:.4g}",
            "resolution, half bit": f"{numbers['resolution_half_bit']:.4g} {unit} (half period)",
            "resolution, 1/7": f"{numbers['resolution_one_seventh']:.4g} {unit} (half period)",
        }
    )
    return 0


def read_result(path: Path) -> Result:
    """The result of a run, or of a .zarr folder."""
    from adorym._core import DataError
    from adorym.io import RunFolder, read_image, read_volume

    if path.suffix == ".zarr":
        return read_image(path) if path.name.startswith("image") else read_volume(path)
    run = RunFolder.open(path)
    if run.volume.is_dir():
        return read_volume(run.volume)
    if run.image.is_dir():
        return read_image(run.image)
    raise DataError(f"{path} holds no result yet: finish the run with `adorym resume {path}`.")


def _truth(path: Path) -> Truth:
    from adorym._core import DataError
    from adorym.io import Truth, VolumeResult, read_truth

    if not path.exists():
        raise DataError(f"{path} does not exist: give HDF5 with delta and beta, or a RUN folder.")
    if not path.is_dir():
        return read_truth(path)
    other = read_result(path)
    if not isinstance(other, VolumeResult):
        raise DataError(f"{path} holds an image: only volumes can stand for the truth; give HDF5 with delta and beta.")
    return Truth(other.delta, other.beta, other.voxel)
