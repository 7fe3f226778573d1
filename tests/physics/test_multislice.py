"""Thick samples: no photon is lost without absorption, and the slabs' error is of second order in their thickness."""

from __future__ import annotations

import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.physics.frames import frames_of

from adorym.experiment import (
    Experiment,
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
)
from adorym.physics import depth_of_focus
from adorym.probes import Modes

VOXEL, ENERGY = 2e-9, 1e3
DISTANCE = 2e-7


def blobs(depth: int, height: int, *, seed: int = 0) -> np.ndarray:
    """A smooth volume (z, y, x) of Gaussian blobs with values up to about 1, vacuum at its edges."""
    rng = np.random.default_rng(seed)
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in (depth, height, depth))
    total = np.zeros((depth, height, depth))
    for _ in range(12):
        centre = rng.uniform(-0.25, 0.25, 3) * (depth, height, depth)
        width = rng.uniform(2.5, 4.0)
        parts = [np.exp(-((axis - c) ** 2) / (2 * width**2)) for axis, c in zip((z, y, x), centre, strict=True)]
        total += np.einsum("i,j,k->ijk", *parts)
    return total


def on_one_grid(model: Experiment) -> Experiment:
    """A plane wave given as a measured one: it crosses the sample on the whole grid, however many slabs there are."""
    return dataclasses.replace(model, probe=Modes.of(np.ones((1, *model.grid.shape), complex)))


def thick(slab_voxels: int, *, beta: float = 2e-4) -> Experiment:
    """64 voxels of 2 nm at 1 keV: almost twice the depth of focus."""
    plan = plan_holography((32, 64), pixel=VOXEL, energy=ENERGY, distances=(DISTANCE,), views=1)
    model = on_one_grid(holography(plan, slab_voxels=slab_voxels))
    material = blobs(64, 32)
    filled = model.object.filled(2e-3 * material, beta * material)
    geometry = dataclasses.replace(model.geometry, angles=jnp.array([0.4]))
    return Experiment(filled, model.probe, geometry, model.transport, model.detector, model.grid)


@eqx.filter_jit
def frame_and_photons(experiment: Experiment) -> tuple[jax.Array, jax.Array]:
    """The first frame, and the photons of its exit wave."""
    view, frames = jnp.array(0), jnp.zeros(1, int)
    slabs = experiment.object.slabs(experiment.geometry.view(view))
    wave = experiment.exit_wave(slabs, view, frames)
    return experiment.predict_view(view, frames)[0], wave.intensity.sum()


def image(experiment: Experiment) -> np.ndarray:
    return np.asarray(frame_and_photons(experiment)[0])


def plate(slab_voxels: int) -> Experiment:
    """A plate with structure across the beam only: its faces are what the slabs' quadrature feels first.

    (Where a smooth sample ends in vacuum, the midpoint rule converges faster than its order.)
    """
    model = thick(slab_voxels)
    across = blobs(64, 32).sum(0)
    delta = np.broadcast_to(2e-3 * across / across.max(), (64, 32, 64))
    geometry = dataclasses.replace(model.geometry, angles=jnp.array([0.0]))
    return dataclasses.replace(model, object=model.object.filled(delta, delta / 10), geometry=geometry)


def test_converges_to_second_order_in_the_slabs_thickness() -> None:
    assert 1.8 * depth_of_focus(2 * VOXEL, 1.23984198e-9) < 64 * VOXEL
    finest = image(plate(1))
    contrast = np.linalg.norm(finest - finest.mean())
    errors = [np.linalg.norm(image(plate(n)) - finest) / contrast for n in (2, 4, 8)]
    # against slabs of one voxel, with an error c of their own: c (n² - 1), of ratios 15/3 and 63/15
    ratios = [coarse / fine for fine, coarse in itertools.pairwise(errors)]
    np.testing.assert_allclose(ratios, [5.0, 4.2], rtol=0.01)
    assert errors[1] < 2e-4


def test_projection_is_wrong_where_the_sample_is_thicker_than_the_depth_of_focus() -> None:
    finest = image(thick(1))
    contrast = np.linalg.norm(finest - 1)
    assert np.linalg.norm(image(thick(4)) - finest) < 1e-3 * contrast
    assert np.linalg.norm(image(thick(64)) - finest) > 0.05 * contrast


def test_no_photon_is_lost_without_absorption() -> None:
    lit = np.prod(thick(4).grid.shape)
    frame, photons = frame_and_photons(thick(4, beta=0.0))
    assert float(photons) == pytest.approx(lit, rel=1e-12)
    assert np.std(frame) > 0.01
    assert float(frame_and_photons(thick(4, beta=2e-4))[1]) < 0.999 * lit


def test_far_field_frames_of_a_transparent_sample_hold_the_probes_photons() -> None:
    plan = plan_ptychography(
        (16, 16), pixel=VOXEL, energy=ENERGY, probe=GaussianProbe(24, 3.0), raster=Raster(8.0), views=2, photons=500.0
    )
    model = ptychography(plan, modes=2, slab_voxels=4)
    size = model.object.width
    phase_only = model.object.filled(3e-3 * blobs(size, size), np.zeros((size, size, size)))
    experiment = Experiment(
        phase_only, model.probe, model.geometry, model.transport, model.detector, model.grid, model.margin
    )
    count = plan.frames.shape[1]
    frames = np.asarray(frames_of(experiment, 2, count))
    np.testing.assert_allclose(frames.sum((2, 3)), 500.0, rtol=1e-10)
    assert frames.max((2, 3)).std() > 0.5


@pytest.mark.parametrize("slab_voxels", [1, 3, 9])
def test_the_number_of_slabs_does_not_move_the_image(slab_voxels: int) -> None:
    """A thin foil in the axis' plane is the same foil at the same place, whatever slab it is counted to."""
    size = 9
    plan = plan_holography((size, size), pixel=VOXEL, energy=ENERGY, distances=(DISTANCE,), views=1)
    rng = np.random.default_rng(0)
    foil = np.zeros((size, size, size))
    foil[size // 2] = rng.uniform(0, 5e-3, (size, size))
    images = []
    for slabs in (slab_voxels, size):
        model = on_one_grid(holography(plan, slab_voxels=slabs))
        images.append(image(dataclasses.replace(model, object=model.object.filled(foil, foil / 10))))
    np.testing.assert_allclose(images[0], images[1], rtol=1e-10)
    assert images[0].std() > 1e-3


def test_the_size_of_the_volume_does_not_move_the_image() -> None:
    """Distances count from the axis: vacuum before and behind the sample changes nothing."""
    rng = np.random.default_rng(0)
    small = np.zeros((8, 8, 8))
    small[2:-2, :, 2:-2] = rng.uniform(0, 5e-3, (4, 8, 4))  # stays within the smaller volume when it is turned
    images = []
    for depth in (8, 16):
        plan = plan_holography((8, 16), pixel=VOXEL, energy=ENERGY, distances=(DISTANCE,), views=1)
        model = on_one_grid(holography(plan, slab_voxels=2))
        inner = np.zeros((depth, 8, depth))
        first = (depth - 8) // 2
        inner[first : first + 8, :, first : first + 8] = small
        volume = dataclasses.replace(model.object.filled(inner, inner / 10), width=16)
        geometry = dataclasses.replace(model.geometry, angles=jnp.array([0.3]))
        images.append(image(dataclasses.replace(model, object=volume, geometry=geometry)))
    np.testing.assert_allclose(images[0], images[1], rtol=1e-9)
