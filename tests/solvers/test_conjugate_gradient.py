"""Conjugate gradients: the linear method where counts are linear, restarted where they are not."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.solvers.problems import equations, feed_for, linear, scan

from adorym.constraints import Support
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.solvers import ConjugateGradient, Moment
from adorym.solvers._conjugate_gradient import _carried, _direction

PLAIN = Problem(Gaussian(0.3), free=("x",))
SOLVER = ConjugateGradient(views_per_batch=2, frames_per_batch=2)


def test_as_many_steps_as_unknowns() -> None:
    """On the way, the iterates are those of the linear method."""
    model, dataset = linear()
    feed = feed_for(SOLVER, dataset)
    matrix, counts = equations(model, dataset)
    x = np.array(model.x)
    residual = matrix.T @ (counts - matrix @ x)
    direction = residual
    state = SOLVER.init(PLAIN, model, feed, seed=0)
    for step in range(5):
        image = matrix @ direction
        length = residual @ residual / (image @ image)
        x, before = x + length * direction, residual
        residual = residual - length * matrix.T @ image
        direction = residual + (residual @ residual) / (before @ before) * direction
        model, state, info = SOLVER.step(PLAIN, model, state, feed=feed, moment=Moment(step, 5, 0))
        assert info.note == "1 trial"
        np.testing.assert_allclose(model.x, x, rtol=1e-8)
    np.testing.assert_allclose(model.x, np.linalg.lstsq(matrix, counts, rcond=None)[0], rtol=1e-8)


def test_as_many_steps_as_a_constraint_leaves_unknowns() -> None:
    """Outside a support nothing moves, and conjugacy is that of the unknowns inside."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x",), constraints=(Support("x", "box", 0.7),))
    feed = feed_for(SOLVER, dataset)
    state = SOLVER.init(problem, model, feed, seed=0)
    for step in range(3):
        model, state, _ = SOLVER.step(problem, model, state, feed=feed, moment=Moment(step, 3, 0))
    matrix, counts = equations(model, dataset)
    inside = np.linalg.lstsq(matrix[:, 1:4], counts, rcond=None)[0]
    np.testing.assert_allclose(model.x, [0, *inside, 0], rtol=1e-8)


def test_a_direction_that_turns_back_is_dropped() -> None:
    """Polak and Ribière's share is never negative; what would lead uphill is left out."""
    one, two = (jnp.array([1.0, 2.0]),), (jnp.array([0.5, 1.0]),)
    units = (jnp.array(4.0),)
    np.testing.assert_allclose(_carried(one, (two, one), units)[0], one[0] * (2.5 / 1.25))
    np.testing.assert_array_equal(_carried(one, (one, two), units)[0], [0.0, 0.0])
    uphill = (jnp.array([10.0, 10.0]),)
    np.testing.assert_allclose(_direction(uphill, one, units)[0], -one[0] / 4)
    along = (jnp.array([-1.0, 3.0]),)
    held = (jnp.array([1.0, 0.0]),)
    np.testing.assert_allclose(_direction(along, held, units)[0], [-1.25, 0.0])


def test_nothing_left_to_gain_is_said() -> None:
    model, dataset = linear()
    feed = feed_for(SOLVER, dataset)
    state, notes = SOLVER.init(PLAIN, model, feed, seed=0), []
    for step in range(12):
        before = model
        model, state, info = SOLVER.step(PLAIN, model, state, feed=feed, moment=Moment(step, 12, 0))
        notes.append(info.note)
    assert notes[-1] == "refused"
    np.testing.assert_array_equal(model.x, before.x)
    assert not np.any(state.carried.x)


def test_it_refines_object_probe_and_positions_together() -> None:
    """From a first guess outside the bounds, which is brought in."""
    problem, model, feed = scan()
    assert float(model.object.parametrization.log_amplitude.max()) > 0
    solver = ConjugateGradient(views_per_batch=1, frames_per_batch=3)
    state = solver.init(problem, model, feed, seed=0)
    values = [float(state.value)]
    for step in range(20):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 20, 0))
        values.append(info.value)
        assert float(model.object.parametrization.log_amplitude.max()) <= 0
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.02 * values[0]


@pytest.mark.single_precision
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_any_size_in_32_bits(unit: float) -> None:
    model, dataset = linear(unit=unit)
    model = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), model)
    feed = feed_for(SOLVER, dataset)
    state = SOLVER.init(PLAIN, model, feed, seed=0)
    for step in range(15):
        model, state, _ = SOLVER.step(PLAIN, model, state, feed=feed, moment=Moment(step, 15, 0))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state))
    matrix, counts = equations(model, dataset)
    expected = np.linalg.lstsq(matrix.astype(float), counts, rcond=None)[0]
    np.testing.assert_allclose(model.x / unit, expected / unit, atol=2e-5)
