"""The demonstration: the commands a user would give, one after the other, and a report that compares the results."""

from __future__ import annotations

import dataclasses
import time
from importlib import resources
from pathlib import Path
from typing import Any

from adorym._core import JobError
from adorym.cli._console import note
from adorym.cli._outputs import check_output
from adorym.cli._results import environment
from adorym.cli._run import start_run
from adorym.cli._simulation import simulate_file
from adorym.config import Job, parse_job
from adorym.io import make_folder
from adorym.report import (
    Comparison,
    ComparisonContent,
    RunResult,
    write_comparison_picture,
    write_comparison_report,
)

_TECHNIQUES = ("holography", "ptychography")
_SMALLEST = 16
_INTRODUCTION = (
    "A hollow glass cone with spheres of titanium dioxide on it, thicker than the depth of focus, was imaged in "
    "simulation by two x-ray microscopes, on a grid twice as fine as the one it is reconstructed on and with the noise "
    "of counted photons. One program reconstructed both measurements, once with the wave followed through the sample "
    "slab by slab (multislice), and once as if each view were a flat shadow of it (projection)."
)
_TEXTS = {
    "holography": "A full-field microscope: the whole cone is lit, and a detector behind it records blurred fringes.",
    "ptychography": "A scanning microscope: a small probe visits overlapping places, and a far detector records how "
    "each of them scatters.",
}


def demonstrate(folder: Path, size: int, *, overwrite: bool, picture: Path | None) -> int:
    """Simulate, reconstruct, compare.

    Args:
        folder: where everything is put.
        size: voxels along each edge of the volume.
        overwrite: replace an earlier demonstration.
        picture: where to write the first comparison's picture, if anywhere.

    Returns:
        the exit code.
    """
    if size < _SMALLEST or size % 2:
        raise JobError(f"--size is {size}: give an even number of voxels, {_SMALLEST} or more.")
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder} is a file: choose another place with -o.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise JobError(
            f"{folder} is not empty: replace what is in it with --overwrite, or choose another place with -o."
        )
    if picture is not None:
        check_output(picture, overwrite=overwrite, suffix=".png")
    make_folder(folder)
    began, comparisons = time.monotonic(), []
    for technique in _TECHNIQUES:
        job = scaled_job(technique, size)
        file = simulate_file(job, folder / f"{technique}.h5", overwrite=True)
        runs = []
        for model, slab in (("multislice", None), ("projection", size)):
            note(f"{technique}, {model}")
            outcome = start_run(job_for(job, file, slab), folder / f"{technique}-{model}", overwrite=True)
            if outcome.result is None:
                return outcome.code
            runs.append(dataclasses.replace(outcome.result, name=model, link=f"{technique}-{model}/report.html"))
        comparisons.append(Comparison(name=technique.capitalize(), runs=tuple(runs), text=_TEXTS[technique]))
    _report(folder, comparisons, time.monotonic() - began)
    if picture is not None:
        write_comparison_picture(picture, comparisons[0].runs)
    return 0


def scaled_job(technique: str, size: int) -> Job:
    """One of the demonstration's jobs, all lengths but the voxel in proportion to the size."""
    text = resources.files("adorym.cli").joinpath("demo", f"{technique}.toml").read_text(encoding="utf-8")
    tables = parse_job(text).tables
    part = size / tables["phantom"]["size"]
    tables["phantom"]["size"] = size
    scan = tables["scan"]
    if technique == "holography":
        distances = [float(distance.removesuffix(" nm")) * part for distance in scan["distances"]]
        scan["distances"] = [f"{distance:g} nm" for distance in distances]
    else:
        scan["probe"]["pixels"] = 2 * round(scan["probe"]["pixels"] * part / 2)
        scan["probe"]["sigma"] *= part
        scan["raster"]["step"] *= part
        tables["experiment"]["object_size"] = size
    return Job(tables, Path().resolve(), f"demo/{technique}.toml")


def job_for(job: Job, file: Path, slab: int | None) -> Job:
    """The reconstruction of a simulated file, by slabs of another thickness where one is given."""
    made = ("phantom", "scan", "simulate")
    tables: dict[str, Any] = {name: one for name, one in job.tables.items() if name not in made}
    if slab is not None:
        tables["experiment"] = {**tables["experiment"], "slab_voxels": slab}
    return dataclasses.replace(job, tables={**tables, "data": {"file": str(file.resolve())}})


def _report(folder: Path, comparisons: list[Comparison], seconds: float) -> None:
    best: RunResult = comparisons[0].runs[0]
    content = ComparisonContent(
        title="A thick sample in 3D, by two microscopes",
        comparisons=tuple(comparisons),
        introduction=_INTRODUCTION,
        provenance=(
            *((name, str(value)) for name, value in environment().items()),
            ("voxels", " × ".join(map(str, best.settings.shape))),
            ("seconds, simulation included", f"{seconds:.0f}"),
        ),
    )
    write_comparison_report(folder, content)
