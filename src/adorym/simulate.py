"""Measurements of a known sample, computed on a grid finer than the one they will be reconstructed on.

A reconstruction tested on data that its own model made on its own grid proves little (the "inverse crime"). Here the
sample, the wave and the slabs are `refine` times finer than the detector's sampling, and the counts are those of real
pixels, summed over the finer ones; noise is Poisson's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from adorym._core import DataError
from adorym.data import ArrayFrames, Dataset
from adorym.detectors import Detector
from adorym.experiment import EXPERIMENTS, Experiment, PlannedFrames
from adorym.objects import Image, LogAmplitudePhase, Volume
from adorym.sharding import nbytes
from adorym.transport import FarField

_COPIES = 2 << 30
"""Bytes that copies of a sample, one for each further device, may take."""


def simulate(
    plan: Dataset,
    delta: np.ndarray,
    beta: np.ndarray,
    *,
    refine: int = 1,
    slab_voxels: int = 1,
    noise: bool = True,
    seed: int = 0,
    advance: Callable[[int], None] = lambda view: None,
) -> Dataset:
    """The frames of a plan, as they would be measured of a sample.

    Args:
        plan: geometry, illumination and photons, without frames.
        delta: δ on voxels of `plan.pixel / refine`, `(z, y, x)`; a thin sample has one voxel along z.
        beta: β, the same shape.
        refine: how many times finer the sample and the wave are than the plan's pixel.
        slab_voxels: fine voxels along the beam in one slab.
        noise: whether photons are counted, or their expected number is given.
        seed: of the noise.
        advance: told after each view, for a progress display.

    Returns:
        The plan with frames in memory.

    Raises:
        DataError: the sample's shape does not fit the plan.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=100.0)
        >>> vacuum = np.zeros((16, 16, 16))
        >>> frames = simulate(plan, vacuum, vacuum, refine=2, noise=False).frames.read(0, np.array([0]))
        >>> bool(np.allclose(frames, 100.0, rtol=1e-4))
        True
    """
    experiment = fine_experiment(plan, delta, beta, refine=refine, slab_voxels=slab_voxels)
    generator = np.random.default_rng(seed)
    frames = []
    for view, expected in enumerate(_expected(experiment, plan)):
        frames.append(generator.poisson(expected).astype(np.float32) if noise else expected.astype(np.float32))
        advance(view)
    notes = {**plan.notes, "simulated": f"grid {refine} times finer, slabs of {slab_voxels} voxels, seed {seed}"}
    return dataclasses.replace(plan, frames=ArrayFrames(np.stack(frames)), source="simulation", notes=notes)


def fine_experiment(plan: Dataset, delta: np.ndarray, beta: np.ndarray, *, refine: int, slab_voxels: int) -> Experiment:
    """The experiment that a plan describes, on a finer grid, with a known sample in it.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2)
        >>> vacuum = np.zeros((16, 16, 16))
        >>> fine_experiment(plan, vacuum, vacuum, refine=2, slab_voxels=4).grid.pixel
        1e-09
    """
    fine = _finer(plan, refine)
    settings = {} if plan.technique in ("tomography", "cdi") else {"slab_voxels": slab_voxels}
    if plan.technique == "ptychography" and delta.shape[0] > 1:
        settings["object_size"] = delta.shape[2]
    experiment = EXPERIMENTS[plan.technique](fine, **settings)
    recorded = plan.frames.shape[2:]
    far = plan.regime == "far field"
    experiment = eqx.tree_at(lambda e: e.object, experiment, _sample(experiment, delta, beta))
    if far:
        return eqx.tree_at(lambda e: e.transport, experiment, FarField(recorded))
    return eqx.tree_at(lambda e: e.detector, experiment, Detector.ideal(binning=refine))


def _finer(plan: Dataset, refine: int) -> Dataset:
    views, frames, ny, nx = plan.frames.shape
    far = plan.regime == "far field"
    probe = plan.probe if plan.probe is None or refine == 1 else _finer_probe(plan.probe, refine)
    # full-field photons count per pixel, and a fine pixel catches fewer
    photons = plan.photons if far or plan.photons is None else plan.photons / refine**2
    shape = (views, frames, ny * refine, nx * refine)
    return dataclasses.replace(
        plan, frames=PlannedFrames(shape), pixel=plan.pixel / refine, probe=probe, photons=photons
    )


def _finer_probe(probe: np.ndarray, refine: int) -> np.ndarray:
    """The same band-limited field on a finer grid over the same width, about the same centre."""
    ny, nx = probe.shape[1:]
    spectrum = np.fft.fftshift(np.fft.fft2(probe, norm="ortho"), axes=(1, 2))
    pads = [(0, 0)]
    for n in (ny, nx):
        extra = n * refine - n
        before = (n * refine) // 2 - n // 2
        pads.append((before, extra - before))
    padded = np.pad(spectrum, pads)
    # the first fine pixel's middle lies (refine - 1) / 2 fine pixels before the first coarse one's
    ramps = [np.exp(-2j * np.pi * np.fft.fftshift(np.fft.fftfreq(n * refine)) * (refine - 1) / 2) for n in (ny, nx)]
    return np.fft.ifft2(np.fft.ifftshift(padded * ramps[0][:, None] * ramps[1], axes=(1, 2)), norm="ortho")


def _sample(experiment: Experiment, delta: np.ndarray, beta: np.ndarray) -> Volume | Image:
    sample = experiment.object
    if isinstance(sample, Volume):
        _, width, height = jax.tree.leaves(sample.parametrization)[0].shape
        if delta.shape[1] != height or delta.shape[0] != delta.shape[2] or delta.shape[2] > width:
            raise DataError(
                f"The sample has {delta.shape} voxels (z, y, x), and the refined plan a field of {height} x {width}: "
                "give the phantom the plan's size times the refinement."
            )
        pad = [
            ((width - n) // 2, width - n - (width - n) // 2) if axis != 1 else (0, 0)
            for axis, n in enumerate(delta.shape)
        ]
        return sample.filled(np.pad(delta, pad), np.pad(beta, pad))
    scale = 2 * np.pi / experiment.grid.wavelength * experiment.grid.pixel
    shape = jax.tree.leaves(sample.parametrization)[0].shape
    leaves = []
    for projected in (-scale * beta.sum(0), -scale * delta.sum(0)):
        pads = [((n - m) // 2, n - m - (n - m) // 2) for n, m in zip(shape, projected.shape, strict=True)]
        if min(min(pad) for pad in pads) < 0:
            raise DataError(
                f"The sample has {projected.shape} pixels and the scan covers {shape}: make the sample smaller or the "
                "scan's field larger."
            )
        leaves.append(jnp.asarray(np.pad(projected, pads), jnp.zeros(()).dtype))
    return Image(LogAmplitudePhase(*leaves))


@eqx.filter_jit
def _predict(experiment: Experiment, views: PyTree, frames: PyTree, *, mesh: Mesh) -> PyTree:
    """Expected counts `(device, frame, y, x)` of some frames of a view for each device."""

    def one(experiment: Experiment, views: PyTree, frames: PyTree) -> PyTree:
        return experiment.predict_view(views[0], frames[0])[None]

    each = PartitionSpec("device")
    specs = {"in_specs": (PartitionSpec(), each, each), "out_specs": each}
    return jax.shard_map(one, mesh=mesh, **specs, check_vma=False)(experiment, views, frames)


def _sharing(sample: PyTree, parts: int) -> Mesh:
    """The devices that share the work, each with a copy of the sample, which may take only so much more memory."""
    return Mesh(jax.local_devices()[: min(parts, 1 + _COPIES // nbytes(sample))], ("device",))


def _expected(experiment: Experiment, plan: Dataset, at_once: int = 32) -> Iterator[np.ndarray]:
    """Expected counts view by view; each device does a few frames of one at a time."""
    views, frames = plan.frames.shape[:2]
    some = min(at_once, frames)
    parts = np.array([(view, start) for view in range(views) for start in range(0, frames, some)])
    mesh = _sharing(experiment.object, len(parts))
    experiment = jax.device_put(experiment, NamedSharding(mesh, PartitionSpec()))

    def found(first: int) -> jax.Array:
        chosen = parts[np.minimum(np.arange(first, first + mesh.size), len(parts) - 1)]
        each = np.minimum(chosen[:, 1:] + np.arange(some), frames - 1)
        return _predict(experiment, chosen[:, 0], each, mesh=mesh)

    done: list[np.ndarray] = []
    ahead = found(0)
    for first in range(0, len(parts), mesh.size):
        here = ahead
        if first + mesh.size < len(parts):  # while these go to the host, the next are at work
            ahead = found(first + mesh.size)
        for (_, start), counts in zip(parts[first : first + mesh.size], np.asarray(here), strict=False):
            done.append(counts[: frames - start])
            if start + some >= frames:
                yield np.concatenate(done)
                done = []
