"""Phase and absorption found directly from holograms: closed forms, several distances, noise, and what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.physics.frames import frames_of

from adorym._core import DataError
from adorym.data import Dataset, FrameSource, held_out_frames
from adorym.experiment import (
    Spectrum,
    back_propagation,
    holography,
    plan_holography,
    plan_tomography,
    retrieve_phase,
)
from adorym.simulate import simulate

PIXEL, ENERGY, SIZE, VIEWS = 1e-7, 1.23984198e4, 32, 24  # a wavelength of 1e-10 m
WAVELENGTH, DISTANCE = 1e-10, 0.004
NO_NOISE, NO_NOISE_EITHER = Spectrum((1.0,), 0.0, 1e-12), Spectrum((1.0, 1.0), 0.0, 1e-12)


class ExactFrames(FrameSource):
    """Frames in 64 bits."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        return self.array[view, frames]


def hologram(*distances: float, size: int = SIZE, photons: float = 1.0, views: int = 1) -> Dataset:
    return plan_holography((size, size), pixel=PIXEL, energy=ENERGY, distances=distances, views=views, photons=photons)


def with_frames(plan: Dataset, frames: np.ndarray, **changes: object) -> Dataset:
    return dataclasses.replace(plan, frames=ExactFrames(frames), **changes)


def weak(size: int = SIZE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Phase and log-amplitude of a smooth periodic sample, and of another, both negative in the mean."""
    spectrum = np.exp(-((np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))) / 0.05) ** 2))
    random = np.random.default_rng(seed).normal(size=(2, size, size))
    phase, log_amplitude = np.fft.ifft2(np.fft.fft2(random) * spectrum).real
    return 1e-4 * (phase - 1), 3e-5 * (log_amplitude - 1)


def waves(phase: np.ndarray, log_amplitude: np.ndarray, *distances: float) -> np.ndarray:
    """Intensities `(1, distance, y, x)` by Fresnel's transfer function, written down again."""
    f = np.fft.fftfreq(phase.shape[0], PIXEL)
    square = f[:, None] ** 2 + f[None, :] ** 2
    wave = np.fft.fft2(np.exp(log_amplitude + 1j * phase))
    fields = [np.fft.ifft2(wave * np.exp(-1j * np.pi * WAVELENGTH * d * square)) for d in distances]
    return np.abs(np.array(fields))[None] ** 2


def apart(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cycles", "ratio"), [(0, 0.3), (2, 0.0), (2, 0.3), (5, 0.1)])
def test_a_gratings_contrast_is_that_of_the_closed_form(cycles: int, ratio: float) -> None:
    phase = -1e-3 * np.cos(2 * np.pi * cycles * np.arange(SIZE) / SIZE) * np.ones((SIZE, 1))
    chi = np.pi * WAVELENGTH * 0.01 * (cycles / (SIZE * PIXEL)) ** 2
    frame = np.exp(2 * (np.sin(chi) + ratio * np.cos(chi)) * phase)
    dataset = with_frames(hologram(0.01), frame[None, None])
    found, log_amplitude = retrieve_phase(dataset, 0, ratio=ratio, grid=(SIZE, SIZE), spectrum=NO_NOISE)
    np.testing.assert_allclose(found, phase, atol=1e-9)
    np.testing.assert_allclose(log_amplitude, ratio * found, atol=1e-15)


@pytest.mark.parametrize(("cycles", "ratio"), [(0, 0.2), (2, 0.0), (2, 0.2), (9, 0.0)])
def test_one_distance_without_a_ratio_shares_what_it_shows_by_the_contrasts(cycles: int, ratio: float) -> None:
    phase = -1e-3 * np.cos(2 * np.pi * cycles * np.arange(SIZE) / SIZE) * np.ones((SIZE, 1))
    chi = np.pi * WAVELENGTH * 0.01 * (cycles / (SIZE * PIXEL)) ** 2
    shown = 2 * (np.sin(chi) + ratio * np.cos(chi)) * phase
    dataset = with_frames(hologram(0.01), np.exp(shown)[None, None])
    noise = np.exp(0.01 * np.random.default_rng(0).normal(size=(1, 1, SIZE, SIZE)))
    power, other = Spectrum.of(with_frames(dataset, noise)).powers
    assert other == pytest.approx(0.09 * power)
    found, absorbed = retrieve_phase(dataset, 0, grid=(SIZE, SIZE), spectrum=Spectrum((1.0, 0.09), 0.0, 1e-7))
    total = 2 * (np.sin(chi) ** 2 + 0.09 * np.cos(chi) ** 2)
    np.testing.assert_allclose(found, np.sin(chi) / total * shown, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(absorbed, 0.09 * np.cos(chi) / total * shown, rtol=1e-4, atol=1e-9)


def test_a_weak_sample_comes_back_from_one_distance() -> None:
    phase, _ = weak()
    dataset = with_frames(hologram(0.02), waves(phase, 0.2 * phase, 0.02))
    found, _ = retrieve_phase(dataset, 0, ratio=0.2, grid=(SIZE, SIZE), spectrum=NO_NOISE)
    assert apart(found, phase) < 2e-3  # of second order in the phase


def test_two_distances_tell_phase_from_absorption() -> None:
    phase, log_amplitude = weak()
    distances = (0.002, 0.006)
    dataset = with_frames(hologram(*distances), waves(phase, log_amplitude, *distances))
    found = retrieve_phase(dataset, 0, grid=(SIZE, SIZE), spectrum=NO_NOISE_EITHER)
    absorbed = found[1]
    assert apart(found[0] - found[0].mean(), phase - phase.mean()) < 2e-3  # the mean phase leaves no trace
    assert apart(absorbed, log_amplitude) < 2e-3
    wrong, _ = retrieve_phase(dataset, 0, ratio=0.0, grid=(SIZE, SIZE), spectrum=NO_NOISE)
    assert apart(wrong - wrong.mean(), phase - phase.mean()) > 0.05


def test_a_uniform_absorber_is_beers_law_however_strong() -> None:
    dataset = with_frames(hologram(0.01, photons=50.0), np.full((1, 1, SIZE, SIZE), 50 * np.exp(-1.6)))
    phase, log_amplitude = retrieve_phase(dataset, 0, ratio=0.5, grid=(SIZE, SIZE), spectrum=NO_NOISE)
    np.testing.assert_allclose(log_amplitude, -0.8, rtol=1e-9)
    np.testing.assert_allclose(phase, -1.6, rtol=1e-9)


# --- noise ------------------------------------------------------------------------------------------------------------


def noisy(photons: float, ratio: float = 0.0, views: int = 1) -> tuple[Dataset, np.ndarray]:
    """A disc with a sharp border, the same in every view, in the middle of the frame."""
    size = 64
    y, x = np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    phase = -0.2 * np.clip(8.5 - np.hypot(y, x), 0, 1)
    seen = waves(*(np.pad(one, size // 2) for one in (phase, ratio * phase)), DISTANCE)
    expected = photons * seen[..., size // 2 : -size // 2, size // 2 : -size // 2]
    frames = np.random.default_rng(0).poisson(np.repeat(expected, views, axis=0))
    return with_frames(hologram(DISTANCE, size=size, photons=photons, views=views), frames.astype(np.float32)), phase


@pytest.mark.parametrize("photons", [1e2, 1e3, 1e5])
def test_noise_does_not_drown_low_frequencies(photons: float) -> None:
    dataset, phase = noisy(photons)
    found, _ = retrieve_phase(dataset, 0, ratio=0.0)
    assert apart(found, phase) < 1
    unheld, _ = retrieve_phase(dataset, 0, ratio=0.0, spectrum=NO_NOISE)
    assert apart(found, phase) < 0.2 * apart(unheld, phase)


def test_more_photons_show_more() -> None:
    errors = []
    for photons in (1e2, 1e4, 1e6):
        dataset, phase = noisy(photons, 0.2)
        errors.append(apart(retrieve_phase(dataset, 0, ratio=0.2)[0], phase))
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]
    assert errors[2] < 0.15


@pytest.mark.parametrize("photons", [1e2, 1e4])
def test_the_noise_is_that_of_the_photons(photons: float) -> None:
    dataset, _ = noisy(photons, views=8)
    assert 0.9 < photons * Spectrum.of(dataset, ratio=0.0).noise < 1.3


def test_frames_that_are_not_counts_have_the_noise_that_they_show() -> None:
    dataset, _ = noisy(1e3, 0.2)
    scaled = with_frames(dataset, dataset.frames.array / 1e3, photons=1.0)
    found, same = (retrieve_phase(one, 0, ratio=0.2)[0] for one in (dataset, scaled))
    assert apart(same, found) < 0.05


def test_the_strength_that_the_data_give_is_near_the_best() -> None:
    dataset, phase = noisy(1e3, 0.1, views=8)
    spectrum = Spectrum.of(dataset, ratio=0.1)
    errors = {
        factor: apart(
            retrieve_phase(dataset, 0, ratio=0.1, spectrum=spectrum._replace(noise=factor * spectrum.noise))[0], phase
        )
        for factor in (1e-4, 1e-2, 0.1, 1, 10, 1e2, 1e4)
    }
    assert errors[1] < 1.15 * min(errors.values()) < 0.5 * max(errors.values())


def test_of_empty_frames_nothing_is_made() -> None:
    frames = np.random.default_rng(0).poisson(1e4, (1, 1, SIZE, SIZE)).astype(np.float32)
    for counts in (frames, np.full_like(frames, 1e4)):
        phase, _ = retrieve_phase(with_frames(hologram(0.02, photons=1e4), counts), 0, ratio=0.1)
        assert np.abs(phase).max() < 0.02


# --- what is measured, and what is not --------------------------------------------------------------------------------


def test_pixels_that_are_not_measured_are_filled() -> None:
    dataset, phase = noisy(1e5, 0.2)
    whole = apart(retrieve_phase(dataset, 0, ratio=0.2)[0], phase)
    mask = np.random.default_rng(1).random(phase.shape) > 0.05
    frames = np.where(mask, dataset.frames.array, np.nan)
    found, _ = retrieve_phase(with_frames(dataset, frames, mask=mask), 0, ratio=0.2)
    ignored, _ = retrieve_phase(with_frames(dataset, np.where(mask, frames, 0)), 0, ratio=0.2)
    assert apart(found, phase) < 1.3 * whole < 0.2 * apart(ignored, phase)


def test_rejected_frames_have_no_part_in_it() -> None:
    phase, log_amplitude = weak()
    frames = np.concatenate([waves(phase, log_amplitude, 0.01), np.full((1, 1, SIZE, SIZE), 9.0)], axis=1)
    dataset = with_frames(hologram(0.01, 0.05), frames, weights=np.array([[1.0, 0.0]]))
    alone = with_frames(hologram(0.01), frames[:, :1])
    one, two = (retrieve_phase(one, 0, ratio=0.3)[0] for one in (dataset, alone))
    assert apart(one, two) < 0.1  # the grids of the transforms differ, as one distance is longer
    one, two = (retrieve_phase(one, 0, ratio=0.3, grid=(48, 48))[0] for one in (dataset, alone))
    np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-15)


def test_flat_dark_and_illumination_are_taken_out() -> None:
    phase, _ = weak()
    intensity, grid = waves(phase, 0.2 * phase, 0.02), (72, 72)
    rng = np.random.default_rng(0)
    flat, dark = rng.uniform(900, 1100, (SIZE, SIZE)), rng.uniform(10, 50, (SIZE, SIZE))
    datasets = [
        with_frames(hologram(0.02), intensity),
        with_frames(hologram(0.02), intensity * (flat - dark) + dark, flat=flat, dark=dark),
        with_frames(hologram(0.02), 4 * intensity, probe=np.full((1, SIZE, SIZE), 2j)),
    ]
    first, *others = (retrieve_phase(one, 0, ratio=0.2, spectrum=NO_NOISE, grid=grid)[0] for one in datasets)
    for one in others:
        np.testing.assert_allclose(one, first, atol=1e-9)


# --- the volume -------------------------------------------------------------------------------------------------------


def balls() -> np.ndarray:
    """δ `(z, y, x)`: two balls, neither on the axis nor at one height."""
    z, y, x = np.meshgrid(*[np.arange(SIZE) - (SIZE - 1) / 2] * 3, indexing="ij")
    centres = [(4, -5, 5, 4.5), (-5, 4, -3, 3.5)]
    return 3e-6 * sum(
        np.clip(r + 0.5 - np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2), 0, 1) for a, b, c, r in centres
    )


def measured(
    *distances: float, span: float = 2 * np.pi, ratio: float = 0.2, strength: float = 1.0, **changes: object
) -> Dataset:
    plan = plan_holography(
        (SIZE, SIZE), pixel=PIXEL, energy=ENERGY, distances=distances, views=VIEWS, span=span, photons=1e6
    )
    sample = strength * balls()
    return simulate(dataclasses.replace(plan, **changes), sample, ratio * sample, slab_voxels=SIZE)


@pytest.mark.parametrize(("span", "axis_offset"), [(2 * np.pi, 0.0), (np.pi, 0.0), (2 * np.pi, 1.6)])
def test_the_sample_comes_back_where_it_is(span: float, axis_offset: float) -> None:
    dataset = measured(DISTANCE, span=span, axis_offset=axis_offset)
    delta, beta = back_propagation(dataset, (SIZE, SIZE, SIZE), ratio=0.2)
    truth = np.swapaxes(balls(), 1, 2)
    assert delta.min() >= 0
    assert apart(delta, truth) < 0.3
    assert np.vdot(delta, truth) / np.vdot(truth, truth) == pytest.approx(1, abs=0.1)
    assert min(apart(np.flip(delta, axis), truth) for axis in range(3)) > 1
    np.testing.assert_allclose(beta, 0.2 * delta)


def test_two_distances_give_beta_by_itself() -> None:
    delta, beta = back_propagation(measured(0.0005, DISTANCE), (SIZE, SIZE, SIZE))
    truth = np.swapaxes(balls(), 1, 2)
    assert apart(delta, truth) < 0.35
    assert apart(beta, 0.2 * truth) < 0.35


def test_views_without_a_frame_are_left_out() -> None:
    dataset = measured(DISTANCE)
    counts, weights = np.array(dataset.frames.array), np.ones((VIEWS, 1))
    counts[::6], weights[::6] = 7.0, 0.0
    delta, _ = back_propagation(with_frames(dataset, counts, weights=weights), (SIZE, SIZE, SIZE), ratio=0.2)
    assert apart(delta, np.swapaxes(balls(), 1, 2)) < 0.35


@pytest.mark.parametrize("parametrization", ["delta beta", "fixed ratio", "log amplitude and phase"])
def test_it_is_a_start_of_holography(parametrization: str) -> None:
    dataset = measured(DISTANCE)
    model, nothing = (
        holography(dataset, parametrization=parametrization, ratio=0.2, start=start)
        for start in ("back-propagation", "vacuum")
    )
    delta, beta = model.object.delta_beta()
    if parametrization == "fixed ratio":
        assert apart(delta, balls()) < 0.3
        np.testing.assert_allclose(beta, 0.2 * delta, rtol=1e-9, atol=1e-20)
    else:
        assert apart(delta, balls()) < 0.6
    kept, empty = (np.asarray(frames_of(one, VIEWS)) - dataset.frames.array for one in (model, nothing))
    assert np.linalg.norm(kept) < 0.3 * np.linalg.norm(empty)


def test_it_is_the_default_unless_the_sample_is_strong() -> None:
    """A plan without frames begins with nothing as well."""
    plans = [hologram(*distances, views=3) for distances in ((0.02,), (0.02, 0.05))]
    strong = [measured(*distances, strength=20.0) for distances in ((DISTANCE,), (0.0005, DISTANCE))]
    for dataset in (*plans, *strong):
        np.testing.assert_array_equal(holography(dataset).object.delta_beta()[0], 0 * balls())
    for dataset in (measured(DISTANCE), measured(0.0005, DISTANCE)):
        found, asked = (holography(dataset, start=one).object.delta_beta()[0] for one in ("auto", "back-propagation"))
        np.testing.assert_array_equal(found, asked)
        assert np.any(found)


def test_frames_that_judge_the_reconstruction_have_no_part_in_its_start() -> None:
    dataset = measured(DISTANCE)
    back = held_out_frames(dataset)
    assert back is not None
    counts = np.array(dataset.frames.array)  # type: ignore[attr-defined]
    changed = with_frames(dataset, np.where(back[:, :, None, None], 7.0, counts))
    one, two = (holography(data).object.delta_beta()[0] for data in (dataset, changed))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, holography(with_frames(dataset, np.roll(counts, 1, axis=0))).object.delta_beta()[0])


def test_a_frame_that_is_not_finite_is_named() -> None:
    dataset = measured(DISTANCE)
    counts = np.array(dataset.frames.array)  # type: ignore[attr-defined]
    counts[2, 0, 3, 3] = np.nan
    with pytest.raises(DataError, match="Frame 0 of view 2 holds values that are not finite"):
        holography(with_frames(dataset, counts))


@pytest.mark.parametrize("distances", [(DISTANCE,), (0.0005, DISTANCE)])
def test_the_ratio_is_asked_only_where_it_is_fixed(distances: tuple[float, ...]) -> None:
    dataset = measured(*distances)
    models = [holography(dataset, ratio=ratio, start="back-propagation") for ratio in (0.1, 0.7)]
    np.testing.assert_array_equal(*(model.object.delta_beta()[1] for model in models))


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (hologram(0.02), "a plan without frames"),
        (dataclasses.replace(hologram(0.02, 0.05), weights=np.zeros((1, 2))), "plan has no frame left"),
        (dataclasses.replace(hologram(0.02), distances=np.zeros(0)), "plan has no distance"),
        (plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=4), "holography takes near-field frames"),
        (hologram(0.02, 0.05), "a plan without frames"),
    ],
)
def test_what_it_cannot_do_is_refused_in_a_sentence(dataset: Dataset, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        back_propagation(dataset, (SIZE, SIZE, SIZE))


def test_a_spectrum_of_other_unknowns_is_refused() -> None:
    dataset = with_frames(hologram(0.02), np.ones((1, 1, SIZE, SIZE)))
    with pytest.raises(DataError, match="has 2 powers where 1 are unknown"):
        retrieve_phase(dataset, 0, ratio=0.1, spectrum=NO_NOISE_EITHER)


def test_a_rejected_view_is_named() -> None:
    frames, weights = np.ones((2, 1, SIZE, SIZE)), np.array([[1.0], [0.0]])
    dataset = with_frames(hologram(0.02, views=2), frames, weights=weights)
    with pytest.raises(DataError, match="no frame of view 1 is left"):
        retrieve_phase(dataset, 1, ratio=0.1)
