"""Tiny experiments of every technique, with data, for tests that hold for all of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from adorym._core import Batch
from adorym._core.trees import leaf_paths, replace, resolve
from adorym.data import ArrayFrames, Dataset, Feed
from adorym.experiment import (
    Experiment,
    GaussianProbe,
    Raster,
    cdi,
    holography,
    plan_holography,
    plan_ptychography,
    plan_tomography,
    ptychography,
    tomography,
)
from adorym.objects import FixedRatio

PIXEL, ENERGY = 2e-9, 1e3
SIZE = 6


@dataclasses.dataclass(frozen=True)
class Case:
    """One experiment.

    Attributes:
        technique: its name in EXPERIMENTS.
        build: the model and the plan of its measurement.
        inert: leaves on which its frames do not depend.
    """

    technique: str
    build: Callable[[], tuple[Experiment, Dataset]]
    inert: tuple[str, ...] = ()


def _full_field(distances: tuple[float, ...], **changes: object) -> Dataset:
    plan = plan_holography((4, SIZE), pixel=PIXEL, energy=ENERGY, distances=distances, views=2, photons=100.0)
    return dataclasses.replace(plan, angles=np.array([0.31, 1.17]), axis_offset=0.23, **changes)


def _measured_wave() -> np.ndarray:
    rng = np.random.default_rng(5)
    smooth = 1 + 0.2 * rng.normal(size=(2, 4, SIZE)) + 0.2j * rng.normal(size=(2, 4, SIZE))
    return smooth * np.array([9.0, 3.0])[:, None, None]


def _scan(*, views: int, **changes: object) -> Dataset:
    probe, raster = GaussianProbe(8, 2.0), Raster(3.0, jitter=0.3)
    plan = plan_ptychography((3, 4), pixel=PIXEL, energy=ENERGY, probe=probe, raster=raster, views=views, photons=1e4)
    angles = np.array([0.0]) if views == 1 else np.array([0.31, 1.17])
    return dataclasses.replace(plan, angles=angles, **changes)


def one_distance() -> tuple[Experiment, Dataset]:
    plan = _full_field((1.5e-7,))
    return holography(plan, slab_voxels=2), plan


def two_distances() -> tuple[Experiment, Dataset]:
    plan = _full_field((1e-7, 3e-7))
    return holography(plan, slab_voxels=SIZE, parametrization="fixed ratio", ratio=0.3), plan


def measured_wave() -> tuple[Experiment, Dataset]:
    plan = _full_field((1.5e-7,), probe=_measured_wave())
    return holography(plan, slab_voxels=3, parametrization="log amplitude and phase"), plan


def near_field_ptychography() -> tuple[Experiment, Dataset]:
    plan = _scan(views=1, regime="near field", distances=np.array([2e-8]))
    return ptychography(plan), plan


def far_field_ptychography() -> tuple[Experiment, Dataset]:
    plan = _scan(views=1)
    return ptychography(plan, modes=2), plan


def ptychotomography() -> tuple[Experiment, Dataset]:
    plan = _scan(views=2)
    return ptychography(plan, slab_voxels=2, object_size=7), plan


def projections() -> tuple[Experiment, Dataset]:
    rng = np.random.default_rng(6)
    plan = plan_tomography((4, SIZE), pixel=1e-6, energy=2e4, views=2)
    flat, dark = rng.uniform(90, 110, (4, SIZE)), rng.uniform(5, 10, (4, SIZE))
    plan = dataclasses.replace(plan, angles=np.array([0.31, 1.17]), flat=flat, dark=dark, axis_offset=-0.4)
    return tomography(plan, parametrization="delta beta", overhang=1), plan


def coherent_diffraction() -> tuple[Experiment, Dataset]:
    plan = dataclasses.replace(_full_field((1e-7,)), regime="far field", angles=np.zeros(2))
    return cdi(plan), plan


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "holography, one distance": Case("holography", one_distance),
        "holography, two distances": Case("holography", two_distances),
        "holography, measured wave of two modes": Case("holography", measured_wave),
        "near-field ptychography": Case(
            "ptychography", near_field_ptychography, inert=("geometry.angles", "geometry.axis_offset")
        ),
        "far-field ptychography, two modes": Case(
            "ptychography", far_field_ptychography, inert=("geometry.angles", "geometry.axis_offset")
        ),
        "multislice ptycho-tomography": Case("ptychography", ptychotomography),
        "tomography with flat and dark": Case("tomography", projections, inert=("object.parametrization.delta",)),
        "coherent diffraction": Case("cdi", coherent_diffraction, inert=("geometry.angles", "geometry.axis_offset")),
    }
)


def refinable(model: Experiment) -> list[str]:
    """Paths of the real leaves that hold anything."""
    return [path for path in leaf_paths(eqx.filter(model, eqx.is_inexact_array)) if resolve(model, path).size]


def scale(model: Experiment, path: str) -> float:
    """A change of a leaf that is felt and is small: in radians, pixels, metres, photons or their logarithm."""
    name = path.rsplit(".", maxsplit=1)[-1]
    if name in ("delta", "beta"):
        return 0.05 / (2 * np.pi * model.grid.pixel / model.grid.wavelength)
    return {"distance_offset": 1e-8, "background": 5.0, "ratio": 0.1}.get(name, 0.1)


def perturbation(model: Experiment, path: str, seed: int) -> jax.Array:
    leaf = resolve(model, path)
    return scale(model, path) * jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, leaf.shape))


@functools.cache
def structured(name: str) -> tuple[Experiment, Dataset]:
    """A model with something in every leaf, and the plan of its measurement."""
    model, plan = CASES[name].build()
    for index, path in enumerate(refinable(model)):
        start = jnp.abs(perturbation(model, path, index)) if "object" in path else perturbation(model, path, index) / 3
        model = replace(model, path, resolve(model, path) + start)
    if isinstance(model.object.parametrization, FixedRatio):
        model = replace(model, "object.ratio", jnp.array(0.3))
    return model, plan


@functools.cache
def prepared(name: str) -> tuple[Experiment, Dataset]:
    """A structured model, and frames that another such model would give."""
    model, plan = structured(name)
    truth = model
    for index, path in enumerate(refinable(model)):
        truth = replace(truth, path, resolve(truth, path) + perturbation(truth, path, 100 + index) / 2)
    return model, dataclasses.replace(plan, frames=ArrayFrames(np.round(np.asarray(predicted(truth, plan)))))


def indices(dataset: Dataset) -> tuple[jax.Array, jax.Array]:
    """All views, and all frames of each."""
    views, frames = dataset.frames.shape[:2]
    return jnp.arange(views), jnp.tile(jnp.arange(frames), (views, 1))


@eqx.filter_jit
def pushed(model: Experiment, tangent: Experiment, dataset_indices: tuple) -> tuple[jax.Array, jax.Array]:
    """What the model expects of every frame, and how that changes along a tangent, by forward mode."""
    params, frozen = eqx.partition(model, eqx.is_inexact_array)
    return jax.jvp(lambda p: eqx.combine(p, frozen).predict(*dataset_indices), (params,), (tangent,))


def still(model: Experiment) -> Experiment:
    """The tangent of no change."""
    return jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_inexact_array))


def predicted(model: Experiment, dataset: Dataset) -> jax.Array:
    """What the model expects of every frame."""
    return pushed(model, still(model), indices(dataset))[0]


def parts(model: Experiment) -> tuple[str, ...]:
    """The parts that have something to refine: being in focus and the far field have nothing."""
    names = ("object", "probe", "geometry", "transport", "detector")
    return tuple(name for name in names if any(map(eqx.is_inexact_array, jax.tree.leaves(resolve(model, name)))))


def whole(dataset: Dataset) -> Batch:
    """All frames of a data set in one batch."""
    views, frames = dataset.frames.shape[:2]
    return next(iter(Feed(dataset, views_per_batch=views, frames_per_batch=frames).sweep()))
