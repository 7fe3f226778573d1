"""The two-step pipeline that a reconstruction has to beat: an image of every view, then filtered back-projection.

    python -m benchmarks.two_step JOB [--set KEY=VALUE ...]

Takes a job as `adorym reconstruct` does. Step one finds phase and absorption of every view as if the sample were thin:
of holograms by linear phase retrieval (the job's `experiment.ratio` where one distance cannot tell the two apart), of a
scan by ptychography of an image with default steps and penalty and the known probe. Step two spreads them back into δ
and β, which are measured against the truth as `adorym reconstruct` measures its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from adorym._core import AdorymError
from adorym.cli._jax import prepared_jax
from adorym.cli._measures import agreement, centred
from adorym.cli._prepare import Prepared, prepare
from adorym.cli._results import forget_peak_memory, peak_memory, result_of
from adorym.cli._run import hardware
from adorym.config import load_job
from adorym.data import Dataset, FrameSource
from adorym.io import VolumeResult
from adorym.metrics import find_gauge


class OneView(FrameSource):
    """The frames of one view alone."""

    def __init__(self, frames: FrameSource, view: int) -> None:
        self._frames, self._view = frames, view
        self.shape = (1, *frames.shape[1:])

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        return self._frames.read(self._view, frames)


def of_view(dataset: Dataset, view: int) -> Dataset:
    """The measurement of a view, as of a thin sample."""
    kept = slice(view, view + 1)
    return dataclasses.replace(
        dataset,
        frames=OneView(dataset.frames, view),
        angles=0 * dataset.angles[kept],
        positions=dataset.positions[kept],
        weights=dataset.weights[kept],
    )


def field(prepared: Prepared) -> tuple[int, int]:
    """Pixels (y, x) that the scans of all views cover, even numbers so that the volume's centre is the images' own."""
    dataset, grid = prepared.task.dataset, prepared.task.model.grid.shape
    reach = np.abs(dataset.positions / dataset.pixel).max(axis=(0, 1))
    ny, nx = (2 * math.ceil(r + n / 2 + 2) for r, n in zip(reach, grid, strict=True))
    return ny, nx


def image(prepared: Prepared, view: int) -> tuple[np.ndarray, np.ndarray]:
    """Phase and log-amplitude of a view by ptychography, vacuum at the sides without a phase."""
    from adorym._core.trees import replace
    from adorym.experiment import ptychography
    from adorym.objects import PARAMETRIZATIONS, Image
    from adorym.problem import Problem
    from adorym.reconstruct import Stage, Task, reached, reconstruct
    from adorym.regularizers import TotalVariation
    from adorym.solvers import LBFGS

    dataset = of_view(prepared.task.dataset, view)
    problem = Problem(prepared.task.problem.likelihood, (), (TotalVariation("object"),))
    free = ("object",) if dataset.probe is not None else ("object", "probe")
    model = replace(
        ptychography(dataset), "object", Image(PARAMETRIZATIONS["log amplitude and phase"](field(prepared), 0.0))
    )
    model = reconstruct(Task(dataset, model, problem, (Stage(free, LBFGS()),)))
    found = model.object.parametrization
    phase, log_amplitude = (np.asarray(leaf, np.float64) for leaf in (found.phase, found.log_amplitude))
    lit = reached(model)
    columns = np.flatnonzero(lit.any(axis=0))
    sides = lit.copy()
    sides[:, columns[len(columns) // 8] : columns[-len(columns) // 8]] = False
    wave = np.exp(log_amplitude + 1j * phase)
    gauge = find_gauge(wave, np.ones_like(wave), mask=sides, shift=False)
    y, x = (np.arange(n) - (n - 1) / 2 for n in phase.shape)
    ramp = np.angle(gauge.factor) + gauge.ramp[0] * y[:, None] + gauge.ramp[1] * x[None, :]
    return np.where(lit, phase - ramp, 0), np.where(lit, log_amplitude, 0)


def scanned(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """δ and β `(z, x, y)` from the ptychography of every view."""
    from adorym.experiment._starts import back_projection

    dataset, sample = prepared.task.dataset, prepared.task.model.object
    depth, width, height = sample.parametrization.delta.shape

    def projections() -> Iterator[tuple[float, np.ndarray]]:
        views = np.flatnonzero((dataset.weights > 0).any(axis=1))
        for view in views:
            images = (centred(one, (height, width)) for one in image(prepared, int(view)))
            yield float(dataset.angles[view]), np.concatenate(list(images)) / -sample.scale
            sys.stderr.write(f"\rview {view + 1} of {len(dataset.angles)}")

    found = np.maximum(back_projection(projections(), (depth, width, 2 * height)), 0)
    return found[:, :, :height], found[:, :, height:]


def full_field(prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """δ and β `(z, x, y)` from the linear phase retrieval of every view."""
    from adorym.experiment import back_propagation

    dataset = prepared.task.dataset
    ratio = prepared.job.tables["experiment"]["ratio"] if len(np.unique(dataset.distances)) == 1 else None
    return back_propagation(dataset, prepared.task.model.object.parametrization.delta.shape, ratio=ratio)


def two_step(file: Path, sets: list[str]) -> dict[str, float]:
    """Seconds, peak memory in bytes, and where the truth is known how near the result is."""
    job = load_job(file, sets)
    with prepared_jax(*hardware(job)) as devices:
        prepared = prepare(job, devices)
        dataset = prepared.task.dataset
        forget_peak_memory()
        began = time.monotonic()
        found = scanned(prepared) if dataset.positions is not None else full_field(prepared)
        spent = {"seconds": time.monotonic() - began, "peak_memory": float(peak_memory())}
        delta, beta = (np.swapaxes(one, 1, 2) for one in found)
        blank = result_of(prepared.task.model, dataset)
        assert isinstance(blank, VolumeResult)
        result = dataclasses.replace(blank, delta=delta, beta=beta)
        return spent if prepared.truth is None else spent | agreement(result, prepared.truth).numbers()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", metavar="JOB", type=Path)
    parser.add_argument("--set", metavar="KEY=VALUE", dest="sets", action="append", default=[])
    arguments = parser.parse_args()
    try:
        found = two_step(arguments.job, arguments.sets)
    except AdorymError as error:
        raise SystemExit(f"two_step: {error}") from None
    print(json.dumps(found, indent=2))
