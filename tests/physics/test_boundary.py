"""The wave goes on beyond the frame through vacuum: padding stands for it, wrapping round does not."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.physics.frames import frames_of

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
from adorym.probes import Modes
from adorym.propagation import spread
from adorym.waves import Grid

SIZE, PIXEL, ENERGY = 32, 2e-9, 1e3
WAVELENGTH = 1.23984198e-6 / ENERGY


def image(experiment: Experiment) -> np.ndarray:
    return np.asarray(frames_of(experiment))[0, 0]


def larger(experiment: Experiment, factor: int) -> Experiment:
    """The same experiment in a field several times as wide; a measured wave goes on with its edge values.

    A plane wave becomes a measured one, which is not known to be uniform: it crosses the sample on all of the grid.
    """
    before = experiment.grid.shape
    shape = (before[0] * factor, before[1] * factor)
    probe = experiment.probe
    if isinstance(probe, Modes):
        pads = [(0, 0)] + [((m - n) // 2, m - n - (m - n) // 2) for n, m in zip(before, shape, strict=True)]
        probe = Modes.of(np.pad(np.asarray(probe.field), pads, mode="edge"))
    else:
        probe = Modes.of(np.ones((1, *shape), complex))
    return dataclasses.replace(experiment, grid=Grid(shape, PIXEL, WAVELENGTH), probe=probe)


@pytest.mark.parametrize("distance", [1e-7, 1e-6])
def test_padded_frames_are_those_of_a_field_four_times_as_wide(distance: float) -> None:
    """Even for noise in every voxel, up to the edge of the field, which scatters as far as the grid can carry."""
    plan = plan_holography((SIZE, SIZE), pixel=PIXEL, energy=ENERGY, distances=(distance,), views=1)
    delta = np.random.default_rng(0).uniform(0, 3e-3, (SIZE, SIZE, SIZE))
    images = {}
    for boundary in ("vacuum", "periodic"):
        empty = holography(plan, slab_voxels=4, boundary=boundary)
        model = dataclasses.replace(empty, object=empty.object.filled(delta, delta / 10))
        images[boundary] = image(model)
        if boundary == "vacuum":
            images["wide"] = image(larger(model, 4))
            assert ChainSize.of(model).wave < ChainSize.of(model).arrival  # slabs see a part of the grid only
    contrast = np.linalg.norm(images["wide"] - 1)
    assert contrast > 1
    assert np.linalg.norm(images["vacuum"] - images["wide"]) < 0.025 * contrast
    assert np.linalg.norm(images["periodic"] - images["wide"]) > 0.5 * contrast


@pytest.mark.parametrize("shape", [(30, 31), (31, 30), (31, 33)])
@pytest.mark.parametrize("grid", [(108, 108), (107, 108), (109, 111)])
def test_the_part_that_slabs_see_lies_where_it_belongs(shape: tuple[int, int], grid: tuple[int, int]) -> None:
    """Odd and even sizes in one another: the same picture as on the whole grid, not one pixel aside."""
    plan = plan_holography(shape, pixel=PIXEL, energy=ENERGY, distances=(2e-7,), views=1)
    empty = holography(plan, slab_voxels=4)
    delta = gaussian_filter(np.random.default_rng(2).uniform(0, 3e-2, (shape[1], *shape)), 2.0, mode="constant")
    delta *= np.hanning(shape[0])[:, None] * np.hanning(shape[1])
    model = dataclasses.replace(
        empty, object=empty.object.filled(delta, delta / 10), grid=Grid(grid, PIXEL, WAVELENGTH)
    )
    assert ChainSize.of(model).wave < 0.6 * ChainSize.of(model).arrival
    whole = image(larger(model, 1))
    assert np.linalg.norm(image(model) - whole) < 1e-4 * np.linalg.norm(whole - 1)


@pytest.mark.parametrize("distance", [1e-7, 3e-7])
def test_a_measured_wave_goes_on_too(distance: float) -> None:
    """Its left edge does not meet its right one: the seam's diffraction stays out of the frame."""
    x = np.linspace(-1, 1, SIZE)
    wave = (1 + 0.3 * x[None, :] + 0.2 * x[:, None] ** 2).astype(complex)[None]
    plan = plan_holography((SIZE, SIZE), pixel=PIXEL, energy=ENERGY, distances=(distance,), views=1)
    model = holography(dataclasses.replace(plan, probe=wave), slab_voxels=4)
    assert np.abs(image(model) - image(larger(model, 3))).max() < 0.02


def test_near_field_ptychography_is_padded_too() -> None:
    distance = 3e-7
    scan = plan_ptychography(
        (SIZE, SIZE), pixel=PIXEL, energy=ENERGY, probe=GaussianProbe(SIZE, 6.0), raster=Raster(24.0), photons=1e3
    )
    x = np.linspace(-1, 1, SIZE)
    wave = (1 + 0.3 * x[None, :] + 0.2 * x[:, None] ** 2).astype(complex)[None]
    near = dataclasses.replace(scan, regime="near field", distances=np.array([distance]), probe=wave)
    model = ptychography(near)
    assert model.grid.shape[0] >= SIZE + 2 * spread(PIXEL, WAVELENGTH, distance)
    phase = model.object.parametrization.phase
    noise = jnp.asarray(gaussian_filter(np.random.default_rng(1).uniform(-2.0, 0.0, phase.shape), 1.0))
    sample = dataclasses.replace(
        model.object, parametrization=dataclasses.replace(model.object.parametrization, phase=noise)
    )
    model = dataclasses.replace(model, object=sample)
    wide = larger(model, 4)
    extra = (wide.grid.shape[0] - model.grid.shape[0]) // 2
    wide = dataclasses.replace(wide, margin=model.margin + extra)
    frames, reference = image(model), image(wide)
    assert np.linalg.norm(frames - reference) < 0.03 * np.linalg.norm(reference - reference.mean())
