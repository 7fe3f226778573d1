"""The cones of ../shared/data: simulated by independent code on a grid twice as fine, in vacuum, with shot noise.

Predicted from the true object, their frames differ by the shot noise and by what a twice coarser grid costs.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import equinox as eqx
import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from adorym.data import Dataset
from adorym.experiment import (
    Experiment,
    GaussianProbe,
    PlannedFrames,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
)
from adorym.propagation import propagate
from adorym.waves import Wave

PIXEL, ENERGY, SIZE = 2e-9, 2e3, 128


@eqx.filter_jit
def first_view(model: Experiment, frames: int) -> jnp.ndarray:
    return model.predict_view(jnp.array(0), jnp.arange(frames))


def chi_squared(predicted: np.ndarray, counts: np.ndarray) -> float:
    """Per pixel, where there are enough photons for it to mean something."""
    bright = predicted > 3
    return float(np.mean((predicted - counts)[bright] ** 2 / predicted[bright]))


def filled(model: Experiment, folder: Path, name: str) -> Experiment:
    with h5py.File(folder / f"cone128_{name}_adorym_truth.h5") as file:
        delta, beta = file["delta"][()], file["beta"][()]
    return dataclasses.replace(model, object=model.object.filled(delta, beta))


@pytest.mark.parametrize("view", [3, 50])
def test_holograms(shared_data: Path, view: int) -> None:
    """The detector is 300 nm behind the exit face, 428 nm behind the axis."""
    with h5py.File(shared_data / "cone128_holography_adorym.h5") as file:
        counts = file["exchange/data"][view, 0].astype(float) ** 2 * 1.4e5
        angle = float(file["metadata/theta"][view])
    plan = plan_holography((SIZE, SIZE), pixel=PIXEL, energy=ENERGY, distances=(428e-9,), views=1, photons=1.4e5)
    plan = dataclasses.replace(plan, angles=np.array([angle]))

    def error(model: Experiment) -> float:
        return chi_squared(np.asarray(first_view(filled(model, shared_data, "holography"), 1))[0], counts)

    assert 0.95 < error(holography(plan, slab_voxels=4)) < 1.1
    assert error(holography(plan, slab_voxels=SIZE)) > 1.7  # the projection approximation
    assert error(holography(dataclasses.replace(plan, angles=-plan.angles), slab_voxels=8)) > 5
    assert error(holography(dataclasses.replace(plan, distances=np.array([300e-9])), slab_voxels=8)) > 5


def scan(folder: Path, view: int, chosen: np.ndarray) -> tuple[Dataset, np.ndarray]:
    with h5py.File(folder / "cone128_ptychotomography_adorym.h5") as file:
        counts = file["exchange/data"][view][chosen].astype(float) ** 2
        angle = float(file["metadata/theta"][view])
        corner = file["metadata/probe_pos_px"][()][chosen].astype(float)
        at_entrance = file["probe/real"][()] + 1j * file["probe/imag"][()]
    plan = plan_ptychography(
        (SIZE, SIZE), pixel=PIXEL, energy=ENERGY, probe=GaussianProbe(48), raster=Raster(64.0), views=2
    )
    entrance = Wave(jnp.asarray(at_entrance, complex), PIXEL, plan.wavelength)
    positions = (corner + 47 / 2 - (SIZE - 1) / 2) * PIXEL
    dataset = dataclasses.replace(
        plan,
        frames=PlannedFrames((2, len(chosen), 48, 48)),
        angles=np.array([angle, angle + 0.1]),  # more than one view makes the object a volume
        positions=np.stack([positions, positions]),
        weights=np.ones((2, len(chosen))),
        probe=np.asarray(propagate(entrance, 128e-9).field)[None],  # from the entrance face to the axis
    )
    return dataset, counts


def test_diffraction_patterns(shared_data: Path) -> None:
    dataset, counts = scan(shared_data, 20, np.array([60, 84, 100]))

    def error(dataset: Dataset, slab_voxels: int) -> float:
        model = filled(
            ptychography(dataset, object_size=SIZE, slab_voxels=slab_voxels), shared_data, "ptychotomography"
        )
        return chi_squared(np.asarray(first_view(model, 3)), counts)

    right = error(dataset, 4)
    assert 0.85 < right < 1.15
    assert error(dataset, SIZE) > right + 0.1
    assert error(dataclasses.replace(dataset, positions=-dataset.positions), 8) > 5
    assert error(dataclasses.replace(dataset, angles=-dataset.angles), 8) > 3
