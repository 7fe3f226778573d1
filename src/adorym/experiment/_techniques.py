"""The techniques: short functions that choose the five parts for a data set."""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from adorym._core import JobError, Length
from adorym._core.fourier import smooth_size
from adorym._core.trees import replace
from adorym.data import Dataset, held_out_frames
from adorym.detectors import Detector
from adorym.experiment._demands import check_at_least, check_distances, check_kind, check_sampling
from adorym.experiment._experiment import Experiment
from adorym.experiment._grids import extended, near_field_grid
from adorym.experiment._phase_retrieval import back_propagation
from adorym.experiment._plan import PlannedFrames
from adorym.experiment._slabs import unnoticed_slab
from adorym.experiment._starts import filtered_back_projection
from adorym.geometry import Geometry
from adorym.objects import PARAMETRIZATIONS, AbstractParametrization, FixedRatio, Image, Slices, Volume
from adorym.probes import AbstractProbe, Modes, PlaneWave, add_modes, from_far_field, from_near_field
from adorym.propagation import spread
from adorym.transport import AbstractTransport, FarField, InFocus, NearField
from adorym.waves import Grid

Parametrization = Literal["delta beta", "fixed ratio", "log amplitude and phase"]
Boundary = Literal["vacuum", "periodic"]


def _volume(
    dataset: Dataset, lateral: tuple[int, int], slab_voxels: int, *, material: AbstractParametrization
) -> Volume:
    """A volume whose views cover `lateral` pixels (y, x), as deep as it is wide."""
    width = lateral[1]
    slab = slab_voxels or unnoticed_slab(dataset, width)
    return Volume(material, dataset.pixel, dataset.wavelength, min(slab, width), width)


def _first_frames_mean(dataset: Dataset, most: int = 400) -> np.ndarray:
    """Mean frame over an even selection of views and frames."""
    views, frames = dataset.frames.shape[:2]
    chosen = np.unique(np.linspace(0, views - 1, min(views, 20)).astype(int))
    each = np.unique(np.linspace(0, frames - 1, min(frames, max(1, most // len(chosen)))).astype(int))
    return np.mean([dataset.read(int(v), each).mean(0, dtype=np.float64) for v in chosen], axis=0)


def holography(
    dataset: Dataset,
    *,
    slab_voxels: int = 0,
    parametrization: Parametrization = "delta beta",
    ratio: float = 0.1,
    boundary: Boundary = "vacuum",
    start: Literal["auto", "vacuum", "back-propagation"] = "auto",
) -> Experiment:
    """Full-field frames behind a thick sample, at one or several distances, over many angles.

    Args:
        dataset: near-field frames, one for each distance at every view.
        slab_voxels: voxels along the beam in one slab; 0 chooses what the data cannot notice; as many as the volume
            is deep gives the projection approximation.
        parametrization: what is optimised.
        ratio: β/δ where it is fixed.
        boundary: whether the beam goes on beyond the frame through vacuum, or the frame repeats itself.
        start: what to refine from: nothing, or the phase found in every view by itself, back-projected; "auto" takes
            that where no ray's phase turns by more than a radian, and leaves what a job does not refine as vacuum.
            Frames of weight 0 and those of `held_out_frames` have no part in it.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3)
        >>> holography(plan).grid.shape
        (30, 30)
    """
    check_kind(dataset, "holography")
    shape = dataset.frames.shape[2:]
    check_distances(dataset)
    check_sampling(dataset)
    check_at_least(0, {"slab_voxels": slab_voxels, "ratio": ratio})
    grid = near_field_grid(dataset) if boundary == "vacuum" else shape
    probe: AbstractProbe = PlaneWave.of(dataset.photons or 1.0)
    if dataset.probe is not None:
        probe = Modes.of(extended(dataset.probe, grid))
    transport = NearField.over(tuple(float(d) for d in dataset.distances), shape)
    material = PARAMETRIZATIONS[parametrization]((shape[1], shape[1], shape[0]), ratio)
    volume = _volume(dataset, shape, slab_voxels, material=material)
    if start != "vacuum":
        volume = _back_propagated(volume, dataset, grid, most=math.inf if start == "back-propagation" else 1.0)
    return Experiment(
        volume,
        probe,
        Geometry.full_field(dataset.angles, dataset.axis_offset),
        transport,
        Detector.ideal(),
        Grid(grid, dataset.pixel, dataset.wavelength),
    )


def _back_propagated(volume: Volume, dataset: Dataset, grid: tuple[int, int], *, most: float) -> Volume:
    """The volume with what phase retrieval finds in it, unless it turns the phase of a ray by more than `most`."""
    if isinstance(dataset.frames, PlannedFrames):
        return volume
    material = volume.parametrization
    ratio = float(material.ratio) if isinstance(material, FixedRatio) else None
    seen = dataset.without(held_out_frames(dataset))  # those that judge what follows, unless a job chooses others
    delta, beta = back_propagation(seen, jax.tree.leaves(material)[0].shape, ratio=ratio, grid=grid)
    if volume.scale * np.max(np.sum(delta, axis=0)) > most:
        return volume
    leaves = {"delta": delta, "beta": beta, "phase": -volume.scale * delta, "log_amplitude": -volume.scale * beta}
    for leaf, values in leaves.items():
        if hasattr(material, leaf):
            volume = replace(volume, leaf, jnp.asarray(values, jnp.zeros(()).dtype))
    return volume


def tomography(
    dataset: Dataset,
    *,
    parametrization: Parametrization = "fixed ratio",
    ratio: float = 1.0,
    overhang: int = 0,
    start: Literal["filtered back-projection", "vacuum"] = "filtered back-projection",
) -> Experiment:
    """Projections in focus; the flat field is the illumination, the dark field a background.

    Frames in focus hold no phase, so by default β = δ (ratio 1) is one unknown per voxel, read as β.

    Args:
        dataset: frames in focus.
        parametrization: what is optimised.
        ratio: β/δ where it is fixed.
        overhang: voxels by which the volume is wider than the field on each side, for samples that leave it.
        start: what to refine from; frames of weight 0 and those of `held_out_frames` have no part in it.

    Example:
        >>> from adorym.experiment import plan_tomography
        >>> tomography(plan_tomography((8, 9), pixel=1e-6, energy=2e4, views=4)).object.parametrization.delta.shape
        (9, 9, 8)
    """
    check_kind(dataset, "tomography")
    check_at_least(0, {"overhang": overhang, "ratio": ratio})
    if parametrization == "fixed ratio" and ratio == 0:
        raise JobError("experiment.ratio is 0: frames in focus show what absorbs, so give β/δ above zero.")
    shape = dataset.frames.shape[2:]
    width = shape[1] + 2 * math.ceil(abs(dataset.axis_offset)) + 2 * overhang
    material = PARAMETRIZATIONS[parametrization]((width, width, shape[0]), ratio)
    volume = Volume(material, dataset.pixel, dataset.wavelength, width, shape[1])
    if start != "vacuum" and not isinstance(dataset.frames, PlannedFrames):
        seen = dataset.without(held_out_frames(dataset))
        attenuation = filtered_back_projection(seen, (width, width, shape[0]))
        absorbing = {  # the leaf that absorbs, and the attenuation of the intensity in a voxel per unit of it
            "fixed ratio": ("delta", 2 * volume.scale * ratio),
            "delta beta": ("beta", 2 * volume.scale),
            "log amplitude and phase": ("log_amplitude", -2.0),
        }
        leaf, per_unit = absorbing[parametrization]
        volume = replace(volume, leaf, jnp.asarray(attenuation / per_unit, jnp.zeros(()).dtype))
    dark = 0.0 if dataset.dark is None else dataset.dark
    probe: AbstractProbe = PlaneWave.of(dataset.photons or 1.0)
    if dataset.flat is not None:
        probe = Modes.of(np.sqrt(np.maximum(dataset.flat - dark, 0)).astype(complex)[None])
    detector = Detector(jnp.ones(()), jnp.asarray(dark, jnp.zeros(()).dtype))
    geometry = Geometry.full_field(dataset.angles, dataset.axis_offset)
    grid = Grid(shape, dataset.pixel, dataset.wavelength)
    return Experiment(volume, probe, geometry, InFocus(shape), detector, grid)


def ptychography(
    dataset: Dataset,
    *,
    modes: int = 1,
    slab_voxels: int = 0,
    parametrization: Parametrization | None = None,
    ratio: float = 0.1,
    object_size: int = 0,
    slices: int = 1,
    spacing: Length = 0.0,
) -> Experiment:
    """A scanned probe, in the far field or the near field, of a thin image or (over angles) of a thick volume.

    Args:
        dataset: frames with positions; more than one view makes the object a volume.
        modes: number of incoherent modes of the probe.
        slab_voxels: voxels along the beam in one slab of a volume; 0 chooses what the data cannot notice.
        parametrization: what is optimised; by default log-amplitude and phase of an image, δ and β of a volume.
        ratio: β/δ where it is fixed.
        object_size: edge of the volume in voxels; 0 takes what the positions of the probe's centre span, plus half a
            probe on each side.
        slices: number of thin layers along the beam of an object that is seen from one angle (multislice ptychography).
        spacing: from one slice to the next; the probe is that in the middle of the stack.

    Example:
        >>> from adorym.experiment import GaussianProbe, Raster, plan_ptychography
        >>> plan = plan_ptychography((32, 32), pixel=2e-9, energy=1e3, probe=GaussianProbe(16), raster=Raster(8.0))
        >>> ptychography(plan).object.parametrization.phase.shape
        (56, 56)
    """
    check_kind(dataset, "ptychography")
    check_sampling(dataset)
    check_at_least(1, {"modes": modes, "slices": slices})
    check_at_least(0, {"slab_voxels": slab_voxels, "object_size": object_size, "ratio": ratio, "spacing": spacing})
    assert dataset.positions is not None
    frame = dataset.frames.shape[2:]
    grid, transport = _scanned_transport(dataset, frame)
    field = _probe_field(dataset, grid)
    pixels = dataset.positions / dataset.pixel
    reach = np.max(np.abs(pixels.reshape(-1, 2)), axis=0)
    if _thick(dataset, slices):
        size = object_size or smooth_size(math.ceil(2 * float(reach.max()) + min(frame) / 2))
        material = PARAMETRIZATIONS[parametrization or "delta beta"]((size, size, size), ratio)
        sample, lateral = _volume(dataset, (size, size), slab_voxels, material=material), (size, size)
    else:
        # beside an even number of pixels, so that a probe in the middle lies on whole ones
        lateral = (2 * math.ceil(reach[0]) + grid[0] + 4, 2 * math.ceil(reach[1]) + grid[1] + 4)
        layers = PARAMETRIZATIONS[parametrization or "log amplitude and phase"]
        sample = Slices(layers((slices, *lateral), ratio), spacing) if slices > 1 else Image(layers(lateral, ratio))
    overhang = max(2 * r + g - n for r, g, n in zip(reach, grid, lateral, strict=True))
    return Experiment(
        sample,
        Modes.of(add_modes(field, modes)),
        Geometry.scan(dataset.angles, pixels),
        transport,
        Detector.ideal(),
        Grid(grid, dataset.pixel, dataset.wavelength),
        max(0, math.ceil(overhang / 2) + 2),
    )


def _thick(dataset: Dataset, slices: int) -> bool:
    """Whether the object is seen from several angles, and so is a volume; `JobError` where it is to be slices."""
    several = len(np.unique(dataset.angles)) > 1
    if several and slices > 1:
        raise JobError("experiment.slices is for one angle; seen from several an object is a volume: leave it out.")
    return several


def _scanned_transport(dataset: Dataset, frame: tuple[int, int]) -> tuple[tuple[int, int], AbstractTransport]:
    """The probe array and the way to the detector: near-field light may come from beyond the frame's edge."""
    if dataset.regime == "far field":
        return frame, FarField()
    distance = float(np.max(np.abs(dataset.distances)))
    beyond = math.ceil(2 * spread(dataset.pixel, dataset.wavelength, distance))
    grid = (smooth_size(frame[0] + beyond), smooth_size(frame[1] + beyond))
    return grid, NearField.over(tuple(float(d) for d in dataset.distances), frame)


def _probe_field(dataset: Dataset, grid: tuple[int, int]) -> np.ndarray:
    """The data set's probe, or a first guess from the mean frame."""
    if dataset.probe is not None:
        return extended(dataset.probe, grid)
    mean = _first_frames_mean(dataset)
    if dataset.regime == "far field":
        return from_far_field(mean)
    distance = float(dataset.distances[0])
    return from_near_field(mean, Grid(grid, dataset.pixel, dataset.wavelength), distance)


def cdi(dataset: Dataset, *, parametrization: Parametrization = "log amplitude and phase") -> Experiment:
    """Coherent diffraction imaging: one plane-wave far-field frame of an isolated, thin sample.

    Args:
        dataset: far-field frames.
        parametrization: what is optimised; add a support to the job's constraints.

    Example:
        >>> import dataclasses
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=1)
        >>> cdi(dataclasses.replace(plan, regime="far field")).predict(jnp.zeros(1, int), jnp.zeros((1, 1), int)).shape
        (1, 1, 8, 8)
    """
    check_kind(dataset, "cdi")
    check_sampling(dataset)
    shape = dataset.frames.shape[2:]
    return Experiment(
        Image(PARAMETRIZATIONS[parametrization](shape, 0.1)),
        PlaneWave.of(dataset.photons or 1.0),
        Geometry.full_field(dataset.angles),
        FarField(),
        Detector.ideal(),
        Grid(shape, dataset.pixel, dataset.wavelength),
    )
