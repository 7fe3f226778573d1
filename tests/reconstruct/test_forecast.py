"""What a reconstruction will take: bytes are exact, counts of batches are those of the solvers."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from tests.reconstruct import problems

from adorym.data import ArrayFrames, Feed
from adorym.problem import Problem
from adorym.reconstruct import Rates, Stage, Task, forecast
from adorym.solvers import LBFGS, FirstOrder, GaussNewton, Moment, Proximal, Relaxation, Work, _first_order

BATCH = {"views_per_batch": 2, "frames_per_batch": 1}
SOLVERS = {
    "first order": FirstOrder(**BATCH),
    "l-bfgs": LBFGS(**BATCH, memory=3),
    "gauss-newton": GaussNewton(**BATCH, iterations=2, tolerance=0.0),
    "proximal": Proximal(**BATCH),
}


def task_with(solver, *, binning=(1,), epochs=2):
    data = problems.measured(problems.smooth_truth(0), 0)
    stage = Stage((problems.PATH,), solver, epochs, binning)
    return Task(data, problems.blank(), problems.problem(positive=True), (stage,))


def nbytes(tree):
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("name", SOLVERS)
def test_a_forecast_is_exact_where_it_can_be(name):
    task = task_with(SOLVERS[name])
    found = forecast(task)
    (one,) = found.legs
    solver, feed = task.stages[0].solver, task.feed(0)
    problem = dataclasses.replace(task.problem, free=task.stages[0].free)
    assert one.state == nbytes(solver.init(problem, task.model, feed, seed=0))
    assert one.model == nbytes(task.model)
    assert one.batches == len(list(feed.sweep())) == 3
    assert one.leg.steps == one.usual == 2 * solver.steps_per_epoch(feed)
    assert one.leaves == 1
    assert one.cached == 4 * np.prod(task.dataset.frames.shape)
    assert one.rewritten == nbytes(solver.rewritten(solver.init(problem, task.model, feed, seed=0))) <= one.state
    assert one.working >= one.model + one.state + one.rewritten
    products = {"product"} if name == "gauss-newton" else set()
    assert set(one.kernels) == {"gradient", "curvature", "fit", "penalty"} | products
    assert min(one.kernels.values()) > 0
    usual, most = found.seconds()
    assert 0 < usual == most
    assert one.seconds_per_pass > 0


class Counted:
    """Counts what a solver asks of a problem."""

    def __init__(self, monkeypatch):
        self.counts = dict.fromkeys(("value_and_gradient", "curvature", "gauss_newton_product", "fit"), 0)
        for name in self.counts:
            monkeypatch.setattr(Problem, name, self._counting(name, getattr(Problem, name)))
        stride = self._counting("value_and_gradient", _first_order._stride)  # a gradient and what is made of it
        monkeypatch.setattr(_first_order, "_stride", stride)

    def _counting(self, name, method):
        def counted(*arguments, **settings):
            if not isinstance(jax.tree.leaves(arguments)[0], jax.core.Tracer):  # while something else is compiled
                self.counts[name] += 1
            return method(*arguments, **settings)

        return counted


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_say_what_they_compute(name, monkeypatch):
    task = task_with(SOLVERS[name])
    solver, feed, model = task.stages[0].solver, task.feed(0), task.model
    problem = dataclasses.replace(task.problem, free=task.stages[0].free)
    counted = Counted(monkeypatch)
    state = solver.init(problem, model, feed, seed=0)
    for step in range(4):
        model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 4, 0))
    said = solver.work(feed, 4, leaves=1)
    done = Work(*counted.counts.values())
    assert done.gradients == pytest.approx(said.gradients, rel=0.35)  # a line search may try twice
    assert done.curvatures == pytest.approx(said.curvatures, abs=4)  # the first length of a search
    assert done.products == pytest.approx(said.products, abs=4)
    assert done.fits == said.fits


def test_a_relaxation_begins_with_few_views():
    views = 48
    data = problems.measured(problems.smooth_truth(0), None)
    frames = ArrayFrames(np.ones((views, 1, problems.SIZE, problems.SIZE)))
    data = dataclasses.replace(data, frames=frames, angles=np.arange(views) / 9, weights=np.ones((views, 1)))
    feed = Feed(data, **BATCH)
    solver = Relaxation.of(LBFGS(**BATCH))
    few, half, all_of_them = (solver.work(feed, steps, leaves=1) for steps in (12, 24, 36))
    assert few.gradients == 6 + 12 * 6 + 12 + 24  # at the start, in the steps, and whenever others come in
    assert half.gradients - few.gradients == 12 * 12
    assert all_of_them.gradients - half.gradients == 12 * 24
    assert (few.fits, half.fits, all_of_them.fits) == (2 * 24, 4 * 24, 6 * 24)


def test_steps_that_see_a_part_of_the_views_are_foreseen_by_themselves():
    """Of the usual steps as many as see it where every look is a gain."""
    data = problems.measured(problems.smooth_truth(0), None)
    frames = ArrayFrames(np.ones((48, 1, problems.SIZE, problems.SIZE)))
    data = dataclasses.replace(data, frames=frames, angles=np.arange(48) / 9, weights=np.ones((48, 1)))
    solver = Relaxation.of(LBFGS(**BATCH))
    task = Task(data, problems.blank(), problems.problem(), (Stage((problems.PATH,), solver),))
    (one,) = forecast(task).legs
    assert one.usual_parts == {2: 12, 1: 48}
    free = dataclasses.replace(one, rates=Rates(gradient=1.0))
    batches = one.batches
    assert batches == 22  # four views are kept back
    assert free.seconds_per_step() == pytest.approx(batches * (1 + 2 / 60))  # two ways up in sixty steps
    assert free.seconds_per_step(2) == pytest.approx(free.seconds_per_step() / 2)
    assert dataclasses.replace(one, usual=6).usual_parts == {2: 6, 1: 0}


def test_compiling_counts_where_nothing_of_it_is_kept(monkeypatch):
    begins = []
    for kept in (True, False):
        monkeypatch.setattr("adorym.reconstruct._forecast._kept", lambda kept=kept: kept)
        jax.clear_caches()
        begins.append(forecast(task_with(LBFGS(**BATCH))).legs[0].rates.begin)
    assert begins[0] < begins[1]


def test_feeds_know_their_batches():
    data = problems.measured(problems.smooth_truth(0), None)
    held = np.zeros((problems.VIEWS, 1), bool)
    held[2] = True
    feed = Feed(data, **BATCH, held_out=held)
    assert (feed.batches(), feed.batches(held_out=True)) == (2, 1)
    first = feed.first(1)
    assert [batch.views.tolist() for batch in first.sweep()] == [[0, 1]]
    assert first.batches() == 1
    assert feed.batches() == 2  # as it was
    assert Feed(data, **BATCH, memory=0).cached_bytes == 0


def test_every_level_is_foreseen():
    data = problems.measured(problems.smooth_truth(0), 0)
    stage = Stage((problems.PATH,), LBFGS(**BATCH), 2, (2, 1))
    said = []
    found = forecast(Task(data, problems.blank(), problems.problem(), (stage,)), tell=said.append)
    coarse, fine = found.legs
    assert (coarse.leg.factor, fine.leg.factor) == (2, 1)
    assert coarse.state * 7 < fine.state
    assert any(text.startswith("part 2 of 2") for text in said)
    assert found.on_host >= found.on_device == max(coarse.working, fine.working)


def test_what_does_not_fit_is_not_tried():
    found = forecast(task_with(LBFGS(**BATCH)), room=1000.0)
    assert not found.complete
    assert found.seconds() is None
    assert found.legs[0].seconds_per_step() is None
    assert found.on_host > 1000


def test_seconds_add_up():
    assert Rates(gradient=2.0, curvature=3.0, product=7.0, fit=5.0).of(Work(1, 2, 3, 4)) == 49.0
    assert Work(1, 2, 3) + Work(1, 1, 1, 1) - Work(0, 3, 0) == Work(2, 0, 4, 1)
