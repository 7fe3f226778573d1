"""What matter does to a wave: chord lengths of a sphere at every angle, and Beer and Lambert's law."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.physics.frames import frames_of

from adorym._core import View
from adorym.experiment import Experiment, holography, plan_holography, plan_tomography, tomography
from adorym.objects import Slabs, Volume

SIZE, VOXEL, WAVELENGTH = 32, 2e-9, 1.23984198e-9
K = 2 * np.pi / WAVELENGTH


def sphere(radius: float, *, centre: tuple[float, float, float] = (0.0, 0.0, 0.0), fine: int = 4) -> np.ndarray:
    """Share of every voxel that a sphere fills; lengths in voxels."""
    axis = (np.arange(SIZE * fine) - (SIZE * fine - 1) / 2) / fine
    z, y, x = np.meshgrid(*(axis - c for c in centre), indexing="ij")
    inside = z**2 + y**2 + x**2 < radius**2
    return inside.reshape(SIZE, fine, SIZE, fine, SIZE, fine).mean((1, 3, 5))


@eqx.filter_jit
def seen(volume: Volume, view: View) -> Slabs:
    return volume.slabs(view)


def chords(radius: float, *, fine: int = 8) -> np.ndarray:
    """Mean length of a centred sphere's chords over every pixel, in voxels."""
    axis = (np.arange(SIZE * fine) - (SIZE * fine - 1) / 2) / fine
    squared = radius**2 - axis[:, None] ** 2 - axis[None, :] ** 2
    return 2 * np.sqrt(np.maximum(squared, 0)).reshape(SIZE, fine, SIZE, fine).mean((1, 3))


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, np.pi / 2, 2.5])
@pytest.mark.parametrize("slab_voxels", [5, SIZE])
def test_phase_of_a_sphere_is_its_chord_length(angle: float, slab_voxels: int) -> None:
    delta, ratio, radius = 2e-4, 0.1, 11.0
    share = sphere(radius)
    empty = Volume.vacuum((SIZE, SIZE, SIZE), voxel=VOXEL, wavelength=WAVELENGTH, slab_voxels=slab_voxels)
    slabs = seen(empty.filled(delta * share, ratio * delta * share), View(jnp.array(angle), jnp.array(0.0)))
    assert slabs.phase.shape == (-(-SIZE // slab_voxels), SIZE, SIZE)
    phase = np.asarray(slabs.phase).sum(0)
    expected = -K * delta * VOXEL * chords(radius)
    # 22 voxels across: their edges, interpolated between where the view is oblique, are the error
    assert np.linalg.norm(phase - expected) < (0.003 if angle in (0.0, np.pi / 2) else 0.015) * np.linalg.norm(expected)
    assert phase.sum() == pytest.approx(-K * delta * VOXEL * 4 / 3 * np.pi * radius**3, rel=2e-3)
    np.testing.assert_allclose(slabs.log_amplitude, ratio * np.asarray(slabs.phase), atol=1e-15)


def slab_of_matter(slab_voxels: int, *, delta: float, beta: float, thickness: int) -> Experiment:
    """A plate that fills the field, in a wave that repeats itself."""
    plan = plan_holography((8, SIZE), pixel=VOXEL, energy=1e3, distances=(1e-6,), views=1, photons=100.0)
    model = holography(plan, slab_voxels=slab_voxels, boundary="periodic")
    plate = np.zeros((SIZE, 8, SIZE))
    plate[3 : 3 + thickness] = 1.0
    filled = model.object.filled(delta * plate, beta * plate)
    return Experiment(filled, model.probe, model.geometry, model.transport, model.detector, model.grid)


@pytest.mark.parametrize("slab_voxels", [2, SIZE])
def test_beer_and_lambert(slab_voxels: int) -> None:
    delta, beta, thickness = 3e-3, 2e-3, 20
    experiment = slab_of_matter(slab_voxels, delta=delta, beta=beta, thickness=thickness)
    attenuation = 4 * np.pi * beta / WAVELENGTH * thickness * VOXEL
    assert 0.3 < attenuation < 1.0
    image, wave = frame_and_wave(experiment)
    np.testing.assert_allclose(image, 100.0 * np.exp(-attenuation), rtol=1e-12)
    np.testing.assert_allclose(wave, 10.0 * np.exp(K * thickness * VOXEL * (-beta - 1j * delta)), rtol=1e-12)


@eqx.filter_jit
def frame_and_wave(experiment: Experiment) -> tuple[jax.Array, jax.Array]:
    view, frames = jnp.array(0), jnp.zeros(1, int)
    slabs = experiment.object.slabs(experiment.geometry.view(view))
    return experiment.predict_view(view, frames), experiment.exit_wave(slabs, view, frames).field


def test_projections_in_focus_obey_it_too() -> None:
    plan = plan_tomography((SIZE, SIZE), pixel=VOXEL, energy=1e3, views=3, photons=50.0)
    model = tomography(plan, parametrization="delta beta")
    beta, radius = 2e-3, 11.0
    share = sphere(radius)
    filled = model.object.filled(0 * share, beta * share)
    experiment = Experiment(filled, model.probe, model.geometry, model.transport, model.detector, model.grid)
    frames = frames_of(experiment, 3)
    line = -np.log(np.asarray(frames)[:, 0] / 50.0) * WAVELENGTH / (4 * np.pi * beta * VOXEL)
    for seen in line:
        assert np.linalg.norm(seen - chords(radius)) < 0.02 * np.linalg.norm(chords(radius))
