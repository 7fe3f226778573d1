"""Measurements that are yet to be made."""

from __future__ import annotations

import numpy as np
import pytest

from adorym._core import DataError
from adorym.experiment import (
    GaussianProbe,
    PlannedFrames,
    Raster,
    plan_holography,
    plan_ptychography,
    plan_tomography,
)


def test_views_are_spread_over_the_span_without_its_end() -> None:
    plan = plan_holography((4, 4), pixel=1e-9, energy=1e3, distances=(1e-7,), views=4)
    np.testing.assert_allclose(plan.angles, [0, np.pi / 2, np.pi, 3 * np.pi / 2])
    half = plan_tomography((4, 4), pixel=1e-9, energy=1e3, views=4)
    np.testing.assert_allclose(half.angles, [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4])


@pytest.mark.parametrize("views", [0, -3])
def test_a_plan_has_a_view(views: int) -> None:
    with pytest.raises(DataError, match=r"scan\.views is .*: give at least 1"):
        plan_tomography((4, 4), pixel=1e-9, energy=1e3, views=views)


def test_a_plan_has_no_frames_to_read() -> None:
    plan = plan_holography((4, 6), pixel=1e-9, energy=1e3, distances=(1e-7, 2e-7), views=3)
    assert plan.frames.shape == (3, 2, 4, 6)
    assert isinstance(plan.frames, PlannedFrames)
    with pytest.raises(DataError, match="adorym simulate"):
        plan.frames.read(0, np.array([0]))


def test_a_gaussian_probe_has_its_photons_its_width_and_its_curvature() -> None:
    field = GaussianProbe(33, sigma=4.0, curvature=0.5).field(1e4)
    assert np.sum(np.abs(field) ** 2) == pytest.approx(1e4)
    x = np.arange(33) - 16
    assert np.abs(field[16, 20]) / np.abs(field[16, 16]) == pytest.approx(np.exp(-0.5))  # sigma of the amplitude
    assert np.angle(field[16, 20] / field[16, 16]) == pytest.approx(0.5)
    np.testing.assert_allclose(field, field[::-1, ::-1])
    assert np.sum(np.abs(field) ** 2 * x[None, :]) == pytest.approx(0, abs=1e-6)


def test_a_raster_covers_the_field_and_jitters_by_its_seed() -> None:
    exact = Raster(8.0, jitter=0.0).positions((32, 24), views=2)
    assert exact.shape == (2, 5 * 4, 2)
    np.testing.assert_array_equal(exact[0], exact[1])
    np.testing.assert_allclose(np.ptp(exact[0], axis=0), [32, 24])
    np.testing.assert_allclose(exact.mean((0, 1)), 0, atol=1e-12)
    rough = Raster(8.0, jitter=0.25, seed=1).positions((32, 24), views=2)
    assert 0 < np.abs(rough - exact).max() <= 2.0
    assert not np.array_equal(rough[0], rough[1])
    np.testing.assert_array_equal(rough, Raster(8.0, jitter=0.25, seed=1).positions((32, 24), views=2))
    assert not np.array_equal(rough, Raster(8.0, jitter=0.25, seed=2).positions((32, 24), views=2))


def test_a_planned_scan_is_in_metres() -> None:
    plan = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=GaussianProbe(8), raster=Raster(8.0), views=2)
    np.testing.assert_allclose(plan.positions, Raster(8.0).positions((16, 16), views=2) * 2e-9)
    assert plan.frames.shape == (2, 9, 8, 8)
    assert plan.weights.shape == (2, 9)
    assert plan.regime == "far field"
    assert np.sum(np.abs(plan.probe) ** 2) == pytest.approx(1e6)
