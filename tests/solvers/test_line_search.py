"""How far to go: the least of a parabola, within the constraints, away from what has no value, and beyond rounding."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.solvers.problems import Linear, equations, linear

from adorym._core import JobError
from adorym.constraints import Bounds
from adorym.data import Dataset, Feed
from adorym.likelihoods import Gaussian, Poisson
from adorym.problem import Problem
from adorym.solvers._line_search import Found, newton_length, search
from adorym.solvers._passes import objective, objective_and_gradient

PLAIN = Problem(Gaussian(0.3), free=("x",))


def served(dataset: Dataset) -> Feed:
    return Feed(dataset, views_per_batch=2, frames_per_batch=2)


def downhill(problem: Problem, model: Linear, feed: Feed) -> tuple[tuple[jax.Array, Linear], Linear, jax.Array]:
    """Objective and gradient, minus the gradient, and the best length along it."""
    split = problem.split(model)
    start = objective_and_gradient(problem, split, feed)
    direction = jax.tree.map(jnp.negative, start[1])
    return start, direction, newton_length(problem, split, direction, gradient=start[1], feed=feed)


def test_the_first_length_is_the_best_of_a_parabola() -> None:
    model, dataset = linear()
    feed = served(dataset)
    _, direction, length = downhill(PLAIN, model, feed)
    matrix, counts = equations(model, dataset)
    image = matrix @ np.asarray(direction.x)
    best = -image @ (matrix @ np.asarray(model.x) - counts) / (image @ image)
    assert float(length) == pytest.approx(best, rel=1e-10)
    nowhere = jax.tree.map(jnp.zeros_like, direction)
    assert float(newton_length(PLAIN, PLAIN.split(model), nowhere, gradient=direction, feed=feed)) == 1.0


def test_a_length_that_is_too_long_is_mended_by_the_parabola() -> None:
    model, dataset = linear()
    feed = served(dataset)
    start, direction, length = downhill(PLAIN, model, feed)
    one, other = (
        search(PLAIN, PLAIN.split(model), direction, start=start, length=factor * length, feed=feed)
        for factor in (1.0, 3.0)
    )
    assert isinstance(one, Found)
    assert isinstance(other, Found)
    assert (one.note, other.note) == ("1 trial", "2 trials")
    np.testing.assert_allclose(one.params.x, other.params.x, rtol=1e-10)
    value, gradient = objective_and_gradient(PLAIN, (other.params, PLAIN.split(model)[1]), feed)
    assert float(value) == float(other.value)
    np.testing.assert_array_equal(gradient.x, other.gradient.x)


def test_the_way_is_bent_by_constraints() -> None:
    """The point found obeys them, and is better by what Armijo asks for the way that was really gone."""
    model, dataset = linear(seed=3)
    problem = dataclasses.replace(PLAIN, constraints=(Bounds("x", 0.0, 0.12),))
    feed = served(dataset)
    start, direction, length = downhill(problem, model, feed)
    found = search(problem, problem.split(model), direction, start=start, length=5 * length, feed=feed)
    assert found is not None
    assert float(found.params.x.min()) >= 0
    assert float(found.params.x.max()) == 0.12
    promised = float(jnp.vdot(start[1].x, found.params.x - model.x))
    assert float(found.value) <= float(start[0]) + 1e-4 * promised < float(start[0])


def test_uphill_and_nowhere_are_no_directions() -> None:
    model, dataset = linear()
    feed = served(dataset)
    start, direction, length = downhill(PLAIN, model, feed)
    for factor in (-1.0, 0.0):
        other = jax.tree.map(lambda leaf, factor=factor: factor * leaf, direction)
        assert search(PLAIN, PLAIN.split(model), other, start=start, length=length, feed=feed) is None


def test_a_point_without_a_value_is_stepped_back_from() -> None:
    """Poisson's logarithm has none where less than nothing is predicted."""
    model, dataset = linear()
    model = eqx.tree_at(lambda m: m.matrix, model, jnp.abs(model.matrix))
    bright = dataclasses.replace(dataset, frames=type(dataset.frames)(np.zeros_like(dataset.frames.array)))
    problem, feed = Problem(Poisson(), free=("x",)), served(bright)
    start, direction, length = downhill(problem, model, feed)
    split = problem.split(model)
    far = jax.tree.map(lambda p, d: p + 100 * length * d, split[0], direction)
    assert np.isnan(float(objective(problem, (far, split[1]), feed)))
    found = search(problem, split, direction, start=start, length=100 * length, feed=feed)
    assert found is not None
    assert found.note != "1 trial"
    assert float(found.value) < float(start[0])


def test_where_no_length_has_a_value_there_is_a_sentence() -> None:
    model, dataset = linear()
    model = eqx.tree_at(lambda m: m.matrix, model, jnp.ones_like(model.matrix))
    model = eqx.tree_at(lambda m: m.x, model, jnp.full(5, -0.02 + 1e-14))  # -0.1 counts are the least that may be
    problem, feed = Problem(Poisson(), free=("x",)), served(dataset)
    split = problem.split(model)
    slope = jax.tree.map(jnp.ones_like, split[0])
    with pytest.raises(JobError, match=r"The objective is nan after the shortest step .*\.$"):
        search(
            problem,
            split,
            jax.tree.map(jnp.negative, slope),
            start=(jnp.zeros(()), slope),
            length=jnp.ones(()),
            feed=feed,
        )


def test_a_gain_below_the_rounding_of_the_objective_is_still_found() -> None:
    """A constant misfit of 4e19 hides what a step gains: the slope where it ends tells a good one from a long one."""
    model, dataset = linear()
    matrix = jnp.asarray(model.matrix).at[0].set(0.0)
    model = eqx.tree_at(lambda m: m.matrix, model, matrix)
    counts = np.array(dataset.frames.array)
    counts[0] = 1e9
    feed = served(dataclasses.replace(dataset, frames=type(dataset.frames)(counts)))
    start, direction, length = downhill(PLAIN, model, feed)
    notes = []
    for factor in (1.0, 3.0):
        found = search(PLAIN, PLAIN.split(model), direction, start=start, length=factor * length, feed=feed)
        assert found is not None
        assert abs(float(found.value - start[0])) <= 1e-14 * float(start[0])
        slope = float(jnp.vdot(found.gradient.x, direction.x) / jnp.vdot(start[1].x, direction.x))
        assert -1 < slope < 0.95, "the end is nearer to the least, or as far beyond it"
        notes.append(found.note)
    assert notes == ["1 trial", "2 trials"]
