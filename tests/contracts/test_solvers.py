"""What every solver owes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls
from tests.solvers.problems import equations, feed_for, linear, scan

from adorym.constraints import non_negative
from adorym.data import Feed
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.regularizers import Tikhonov
from adorym.solvers import SOLVERS, AbstractSolver, FirstOrder, GaussNewton, Moment


@dataclasses.dataclass(frozen=True)
class Row:
    """A solver, the steps it may take for a problem of five unknowns, and how near it then has to be."""

    solver: AbstractSolver
    steps: int
    error: float


ROWS: dict[str, Row] = {
    "first order": Row(FirstOrder(views_per_batch=3, frames_per_batch=2), 300, 2e-3),
    "gauss-newton": Row(GaussNewton(views_per_batch=2, frames_per_batch=2), 15, 1e-6),
}
members = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def solve(row: Row, problem: Problem, model: eqx.Module, feed: Feed) -> tuple[eqx.Module, list[float]]:
    """The last model, and the objective that each step told; every model obeys the constraints."""
    state, values = row.solver.init(problem, model, feed, seed=0), []
    for step in range(row.steps):
        model, state, info = row.solver.step(problem, model, state, feed=feed, moment=Moment(step, row.steps, 0))
        values.append(info.value)
        params, _ = problem.split(model)
        for one, other in zip(jax.tree.leaves(problem.project(params)), jax.tree.leaves(params), strict=True):
            np.testing.assert_array_equal(one, other)
    return model, values


def test_every_solver_has_a_row() -> None:
    assert set(ROWS) == set(SOLVERS)
    assert all(type(SOLVERS[name]()) is type(row.solver) for name, row in ROWS.items())


@members
@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_least_squares(row: Row, unit: float) -> None:
    """The answer of the normal equations, whatever the unit of the unknowns: nothing is tuned by hand."""
    model, dataset = linear(unit=unit)
    found, values = solve(row, Problem(Gaussian(0.3), free=("x",)), model, feed_for(row.solver, dataset))
    matrix, counts = equations(model, dataset)
    expected = np.linalg.lstsq(matrix, counts, rcond=None)[0]
    np.testing.assert_allclose(found.x, expected, atol=row.error * unit)
    least = np.sum((matrix @ expected - counts) ** 2) / (2 * 0.3**2)
    assert values[-1] == pytest.approx(least, rel=row.error)
    assert np.sum((matrix @ np.asarray(model.x) - counts) ** 2) / (2 * 0.3**2) > 2 * least
    np.testing.assert_array_equal(found.matrix, model.matrix)


@members
def test_a_regulariser_is_weighed_against_the_data(row: Row) -> None:
    model, dataset = linear()
    problem = Problem(Gaussian(0.5), free=("x",), regularizers=(Tikhonov("x", 20.0, 1.0),))
    found, _ = solve(row, problem, model, feed_for(row.solver, dataset))
    matrix, counts = equations(model, dataset)
    expected = np.linalg.solve(matrix.T @ matrix / 0.25 + 20 * np.eye(5), matrix.T @ counts / 0.25)
    np.testing.assert_allclose(found.x, expected, atol=row.error)


@members
def test_a_constraint_is_never_violated_and_the_answer_is_the_constrained_one(row: Row) -> None:
    model, dataset = linear(seed=3)
    problem = Problem(Gaussian(0.3), free=("x",), constraints=(non_negative("x"),))
    found, _ = solve(row, problem, model, feed_for(row.solver, dataset))
    matrix, counts = equations(model, dataset)
    expected, _ = nnls(matrix, counts)
    assert np.sum(expected == 0) >= 1
    assert np.linalg.lstsq(matrix, counts, rcond=None)[0].min() < -0.1
    np.testing.assert_allclose(found.x, expected, atol=2 * row.error)


@members
def test_frames_held_out_are_not_looked_at(row: Row) -> None:
    """Their counts may be anything: the answer is that of the others."""
    model, dataset = linear()
    held_out = np.zeros((3, 2), bool)
    held_out[1, 0] = True
    problem = Problem(Gaussian(0.3), free=("x",))
    counts = np.array(dataset.frames.array)
    counts[1, 0] += 100.0
    spoilt = dataclasses.replace(dataset, frames=type(dataset.frames)(counts))
    one, other = (
        solve(row, problem, model, feed_for(row.solver, data, held_out=held_out))[0] for data in (dataset, spoilt)
    )
    np.testing.assert_array_equal(one.x, other.x)


@members
def test_a_blank_state_has_the_shape_of_a_real_one(row: Row) -> None:
    problem, model, feed = scan()
    blank, real = row.solver.blank(problem, model), row.solver.init(problem, model, feed, seed=0)
    assert jax.tree.structure(blank) == jax.tree.structure(real)
    kinds = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)] for tree in (blank, real)]
    assert kinds[0] == kinds[1]
    assert all(eqx.is_array(leaf) for leaf in jax.tree.leaves(real))


@members
def test_a_saved_run_goes_on_bit_by_bit(row: Row) -> None:
    """Six steps are three steps, a save, a load into a blank state, and three steps."""
    problem, start, feed = scan()

    def run(model: eqx.Module, state: object, first: int, last: int) -> tuple[eqx.Module, object]:
        for step in range(first, last):
            model, state, _ = row.solver.step(problem, model, state, feed=feed, moment=Moment(step, 6, 5))
        return model, state

    state = row.solver.init(problem, start, feed, seed=5)
    straight, ended = run(start, state, 0, 6)
    model, state = run(start, state, 0, 3)
    saved = [np.array(leaf) for leaf in jax.tree.leaves((eqx.filter(model, eqx.is_array), state))]
    blank = (eqx.filter(start, eqx.is_array), row.solver.blank(problem, start))
    arrays, state = jax.tree.unflatten(jax.tree.structure(blank), [jnp.asarray(leaf) for leaf in saved])
    model = eqx.combine(arrays, start)
    resumed, again = run(model, state, 3, 6)
    for one, other in zip(jax.tree.leaves((straight, ended)), jax.tree.leaves((resumed, again)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not eqx.tree_equal(straight, start)


@members
def test_nothing_is_compiled_after_the_second_step(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    problem, model, feed = scan()
    state = row.solver.init(problem, model, feed, seed=0)

    def compiled(action: Callable[[], object]) -> tuple[object, list[str]]:
        caplog.clear()
        with caplog.at_level(logging.WARNING), jax.log_compiles():
            result = action()
        return result, [record.message for record in caplog.records if "Compiling" in record.message]

    assert compiled(lambda: jax.jit(lambda x: x + 1.5)(model.detector.gain))[1], "the log says when something is"
    for step in range(5):
        moment = Moment(step, 9, 0)
        (model, state, _), said = compiled(
            lambda m=model, s=state, t=moment: row.solver.step(problem, m, s, feed=feed, moment=t)
        )
        assert step < 2 or said == []


@members
def test_a_step_tells_the_objective_of_all_data(row: Row) -> None:
    """Scaled to all data, at the model that the step began or ended with."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x",))
    feed = feed_for(row.solver, dataset)
    state = row.solver.init(problem, model, feed, seed=0)
    after, _, info = row.solver.step(problem, model, state, feed=feed, moment=Moment(0, 10, 0))
    assert isinstance(info.value, float)
    assert info.note
    objectives = [sum(float(problem.fit(m, batch).nll) for batch in feed.sweep()) for m in (model, after)]
    assert min(abs(info.value - objective) for objective in objectives) < 1e-9 * info.value
    assert objectives[1] < objectives[0]


@members
def test_an_epoch_is_as_many_steps_as_show_the_data_once(row: Row) -> None:
    _, dataset = linear()
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=1)
    assert row.solver.steps_per_epoch(feed) in (1, 6)
