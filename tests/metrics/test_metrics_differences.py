"""Relative error, similarity, misfit and reduced chi squared against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adorym._core import DataError
from adorym.metrics import misfit, nrmse, reduced_chi2, ssim

RNG_SEED = 7


def _pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(RNG_SEED)
    return rng.normal(size=(3, 8, 8)), rng.normal(size=(3, 8, 8))


def test_nrmse_is_the_conventions_delta_error() -> None:
    a, b = _pair()
    assert nrmse(a, b) == pytest.approx(math.sqrt(((a - b) ** 2).sum() / (b**2).sum()), rel=1e-14)
    assert nrmse(b, b) == 0
    assert nrmse(np.zeros_like(b), b) == 1
    assert nrmse(3 * b, b) == pytest.approx(2)


def test_nrmse_of_complex_images_sees_the_phase() -> None:
    t = np.exp(1j * np.arange(12.0).reshape(3, 4))
    assert nrmse(t * np.exp(0.3j), t) == pytest.approx(2 * math.sin(0.15), rel=1e-12)


def test_nrmse_in_32_bits_is_computed_in_64() -> None:
    truth = np.full((64, 64), 1e-5, np.float32)
    estimate = truth * np.float32(1.25)
    assert nrmse(estimate, truth) == pytest.approx(0.25, rel=1e-6)


def test_a_mask_of_the_last_axes_selects_in_every_frame_and_hides_what_is_not_finite() -> None:
    a, b = _pair()
    mask = np.zeros((8, 8), bool)
    mask[2:5, 1:7] = True
    spoilt = np.where(mask, a, np.nan)
    assert nrmse(spoilt, b, mask) == pytest.approx(nrmse(a[:, 2:5, 1:7], b[:, 2:5, 1:7]), rel=1e-14)
    counts = np.where(mask, np.abs(a), np.nan)
    assert misfit(np.abs(b), counts, mask) == pytest.approx(misfit(np.abs(b)[:, 2:5, 1:7], np.abs(a)[:, 2:5, 1:7]))


@pytest.mark.parametrize("measure", [nrmse, misfit, reduced_chi2])
def test_arrays_that_cannot_be_compared_are_refused(measure) -> None:
    ones = np.ones((4, 4))
    with pytest.raises(DataError, match="same shape"):
        measure(ones, np.ones((4, 5)))
    with pytest.raises(DataError, match="fits its last axes"):
        measure(ones, ones, np.ones((3, 4), bool))
    with pytest.raises(DataError, match="fits its last axes"):
        measure(ones, ones, np.ones((1, 4, 4), bool))
    with pytest.raises(DataError, match="leaves nothing"):
        measure(ones, ones, np.zeros((4, 4), bool))
    with pytest.raises(DataError, match="1 values that are not finite"):
        measure(np.where(np.eye(4)[0] * np.eye(4)[:, :1] > 0, np.nan, ones), ones)
    with pytest.raises(DataError, match="empty"):
        measure(np.ones((0, 4)), np.ones((0, 4)))


def test_relative_measures_need_something_to_be_relative_to() -> None:
    with pytest.raises(DataError, match="truth is zero"):
        nrmse(np.ones(3), np.zeros(3))
    with pytest.raises(DataError, match="zero everywhere"):
        misfit(np.ones(3), np.zeros(3))


def test_misfit_is_that_of_amplitudes() -> None:
    rng = np.random.default_rng(RNG_SEED)
    a, b = rng.uniform(0, 9, (2, 2, 3, 8, 8))
    assert misfit(a, b) == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum() / b.sum(), rel=1e-14)
    assert misfit(b, b) == 0
    assert misfit(np.array([-1e-9, 4.0]), np.array([0.0, 4.0])) == 0


def test_misfit_of_shot_noise_is_a_quarter_of_a_photon_per_pixel() -> None:
    """The amplitude of a Poisson count has variance 1/4 at every brightness."""
    rng = np.random.default_rng(RNG_SEED)
    mean = rng.uniform(50, 500, (200, 200))
    assert misfit(mean, rng.poisson(mean)) == pytest.approx(0.25 * mean.size / mean.sum(), rel=0.02)


@pytest.mark.parametrize("level", [0.01, 0.3, 5.0, 1e4])
def test_reduced_chi_squared_of_shot_noise_is_one_at_every_brightness(level: float) -> None:
    rng = np.random.default_rng(RNG_SEED)
    mean = level * rng.uniform(0.5, 2, (400, 400))
    counts = rng.poisson(mean)
    spread = math.sqrt((2 + 1 / level) / mean.size)
    assert reduced_chi2(mean, counts) == pytest.approx(1, abs=5 * spread)
    assert reduced_chi2(mean, counts, parameters=80_000) == pytest.approx(2 * reduced_chi2(mean, counts))


def test_reduced_chi_squared_tells_a_wrong_model() -> None:
    mean = np.full((50, 50), 100.0)
    assert reduced_chi2(mean, mean * 1.3) == pytest.approx(9)
    assert reduced_chi2(np.array([0.0, 4.0]), np.array([1.0, 4.0])) == math.inf
    assert reduced_chi2(np.array([0.0, 4.0]), np.array([0.0, 6.0])) == pytest.approx(0.5)


def test_one_photon_where_almost_none_was_expected_does_not_outweigh_the_rest() -> None:
    mean = np.full(10_000, 0.5)
    mean[0] = 1e-12
    counts = np.random.default_rng(RNG_SEED).poisson(mean)
    counts[0] = 1
    assert reduced_chi2(mean, counts) == pytest.approx(1, abs=0.1)


def test_reduced_chi_squared_needs_more_pixels_than_unknowns() -> None:
    with pytest.raises(DataError, match="4 unknowns for 4 pixels"):
        reduced_chi2(np.ones(4), np.ones(4), parameters=4)


def test_ssim_agrees_with_its_formula_in_one_window() -> None:
    rng = np.random.default_rng(RNG_SEED)
    a, b = rng.uniform(size=(2, 7, 7))
    span = b.max() - b.min()
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    covariance = np.cov(a.ravel(), b.ravel())
    expected = ((2 * a.mean() * b.mean() + c1) * (2 * covariance[0, 1] + c2)) / (
        (a.mean() ** 2 + b.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    )
    assert ssim(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shape", [(9, 9), (1, 12, 12), (4, 9, 10), (3, 3)])
def test_ssim_of_images_and_volumes(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(RNG_SEED)
    truth = rng.uniform(size=shape).astype(np.float32)
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(rng.uniform(size=shape), truth) < 0.9


def test_ssim_refuses_what_it_is_not_for() -> None:
    image = np.arange(64.0).reshape(8, 8)
    with pytest.raises(DataError, match="real arrays"):
        ssim(image + 1j, image)
    with pytest.raises(DataError, match="constant"):
        ssim(image, np.ones((8, 8)))
    with pytest.raises(DataError, match="larger region"):
        ssim(image[:2], image[:2])
    with pytest.raises(DataError, match="not finite"):
        ssim(image / np.where(image == 5, np.nan, 1), image)
