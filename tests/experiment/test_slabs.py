"""Slabs are as thick as the data cannot notice: χ² between thick and thin ones, on the object that made the data."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from adorym.data import ArrayFrames, Dataset
from adorym.experiment import (
    Experiment,
    GaussianProbe,
    Raster,
    automatic_slab,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
    unnoticed_slab,
)
from adorym.objects import Volume
from adorym.phantoms import cone
from adorym.simulate import simulate

SIZE, VOXEL = 32, 2e-9


def holograms(photons: float, *, noise: bool = True) -> Dataset:
    sample = cone(size=SIZE, voxel=VOXEL, energy=1e3)
    plan = plan_holography((SIZE, SIZE), pixel=VOXEL, energy=1e3, distances=(3e-7,), views=16, photons=photons)
    return simulate(plan, sample.delta, sample.beta, noise=noise, seed=1)


def excess(data: Dataset, slab: int) -> float:
    """χ² by which slabs change the expected frames, of the object that made them."""
    sample = cone(size=SIZE, voxel=VOXEL, energy=1e3)
    views, frames = jnp.arange(0, 16, 3), jnp.zeros((6, 1), jnp.int32)

    def predicted(voxels: int) -> np.ndarray:
        model: Experiment = holography(data, slab_voxels=voxels)
        assert isinstance(model.object, Volume)
        model = dataclasses.replace(model, object=model.object.filled(sample.delta, sample.beta))
        return np.asarray(eqx.filter_jit(lambda m: m.predict(views, frames))(model))

    thin, thick = predicted(1), predicted(slab)
    return float(np.mean((thick - thin) ** 2 / thin))


@pytest.mark.parametrize("photons", [1e4, 1e5])
def test_what_is_chosen_changes_the_frames_less_than_chance(photons: float) -> None:
    data = holograms(photons)
    slab = unnoticed_slab(data, SIZE)
    chance = np.sqrt(2 / np.prod(data.frames.shape))
    assert slab > automatic_slab(VOXEL, data.wavelength, SIZE)
    assert excess(data, slab) < chance
    if photons > 3e4:  # at fewer photons the sample could be a single slab
        assert excess(data, 4 * slab) > chance  # not for want of trying


def test_more_photons_notice_thinner_slabs() -> None:
    chosen = [unnoticed_slab(holograms(photons), SIZE) for photons in (1e3, 1e5, 1e7)]
    assert chosen[0] > chosen[1] > chosen[2] == automatic_slab(VOXEL, holograms(1e7).wavelength, SIZE)


def test_frames_without_noise_are_not_taken_for_faint_ones() -> None:
    data = holograms(1e4, noise=False)
    assert unnoticed_slab(data, SIZE) == automatic_slab(VOXEL, data.wavelength, SIZE)


def test_a_job_that_says_its_slabs_has_them() -> None:
    sample = holography(holograms(1e3), slab_voxels=2).object
    assert isinstance(sample, Volume)
    assert sample.slab_voxels == 2


def test_rejected_frames_and_dead_pixels_say_nothing() -> None:
    data = holograms(1e3)
    counts = np.array(data.frames.array) if isinstance(data.frames, ArrayFrames) else np.zeros(0)
    assert counts.size
    counts[3], counts[:, :, 5, 7] = 1e9, -1.0
    mask, weights = data.mask.copy(), data.weights.copy()
    mask[5, 7], weights[3] = False, 0.0
    spoiled = dataclasses.replace(data, frames=ArrayFrames(counts), mask=mask, weights=weights)
    assert abs(unnoticed_slab(spoiled, SIZE) - unnoticed_slab(data, SIZE)) <= 1


def test_scanned_frames_tell_by_their_counts() -> None:
    sample = cone(size=SIZE, voxel=VOXEL, energy=1e3)

    def chosen(photons: float) -> int:
        plan = plan_ptychography(
            (SIZE, SIZE),
            pixel=VOXEL,
            energy=1e3,
            probe=GaussianProbe(pixels=24, sigma=4.0),
            raster=Raster(step=8.0),
            views=2,
            photons=photons,
        )
        data = simulate(plan, sample.delta, sample.beta, seed=2)
        found = ptychography(data, object_size=SIZE).object
        assert isinstance(found, Volume)
        return found.slab_voxels

    assert chosen(1e2) > chosen(1e9) == automatic_slab(VOXEL, 1.23984198e-9, SIZE)
