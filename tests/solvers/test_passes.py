"""What solvers share: sums over the data, held elements, and sentences where something is not finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
import pytest
from tests.solvers.problems import equations, linear, scan

from adorym._core import Batch, DataError, JobError
from adorym.constraints import Bounds
from adorym.data import Feed
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.regularizers import Tikhonov
from adorym.solvers._passes import data_curvature, ensure_finite, inactive, objective, objective_and_gradient, scaled


def test_the_objective_is_that_of_all_data_however_they_are_cut() -> None:
    """Batches that do not divide the data; the penalty counts once."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.5), free=("x",), regularizers=(Tikhonov("x", 20.0, 1.0),))
    matrix, counts = equations(model, dataset)
    residual = matrix @ np.asarray(model.x) - counts
    expected = np.sum(residual**2) / (2 * 0.25) + 10 * np.sum(np.square(model.x))
    for views, frames in [(3, 2), (2, 1)]:
        feed = Feed(dataset, views_per_batch=views, frames_per_batch=frames)
        value, gradient = objective_and_gradient(problem, problem.split(model), feed)
        assert float(value) == pytest.approx(expected, rel=1e-12)
        assert float(objective(problem, problem.split(model), feed)) == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient.x, matrix.T @ residual / 0.25 + 20 * np.asarray(model.x), rtol=1e-10)


def test_what_nothing_depends_on_is_not_moved() -> None:
    model, dataset = linear()
    problem, feed = Problem(Gaussian(0.3), free=("x", "spare")), Feed(dataset, views_per_batch=2, frames_per_batch=2)
    params, frozen = problem.split(model)
    seen, unseen = data_curvature(problem, (params, frozen), feed, seed=0)
    assert float(seen) > 1
    moved = scaled(params, (seen, unseen), -1)
    np.testing.assert_allclose(moved.x, model.x / seen, rtol=1e-12)
    np.testing.assert_array_equal(moved.spare, np.zeros(3))
    assert np.isfinite(1 / float(unseen))


def test_only_what_a_constraint_would_put_back_is_held() -> None:
    model, _ = linear()
    problem = Problem(Gaussian(0.3), free=("x",), constraints=(Bounds("x", 0.0, 1.0),))
    params, _ = problem.split(model)
    at = dataclasses.replace(params, x=jnp.array([0.0, 0.0, 0.5, 1.0, 1.0]))
    slope = dataclasses.replace(params, x=jnp.array([1.0, -1.0, 1.0, 1.0, -1.0]))
    left = inactive(problem, at, slope, curvature=(jnp.array(2.0),))
    np.testing.assert_array_equal(left.x, [0.0, -1.0, 1.0, 1.0, 0.0])


def test_nothing_is_read_while_all_is_finite() -> None:
    def never() -> Iterator[Batch]:
        raise AssertionError("the data were read again")
        yield

    tree = (jnp.ones(3), jnp.ones(()))
    ensure_finite(jnp.ones(()), tree, params=tree, batches=never())


def test_every_cause_has_its_sentence() -> None:
    """The frame, the leaf, the gradient's leaf, or the objective itself: the first that is not finite."""
    problem, model, feed = scan()
    params, _ = problem.split(model)
    batch = feed.batch(0, 0)
    spoilt = np.array(batch.counts)
    spoilt[0, 1, 0, 0] = np.nan
    frame = int(batch.frames[0, 1])
    wrong = dataclasses.replace(
        params, probe=dataclasses.replace(params.probe, real=params.probe.real.at[0, 0, 0].set(np.inf))
    )
    nan = jnp.asarray(np.nan)

    def sentence(value: object, gradient: object, at: object, data: Batch) -> str:
        with pytest.raises((DataError, JobError)) as caught:
            ensure_finite(value, gradient, params=at, batches=(batch, data))
        return f"{type(caught.value).__name__}: {caught.value}"

    assert f"DataError: Frame {frame} of view 0 holds" in sentence(nan, params, params, batch._replace(counts=spoilt))
    assert "DataError: The model's probe.real holds" in sentence(nan, wrong, wrong, batch)
    assert "JobError: The gradient with respect to probe.real is" in sentence(jnp.ones(()), wrong, params, batch)
    assert "JobError: The objective is nan where" in sentence(nan, wrong, params, batch)
    assert "JobError: The objective has fallen to minus" in sentence(-jnp.asarray(np.inf), params, params, batch)
