"""Deviations against dense matrices, against the scatter of estimates, and against truths drawn from the prior."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.reconstruct.problems import (
    PATH,
    PHOTONS,
    SIZE,
    UNIT,
    dense,
    estimate,
    feed_of,
    gradient,
    measured,
    plan,
    problem,
    smooth_truth,
    with_object,
)
from tests.solvers.problems import equations, linear

from adorym._core import DataError, JobError
from adorym.constraints import Support
from adorym.data import Feed
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.reconstruct import Effort, Region, deviation, deviation_map, predicted_error

SHAPE = (SIZE,) * 3
EXACT = Effort(tolerance=1e-6, iterations=400, probes=8)


def seen(flat: np.ndarray) -> np.ndarray:
    """A flattened leaf as people see it, `(z, y, x)`."""
    return np.swapaxes(flat.reshape(SHAPE), 1, 2)


@pytest.fixture(scope="module")
def curvature() -> tuple[np.ndarray, np.ndarray]:
    return dense(problem(), with_object(smooth_truth(0)))


def covariances(information: np.ndarray, penalty: np.ndarray) -> dict[str, np.ndarray]:
    posterior = np.linalg.inv(information + penalty)
    return {"posterior": posterior, "scatter": posterior @ information @ posterior}


# --- against dense matrices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["posterior", "scatter"])
def test_regions_have_the_deviations_of_the_dense_inverse(curvature, kind):
    corner = np.zeros(SHAPE, bool)
    corner[1, 2, 4] = True
    slope = np.arange(SIZE**3).reshape(SHAPE) / SIZE**3 - 0.5
    regions = [Region.mean(PATH, corner), Region.mean(PATH, np.ones(SHAPE, bool)), Region(PATH, slope)]
    found = deviation(
        problem(), with_object(smooth_truth(0)), feed_of(plan()), regions=regions, kind=kind, effort=EXACT
    )
    covariance = covariances(*curvature)[kind]
    for region, one in zip(regions, found, strict=True):
        weights = np.swapaxes(region.weights, 1, 2).ravel()  # the leaf's layout is (z, x, y)
        assert one.settled
        assert one.value == pytest.approx(np.sqrt(weights @ covariance @ weights), rel=1e-4)


def test_what_a_constraint_holds_does_not_deviate_and_frees_the_rest_of_it(curvature):
    """Voxels at their bound, which the gradient pushes against it, are as good as known."""
    one = problem(positive=True)
    truth = smooth_truth(0)
    truth[:2] = 0
    dataset = measured(truth, 1)
    best = estimate(one, dataset, truth)
    held = (best == 0) & (gradient(one, with_object(best), dataset) > 0)
    assert 20 < held.sum() < 72
    information, penalty = dense(one, with_object(best))
    free = ~held.ravel()
    inner = np.linalg.inv((information + penalty)[np.ix_(free, free)])
    expected = np.zeros(SIZE**3)
    expected[free] = np.sqrt(np.diag(inner))
    chosen = [tuple(np.argwhere(held)[0]), tuple(np.argwhere(~held)[0]), tuple(np.argwhere(~held)[-1])]
    regions = []
    for index in chosen:
        weights = np.zeros(SHAPE)
        weights[index] = 1
        regions.append(Region(PATH, np.swapaxes(weights, 1, 2)))
    found = deviation(one, with_object(best), feed_of(dataset), regions=regions, effort=EXACT)
    np.testing.assert_allclose([one.value for one in found], [expected.reshape(SHAPE)[i] for i in chosen], rtol=1e-4)
    assert found[0].value == 0


def test_what_nothing_holds_is_not_known_at_all():
    """A leaf without influence, beside one that the data determine alone."""
    model, dataset = linear()
    matrix, _ = equations(model, dataset)
    one = Problem(Gaussian(0.5), free=("x", "spare"))
    feed = Feed(dataset, views_per_batch=2, frames_per_batch=1)
    regions = [Region("spare", np.ones(3)), Region("x", np.eye(5)[1]), Region("x", np.zeros(5))]
    found = deviation(one, model, feed, regions=regions, effort=EXACT)
    expected = 0.5 * np.sqrt(np.linalg.inv(matrix.T @ matrix)[1, 1])
    np.testing.assert_allclose([one.value for one in found], [np.inf, expected, 0.0], rtol=1e-6)
    *_, last = deviation_map(one, model, feed, where="spare", within=np.arange(3) > 0, effort=Effort(probes=1))
    np.testing.assert_array_equal(last.deviation, [np.nan, np.inf, np.inf])


@pytest.mark.parametrize("kind", ["posterior", "scatter"])
def test_the_map_is_the_diagonal(curvature, kind):
    effort = Effort(probes=16)
    exact = np.sqrt(np.diag(covariances(*curvature)[kind]))
    maps = list(
        deviation_map(problem(), with_object(smooth_truth(0)), feed_of(plan()), where=PATH, kind=kind, effort=effort)
    )
    assert [(one.done, one.total) for one in maps] == [(i + 1, 16) for i in range(16)]
    assert maps[-1].settled
    ratio = maps[-1].deviation / seen(exact)
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    assert np.median(np.abs(ratio - 1)) < 0.2


def test_a_slice_of_the_map_is_found_with_few_solutions(curvature):
    """Elements of a lattice are far apart, and those of other slices are not in the way."""
    exact = seen(np.sqrt(np.diag(covariances(*curvature)["posterior"])))
    within = np.zeros(SHAPE, bool)
    within[3] = True
    effort = Effort(tolerance=1e-3, probes=9)
    *_, last = deviation_map(
        problem(), with_object(smooth_truth(0)), feed_of(plan()), where=PATH, within=within, effort=effort
    )
    assert np.array_equal(np.isfinite(last.deviation), within)
    assert np.median(np.abs(last.deviation[3] / exact[3] - 1)) < 0.12


# --- calibrated -------------------------------------------------------------------------------------------------------


def test_the_scatter_over_noise_is_the_predicted_one():
    """20 measurements of one truth; every third voxel empty, so that some estimates lie at their bound."""
    one = problem(positive=True)
    truth = smooth_truth(0)
    truth[::3] = 0
    best = estimate(one, measured(truth, None), truth)
    estimates = np.stack([estimate(one, measured(truth, seed), best, steps=2) for seed in range(20)])
    off_bounds = np.all(estimates > 0, axis=0)
    assert off_bounds.sum() > 0.4 * SIZE**3
    model, feed = with_object(best), feed_of(measured(truth, None))
    effort = Effort(probes=16)
    *_, scatter = deviation_map(one, model, feed, where=PATH, kind="scatter", effort=effort)
    *_, posterior = deviation_map(one, model, feed, where=PATH, kind="posterior", effort=effort)
    observed = seen(estimates.std(axis=0, ddof=1))
    chosen = seen(off_bounds)
    assert np.median(observed[chosen] / scatter.deviation[chosen]) == pytest.approx(1, abs=0.2)
    assert np.median(observed[chosen] / posterior.deviation[chosen]) < 0.7  # the two are not the same thing


def test_truths_drawn_from_the_prior_lie_within_the_posterior():
    """68 % of voxels within one deviation, 95 % within two; the scatter would promise too much."""
    one, rng = problem(), np.random.default_rng(5)
    within = {"posterior": [], "scatter": []}
    for seed in range(4):
        truth = UNIT * rng.normal(size=SHAPE)
        dataset = measured(truth, seed)
        best = estimate(one, dataset, truth, steps=4)
        for kind, covariance in covariances(*dense(one, with_object(best))).items():
            within[kind].append(np.abs(best - truth).ravel() / np.sqrt(np.diag(covariance)))
    off = np.concatenate(within["posterior"])
    assert np.mean(off < 1) == pytest.approx(0.683, abs=0.05)
    assert np.mean(off < 2) == pytest.approx(0.954, abs=0.03)
    assert np.mean(np.concatenate(within["scatter"]) < 1) < 0.5


# --- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["posterior", "scatter"])
def test_a_plan_promises_the_error_of_the_dense_matrices(curvature, kind):
    information, penalty = curvature
    photons = (0.01 * PHOTONS, PHOTONS)
    found = predicted_error(
        problem(),
        with_object(smooth_truth(0)),
        feed_of(plan()),
        photons=photons,
        where=PATH,
        kind=kind,
        effort=Effort(tolerance=1e-4, iterations=400, probes=6),
    )
    exact = [
        np.sqrt(np.mean(np.diag(covariances(number / PHOTONS * information, penalty)[kind]))) for number in photons
    ]
    assert found.settled
    assert found.photons.tolist() == list(photons)
    np.testing.assert_allclose(found.error, exact, rtol=0.05)


def test_without_a_prior_the_error_falls_with_the_root_of_the_photons():
    """What the frames determine alone: 100 times the photons, a tenth of the error."""
    model, dataset = linear()
    dataset = dataclasses.replace(dataset, photons=10.0)
    feed = Feed(dataset, views_per_batch=2, frames_per_batch=1)
    found = predicted_error(Problem(Gaussian(), ("x",)), model, feed, photons=(10, 1000), where="x", effort=EXACT)
    matrix, _ = equations(model, dataset)
    signs = [np.random.default_rng([0, probe]).choice([-1.0, 1.0], 5) for probe in range(EXACT.probes)]
    inverse = np.linalg.inv(matrix.T @ matrix)
    assert found.error[0] == pytest.approx(np.sqrt(np.mean([s @ inverse @ s for s in signs]) / 5), rel=1e-6)
    assert found.error[1] == pytest.approx(found.error[0] / 10, rel=1e-6)


def test_a_plan_has_no_bounds_but_its_support():
    """What has no choice is known; a bound that the estimate may or may not reach counts for nothing."""
    model, dataset = linear()
    feed = Feed(dataclasses.replace(dataset, photons=1.0), views_per_batch=3, frames_per_batch=2)
    one = Problem(Gaussian(), ("x",), constraints=(Support("x", "box", 0.7),))
    model = dataclasses.replace(model, x=one.project(one.split(model)[0]).x)
    outside = np.array([True, False, False, False, True])
    assert predicted_error(one, model, feed, photons=(1,), where="x", within=outside).error.item() == 0
    assert predicted_error(one, model, feed, photons=(1,), where="x", within=~outside).error.item() > 0


# --- what is refused --------------------------------------------------------------------------------------------------


def test_wrong_questions_are_answered_in_a_sentence():
    model, dataset = linear()
    one, feed = Problem(Gaussian(), ("x",)), Feed(dataset, views_per_batch=3, frames_per_batch=2)
    with pytest.raises(JobError, match="no leaf that is free"):
        deviation(one, model, feed, regions=[Region("spare", np.ones(3))])
    with pytest.raises(JobError, match='no part "y"'):
        deviation(one, model, feed, regions=[Region("y", np.ones(3))])
    with pytest.raises(DataError, match=r"shape \(4,\).*shape \(5,\)"):
        deviation(one, model, feed, regions=[Region("x", np.ones(4))])
    with pytest.raises(DataError, match="is empty"):
        Region.mean("x", np.zeros(5, bool))
    with pytest.raises(DataError, match="does not say its photons"):
        predicted_error(one, model, feed, photons=(1.0,), where="x")
