"""Accelerated proximal gradients: exact optima of penalties with corners, and what happens on the way."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from tests.solvers.problems import Linear, equations, feed_for, linear

from adorym.constraints import AbstractConstraint, non_negative
from adorym.data import Dataset
from adorym.experiment import holography, plan_holography
from adorym.likelihoods import Gaussian, Poisson
from adorym.phantoms import cone
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate, snapshot
from adorym.regularizers import L1, AbstractRegularizer, ReweightedL1, TotalVariation
from adorym.simulate import simulate
from adorym.solvers import LBFGS, Moment, Proximal, RelaxationState

DEVIATION = 0.3


def posed(*regularizers: AbstractRegularizer, constraints: tuple[AbstractConstraint, ...] = ()) -> Problem:
    return Problem(Gaussian(DEVIATION), ("x",), regularizers, constraints)


def solved(solver: Proximal | LBFGS, problem: Problem, start: Linear, dataset: Dataset, *, steps: int = 120) -> Linear:
    feed, model = feed_for(solver, dataset), start
    state = solver.init(problem, model, feed, seed=0)
    for step in range(steps):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, steps, 0))
        if info.note == "refused":
            break
    return model


def objective(problem: Problem, model: Linear, dataset: Dataset) -> float:
    """With corners as they are."""
    matrix, counts = equations(model, dataset)
    misfit = np.sum((matrix @ np.asarray(model.x) - counts) ** 2) / (2 * DEVIATION**2)
    return float(misfit + problem.sharp().penalty(*problem.split(model)))


SOLVER = Proximal(views_per_batch=3, frames_per_batch=2)


def test_total_variation_is_at_its_optimum() -> None:
    """With x >= 0, against a quadratic programme in which t >= |steps| are unknowns of their own."""
    model, dataset = linear(seed=3)
    problem = posed(TotalVariation("x", 15.0, 0.5), constraints=(non_negative("x"),))
    found = solved(SOLVER, problem, model, dataset)
    matrix, counts = equations(model, dataset)
    steps = np.diff(np.eye(5), axis=0)
    conditions = [
        {"type": "ineq", "fun": lambda z, sign=sign: z[5:] - sign * steps @ z[:5],
         "jac": lambda z, sign=sign: np.hstack([-sign * steps, np.eye(4)])}
        for sign in (1, -1)
    ]  # fmt: skip
    best = minimize(
        lambda z: np.sum((matrix @ z[:5] - counts) ** 2) / (2 * DEVIATION**2) + 30 * z[5:].sum(),
        np.ones(9),
        jac=lambda z: np.append(matrix.T @ (matrix @ z[:5] - counts) / DEVIATION**2, np.full(4, 30.0)),
        bounds=[(0, None)] * 5 + [(None, None)] * 4,
        constraints=conditions,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    np.testing.assert_allclose(found.x, best.x[:5], atol=1e-6)
    assert objective(problem, found, dataset) == pytest.approx(best.fun, rel=1e-9)
    assert np.sum(np.abs(np.diff(found.x)) < 1e-9) >= 1  # there is a corner, and the answer is in it


def test_few_values_differ_from_zero() -> None:
    """The conditions of the optimum: the slope is the weight where there is something, and less where there is not."""
    model, dataset = linear()
    found = solved(SOLVER, posed(L1("x", 120.0, 1.0)), model, dataset)
    matrix, counts = equations(model, dataset)
    slope = matrix.T @ (matrix @ np.asarray(found.x) - counts) / DEVIATION**2
    there = np.abs(found.x) > 1e-12
    assert 1 <= there.sum() <= 4
    np.testing.assert_allclose(slope[there], -120 * np.sign(found.x)[there], rtol=1e-6)
    assert np.abs(slope[~there]).max() < 120


def test_reweighting_takes_less_from_what_is_there() -> None:
    """At a stationary point of the logarithm, which is no higher than where it leads from the answer of L1."""
    model, dataset = linear()
    plain, problem = solved(SOLVER, posed(L1("x", 120.0, 1.0)), model, dataset), posed(ReweightedL1("x", 120.0, 1.0))
    found = solved(SOLVER, problem, plain, dataset)
    assert objective(problem, found, dataset) < objective(problem, plain, dataset)
    matrix, counts = equations(model, dataset)
    slope = matrix.T @ (matrix @ np.asarray(found.x) - counts) / DEVIATION**2
    there = np.abs(found.x) > 1e-12
    np.testing.assert_allclose(
        slope[there], (-120 * 0.1 * np.sign(found.x) / (np.abs(found.x) + 0.1))[there], rtol=1e-5
    )
    true = np.linalg.lstsq(matrix, counts, rcond=None)[0]
    largest = np.argmax(np.abs(true))
    assert abs(found.x[largest] - true[largest]) < abs(plain.x[largest] - true[largest])


@pytest.mark.parametrize("regularizer", [TotalVariation("x", 25.0, 1.0), L1("x", 60.0, 1.0)], ids=["tv", "l1"])
def test_it_is_below_what_rounded_corners_lead_to(regularizer: AbstractRegularizer) -> None:
    """Where both are at rest, by the exact objective; and not by much."""
    model, dataset = linear()
    problem = posed(regularizer)
    exact, rounded = (
        objective(problem, solved(one, problem, model, dataset), dataset)
        for one in (SOLVER, LBFGS(views_per_batch=3, frames_per_batch=2))
    )
    assert exact <= rounded * (1 + 1e-12)
    assert rounded < 1.01 * exact


def test_a_step_that_goes_up_is_taken_back() -> None:
    """By wild momentum, and by a bound that is far too low."""
    model, dataset = linear()
    problem, feed = posed(TotalVariation("x", 5.0, 1.0)), feed_for(SOLVER, dataset)
    state = SOLVER.init(problem, model, feed, seed=0)
    start = objective(problem, model, dataset)
    wild = state._replace(age=jnp.array(50.0), moved=eqx.tree_at(lambda m: m.x, state.moved, 1e3 * jnp.ones(5)))
    for spoilt in (wild, state._replace(bound=1e-3 * state.bound)):
        after, following, info = SOLVER.step(problem, model, spoilt, feed=feed, moment=Moment(0, 9, 0))
        assert int(info.note.split()[0]) > 1
        assert info.value == pytest.approx(objective(problem, after, dataset), rel=1e-9)
        assert info.value < start
        assert float(following.age) < 2
    assert float(following.bound) > 1e-2 * float(state.bound)


def test_the_bound_is_the_largest_curvature() -> None:
    model, dataset = linear()
    feed = feed_for(SOLVER, dataset)
    state = SOLVER.init(posed(), model, feed, seed=0)
    for step in range(30):
        model, state, _ = SOLVER.step(posed(), model, state, feed=feed, moment=Moment(step, 30, 0))
    matrix, _ = equations(model, dataset)
    largest = np.linalg.eigvalsh(matrix.T @ matrix / DEVIATION**2).max() / float(state.curvature[0])
    assert 0.75 * largest < float(state.bound) < 1.25 * largest


@pytest.mark.single_precision
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_any_size_in_32_bits(unit: float) -> None:
    """The steps scale with the unit, and so does what is penalised in units of its scale."""
    answers = []
    for size in (1.0, unit):
        model, dataset = linear(unit=size)
        model = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), model)
        found = solved(SOLVER, posed(TotalVariation("x", 15.0, size)), model, dataset, steps=60)
        assert found.x.dtype == jnp.float32
        answers.append(np.asarray(found.x, float) / size)
    np.testing.assert_allclose(*answers, atol=1e-3)


# --- a real problem ---------------------------------------------------------------------------------------------------

PHANTOM = cone(size=16, voxel=8e-9, energy=1e3)


@pytest.fixture(scope="module")
def task() -> Task:
    """Multislice holography of a cone, its weight left open."""
    plan = plan_holography((16, 16), pixel=8e-9, energy=1e3, distances=(2e-6,), views=12, photons=2e3)
    dataset = simulate(plan, PHANTOM.delta, PHANTOM.beta, seed=1)
    held_out = np.zeros(dataset.frames.shape[:2], bool)
    held_out[3::6] = True
    constraints = (non_negative("object.delta"), non_negative("object.beta"))
    problem = Problem(Poisson(), (), (TotalVariation(),), constraints)
    model = holography(dataset, slab_voxels=8)
    return Task(dataset, model, problem, (Stage(("object",), Proximal()),), held_out=held_out)


def test_it_descends_while_the_weight_falls(task: Task) -> None:
    """δ and β together, by the exact objective of each weight; and it goes on bit by bit."""
    run = list(itertools.islice(iterate(task), 15))
    for one in run:
        assert isinstance(one.state, RelaxationState)
        assert min(float(leaf.min()) for leaf in jax.tree.leaves(one.problem.split(one.model)[0])) >= 0
    for first in (0, 6, 12):  # a look at the frames kept back, and another weight, come between
        values = [one.info.value for one in run[first : first + 6]]
        assert values == sorted(values, reverse=True)
    end = run[7]  # at one weight since the step before
    split = end.problem.split(end.model)
    data = sum(float(end.problem.fit(end.model, batch).nll) for batch in end.feed.sweep())
    assert end.info.value == pytest.approx(data + float(end.problem.sharp().penalty(*split)), rel=1e-9)
    assert run[-1].info.value < 0.85 * run[0].info.value
    resumed = list(itertools.islice(iterate(task, snapshot(run[8])), 6))
    assert eqx.tree_equal(resumed[-1].state, run[14].state)
    assert eqx.tree_equal(resumed[-1].model, run[14].model)
