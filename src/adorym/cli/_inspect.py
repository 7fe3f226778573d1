"""`adorym inspect`: what a file holds, in physical terms."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from adorym.data import Dataset

SUMMARY = "say what a file holds, in physical terms"
DESCRIPTION = """\
Say what a measurement holds: energy, wavelength, pixel, views, frames, photons, Fresnel number, depth of focus against
thickness. Show a frame. A job (TOML) in place of the file is taken at its [data].
"""
EXAMPLES = """\
examples:
  adorym inspect scan.h5
  adorym inspect scan.h5 --frame 10,0 -o frame.png
  adorym inspect job.toml
  adorym inspect scan.cxi --set energy="8 keV" --set focus_distance="4 mm"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a data file, or a job")
    parser.add_argument("--frame", metavar="V,F", type=_pair, default=(0, 0), help="view and frame to show (0,0)")
    parser.add_argument("-o", "--output", metavar="PNG", type=Path, help="write the frame as a picture")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", dest="sets", action="append", default=[], help="a key of [data] (repeat)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the picture if it exists")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import numpy as np

    from adorym._core import JobError
    from adorym.cli._console import say, show_table
    from adorym.cli._outputs import check_output
    from adorym.io import describe

    if arguments.output is not None:
        check_output(arguments.output, overwrite=arguments.overwrite, inputs=(arguments.file,), suffix=".png")
    dataset = _read(arguments.file, arguments.sets)
    view, frame = arguments.frame
    views, frames = dataset.frames.shape[:2]
    if not (0 <= view < views and 0 <= frame < frames):
        have = f"views 0 to {views - 1} and frames 0 to {frames - 1}"
        raise JobError(f"--frame is {view},{frame}, but {arguments.file} has {have}: choose among them.")
    show_table(describe(dataset) | {"propagation": _way(dataset)})
    image = dataset.frames.read(view, np.array([frame]))[0]
    say(f"\nview {view}, frame {frame}:")
    say("\n".join(drawn(image, dataset.mask, logarithmic=dataset.regime == "far field")))
    if arguments.output is not None:
        _write_picture(arguments.output, dataset, image, label=f"view {view}, frame {frame}")
        say(str(arguments.output))
    return 0


def _way(dataset: Dataset) -> str:
    """How the wave gets to the frames, or why it cannot."""
    from adorym._core import SamplingError
    from adorym.experiment import check_sampling

    try:
        return check_sampling(dataset)
    except SamplingError as error:
        return f"not possible. {str(error).removeprefix(f'{dataset.source}: ')}"


def _pair(text: str) -> tuple[int, int]:
    view, _, frame = text.partition(",")
    try:
        return int(view), int(frame or 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no view and frame: write two numbers, such as 10,0") from None


def _read(file: Path, sets: list[str]) -> Dataset:
    """The data set of a file, or of a job's [data]."""
    from adorym._core import JobError
    from adorym.cli._measure import read_data, with_format
    from adorym.config import VERSION, Job, apply_sets, data_section, load_job, resolve

    if file.suffix == ".toml":
        job = load_job(file)
        if "data" not in job.tables:
            raise JobError(f"{file} has no [data] to inspect: give a job with a data file, or the file itself.")
    else:
        job = Job({"version": VERSION, "data": {"file": str(file)}}, Path().resolve(), str(file))
    if not isinstance(job.tables["data"], dict):
        raise JobError(f"{file}: data: expected one table, written [data]")
    data = apply_sets(job.tables["data"], sets)
    job = with_format(Job({"version": VERSION, "data": data}, job.folder, job.source))
    sections = {"data": data_section()}
    return read_data(resolve(job, sections), sections)


def drawn(image: np.ndarray, mask: np.ndarray, *, logarithmic: bool, columns: int = 64) -> list[str]:
    """A frame in characters, dark to bright; a character is twice as high as it is wide."""
    import numpy as np

    shades = " .:-=+*#%@"
    values = np.log1p(np.maximum(image, 0)) if logarithmic else image.astype(np.float64)
    values = np.where(mask, values, np.nan)
    height, width = values.shape
    across = min(columns, width)
    down = max(1, round(across * height / width / 2))
    rows, cols = (np.linspace(0, n, m + 1).astype(int) for n, m in ((height, down), (width, across)))
    cells = np.array(
        [
            [_mean(values[top:bottom, left:right]) for left, right in itertools.pairwise(cols)]
            for top, bottom in itertools.pairwise(rows)
        ]
    )
    seen = cells[np.isfinite(cells)]
    low, high = np.percentile(seen, (1, 99)) if seen.size else (0.0, 0.0)  # a hot pixel is not to hide the rest
    part = np.clip((cells - low) / ((high - low) or 1.0), 0, 1)
    steps = np.nan_to_num(part * (len(shades) - 1), nan=0.0).round().astype(int)
    return ["".join(shades[step] for step in row).rstrip() for row in steps]


def _mean(cell: np.ndarray) -> float:
    import numpy as np

    seen = cell[np.isfinite(cell)]
    return float(seen.mean()) if seen.size else float("nan")


def _write_picture(path: Path, dataset: Dataset, image: np.ndarray, *, label: str) -> None:
    from adorym.report import Frames, write_frame_picture

    frames = Frames(
        measured=image[None],
        predicted=image[None],
        labels=(label,),
        mask=dataset.mask,
        logarithmic=dataset.regime == "far field",
    )
    write_frame_picture(path, frames)
