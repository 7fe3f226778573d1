"""What every solver owes."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls
from tests.solvers.problems import Falling, blocks, equations, feed_for, linear, scan

from adorym._core import AdorymError
from adorym.constraints import non_negative
from adorym.data import Dataset, Feed
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate, snapshot
from adorym.regularizers import Tikhonov
from adorym.solvers import LBFGS, SOLVERS, AbstractSolver, ConjugateGradient, FirstOrder, GaussNewton, Moment, Proximal


@dataclasses.dataclass(frozen=True)
class Row:
    """A solver, the steps it may take for a problem of five unknowns, and how near it then has to be."""

    solver: AbstractSolver
    steps: int
    error: float


# All of one batch shape, so that what one of them has compiled serves the others.
WHOLE = {"views_per_batch": 3, "frames_per_batch": 2}
ROWS: dict[str, Row] = {
    "first order": Row(FirstOrder(**WHOLE), 200, 2e-3),
    "gauss-newton": Row(GaussNewton(**WHOLE), 15, 1e-6),
    "l-bfgs": Row(LBFGS(**WHOLE), 20, 1e-6),
    "conjugate gradient": Row(ConjugateGradient(**WHOLE), 15, 1e-6),
    "proximal": Row(Proximal(**WHOLE), 150, 1e-6),
}
SWEEPERS = {name: row for name, row in ROWS.items() if row.solver.sweeps}
members = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
sweepers = pytest.mark.parametrize("row", SWEEPERS.values(), ids=SWEEPERS)


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


@sweepers
def test_a_sweep_is_over_all_data_however_they_are_cut(row: Row) -> None:
    """In batches that the data do not fill, the same steps."""
    model, dataset = linear()
    problem = Problem(Gaussian(0.3), free=("x",))
    cut = dataclasses.replace(row, solver=dataclasses.replace(row.solver, views_per_batch=2))
    (one, values), (other, again) = (
        solve(dataclasses.replace(each, steps=5), problem, model, feed_for(each.solver, dataset)) for each in (row, cut)
    )
    np.testing.assert_allclose(one.x, other.x, rtol=1e-9)
    np.testing.assert_allclose(values, again, rtol=1e-12)


@members
def test_blocks_of_different_units_are_balanced(row: Row) -> None:
    """Object and probe, δ and β: neither is told how large it is."""
    unit = 1e-5
    model, dataset = blocks(unit=unit)
    found, _ = solve(row, Problem(Gaussian(0.3), free=("first", "second")), model, feed_for(row.solver, dataset))
    expected = np.linalg.lstsq(*equations(model, dataset), rcond=None)[0]
    np.testing.assert_allclose(np.concatenate([found.first, found.second / unit]), expected, atol=row.error)


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
    """Six steps are three steps, a snapshot, and three steps from a fresh task."""
    problem, start, feed = scan()
    solver = dataclasses.replace(row.solver, views_per_batch=feed.views_per_batch, frames_per_batch=3)
    stages = (Stage(problem.free, solver, epochs=6),)

    def task() -> Task:
        return Task(feed.dataset, start, problem, stages, seed=5)

    straight = list(itertools.islice(iterate(task()), 6))
    resumed = list(itertools.islice(iterate(task(), snapshot(straight[2])), 3))
    assert [progress.step for progress in resumed] == [4, 5, 6]
    one, other = (snapshot(progress[-1]).arrays for progress in (straight, resumed))
    assert one.keys() == other.keys()
    for path in one:
        np.testing.assert_array_equal(one[path], other[path], err_msg=path)
        assert np.isfinite(one[path]).all()
    assert not eqx.tree_equal(straight[-1].model, straight[2].model)
    assert [progress.info for progress in straight[3:]] == [progress.info for progress in resumed]


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


# --- what cannot be solved --------------------------------------------------------------------------------------------


def refusal(row: Row, problem: Problem, model: eqx.Module, dataset: Dataset) -> str:
    """The sentence with which a solver gives up."""
    with pytest.raises(AdorymError) as caught:
        solve(row, problem, model, feed_for(row.solver, dataset))
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert ". " not in sentence
    return sentence


@members
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_frame_that_is_not_finite_is_named(row: Row, wrong: float) -> None:
    model, dataset = linear()
    counts = np.array(dataset.frames.array)
    counts[2, 1, 0, 1] = wrong
    spoilt = dataclasses.replace(dataset, frames=type(dataset.frames)(counts))
    assert "Frame 1 of view 2 holds" in refusal(row, Problem(Gaussian(0.3), free=("x",)), model, spoilt)


@members
def test_a_start_that_is_not_finite_is_named(row: Row) -> None:
    model, dataset = linear()
    model = eqx.tree_at(lambda m: m.x, model, model.x.at[1].set(jnp.nan))
    assert "The model's x holds" in refusal(row, Problem(Gaussian(0.3), free=("x",)), model, dataset)


@members
def test_what_the_data_do_not_depend_on_stays_where_it_is(row: Row) -> None:
    """A whole leaf, and an element of one that has others; nothing regularises them."""
    model, dataset = linear()
    model = eqx.tree_at(lambda m: m.matrix, model, model.matrix.at[..., 3].set(0.0))
    found, _ = solve(row, Problem(Gaussian(0.3), free=("x", "spare")), model, feed_for(row.solver, dataset))
    np.testing.assert_array_equal(found.spare, model.spare)
    matrix, counts = equations(model, dataset)
    expected = np.linalg.lstsq(matrix, counts, rcond=None)[0]
    expected[3] = model.x[3]
    np.testing.assert_allclose(found.x, expected, atol=row.error)


@members
def test_what_the_data_do_not_tell_apart_is_no_obstacle(row: Row) -> None:
    """Two unknowns of which only the sum is measured: it is found, and they stay of one size."""
    model, dataset = linear()
    model = eqx.tree_at(lambda m: m.matrix, model, model.matrix.at[..., 3].set(model.matrix[..., 2]))
    found, values = solve(row, Problem(Gaussian(0.3), free=("x",)), model, feed_for(row.solver, dataset))
    matrix, counts = equations(model, dataset)
    expected = np.linalg.lstsq(matrix, counts, rcond=None)[0]
    np.testing.assert_allclose(matrix @ np.asarray(found.x), matrix @ expected, atol=5 * row.error)
    assert float(jnp.abs(found.x).max()) < 3
    assert np.isfinite(values).all()


@members
def test_an_objective_without_a_lower_bound_is_an_error(row: Row) -> None:
    model, dataset = linear()
    assert "add constraints" in refusal(row, Problem(Falling(), free=("x",)), model, dataset)


@sweepers
def test_it_goes_on_with_other_data(row: Row) -> None:
    """From what was learnt of a third of the views to the answer for all, and every step tells the objective of all."""
    model, dataset = linear()
    problem, solver = Problem(Gaussian(0.3), free=("x",)), row.solver
    feed = feed_for(solver, dataset)
    state = solver.init(problem, model, feed.every(3), seed=0)
    for step in range(3):
        moment = Moment(step, row.steps, 0)
        model, state, _ = solver.step(problem, model, state, feed=feed.every(3), moment=moment)
    state = solver.renewed(problem, model, state, feed=feed)
    values = [np.inf]
    for step in range(2 * row.steps):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, row.steps, 0))
        assert info.value <= values[-1] * (1 + 1e-9)
        values.append(info.value)
    matrix, counts = equations(model, dataset)
    expected = np.linalg.lstsq(matrix, counts, rcond=None)[0]
    np.testing.assert_allclose(model.x, expected, atol=10 * row.error)


@sweepers
def test_it_begins_anew_at_another_place(row: Row) -> None:
    """What was learnt on the way elsewhere does not mislead: every step is a gain from there, to the answer."""
    model, dataset = linear()
    problem, solver = Problem(Gaussian(0.3), free=("x",)), row.solver
    feed = feed_for(solver, dataset)
    state, moved = solver.init(problem, model, feed, seed=0), model
    for step in range(3):
        moved, state, _ = solver.step(problem, moved, state, feed=feed, moment=Moment(step, row.steps, 0))
    state = solver.anew(problem, model, state, feed=feed)
    matrix, counts = equations(model, dataset)
    values = [0.5 * float(np.sum((matrix @ model.x - counts) ** 2)) / 0.09]
    for step in range(2 * row.steps):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, row.steps, 0))
        assert info.value <= values[-1] * (1 + 1e-9)
        values.append(info.value)
    expected = np.linalg.lstsq(matrix, counts, rcond=None)[0]
    np.testing.assert_allclose(model.x, expected, atol=10 * row.error)
