"""Partial-volume voxels against volumes and areas known in closed form."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import DataError
from adorym.phantoms import Phantom, bin_volume, foam, siemens_star
from adorym.phantoms import _render as render
from adorym.phantoms._cone import _tube
from adorym.phantoms._dendrite import _tubes
from adorym.physics import MATERIALS, find_material


def _volume(distance, size: int = 64, oversample: int = 2) -> float:
    """Of a body of silica, in drawing units cubed."""
    canvas = render.Canvas(size=size, voxel=1e-9, energy=1000.0, oversample=oversample)
    phantom = canvas.paint("body", 0, [(find_material("silica"), distance)])
    filled = phantom.delta.sum(dtype=np.float64) / MATERIALS["silica"].delta_beta(1000.0)[0]
    return filled * (render.FIELD / size) ** 3


@pytest.mark.parametrize("oversample", [1, 2, 3])
def test_a_ball_has_its_volume(oversample: int) -> None:
    ball = render.balls(np.array([[3.1, -7.7, 0.4]]), np.array([70.0]))
    assert _volume(ball, oversample=oversample) == pytest.approx(4 / 3 * math.pi * 70**3, rel=1e-4)


@pytest.mark.parametrize("radius", [4.0, 10.0])
def test_spheres_as_small_as_the_cones_have_their_volume(radius: float) -> None:
    """One to two and a half voxels in radius, at places that are no grid's."""
    for centre in np.random.default_rng(0).uniform(-100, 100, (4, 3)):
        ball = render.balls(centre[None], np.array([radius]))
        assert _volume(ball) == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.01)


def test_overlapping_balls_count_once() -> None:
    """Two balls of radius R a distance R apart: 27/16 of one."""
    pair = render.balls(np.array([[0.0, -30.0, 0.0], [0.0, 30.0, 0.0]]), np.array([60.0, 60.0]))
    assert _volume(pair) == pytest.approx(27 / 16 * 4 / 3 * math.pi * 60**3, rel=2e-3)


def test_a_cylinder_has_its_volume() -> None:
    assert _volume(render.cylinder(80.0, -31.3, 52.9)) == pytest.approx(math.pi * 80**2 * 84.2, rel=1e-3)


def test_the_cones_wall_has_the_volume_of_the_recipe() -> None:
    """The integral of pi (outer^2 - inner^2) along the axis, outer 10 to 80, inner 5 to 65."""
    frustum = math.pi * 200 / 3 * ((10**2 + 10 * 80 + 80**2) - (5**2 + 5 * 65 + 65**2))
    assert _volume(_tube) == pytest.approx(frustum, rel=3e-3)
    assert _volume(_tube, size=128) == pytest.approx(frustum, rel=1e-3)


def test_a_tapered_tube_has_its_volume() -> None:
    """A frustum between two caps that are nearly half balls."""
    segment = np.array([[0.0, -60.0, 0.0, 0.0, 60.0, 0.0, 30.0, 24.0]])
    frustum = math.pi * 120 / 3 * (30**2 + 30 * 24 + 24**2)
    caps = 2 / 3 * math.pi * (30**3 + 24**3)
    assert _volume(_tubes(segment)) == pytest.approx(frustum + caps, rel=5e-3)


def test_two_tubes_join_with_a_fillet_and_far_ones_do_not_touch() -> None:
    one = np.array([[0.0, -60.0, 0.0, 0.0, 60.0, 0.0, 12.0, 12.0]])
    across = np.array([[0.0, 0.0, -60.0, 0.0, 0.0, 60.0, 12.0, 12.0]])
    away = across + np.array([80.0, 0, 0, 80.0, 0, 0, 0, 0])
    single = _volume(_tubes(one))
    assert _volume(_tubes(np.concatenate([one, away]))) == pytest.approx(2 * single, rel=1e-3)
    overlap = 16 / 3 * 12**3  # of two equal cylinders that cross
    assert 2 * single - overlap < _volume(_tubes(np.concatenate([one, across]))) < 2 * single


@pytest.mark.parametrize("spokes", [8, 36])
def test_the_star_has_half_the_area_of_its_ring_times_its_thickness(spokes: int) -> None:
    star = siemens_star(size=128, voxel=2e-8, thickness=3e-7, energy=8000.0, spokes=spokes)
    delta, beta = MATERIALS["gold"].delta_beta(8000.0)
    area = math.pi * (108**2 - 8**2) / 2 * (2e-8 / 2) ** 2
    assert star.delta.sum(dtype=np.float64) * 2e-8**3 == pytest.approx(delta * area * 3e-7, rel=2e-3)
    assert star.beta.sum(dtype=np.float64) * 2e-8**3 == pytest.approx(beta * area * 3e-7, rel=2e-3)


@pytest.mark.parametrize("porosity", [0.2, 0.45, 0.7])
def test_the_foam_has_the_porosity_asked_for(porosity: float) -> None:
    solid = foam(size=32, porosity=0.0).delta.sum(dtype=np.float64)
    parts = [foam(size=32, porosity=porosity, seed=seed).delta.sum(dtype=np.float64) / solid for seed in range(8)]
    assert np.mean(parts) == pytest.approx(1 - porosity, abs=0.04)


def test_slabs_change_nothing_and_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = foam(size=24, oversample=4)
    monkeypatch.setattr(render, "_SLAB", 50_000)
    tracemalloc.start()
    slabs = foam(size=24, oversample=4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(slabs.delta, whole.delta)
    np.testing.assert_array_equal(slabs.beta, whole.beta)
    assert peak < 96**3 * 4  # less than one array of sub-voxels


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_binning_keeps_the_mean(factor: int, height: int, width: int) -> None:
    array = np.random.default_rng(0).normal(size=(2 * factor, height * factor, width * factor))
    binned = bin_volume(array, factor)
    assert binned.shape == (2, height, width)
    assert binned.mean() == pytest.approx(array.mean())
    assert binned[0, 0, 0] == pytest.approx(array[:factor, :factor, :factor].mean())


def test_binning_keeps_the_dtype_and_axes_of_length_one() -> None:
    assert bin_volume(np.ones((1, 4, 4), np.float32), 2).shape == (1, 2, 2)
    assert bin_volume(np.ones((1, 4, 4), np.float32), 2).dtype == np.float32
    assert bin_volume(np.full((4, 4), 1j), 4).item() == 1j
    for factor in (3, 0):
        with pytest.raises(DataError, match="cannot be binned"):
            bin_volume(np.ones((4, 4)), factor)


def test_a_phantom_is_two_volumes_of_one_shape() -> None:
    with pytest.raises(DataError, match="give both"):
        Phantom(delta=np.ones((2, 2, 2)), beta=np.ones((2, 2, 3)), voxel=1.0, energy=1.0, name="x", seed=0)
