"""What a run of a job will take, in numbers, and what would make it cheaper."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from adorym.cli._advice import advice
from adorym.cli._console import note
from adorym.cli._evaluate import Evaluator
from adorym.cli._jax import choose_transforms, prepared_jax
from adorym.cli._measure import planned
from adorym.cli._measures import agreement, error_of, phase_of
from adorym.cli._memory import PROGRAM, device_memory, free_memory, held_memory
from adorym.cli._prepare import Prepared, prepare
from adorym.cli._results import forget_peak_memory, peak_memory, result_of
from adorym.cli._run import hardware
from adorym.config import Job
from adorym.data import Dataset, FrameSource
from adorym.io import ImageResult

if TYPE_CHECKING:
    from adorym.reconstruct import Forecast, LegForecast, Task

_REST = 64 << 20
"""What the looks at a run and its results add to what was tried."""

_AS_ON_THE_WAY = 0.8
"""Part of the true phase that stands for an estimate: on the way of a star aligning one takes as long as of this."""


class NoiseFrames(FrameSource):
    """Frames of a measurement that is not simulated: what they show does not matter to how long it takes.

    Args:
        shape: `(view, frame, y, x)`.
        level: mean photons of a pixel.
    """

    def __init__(self, shape: tuple[int, int, int, int], level: float) -> None:
        self.shape, self._level = shape, level

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        noise = np.random.default_rng(view).uniform(0.5, 1.5, (len(frames), *self.shape[2:]))
        return (self._level * noise).astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What a run takes.

    Attributes:
        prepared: the job.
        forecast: of its reconstruction.
        host: bytes of the host at the peak.
        free: bytes that the host could give, and the device; infinite where unknown.
        looks: seconds that the looks at the fit take, with the usual number of steps and with the most.
        simulated: whether the frames are yet to be simulated.
    """

    prepared: Prepared
    forecast: Forecast
    host: int
    free: tuple[float, float]
    looks: tuple[float, float]
    simulated: bool

    @property
    def sentences(self) -> list[str]:
        """What is worth knowing, and what to do."""
        facts = self.numbers()
        found = [f"{one['why']} Set {one['key']} = {one['value']}." for one in facts["advice"]]
        if facts["transforms"].startswith("XLA:"):
            found.append(f"Fourier transforms by MKL or FFTW take less time, down to a third. {facts['transforms']}")
        if self.simulated:
            found.append(
                "The frames were not simulated: photons do not matter to time and memory, and the simulation itself "
                "comes on top."
            )
        return found

    def numbers(self) -> dict[str, Any]:
        """All of it, in bytes, seconds and metres, ready for JSON."""
        import jax

        from adorym.experiment import ChainSize, check_sampling

        task = self.prepared.task
        dataset, legs = task.dataset, self.forecast.legs
        facts: dict[str, Any] = {
            "source": dataset.source,
            "technique": dataset.technique,
            "frames": list(dataset.frames.shape),
            "simulated": self.simulated,
            "unknowns": _unknowns(task),
            "devices": jax.local_device_count(),
            "transforms": choose_transforms() if jax.default_backend() == "cpu" else "XLA",
            "memory": self._memory(),
            "time": self._time(),
            "disk": disk_bytes(task, legs),
            "sample": sample_of(task),
            "sampling": check_sampling(dataset),
            "grid": list(task.model.grid.shape),
            "grid_between_slabs": list(ChainSize.of(task.model).pixels),
            "legs": [_leg(one) for one in legs],
        }
        return {**facts, "advice": advice(self.prepared, facts)}

    def _memory(self) -> dict[str, Any]:
        apart = not self.forecast.copies
        return {
            "host": self.host,
            "free": _finite(self.free[0]),
            "device": self.forecast.on_device if apart else None,
            "device_free": _finite(self.free[1]) if apart else None,
            **self.prepared.memory,
            "budget": _finite(self.prepared.allotment.budget.total),
            "fits": self.prepared.allotment.fits,
            "cached": self.prepared.allotment.cached,
        }

    def _time(self) -> dict[str, Any]:
        seconds, legs = self.forecast.seconds(), self.forecast.legs
        usual, most = (None, None) if seconds is None else (a + b for a, b in zip(seconds, self.looks, strict=True))
        return {
            "usual": usual,
            "most": most,
            "usual_steps": sum(one.usual for one in legs),
            "most_steps": sum(one.leg.steps for one in legs),
            "open": any(one.usual < one.leg.steps for one in legs),
            "looks": self.looks[0],
        }


def foresee(job: Job) -> Plan:
    """Reads the data, builds the task as a run would, and tries it.

    Args:
        job: as it was written.
    """
    with prepared_jax(*hardware(job)) as devices:
        note("reading the data")
        prepared = prepare(job, devices, measure=planned)
        simulated = "phantom" in job.tables
        if simulated:
            prepared = dataclasses.replace(prepared, task=_with_frames(prepared.task))
        return plan_of(prepared, simulated=simulated)


def plan_of(prepared: Prepared, *, simulated: bool) -> Plan:
    """What a prepared job takes; JAX is set up."""
    from adorym.reconstruct import forecast

    task = prepared.task
    forget_peak_memory()
    held, free = held_memory(), (free_memory(), device_memory())
    found = forecast(task, room=prepared.allotment.budget.room if prepared.allotment.fits else 0.0, tell=note)
    evaluator = Evaluator(task, prepared.output.evaluations, None)
    looks = _looks(prepared, evaluator, found)
    tried = peak_memory() if found.complete else held + found.on_host + PROGRAM - _REST
    cached = max(one.cached for one in found.legs)
    state = max(one.state for one in found.legs) * found.copies
    ends = max(tried + cached, tried - state + 2 * cached)  # the last look reads all frames once more
    host = ends + evaluator.kept_bytes + _REST
    if simulated:
        host += 4 * math.prod(task.dataset.frames.shape)
    return Plan(prepared, found, int(host), free, looks, simulated)


def _looks(prepared: Prepared, evaluator: Evaluator, found: Forecast) -> tuple[float, float]:
    """Seconds of all looks at the fit, and at the error where the truth is known."""
    rates = [one.rates for one in found.legs if one.leg.factor == 1 and one.rates is not None]
    fit, (error, end) = (rates[0].fit if rates else 0.0), _comparing(prepared)
    steps = sum(one.usual for one in found.legs), sum(one.leg.steps for one in found.legs)
    usual, most = (evaluator.batches(count) * fit + evaluator.looks(count) * error + end for count in steps)
    return usual, most


def _comparing(prepared: Prepared) -> tuple[float, float]:
    """Seconds of a comparison with the truth on the way, and of the one at the end."""
    if prepared.truth is None:
        return 0.0, 0.0
    result = result_of(prepared.task.model, prepared.task.dataset)
    if isinstance(result, ImageResult):  # what is far from the truth takes longer to align, and nothing no time
        result = dataclasses.replace(result, phase=_AS_ON_THE_WAY * phase_of(prepared.truth, result))
    error_of(result, prepared.truth)  # the first time libraries are loaded
    begun = time.perf_counter()
    error_of(result, prepared.truth)
    between = time.perf_counter()
    agreement(result, prepared.truth)
    return between - begun, time.perf_counter() - between


def _with_frames(task: Task) -> Task:
    """The task with something in its frames."""
    dataset = task.dataset
    return dataclasses.replace(task, dataset=dataclasses.replace(dataset, frames=_noise(dataset)))


def _noise(dataset: Dataset) -> NoiseFrames:
    shape, photons = dataset.frames.shape, dataset.photons or 1.0
    per_frame = dataset.positions is not None or dataset.regime == "far field"
    return NoiseFrames(shape, photons / (shape[2] * shape[3]) if per_frame else photons)


def _finite(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None


def _unknowns(task: Task) -> int:
    """How many numbers are free in any stage."""
    import jax

    free = tuple(dict.fromkeys(path for stage in task.stages for path in stage.free))
    params, _ = dataclasses.replace(task.problem, free=free).split(task.model)
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def sample_of(task: Task) -> dict[str, Any] | None:
    """Voxels, slabs, thickness and depth of focus of a volume; lengths are `None` in pixel units."""
    import jax

    from adorym.objects import Volume
    from adorym.physics import depth_of_focus

    volume, dataset = task.model.object, task.dataset
    if not isinstance(volume, Volume):
        return None
    depth, width, height = jax.tree.leaves(volume.parametrization)[0].shape
    facts: dict[str, Any] = {
        "voxels": [depth, height, width],
        "slabs": -(-depth // volume.slab_voxels),
        "slab_voxels": volume.slab_voxels,
        "slab": None,
        "thickness": None,
        "depth_of_focus": None,
        "multislice_needed": None,
    }
    if dataset.pixel_units:
        return facts
    focus, thickness = depth_of_focus(2 * dataset.pixel, dataset.wavelength), depth * dataset.pixel
    return facts | {
        "slab": volume.slab_voxels * dataset.pixel,
        "thickness": thickness,
        "depth_of_focus": focus,
        "multislice_needed": thickness > focus and dataset.regime != "in focus",
    }


def disk_bytes(task: Task, legs: tuple[LegForecast, ...]) -> int:
    """Checkpoints, two and one that is being written, the result in its pyramid, and the report; before compression."""
    checkpoint = max(one.state + one.model for one in legs)
    base = max(one.model for one in legs)
    if any(one.leg.factor > 1 for one in legs):
        checkpoint += base
    return 3 * checkpoint + 2 * base + (2 << 20)


def _leg(one: LegForecast) -> dict[str, Any]:
    return {
        "stage": one.leg.stage,
        "binning": one.leg.factor,
        "views_per_batch": one.shape[0],
        "frames_per_batch": one.shape[1],
        "batches_per_pass": one.batches,
        "usual_steps": one.usual,
        "most_steps": one.leg.steps,
        "seconds_per_pass": one.seconds_per_pass,
        "seconds_per_step": one.seconds_per_step(),
        "parts": [
            {"every": every, "usual_steps": steps, "seconds_per_step": one.seconds_per_step(every)}
            for every, steps in one.usual_parts.items()
        ],
        "state_bytes": one.state,
        "model_bytes": one.model,
        "kernel_bytes": one.kernels,
        "cached_bytes": one.cached,
    }
