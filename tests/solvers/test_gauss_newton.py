"""Gauss-Newton: exact on what is linear, careful on what is not."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.contracts.cases import prepared
from tests.solvers.linear import equations, feed_for, linear

from adorym._core.trees import replace
from adorym.constraints import Bounds, Support
from adorym.data import Feed
from adorym.likelihoods import Gaussian, Poisson
from adorym.problem import Problem
from adorym.regularizers import Tikhonov, TotalVariation
from adorym.solvers import GaussNewton, Moment

EXACT = GaussNewton(views_per_batch=2, frames_per_batch=1, iterations=30, tolerance=1e-12)
SCAN = "far-field ptychography, two modes"


def test_one_step_is_the_damped_normal_equation() -> None:
    """(JᵀFJ + R + μD) p = -g, D one number per leaf, solved by conjugate gradients to rounding."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.5), free=("x",), regularizers=(Tikhonov("x", 7.0, 1.0),))
    feed = feed_for(EXACT, dataset)
    state = EXACT.init(problem, model, feed, seed=0)
    moved, _, _ = EXACT.step(problem, model, state, feed=feed, moment=Moment(0, 10, 0))
    matrix, counts = equations(model, dataset)
    x = np.asarray(model.x)
    damped = matrix.T @ matrix / 0.25 + 7.0 * np.eye(5) + float(state.damping) * float(state.curvature[0]) * np.eye(5)
    slope = matrix.T @ (matrix @ x - counts) / 0.25 + 7.0 * x
    np.testing.assert_allclose(moved.x, x - np.linalg.solve(damped, slope), rtol=1e-8)


def test_every_leaf_gets_its_own_mean_curvature() -> None:
    """Near the mean diagonal of JᵀFJ, which random signs find in the mean; never negative where leaves are coupled."""
    model, dataset = prepared(SCAN)
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=4)
    free = ("object", "probe", "geometry.position_offset")
    problem = Problem(Poisson(), free=free)
    params, frozen = problem.split(model)
    leaves, structure = jax.tree.flatten(params)
    found = np.array([GaussNewton().init(problem, model, feed, seed=seed).curvature for seed in range(3)])
    (batch,) = feed.sweep()
    for index in (1, 4):  # phases, and positions
        leaf = leaves[index]
        diagonal = []
        for element in np.random.default_rng(0).choice(leaf.size, min(leaf.size, 24), replace=False):
            unit = jnp.zeros(leaf.size).at[element].set(1.0).reshape(leaf.shape)
            others = [unit if i == index else jnp.zeros_like(x) for i, x in enumerate(leaves)]
            product = problem.gauss_newton_product(params, frozen, batch, vector=structure.unflatten(others))
            diagonal.append(float(jnp.vdot(unit, jax.tree.leaves(product)[index])))
        assert 0.3 < found[:, index].mean() / np.mean(diagonal) < 3
    assert found.min() > 0.01


def test_it_refines_object_probe_and_positions_together() -> None:
    model, dataset = prepared(SCAN)
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=4)
    problem = Problem(Poisson(), free=("object", "probe", "geometry.position_offset"))
    solver = GaussNewton(views_per_batch=1, frames_per_batch=4)
    state, values = solver.init(problem, model, feed, seed=0), []
    (batch,) = feed.sweep()
    first = float(problem.fit(model, batch).nll)
    for step in range(5):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 5, 0))
        values.append(info.value)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.02 * first
    assert values[-1] == pytest.approx(float(problem.fit(model, batch).nll), rel=1e-9)


def test_a_first_guess_outside_the_bounds_is_brought_in() -> None:
    model, dataset = prepared(SCAN)
    assert float(model.object.parametrization.log_amplitude.max()) > 0
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=4)
    problem = Problem(Poisson(), free=("object",), constraints=(Bounds("object.log_amplitude", -1.0, 0.0),))
    solver = GaussNewton(views_per_batch=1, frames_per_batch=4)
    state = solver.init(problem, model, feed, seed=0)
    notes = []
    for step in range(3):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 3, 0))
        notes.append(info.note)
        assert float(model.object.parametrization.log_amplitude.max()) <= 0
    assert not any("refused" in note for note in notes)


def test_a_step_that_makes_it_worse_is_refused_and_damped() -> None:
    """From far away the quadratic model misleads: the model stays, the next step is shorter."""
    model, dataset = prepared(SCAN)
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=4)
    problem = Problem(Poisson(), free=("object",))
    rng = np.random.default_rng(0)
    phase = model.object.parametrization.phase
    far = replace(model, "object.phase", jnp.asarray(rng.uniform(-3, 3, phase.shape)))
    solver = GaussNewton(views_per_batch=1, frames_per_batch=4, iterations=30, tolerance=1e-6)
    state = solver.init(problem, far, feed, seed=0)._replace(damping=jnp.asarray(1e-8))
    (batch,) = feed.sweep()
    values, dampings, refused = [float(problem.fit(far, batch).nll)], [float(state.damping)], 0
    for step in range(8):
        before = far
        far, state, info = solver.step(problem, far, state, feed=feed, moment=Moment(step, 8, 0))
        if "refused" in info.note:
            refused += 1
            assert eqx.tree_equal(far, before)
            assert float(state.damping) > dampings[-1]
        values.append(info.value)
        dampings.append(float(state.damping))
    assert refused > 0
    assert values == sorted(values, reverse=True)


def test_what_a_constraint_holds_is_left_out_of_the_equations() -> None:
    """Outside a support nothing moves, inside it the answer is that of the unknowns inside alone."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x",), constraints=(Support("x", "box", 0.7),))
    feed = feed_for(EXACT, dataset)
    model = eqx.tree_at(lambda m: m.x, model, problem.project(model).x)
    assert np.flatnonzero(np.asarray(model.x) == 0).tolist() == [0, 4]
    state = EXACT.init(problem, model, feed, seed=0)._replace(damping=jnp.asarray(1e-8))
    moved, _, info = EXACT.step(problem, model, state, feed=feed, moment=Moment(0, 1, 0))
    matrix, counts = equations(model, dataset)
    inside = np.linalg.lstsq(matrix[:, 1:4], counts, rcond=None)[0]
    np.testing.assert_allclose(moved.x, [0, *inside, 0], rtol=1e-6)
    assert "gain ratio 1.00" in info.note


def test_conjugate_gradients_stop_when_they_are_good_enough() -> None:
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x",))
    counts = []
    for tolerance, limit in [(0.5, 10), (1e-10, 10), (1e-10, 2)]:
        solver = GaussNewton(views_per_batch=3, frames_per_batch=2, iterations=limit, tolerance=tolerance)
        feed = feed_for(solver, dataset)
        _, _, info = solver.step(
            problem, model, solver.init(problem, model, feed, seed=0), feed=feed, moment=Moment(0, 1, 0)
        )
        counts.append(int(info.note.split()[0]))
    assert counts[0] < counts[1] <= 7
    assert counts[2] == 2


def test_a_leaf_that_only_a_regulariser_sees_comes_to_rest() -> None:
    model, dataset = prepared(SCAN)
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=4)
    terms = (Tikhonov("geometry.axis_offset", 4.0, 1.0), TotalVariation("object.phase", 0.1, 1.0))
    problem = Problem(Poisson(), free=("object", "geometry.axis_offset"), regularizers=terms)
    solver = GaussNewton(views_per_batch=1, frames_per_batch=4)
    start = replace(model, "geometry.axis_offset", jnp.array(2.0))
    model, state = start, solver.init(problem, start, feed, seed=0)
    for step in range(6):
        model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 6, 0))
    assert abs(float(model.geometry.axis_offset)) < 0.02
