"""Starts found directly from the data: filtered back-projection, by the model's own rotation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from skimage.transform import iradon
from tests.physics.frames import frames_of

from adorym._core.trees import replace
from adorym.data import ArrayFrames, Dataset
from adorym.experiment import plan_tomography, tomography

SIZE, HEIGHT, VIEWS = 32, 3, 40


def sample() -> np.ndarray:
    """β `(z, y, x)`: two smooth spots off the axis, another share of them in every plane."""
    z, x = np.meshgrid(*[np.arange(SIZE) - (SIZE - 1) / 2] * 2, indexing="ij")
    spots = [np.exp(-((z - a) ** 2 + (x - b) ** 2) / (2 * s**2)) for a, b, s in [(4, -5, 3.0), (-6, 2, 2.0)]]
    return 1e-8 * np.stack([spots[0], spots[1], spots[0] + 0.5 * spots[1]], axis=1)


def measured(axis_offset: float = 0.0, **changes: object) -> tuple[Dataset, np.ndarray]:
    plan = plan_tomography((HEIGHT, SIZE), pixel=1e-6, energy=2e4, views=VIEWS)
    plan = dataclasses.replace(plan, axis_offset=axis_offset, **changes)
    model = tomography(plan, parametrization="delta beta")
    width = model.object.parametrization.beta.shape[0]
    beta = np.pad(sample(), [((width - SIZE) // 2,) * 2, (0, 0), ((width - SIZE) // 2,) * 2])
    model = replace(model, "object", model.object.filled(0 * beta, beta))
    return dataclasses.replace(plan, frames=ArrayFrames(np.asarray(frames_of(model, VIEWS)))), beta


@pytest.mark.parametrize(
    ("axis_offset", "parametrization"), [(0.0, "delta beta"), (2.4, "fixed ratio"), (0.0, "log amplitude and phase")]
)
def test_it_is_the_sample(axis_offset: float, parametrization: str) -> None:
    dataset, beta = measured(axis_offset)
    start = tomography(dataset, parametrization=parametrization)
    found = start.object.delta_beta()[1]
    assert np.linalg.norm(found - beta) < 0.12 * np.linalg.norm(beta)
    assert found.min() >= 0
    np.testing.assert_allclose(frames_of(start, VIEWS), dataset.frames.array, rtol=0.02)


def test_flat_and_dark_are_taken_out() -> None:
    rng = np.random.default_rng(0)
    dataset, beta = measured(flat=rng.uniform(900, 1100, (HEIGHT, SIZE)), dark=rng.uniform(10, 50, (HEIGHT, SIZE)))
    found = tomography(dataset).object.delta_beta()[1]
    assert np.linalg.norm(found - beta) < 0.12 * np.linalg.norm(beta)


def test_rejected_frames_have_no_part_in_it() -> None:
    dataset, beta = measured()
    counts, weights = np.array(dataset.frames.array), np.ones((VIEWS, 1))
    counts[::5], weights[::5] = 7.0, 0.0
    spoilt = dataclasses.replace(dataset, frames=ArrayFrames(counts), weights=weights)
    found = tomography(spoilt).object.delta_beta()[1]
    assert np.linalg.norm(found - beta) < 0.15 * np.linalg.norm(beta)


def test_it_is_as_good_as_scikit_images() -> None:
    dataset, beta = measured()
    found = tomography(dataset).object.delta_beta()[1]
    sinogram = -np.log(dataset.frames.array[:, 0, 0] / 1e4).T
    angles = -np.degrees(dataset.angles)  # theirs turns the other way, about the pixel N//2
    theirs = iradon(np.pad(sinogram, ((1, 0), (0, 0))), angles, filter_name="ramp", output_size=SIZE + 1)[1:, 1:]
    scale = 4 * np.pi / dataset.wavelength * dataset.pixel
    errors = [np.linalg.norm(one - beta[:, 0]) for one in (found[:, 0], theirs / scale)]
    assert errors[0] < 1.2 * errors[1] < 0.25 * np.linalg.norm(beta[:, 0])


def test_vacuum_is_a_choice_and_the_start_of_a_plan() -> None:
    dataset, _ = measured()
    plan = plan_tomography((HEIGHT, SIZE), pixel=1e-6, energy=2e4, views=VIEWS)
    for model in (tomography(dataset, start="vacuum"), tomography(plan)):
        np.testing.assert_array_equal(model.object.delta_beta()[1], 0 * sample())
