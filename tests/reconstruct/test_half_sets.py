"""Halves of the data share no frame, have all of them between them, and agree where something was measured."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import adorym
from adorym._core import DataError
from adorym.data import Dataset
from adorym.experiment import GaussianProbe, Raster, holography, plan_holography, plan_ptychography, ptychography
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, half_set_correlation, half_sets, reconstruct
from adorym.regularizers import Tikhonov
from adorym.simulate import simulate
from adorym.solvers import GaussNewton


def holograms(views: int, *, distances: int = 1, size: int = 8) -> Dataset:
    along = tuple(3e-7 * (i + 1) for i in range(distances))
    return plan_holography((size, size), pixel=8e-9, energy=1e3, distances=along, views=views, photons=1e6)


def scan(views: int = 1) -> Dataset:
    return plan_ptychography((32, 32), pixel=2e-9, energy=1e3, probe=GaussianProbe(16), raster=Raster(8.0), views=views)


@pytest.mark.parametrize("plan", [holograms(9), holograms(3, distances=4), scan(), scan(2), scan(8)])
def test_halves_share_nothing_and_lack_nothing(plan):
    weights = plan.weights.copy()
    weights[0, 0], weights[-1, -1] = 0.0, 0.25
    plan = dataclasses.replace(plan, weights=weights)
    first, second = half_sets(plan)
    assert not np.any((first.weights > 0) & (second.weights > 0))
    np.testing.assert_array_equal(first.weights + second.weights, weights)
    assert abs(np.count_nonzero(first.weights) - np.count_nonzero(second.weights)) <= weights.size // 8 + 1
    assert first.frames is second.frames is plan.frames


def test_views_alternate_where_there_are_many_else_frames_do():
    first, _ = half_sets(holograms(9))
    assert first.weights[:, 0].tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    first, _ = half_sets(scan())
    assert first.weights[0, :4].tolist() == [1, 0, 1, 0]
    lost = dataclasses.replace(holograms(10), weights=np.array([[1.0], [0.0]] + [[1.0]] * 8))
    assert half_sets(lost)[0].weights[:, 0].tolist() == [1, 0, 0, 1, 0, 1, 0, 1, 0, 1]  # among those that are used


def test_frames_kept_back_are_kept_back_from_both_and_halve_nothing():
    """Of every second view kept back, the others still alternate."""
    held_out = np.zeros((20, 1), bool)
    held_out[1::2] = True
    first, second = (half.weights[:, 0] > 0 for half in half_sets(holograms(20), held_out))
    assert first[1::2].all()
    assert second[1::2].all()
    assert np.flatnonzero(first[::2]).tolist() == [0, 2, 4, 6, 8]
    assert not np.any(first[::2] & second[::2])


def test_what_cannot_be_halved_is_refused():
    with pytest.raises(DataError, match="3 frames in 3 views, too few"):
        half_sets(holograms(3))


def test_the_correlation_is_that_of_all_data():
    """Two noisy halves correlate by S / (S + N); their mean would by S / (S + N/2)."""
    rng, size = np.random.default_rng(0), 24
    model = holography(holograms(8, size=size))
    truth, *noise = rng.normal(size=(3, size, size, size))
    one, other = (eqx.tree_at(lambda m: m.object, model, model.object.filled(truth + n, truth)) for n in noise)
    curve = half_set_correlation(one, other, mask=np.ones((size,) * 3, bool))
    assert curve.correlation[4:].mean() == pytest.approx(2 / 3, abs=0.03)
    np.testing.assert_allclose(curve.one_seventh, 0.25)
    assert np.all(curve.half_bit >= 0.34)
    unlike = half_set_correlation(
        one, eqx.tree_at(lambda m: m.object, model, model.object.filled(-truth, truth)), mask=np.ones((size,) * 3, bool)
    )
    assert -1 <= unlike.correlation.min() < -0.5


def test_images_are_compared_without_phase_ramp_and_scale():
    model = ptychography(scan())
    y, x = (axis / 10 for axis in np.indices(model.object.parametrization.phase.shape))
    phase = 0.3 * np.sin(3 * y) * np.cos(2 * x)
    plain, turned = (
        eqx.tree_at(
            lambda m: (m.object.parametrization.phase, m.object.parametrization.log_amplitude),
            model,
            (jnp.asarray(values), jnp.full(phase.shape, level)),
        )
        for values, level in ((phase, 0.0), (phase + 0.7 + 0.2 * x, -0.4))
    )
    curve = half_set_correlation(plain, turned)
    assert curve.correlation[:4].min() > 0.95


def test_halves_of_good_data_agree_on_what_is_coarse_and_differ_in_what_is_noise():
    truth = adorym.phantoms.cone(size=8, voxel=8e-9, energy=1e3)
    data = simulate(holograms(8), truth.delta, truth.beta, seed=1)
    results = []
    for half in half_sets(data):
        problem = Problem(Poisson(), (), (Tikhonov("object.delta", 0.1), Tikhonov("object.beta", 0.1)))
        stage = Stage(("object",), GaussNewton(iterations=15), epochs=2)
        results.append(reconstruct(Task(half, holography(half, slab_voxels=4), problem, (stage,))))
    first, second = (model.object.delta_beta()[0] for model in results)
    assert not np.allclose(first, second, rtol=1e-3)
    curve = half_set_correlation(*results, mask=np.ones((8, 8, 8), bool))
    assert curve.correlation[0] > 0.9
