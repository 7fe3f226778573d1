"""L-BFGS: the two-loop recursion is the BFGS matrix, and what it remembers is right."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.solvers.problems import equations, feed_for, linear, scan

from adorym._core import JobError
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.solvers import LBFGS, Moment, _lbfgs
from adorym.solvers._lbfgs import _direction

PLAIN = Problem(Gaussian(0.3), free=("x",))


@pytest.mark.parametrize("useless", [0, 1])
def test_the_recursion_is_the_matrix(useless: int) -> None:
    """Two leaves of four and two elements, two of which are held; a pair of no use, and a place that is empty.

    The newest pair says how long steps are; if it is of no use, the curvature alone.
    """
    rng = np.random.default_rng(0)
    hessian = rng.normal(size=(6, 6))
    hessian = hessian @ hessian.T + np.eye(6)
    steps = rng.normal(size=(5, 6))
    changes = steps @ hessian
    changes[useless] *= -1  # as where the objective is concave
    steps[4] = changes[4] = 0
    gradient = rng.normal(size=6)
    gradient[[1, 5]] = 0
    curvature = np.array([2.0] * 4 + [50.0] * 2)

    free, expected = gradient != 0, None
    for index in (3, 2, 1 - useless):  # oldest first
        step, change = steps[index][free], changes[index][free]
        product = step @ change
        assert product > 0
        start = np.diag(1 / curvature[free])
        if expected is None:
            newest = changes[0][free]
            expected = start * ((steps[0][free] @ newest) / (newest @ start @ newest) if useless else 1)
        away = np.eye(free.sum()) - np.outer(step, change) / product
        expected = away @ expected @ away.T + np.outer(step, step) / product

    def tree(flat: np.ndarray) -> tuple[jax.Array, jax.Array]:
        return jnp.asarray(flat[..., :4].reshape(*flat.shape[:-1], 2, 2)), jnp.asarray(flat[..., 4:])

    def trees(flats: np.ndarray) -> tuple[tuple[jax.Array, jax.Array], ...]:
        return tuple(map(tree, flats))

    units = (jnp.array(2.0), jnp.array(50.0))
    direction, learnt = _direction(tuple(zip(trees(steps), trees(changes), strict=True)), tree(gradient), units)
    flat = np.concatenate([np.ravel(leaf) for leaf in direction])
    np.testing.assert_allclose(flat[free], -expected @ gradient[free], rtol=1e-10)
    np.testing.assert_array_equal(flat[~free], 0)
    assert bool(learnt)
    nothing = tuple(zip(trees(0 * steps), trees(0 * changes), strict=True))
    direction, learnt = _direction(nothing, tree(gradient), units)
    np.testing.assert_allclose(np.concatenate([np.ravel(leaf) for leaf in direction]), -gradient / curvature)
    assert not bool(learnt)


def test_what_is_large_goes_kernel_by_kernel_to_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, model, feed = scan()
    solver = LBFGS(views_per_batch=1, frames_per_batch=3, memory=3)
    ends = []
    for little in (1 << 23, 0):
        monkeypatch.setattr(_lbfgs, "_LITTLE", little)
        place, state = model, solver.init(problem, model, feed, seed=0)
        for step in range(6):
            place, state, info = solver.step(problem, place, state, feed=feed, moment=Moment(step, 6, 0))
        ends.append((info.value, place.object.parametrization.phase))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-9)
    np.testing.assert_allclose(ends[0][1], ends[1][1], atol=1e-9)


def test_the_last_steps_are_remembered_newest_first() -> None:
    model, dataset = linear()
    with pytest.raises(JobError, match="memory is 0"):
        LBFGS(memory=0)
    with pytest.raises(JobError, match="halved is 0"):
        LBFGS(halved=0)
    solver = LBFGS(views_per_batch=2, frames_per_batch=2, memory=2, halved=1)
    feed = feed_for(solver, dataset)
    state = solver.init(PLAIN, model, feed, seed=0)
    places, slopes = [model.x], [state.gradient.x]
    for step in range(4):
        model, state, info = solver.step(PLAIN, model, state, feed=feed, moment=Moment(step, 4, 0))
        places.append(model.x)
        slopes.append(state.gradient.x)
    for kept, at in ((state.steps, places), (state.changes, slopes)):  # in half the bits
        assert kept[0].x.dtype == jnp.float32
        np.testing.assert_array_equal([one.x for one in kept], np.float32([at[4] - at[3], at[3] - at[2]]))
    matrix, counts = equations(model, dataset)
    residual = matrix @ np.asarray(model.x) - counts
    np.testing.assert_allclose(state.gradient.x, matrix.T @ residual / 0.09, rtol=1e-9, atol=1e-9)
    assert info.value == pytest.approx(np.sum(residual**2) / 0.18, rel=1e-12)


def test_what_misleads_is_forgotten() -> None:
    """Uphill by what is remembered: the model stays, and the next step begins anew."""
    model, dataset = linear()
    solver = LBFGS(views_per_batch=2, frames_per_batch=2)
    feed = feed_for(solver, dataset)
    state = solver.init(PLAIN, model, feed, seed=0)
    wild = 1e9 * state.gradient.x
    spoilt = eqx.tree_at(lambda s: (s.steps[0].x, s.changes[0].x), state, (wild, 1e-30 * wild))
    stayed, cleared, info = solver.step(PLAIN, model, spoilt, feed=feed, moment=Moment(0, 4, 0))
    assert info.note == "refused"
    np.testing.assert_array_equal(stayed.x, model.x)
    assert eqx.tree_equal(cleared, state)
    moved, _, after = solver.step(PLAIN, stayed, cleared, feed=feed, moment=Moment(1, 4, 0))
    assert after.value < info.value
    assert float(jnp.abs(moved.x - model.x).max()) > 0.01


def test_it_refines_object_probe_and_positions_together() -> None:
    """From a first guess outside the bounds, which is brought in."""
    problem, model, feed = scan()
    assert float(model.object.parametrization.log_amplitude.max()) > 0
    solver = LBFGS(views_per_batch=1, frames_per_batch=3)
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
    solver = LBFGS(views_per_batch=2, frames_per_batch=2, halved=1)
    feed = feed_for(solver, dataset)
    state = solver.init(PLAIN, model, feed, seed=0)
    for step in range(25):
        model, state, _ = solver.step(PLAIN, model, state, feed=feed, moment=Moment(step, 25, 0))
    pairs = jax.tree.leaves((state.steps, state.changes))
    assert all(leaf.dtype == jnp.bfloat16 for leaf in pairs)
    whole = jax.tree.leaves(state._replace(steps=(), changes=()))
    assert all(leaf.dtype == jnp.float32 for leaf in whole)
    matrix, counts = equations(model, dataset)
    expected = np.linalg.lstsq(matrix.astype(float), counts, rcond=None)[0]
    np.testing.assert_allclose(model.x / unit, expected / unit, atol=2e-5)
