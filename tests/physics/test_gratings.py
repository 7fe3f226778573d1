"""Gratings: Talbot's self-images, and the contrast of a defocused weak grating (the contrast transfer function)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from tests.physics.frames import frames_of

from adorym._core import View
from adorym.detectors import Detector
from adorym.experiment import Experiment, holography, plan_holography
from adorym.geometry import Geometry
from adorym.objects import Image, LogAmplitudePhase
from adorym.probes import PlaneWave
from adorym.propagation import propagate
from adorym.transport import NearField
from adorym.waves import Grid, Wave

SIZE, PIXEL, WAVELENGTH = 64, 1e-7, 1e-10
PERIOD = 16
TALBOT = 2 * (PERIOD * PIXEL) ** 2 / WAVELENGTH


def binary_phase_grating() -> np.ndarray:
    x = np.arange(SIZE) % PERIOD
    return np.broadcast_to(np.where(x < 5, np.exp(1.3j), 0.4 + 0j), (SIZE, SIZE))


@pytest.mark.parametrize(
    ("model", "tolerance"), [("fresnel", 1e-10), pytest.param("angular spectrum", 2e-3, id="exact")]
)
def test_talbot_self_images(model: str, tolerance: float) -> None:
    field = binary_phase_grating()
    wave = Wave(jnp.asarray(field), PIXEL, WAVELENGTH)
    np.testing.assert_allclose(propagate(wave, TALBOT, model=model).field, field, atol=tolerance)
    half = propagate(wave, TALBOT / 2, model=model).field
    np.testing.assert_allclose(half, np.roll(field, PERIOD // 2, axis=1), atol=tolerance)
    quarter = propagate(wave, TALBOT / 4, model=model).field
    split = ((1 - 1j) * field + (1 + 1j) * np.roll(field, PERIOD // 2, axis=1)) / 2
    np.testing.assert_allclose(quarter, split, atol=tolerance)


def contrast(image: np.ndarray, cycles: int) -> float:
    """Amplitude of cos(2 pi cycles x / SIZE) in an image around 1."""
    phase = 2 * np.pi * cycles * np.arange(SIZE) / SIZE
    return float(np.mean(image * np.cos(phase)[None, :]) * 2)


def defocused(log_amplitude: np.ndarray, phase: np.ndarray, distance: float) -> np.ndarray:
    """The image of a thin grating, by a whole experiment on a periodic grid."""
    experiment = Experiment(
        Image(LogAmplitudePhase(jnp.asarray(log_amplitude), jnp.asarray(phase))),
        PlaneWave.of(1.0),
        Geometry.full_field(np.zeros(1)),
        NearField.over((distance,), (SIZE, SIZE)),
        Detector.ideal(),
        Grid((SIZE, SIZE), PIXEL, WAVELENGTH),
    )
    return np.asarray(frames_of(experiment))[0, 0]


@pytest.mark.parametrize("cycles", [1, 5, 12])
@pytest.mark.parametrize("distance", [2e-3, 1e-2, -3e-3])
def test_weak_grating_has_the_contrast_of_the_ctf(cycles: int, distance: float) -> None:
    weak = 1e-5
    grating = weak * np.broadcast_to(np.cos(2 * np.pi * cycles * np.arange(SIZE) / SIZE), (SIZE, SIZE))
    chi = np.pi * WAVELENGTH * distance * (cycles / (SIZE * PIXEL)) ** 2
    nothing = np.zeros_like(grating)
    of_phase = contrast(defocused(nothing, grating, distance), cycles)
    of_amplitude = contrast(defocused(grating, nothing, distance), cycles)
    assert of_phase / weak == pytest.approx(2 * np.sin(chi), abs=1e-4)
    assert of_amplitude / weak == pytest.approx(2 * np.cos(chi), abs=1e-4)


def test_matter_spreads_light_apart() -> None:
    """δ > 0 advances the wave, so that a ridge of matter is darker a little way behind it."""
    plan = plan_holography((8, SIZE), pixel=PIXEL, energy=12398.4198, distances=(5e-3,), views=1)
    model = holography(plan, slab_voxels=SIZE, boundary="periodic")
    cycles, depth = 4, 10
    delta = np.zeros((SIZE, 8, SIZE))
    delta[27 : 27 + depth] = 1e-9 * (1 + np.cos(2 * np.pi * cycles * np.arange(SIZE) / SIZE))
    k = 2 * np.pi / WAVELENGTH
    filled = model.object.filled(delta, 0 * delta)
    np.testing.assert_allclose(
        filled.slabs(View(jnp.array(0.0), jnp.array(0.0))).phase.sum(0), -k * PIXEL * delta.sum(0), rtol=1e-10
    )
    experiment = Experiment(filled, model.probe, model.geometry, model.transport, model.detector, model.grid)
    image = np.asarray(frames_of(experiment))[0, 0]
    chi = np.pi * WAVELENGTH * 5e-3 * (cycles / (SIZE * PIXEL)) ** 2
    assert contrast(image, cycles) == pytest.approx(-2 * np.sin(chi) * k * PIXEL * depth * 1e-9, rel=1e-3)
