"""Measurements in miniature whose gradients are timed: holograms over many views, a scan of many frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.speed.clock import Run, alternate, quickest, ratio, rounded, timed
from benchmarks.speed.floor import Ffts
from benchmarks.speed.settings import Settings

from adorym._core import Batch
from adorym.experiment import (
    ChainSize,
    Experiment,
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
)
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.problem._kernels import _value_and_gradient
from adorym.problem._problem import _scratch
from adorym.sharding import replicate


def hologram(size: int, *, views: int, slab_voxels: int = 0, vacuum: bool = True) -> Experiment:
    """The demonstration's hologram at some size; the frame repeats itself unless vacuum is put around it."""
    plan = plan_holography((size, size), pixel=2e-9, energy=1e3, distances=(3e-7,), views=views)
    boundary = "vacuum" if vacuum else "periodic"
    return holography(plan, slab_voxels=slab_voxels, boundary=boundary, start="vacuum")


def scan(pixels: int, *, frames: int, modes: int = 1, probe: int = 64) -> Experiment:
    """A thin sample scanned along a square of so many positions."""
    edge = round(frames**0.5)
    field = (8 * (edge - 1), 8 * (frames // edge - 1))
    plan = plan_ptychography(
        field, pixel=2e-9, energy=1e3, probe=GaussianProbe(probe), raster=Raster(8.0, jitter=0.0), views=1
    )
    assert plan.frames.shape[1] == frames
    assert pixels == probe
    return ptychography(plan, modes=modes)


def batch_of(views: int, frames: int, shape: tuple[int, int]) -> Batch:
    """Frames of one photon a pixel."""
    return Batch(
        np.arange(views, dtype=np.int32),
        np.tile(np.arange(frames, dtype=np.int32), (views, 1)),
        np.ones((views, frames), np.float32),
        np.ones(shape, np.float32),
        np.ones((views, frames, *shape), np.float32),
    )


def gradient_of(experiment: Experiment, batch: Batch) -> tuple[Run, int]:
    """The gradient of a batch as a reconstruction computes it, and the bytes it takes beside its arguments."""
    problem, model = replicate((Problem(Poisson(), free=("object",)), experiment))
    arguments = (problem.likelihood, problem.split(model), batch)
    kernel = _value_and_gradient.lower(*arguments).compile()
    return timed(lambda: kernel(*arguments)), _scratch(kernel)


def tomography(size: int, libraries: Ffts, settings: Settings) -> dict[str, Any]:
    """One view's gradient: through as many slabs as voxels against its FFTs, and with the slabs of a default job."""
    views = 8
    batch = batch_of(views, 1, (size, size))
    chosen = hologram(size, views=views)
    scenes = {
        "every voxel a slab": hologram(size, views=views, slab_voxels=1, vacuum=False),
        "chosen slabs, vacuum around the frame": chosen,
        "chosen slabs": hologram(size, views=views, vacuum=False),
    }
    together, alone = (libraries.runs((count, size, size), 4 * size) for count in (views, 1))
    alone = {f"{name}, a view at a time": lambda run=run: views * run() for name, run in alone.items()}
    runs = {name: gradient_of(one, batch)[0] for name, one in scenes.items()}
    times = alternate({**together, **alone, **runs}, 2 * settings.rounds, patience=settings.patience)
    floor, batched = quickest(times, list(alone)), quickest(times, list(together))
    return {
        "size": size,
        "views": views,
        **ratio(times, "every voxel a slab", floor),
        "floor by": floor,
        "together": ratio(times, "every voxel a slab", batched)["ratio"],
        "ms a view": {name: rounded(1e3 * min(seconds) / views) for name, seconds in times.items()},
        "slab_voxels": chosen.object.slab_voxels,
        "grid": list(chosen.grid.shape),
        "between": list(ChainSize.of(chosen).pixels),
    }
