"""The first-order solver: lengths of steps that are measured, not tuned, and fall to nothing by the end."""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.solvers.problems import equations, feed_for, linear, scan

from adorym._core import DataError, JobError
from adorym._core.trees import replace
from adorym.data import ArrayFrames, Feed
from adorym.experiment import holography, plan_holography
from adorym.likelihoods import Gaussian, Poisson
from adorym.problem import Problem
from adorym.simulate import simulate
from adorym.solvers import FirstOrder, Moment


def test_the_unit_is_what_the_best_step_along_the_gradient_moves() -> None:
    """Of a convex parabola: where the objective has its minimum."""
    model, dataset = linear()
    solver, problem = FirstOrder(views_per_batch=3, frames_per_batch=2, rate=1.0), Problem(Gaussian(0.3), free=("x",))
    feed = feed_for(solver, dataset)
    (unit,) = solver.init(problem, model, feed, seed=0).units
    matrix, counts = equations(model, dataset)
    gradient = matrix.T @ (matrix @ np.asarray(model.x) - counts)

    def objective(length: float) -> float:
        return float(np.sum((matrix @ (np.asarray(model.x) - length * gradient) - counts) ** 2))

    best = float(unit) * np.sum(np.abs(gradient)) / np.sum(gradient**2)
    assert best > 0
    assert objective(best) < min(objective(0.98 * best), objective(1.02 * best), objective(0.0))


def test_what_is_right_already_makes_no_step_shorter() -> None:
    """One element is off, like the lit part of a probe with dark surroundings; the gradient of others is rounding."""
    model, dataset = linear()
    columns, _ = np.linalg.qr(np.asarray(model.matrix).reshape(-1, 5))
    model = dataclasses.replace(model, matrix=jnp.asarray(columns.reshape(model.matrix.shape)))
    truth = np.random.default_rng(1).normal(size=5)
    dataset = dataclasses.replace(dataset, frames=ArrayFrames(np.asarray(model.matrix) @ truth))
    solver, problem = FirstOrder(views_per_batch=3, frames_per_batch=2), Problem(Gaussian(0.3), free=("x",))
    off = dataclasses.replace(model, x=jnp.asarray(truth).at[2].add(0.7))
    (unit,) = solver.init(problem, off, feed_for(solver, dataset), seed=0).units
    assert float(unit) == pytest.approx(0.7, rel=1e-5)


def test_several_leaves_share_the_first_step() -> None:
    """√n shorter each, for all of them move at once; one without influence does not move at all."""
    model, dataset = linear()
    solver = FirstOrder(views_per_batch=3, frames_per_batch=2)
    feed = feed_for(solver, dataset)
    (alone,), (together, spare) = (
        solver.init(Problem(Gaussian(0.3), free=free), model, feed, seed=0).units for free in (("x",), ("x", "spare"))
    )
    assert float(together) == pytest.approx(float(alone) / math.sqrt(2), rel=1e-9)
    assert float(spare) == 0.0


def test_steps_fall_to_nothing_by_a_cosine() -> None:
    model, dataset = linear()
    solver, problem = FirstOrder(views_per_batch=3, frames_per_batch=2, rate=1.0), Problem(Gaussian(0.3), free=("x",))
    feed = feed_for(solver, dataset)
    state = solver.init(problem, model, feed, seed=0)
    for step, rate in [(0, 1.0), (5, 0.5), (10, 0.0)]:
        moved, _, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 10, 0))
        change = float(jnp.abs(moved.x - model.x).max())
        # the first step of Adam is along the signs, one unit long
        assert change == pytest.approx(rate * float(state.units[0]), rel=1e-6, abs=1e-15)
        assert info.note == f"rate {rate:.2f}"


def test_a_shorter_rate_makes_shorter_steps() -> None:
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x",))
    moves = []
    for rate in (1.0, 0.25):
        solver = FirstOrder(views_per_batch=3, frames_per_batch=2, rate=rate)
        feed = feed_for(solver, dataset)
        state = solver.init(problem, model, feed, seed=0)
        moved, _, _ = solver.step(problem, model, state, feed=feed, moment=Moment(0, 10, 0))
        moves.append(moved.x - model.x)
    np.testing.assert_allclose(moves[1], 0.25 * moves[0], rtol=1e-6)


def test_small_batches_find_the_answer_too() -> None:
    """Consistent equations, one frame at a time."""
    model, dataset = linear()
    matrix, counts = equations(model, dataset)
    exact = matrix @ np.linalg.lstsq(matrix, counts, rcond=None)[0]
    frames = type(dataset.frames)(exact.reshape(3, 2, 2, 2))
    feed = Feed(dataset.__class__(**{**vars(dataset), "frames": frames}), views_per_batch=1, frames_per_batch=1)
    solver, problem = FirstOrder(views_per_batch=1, frames_per_batch=1, rate=1.0), Problem(Gaussian(0.3), free=("x",))
    state = solver.init(problem, model, feed, seed=0)
    for step in range(600):
        model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 600, 0))
    np.testing.assert_allclose(model.x, np.linalg.lstsq(matrix, exact, rcond=None)[0], atol=5e-3)
    assert solver.steps_per_epoch(feed) == 6


def test_it_moves_a_real_experiment_towards_its_data_and_keeps_its_bounds() -> None:
    problem, start, feed = scan()
    start = replace(start, "object.phase", jnp.zeros_like(start.object.parametrization.phase))
    solver = FirstOrder(views_per_batch=1, frames_per_batch=3, rate=1.0)

    def misfit(model: eqx.Module) -> float:
        return sum(float(problem.fit(model, batch).nll) for batch in feed.sweep())

    model, state = start, solver.init(problem, start, feed, seed=0)
    for step in range(40):
        model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 40, 0))
        assert float(model.object.parametrization.log_amplitude.min()) >= -1
        assert float(model.object.parametrization.log_amplitude.max()) <= 0
    assert misfit(model) < 0.2 * misfit(start)
    assert eqx.tree_equal(model.geometry.angles, start.geometry.angles)


@pytest.mark.single_precision
def test_photons_of_any_number_in_32_bits() -> None:
    """A leaf whose gradient is 1e-12 or 1e+12 of another's moves as well as it."""
    for unit in (1e-6, 1.0, 1e6):
        model, dataset = linear(unit=unit)
        model = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), model)
        solver, problem = (
            FirstOrder(views_per_batch=3, frames_per_batch=2, rate=1.0),
            Problem(Gaussian(0.3), free=("x",)),
        )
        feed = feed_for(solver, dataset)
        state = solver.init(problem, model, feed, seed=0)
        for step in range(150):
            model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 150, 0))
        matrix, counts = equations(model, dataset)
        expected = np.linalg.lstsq(matrix.astype(float), counts, rcond=None)[0]
        np.testing.assert_allclose(model.x / unit, expected / unit, atol=0.01)


def test_a_first_batch_of_frames_that_are_kept_back_is_passed_over() -> None:
    """Its gradient is zero, and a unit found from it would let nothing move, ever."""
    model, dataset = linear()
    for view in range(3):
        held_out = np.zeros((3, 2), bool)
        held_out[view] = True
        feed = Feed(dataset, views_per_batch=1, frames_per_batch=2, held_out=held_out)
        solver = FirstOrder(views_per_batch=1, frames_per_batch=2)
        state = solver.init(Problem(Gaussian(0.3), free=("x",)), model, feed, seed=0)
        assert all(float(unit) > 0 for unit in state.units)


def test_a_step_onto_frames_that_are_no_numbers_says_which() -> None:
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=100.0)
    data = simulate(plan, np.zeros((8, 8, 8)), np.zeros((8, 8, 8)), noise=False)
    counts = np.stack([data.read(view, np.arange(1)) for view in range(2)])
    counts[1, 0, 3, 3] = np.nan
    spoilt = dataclasses.replace(data, frames=ArrayFrames(counts))
    problem, model, solver = Problem(Poisson(), free=("object",)), holography(data), FirstOrder(1, 1)
    whole, holed = (Feed(one, views_per_batch=1, frames_per_batch=1) for one in (data, spoilt))
    state = solver.init(problem, model, whole, seed=0)
    view = int(holed.batch(0, 0).views[0])
    bad, good = (step for step in ((0, 1) if view == 1 else (1, 0)))
    moved, state, _ = solver.step(problem, model, state, feed=holed, moment=Moment(good, 2, 0))
    assert np.isfinite(moved.object.parametrization.delta).all()
    with pytest.raises(DataError, match="Frame 0 of view 1"):
        solver.step(problem, moved, state, feed=holed, moment=Moment(bad, 2, 0))


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"rate": -1.0}, {"rate": math.nan}, {"memory": 1.0}, {"memory": -0.1}]
)
def test_what_would_not_go_down_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(JobError, match=f"{next(iter(wrong))} is"):
        FirstOrder(**wrong)  # type: ignore[arg-type]
