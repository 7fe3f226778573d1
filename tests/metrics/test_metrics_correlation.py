"""Fourier ring and shell correlation: identical, independent, and known signal-to-noise ratios."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adorym._core import DataError
from adorym.metrics import FourierCorrelation, fourier_correlation, soft_mask

SHAPES = [(32, 32), (24, 24, 24), (33, 40), (15, 20, 16), (1, 32, 32)]


def _noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("window", [0.0, 0.125, 0.5])
def test_an_array_correlates_fully_with_itself_and_its_multiples(shape: tuple[int, ...], window: float) -> None:
    a = _noise(shape)
    curve = fourier_correlation(a, 3 * a + 7, window=window)
    np.testing.assert_allclose(curve.correlation, 1, atol=1e-12)
    assert curve.resolution("half bit") == curve.resolution("1/7") == 1.0
    np.testing.assert_allclose(fourier_correlation(a, -a, window=window).correlation, -1, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_real_array_gives_the_same_curve_and_counts_as_a_complex_one(shape: tuple[int, ...]) -> None:
    a, b = _noise(shape), _noise(shape, 1)
    real, complex_ = fourier_correlation(a, b), fourier_correlation(a + 0j, b + 0j)
    np.testing.assert_allclose(real.correlation, complex_.correlation, atol=1e-12)
    np.testing.assert_array_equal(real.counts, complex_.counts)
    assert np.all(real.half_bit > complex_.half_bit)  # its mirror images are no samples of their own


def test_counts_are_the_samples_of_each_ring() -> None:
    curve = fourier_correlation(_noise((8, 8)), _noise((8, 8)))
    radius = np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(8) * 8] * 2)))
    assert curve.counts.tolist() == [np.count_nonzero(radius == k) for k in (1, 2, 3, 4)]
    assert curve.frequency.tolist() == [0.125, 0.25, 0.375, 0.5]


@pytest.mark.parametrize("snr", [0.3, 1.0, 4.0])
def test_two_noisy_halves_correlate_as_their_signal_to_noise_ratio_says(snr: float) -> None:
    truth = math.sqrt(snr) * _noise((40, 40, 40))
    curve = fourier_correlation(truth + _noise(truth.shape, 1), truth + _noise(truth.shape, 2), window=0.0)
    scatter = (curve.correlation - snr / (snr + 1)) * np.sqrt(curve.counts / 2)
    assert abs(scatter.mean()) < 1
    assert np.abs(scatter).max() < 5


def test_independent_noise_scatters_about_zero_as_one_over_root_n() -> None:
    curve = fourier_correlation(_noise((64, 64, 64)), _noise((64, 64, 64), 1), window=0.0)
    scatter = curve.correlation * np.sqrt(curve.counts / 2)
    assert 0.6 < scatter.std() < 1.5
    assert curve.resolution("half bit") > 5


def test_the_half_bit_threshold_is_van_heels() -> None:
    """(0.2071 + 1.9102 / sqrt n) / (1.2071 + 0.9102 / sqrt n), n half the samples of a real array."""
    curve = fourier_correlation(_noise((32, 32, 32)), _noise((32, 32, 32)), window=0.0)
    n = curve.counts / 2
    expected = (0.2071 + 1.9102 / np.sqrt(n)) / (1.2071 + 0.9102 / np.sqrt(n))
    np.testing.assert_allclose(curve.half_bit, expected, rtol=1e-12)
    assert curve.half_bit[-1] == pytest.approx(0.2071 / 1.2071, abs=0.04)
    assert np.all(curve.one_seventh == 1 / 7)


def test_half_a_bit_is_where_the_signal_carries_half_a_bit() -> None:
    """In a large shell the threshold is FSC = SNR / (1 + SNR) at log2(1 + 2 SNR) = 1/2, two halves added."""
    snr = (math.sqrt(2) - 1) / 2
    assert snr / (1 + snr) == pytest.approx(0.2071 / 1.2071, rel=1e-3)


@pytest.mark.parametrize("cut", [0.2, 0.35])
def test_resolution_is_the_half_period_at_which_two_halves_part(cut: float) -> None:
    """Shared below a frequency, independent above it."""
    shape = (64, 64)
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64)] * 2))
    shared, *own = (np.fft.fft2(_noise(shape, seed)) for seed in range(3))
    a, b = (np.fft.ifft2(np.where(radius < cut, shared, other)).real for other in own)
    curve = fourier_correlation(a, b, window=0.0)
    assert curve.crossing("half bit") == pytest.approx(cut, abs=1.5 / 64)
    assert curve.resolution("half bit") == 1 / (2 * curve.crossing("half bit"))


def test_the_first_crossing_counts_and_single_samples_do_not() -> None:
    shells = np.arange(1, 6) / 10
    half_bit = np.array([1.0, 0.6, 0.5, 0.4, 0.4])
    curve = FourierCorrelation(shells, np.array([0.2, 0.8, 0.4, 0.9, 0.1]), half_bit, np.full(5, 1 / 7), np.ones(5))
    assert curve.crossing("half bit") == pytest.approx(0.2 + 0.1 * 0.2 / 0.3)
    assert curve.crossing("1/7") == pytest.approx(0.4 + 0.1 * (0.9 - 1 / 7) / 0.8)
    nothing = FourierCorrelation(shells, np.zeros(5), half_bit, np.full(5, 1 / 7), np.ones(5))
    assert nothing.resolution() == nothing.resolution("1/7") == math.inf


def test_a_shared_offset_does_not_correlate_through_the_window_or_the_mask() -> None:
    mask = np.zeros((32, 32, 32))
    mask[8:24, 8:24, 8:24] = 1
    a, b = _noise(mask.shape) + 100, _noise(mask.shape, 1) + 100
    assert np.abs(fourier_correlation(a, b, mask=mask).correlation[3:]).max() < 0.4


def test_a_mask_looks_inside_only_and_raises_the_threshold() -> None:
    inside = np.zeros((32, 32, 32), bool)
    inside[12:20, 12:20, 12:20] = True
    truth = _noise(inside.shape)
    spoilt = np.where(soft_mask(inside, 1.5) > 0, truth, _noise(inside.shape, 1))
    free = fourier_correlation(truth, spoilt, window=0.0)
    masked = fourier_correlation(truth, spoilt, mask=soft_mask(inside, 1.5), window=0.0)
    assert free.correlation.mean() < 0.6
    np.testing.assert_allclose(masked.correlation, 1, atol=1e-12)
    assert np.all(masked.half_bit > free.half_bit)


def test_soft_mask_keeps_its_volume_and_does_not_fade_at_the_arrays_edge() -> None:
    mask = np.zeros((40, 40))
    mask[:20] = 1
    soft = soft_mask(mask, 2.0)
    assert soft[0].min() == pytest.approx(1)
    assert soft.sum() == pytest.approx(mask.sum(), rel=1e-6)
    assert np.all(np.diff(soft, axis=0) <= 1e-15)
    np.testing.assert_array_equal(soft_mask(mask, 0.0), mask)


def test_what_cannot_be_correlated_is_refused() -> None:
    a = _noise((8, 8))
    with pytest.raises(DataError, match="same shape"):
        fourier_correlation(a, a[:4])
    with pytest.raises(DataError, match="2D or 3D"):
        fourier_correlation(a[0], a[0])
    with pytest.raises(DataError, match="axes 4 or more"):
        fourier_correlation(a[:3], a[:3])
    with pytest.raises(DataError, match="not finite"):
        fourier_correlation(a * np.nan, a)
    with pytest.raises(DataError, match="leaves nothing"):
        fourier_correlation(a, a, mask=np.zeros((8, 8)))
    with pytest.raises(DataError, match="mask has shape"):
        fourier_correlation(a, a, mask=np.ones((4, 4)))
    with pytest.raises(DataError, match="0 to 1"):
        fourier_correlation(a, a, mask=np.full((8, 8), 2.0))
    with pytest.raises(DataError, match="to taper at either end"):
        fourier_correlation(a, a, window=0.7)
