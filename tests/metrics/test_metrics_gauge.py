"""The gauge of ptychography put in and taken out again."""

from __future__ import annotations

import numpy as np
import pytest

from adorym._core import DataError
from adorym.metrics import Gauge, align_image, find_gauge, gauge_error


def _smooth(rng: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    radius = np.hypot(*(f for f in np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")))
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=shape)) * np.exp(-2 * (np.pi * width * radius) ** 2)).real
    return field / field.std()


def _sample(seed: int, shape: tuple[int, int] = (48, 60), strength: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.exp(-0.2 * np.abs(_smooth(rng, shape, 1.5)) + strength * 1j * _smooth(rng, shape, 1.5))


def _gauge(seed: int, scale: bool) -> Gauge:
    rng = np.random.default_rng(seed + 100)
    factor = np.exp(1j * rng.uniform(-3, 3)) * (rng.uniform(0.3, 3) if scale else 1)
    ramp, shift = rng.uniform(-0.4, 0.4, 2), rng.uniform(-9, 9, 2)
    return Gauge(complex(factor), (float(ramp[0]), float(ramp[1])), (float(shift[0]), float(shift[1])))


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("strength", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_known_gauge_is_found_to_a_millionth(seed: int, strength: float, scale: bool) -> None:
    truth, gauge = _sample(seed, strength=strength), _gauge(seed, scale)
    found = find_gauge(gauge.apply(truth), truth, scale=scale)
    np.testing.assert_allclose(found.shift, gauge.shift, atol=1e-6)
    np.testing.assert_allclose(found.ramp, gauge.ramp, atol=1e-6)
    assert found.factor == pytest.approx(gauge.factor, abs=1e-6)
    assert gauge_error(gauge.apply(truth), truth) < 1e-6


def test_an_image_without_a_gauge_is_left_alone() -> None:
    truth = _sample(0)
    np.testing.assert_allclose(align_image(truth, truth, scale=True), truth, atol=1e-10)


def test_a_gauge_means_what_it_says() -> None:
    truth = _sample(1, (8, 9))
    np.testing.assert_allclose(Gauge(shift=(2.0, -3.0)).apply(truth), np.roll(truth, (2, -3), (0, 1)), atol=1e-12)
    ramped = Gauge(factor=2j, ramp=(0.1, 0.3)).apply(truth)
    assert ramped[0, 4] == pytest.approx(2j * np.exp(-0.35j) * truth[0, 4])
    assert ramped[7, 8] == pytest.approx(2j * np.exp(1j * (0.35 + 1.2)) * truth[7, 8])


@pytest.mark.parametrize("kept", ["phase", "ramp", "shift"])
def test_only_what_is_free_is_removed(kept: str) -> None:
    truth = _sample(2)
    parts = {"phase": Gauge(factor=1j), "ramp": Gauge(ramp=(0.05, 0.0)), "shift": Gauge(shift=(0.0, 2.5))}
    free = {"phase": True, "ramp": True, "shift": True} | {kept: False}
    found = find_gauge(parts[kept].apply(truth), truth, **free)
    values = {"phase": found.factor, "ramp": found.ramp, "shift": found.shift}
    assert values[kept] == {"phase": 1, "ramp": (0, 0), "shift": (0, 0)}[kept]
    assert abs(found.factor) == pytest.approx(1)


def test_nothing_free_changes_nothing() -> None:
    estimate = _sample(3)
    aligned = align_image(estimate, _sample(4), phase=False, ramp=False, shift=False)
    np.testing.assert_allclose(aligned, estimate, atol=1e-12)


def test_the_scale_is_kept_unless_it_is_freed() -> None:
    truth = _sample(5)
    assert abs(find_gauge(2 * truth, truth).factor) == pytest.approx(1)
    assert find_gauge(2 * truth, truth, scale=True).factor == pytest.approx(2)


def test_noise_and_a_field_of_view_that_moved_leave_it_accurate() -> None:
    """Two windows cut from one large sample, a few pixels apart: only the common part can agree."""
    rng = np.random.default_rng(6)
    large = _sample(6, (128, 128))
    moved = Gauge(factor=np.exp(0.4j), ramp=(0.03, -0.02), shift=(3.3, -2.6)).apply(large)
    truth, estimate = large[32:96, 32:96], moved[32:96, 32:96]
    estimate = estimate + 0.05 * (rng.normal(size=truth.shape) + 1j * rng.normal(size=truth.shape))
    mask = np.zeros(truth.shape, bool)
    mask[8:-8, 8:-8] = True
    found = find_gauge(estimate, truth, mask=mask)
    np.testing.assert_allclose(found.shift, (3.3, -2.6), atol=0.01)
    np.testing.assert_allclose(found.ramp, (0.03, -0.02), atol=1e-3)
    noise = 0.05 * np.sqrt(2) / np.sqrt(np.mean(np.abs(truth) ** 2))
    assert gauge_error(estimate, truth, mask) == pytest.approx(noise, rel=0.2)


def test_what_differs_beyond_the_gauge_stays_an_error() -> None:
    truth = _sample(7)
    assert gauge_error(truth.conj(), truth) > 0.5
    disturbed = truth * (1 + 0.1 * _smooth(np.random.default_rng(0), truth.shape, 1.5))
    assert gauge_error(_gauge(7, True).apply(disturbed), truth) == pytest.approx(0.1, rel=0.1)


def test_images_that_cannot_be_aligned_are_refused() -> None:
    truth = _sample(8)
    with pytest.raises(DataError, match="same shape"):
        align_image(truth[1:], truth)
    with pytest.raises(DataError, match="give one image"):
        align_image(truth[None], truth[None])
    with pytest.raises(DataError, match="estimate is zero"):
        align_image(0 * truth, truth)
    with pytest.raises(DataError, match="truth is zero"):
        align_image(truth, 0 * truth)
    with pytest.raises(DataError, match="zero everywhere it is compared"):
        align_image(truth, truth, mask=np.zeros(truth.shape))
    with pytest.raises(DataError, match="replace them"):
        align_image(truth * np.nan, truth)
    with pytest.raises(DataError, match="mask has shape"):
        align_image(truth, truth, mask=np.ones((3, 3)))
