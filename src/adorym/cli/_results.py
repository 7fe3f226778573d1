"""From a model to the arrays that people open: δ and β, phase and amplitude, the probe, predicted frames."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adorym._core.choice import spread
from adorym.cli._measures import Result
from adorym.cli._memory import held_memory
from adorym.data import Dataset
from adorym.io import ImageResult, RunFolder, VolumeResult, write_arrays, write_image, write_volume

if TYPE_CHECKING:
    from adorym.experiment import Experiment


@dataclasses.dataclass(frozen=True, eq=False)
class Predicted:
    """A few measured frames and what the model predicts for them.

    Attributes:
        views, frames: which they are.
        measured, predicted: photons `(n, y, x)`.
    """

    views: np.ndarray
    frames: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray


def result_of(model: Experiment, dataset: Dataset) -> Result:
    """The object of a model, with the region that the measurement reached."""
    import jax.numpy as jnp

    from adorym._core import View
    from adorym.objects import Volume
    from adorym.reconstruct import reached

    mask = reached(model)
    sample = model.object
    if isinstance(sample, Volume):
        delta, beta = sample.delta_beta()
        return VolumeResult(delta=delta, beta=beta, voxel=dataset.pixel, energy=dataset.energy, reached=mask)
    slabs = sample.slabs(View(jnp.zeros(()), jnp.zeros(())))
    phase, amplitude = np.asarray(slabs.phase.sum(0)), np.exp(np.asarray(slabs.log_amplitude.sum(0)))
    return ImageResult(phase=phase, amplitude=amplitude, pixel=dataset.pixel, energy=dataset.energy, reached=mask)


def probe_of(model: Experiment) -> np.ndarray | None:
    """The modes of the probe `(mode, y, x)`, where it has any."""
    from adorym.probes import Modes

    return np.asarray(model.probe.field) if isinstance(model.probe, Modes) else None


def predicted_frames(model: Experiment, dataset: Dataset, count: int) -> Predicted:
    """Frames spread over the views, or over the frames where there is one view, with their predictions."""
    import equinox as eqx
    import jax.numpy as jnp

    from adorym.sharding import replicate

    usable = np.argwhere(dataset.weights > 0)
    views = np.unique(usable[:, 0])
    if len(views) > 1:
        views = spread(views, count)
        each = [np.flatnonzero(dataset.weights[view] > 0) for view in views]
        frames = np.array([chosen[len(chosen) // 2] for chosen in each])
    else:
        chosen = spread(usable, count)
        views, frames = chosen[:, 0], chosen[:, 1]
    measured = np.stack([dataset.read(int(v), np.array([f]))[0] for v, f in zip(views, frames, strict=True)])
    predict = eqx.filter_jit(lambda model, views, frames: model.predict(views, frames))
    predicted = predict(replicate(model), jnp.asarray(views, jnp.int32), jnp.asarray(frames, jnp.int32)[:, None])
    return Predicted(views, frames, measured, np.asarray(predicted)[:, 0])


def write_result(run: RunFolder, result: Result) -> None:
    """Write `volume.zarr` or `image.zarr`."""
    if isinstance(result, VolumeResult):
        write_volume(run.volume, result)
    else:
        write_image(run.image, result)


def write_slices(run: RunFolder, model: Experiment, dataset: Dataset) -> None:
    """Write `slices.h5` where the object is slices, each by itself; the image is what they do to the beam together."""
    from adorym.objects import Slices

    sample = model.object
    if isinstance(sample, Slices):
        log_amplitude, phase = sample.parametrization.exponent(lambda pixels: pixels, 1.0)
        arrays = {"phase": np.asarray(phase), "amplitude": np.exp(np.asarray(log_amplitude))}
        facts = {"spacing": sample.spacing, "pixel": dataset.pixel, "units": "pixel" if dataset.pixel_units else "m"}
        write_arrays(run.slices, arrays, attributes=facts)


def write_probe(run: RunFolder, probe: np.ndarray, dataset: Dataset) -> None:
    """Write `probe.h5`."""
    facts: dict[str, str | float | int] = {"pixel": dataset.pixel, "units": "pixel" if dataset.pixel_units else "m"}
    if dataset.energy is not None:
        facts["energy"] = dataset.energy
    write_arrays(run.probe, {"probe": probe}, attributes=facts)


def write_predicted(run: RunFolder, shown: Predicted, mask: np.ndarray) -> None:
    """Write `predicted.h5`."""
    arrays = {name: getattr(shown, name) for name in ("views", "frames", "measured", "predicted")}
    write_arrays(run.predicted, {**arrays, "mask": mask})


def forget_peak_memory() -> None:
    """Begin to count anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> int:
    """The most memory this process has held, bytes."""
    held = held_memory(most=True)  # `getrusage` counts the process that started this one, too
    if held:
        return held
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def environment() -> dict[str, Any]:
    """Versions and the machine's part in a result."""
    import platform
    from importlib.metadata import version

    import jax

    import adorym
    from adorym.cli._jax import choose_transforms

    devices = jax.local_devices()
    transforms = {"Fourier transforms": choose_transforms()} if devices[0].platform == "cpu" else {}
    return {
        "adorym": adorym.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("jax", "numpy", "equinox", "optax")},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        **transforms,
    }
