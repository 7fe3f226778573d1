"""Gauss-Newton: exact on what is linear, careful on what is not."""

from __future__ import annotations

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.solvers.problems import equations, feed_for, linear, scan

from adorym._core.trees import replace
from adorym.constraints import Support
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.regularizers import Tikhonov
from adorym.solvers import GaussNewton, Moment

EXACT = GaussNewton(views_per_batch=2, frames_per_batch=1, iterations=30, tolerance=1e-12)


def test_one_step_is_the_damped_normal_equation() -> None:
    """(JᵀFJ + R + μD) p = -g, D the diagonal of R plus a number, solved by conjugate gradients to rounding."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.5), free=("x",), regularizers=(Tikhonov("x", 7.0, 1.0),))
    feed = feed_for(EXACT, dataset)
    state = EXACT.init(problem, model, feed, seed=0)
    moved, _, _ = EXACT.step(problem, model, state, feed=feed, moment=Moment(0, 10, 0))
    matrix, counts = equations(model, dataset)
    x = np.asarray(model.x)
    diagonal = float(state.curvature[0]) + 7.0
    damped = matrix.T @ matrix / 0.25 + 7.0 * np.eye(5) + float(state.damping) * diagonal * np.eye(5)
    slope = matrix.T @ (matrix @ x - counts) / 0.25 + 7.0 * x
    np.testing.assert_allclose(moved.x, x - np.linalg.solve(damped, slope), rtol=1e-8)


def test_every_leaf_gets_its_own_mean_curvature() -> None:
    """Near the mean diagonal of JᵀFJ, which random signs find in the mean; never negative where leaves are coupled."""
    problem, model, feed = scan()
    params, frozen = problem.split(model)
    params = problem.project(params)
    leaves, structure = jax.tree.flatten(params)
    found = np.array([GaussNewton().init(problem, model, feed, seed=seed).curvature for seed in range(3)])
    assert found.min() > 0.01
    index, diagonal = len(leaves) - 1, []  # the positions
    for element in range(leaves[index].size):
        unit = jnp.zeros(leaves[index].size).at[element].set(1.0).reshape(leaves[index].shape)
        others = structure.unflatten([unit if i == index else jnp.zeros_like(x) for i, x in enumerate(leaves)])
        total = 0.0
        for batch in feed.sweep():
            product = problem.gauss_newton_product(params, frozen, batch, vector=others)
            total += float(jnp.vdot(unit, jax.tree.leaves(product)[index]))
        diagonal.append(total)
    assert 0.5 < found[:, index].mean() / np.mean(diagonal) < 2


def test_it_refines_object_probe_and_positions_together() -> None:
    """From a first guess outside the bounds, which is brought in."""
    problem, model, feed = scan()
    assert float(model.object.parametrization.log_amplitude.max()) > 0
    solver = GaussNewton(views_per_batch=1, frames_per_batch=3)
    state, values, notes = solver.init(problem, model, feed, seed=0), [], []
    for step in range(6):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 6, 0))
        values.append(info.value)
        notes.append(info.note)
        assert float(model.object.parametrization.log_amplitude.max()) <= 0
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.1 * values[0]
    assert not any("refused" in note for note in notes[:3])
    params, frozen = problem.split(model)
    nll = sum(float(problem.fit(model, batch).nll) for batch in feed.sweep())
    assert values[-1] == pytest.approx(nll + float(problem.penalty(params, frozen)), rel=1e-9)


def test_a_step_that_makes_it_worse_is_refused_and_damped() -> None:
    """From far away the quadratic model misleads: the model stays, the next step is shorter."""
    problem, model, feed = scan()
    rng = np.random.default_rng(0)
    phase = model.object.parametrization.phase
    far = replace(model, "object.phase", jnp.asarray(rng.uniform(-3, 3, phase.shape)))
    solver = GaussNewton(views_per_batch=1, frames_per_batch=3, iterations=30, tolerance=1e-6)
    state = solver.init(problem, far, feed, seed=0)._replace(damping=jnp.asarray(1e-8))
    values, refused = [], 0
    for step in range(6):
        before, damping = far, float(state.damping)
        far, state, info = solver.step(problem, far, state, feed=feed, moment=Moment(step, 6, 0))
        values.append(info.value)
        if "refused" in info.note:
            refused += 1
            params, _ = problem.split(before)
            np.testing.assert_array_equal(
                far.object.parametrization.phase, problem.project(params).object.parametrization.phase
            )
            assert float(state.damping) > damping
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
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x", "spare"), regularizers=(Tikhonov("spare", 4.0, 1.0),))
    feed = feed_for(EXACT, dataset)
    state = EXACT.init(problem, model, feed, seed=0)
    for step in range(6):
        model, state, _ = EXACT.step(problem, model, state, feed=feed, moment=Moment(step, 6, 0))
    np.testing.assert_allclose(model.spare, 0, atol=1e-6)
    np.testing.assert_allclose(model.x, np.linalg.lstsq(*equations(model, dataset), rcond=None)[0], atol=1e-6)


_ON_TWO_DEVICES = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
from adorym.data import Feed
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.reconstruct._loop import placed
from adorym.regularizers import TotalVariation
from adorym.solvers import GaussNewton, Moment
from tests.solvers import test_frequencies as slices

slices.SIDE = 256
model, dataset, _ = slices.seen()
problem = Problem(Gaussian(0.5), free=("slices",), regularizers=(TotalVariation("slices", 0.5, (1.0,)),))
feed = Feed(dataset, views_per_batch=1, frames_per_batch=2)
solver = GaussNewton(views_per_batch=1, frames_per_batch=2, iterations=40, tolerance=1e-12)
model = placed(problem, jax.tree.map(lambda leaf: leaf.astype("float32"), model))
state = solver.init(problem, model, feed, seed=0)
for step in range(2):
    model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 2, 0))
    assert info.note.startswith("40 iterations, gain ratio 1.")
"""


def test_iterations_on_two_devices_do_not_wait_for_one_another(request: pytest.FixtureRequest) -> None:
    """XLA takes 32 programs at a time and stops for ever where more are started; penalties of 40 iterations are more,
    unless each is one program."""
    command = [sys.executable, "-c", _ON_TWO_DEVICES]
    run = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
