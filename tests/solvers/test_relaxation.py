"""Strength and stopping from held-out frames."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import DataError, JobError
from adorym.constraints import non_negative
from adorym.data import ArrayFrames, Dataset
from adorym.experiment import Experiment, holography, plan_holography
from adorym.likelihoods import Poisson
from adorym.phantoms import cone
from adorym.problem import Problem
from adorym.reconstruct import Progress, Stage, Task, iterate, reached, snapshot
from adorym.regularizers import TotalVariation
from adorym.simulate import simulate
from adorym.solvers import LBFGS, FirstOrder, GaussNewton, Moment, Relaxation, RelaxationState
from adorym.solvers._passes import held_out

PHANTOM = cone(size=16, voxel=8e-9, energy=1e3)
NON_NEGATIVE = (non_negative("object.delta"), non_negative("object.beta"))


def measured(photons: float, *, views: int = 12, noise: bool = True) -> Dataset:
    plan = plan_holography((16, 16), pixel=8e-9, energy=1e3, distances=(2e-6,), views=views, photons=photons)
    return simulate(plan, PHANTOM.delta, PHANTOM.beta, seed=1, noise=noise)


def task(
    dataset: Dataset,
    *regularizers: TotalVariation,
    epochs: int | str = "auto",
    start: Literal["auto", "vacuum"] = "auto",
) -> Task:
    held_out = np.zeros(dataset.frames.shape[:2], bool)
    held_out[3::6] = True
    problem = Problem(Poisson(), (), regularizers, NON_NEGATIVE)
    stages = (Stage(("object",), LBFGS(), epochs),)  # type: ignore[arg-type]
    return Task(
        dataset, holography(dataset.without(held_out), slab_voxels=8, start=start), problem, stages, held_out=held_out
    )


def error(model: Experiment) -> float:
    found, region = model.object.delta_beta()[0], reached(model)  # type: ignore[attr-defined]
    return float(np.linalg.norm((found - PHANTOM.delta)[region]) / np.linalg.norm(PHANTOM.delta[region]))


def last(run: Task) -> Progress:
    progress = list(iterate(run))[-1]
    assert progress.last
    return progress


@pytest.fixture(scope="module")
def faint() -> list[Progress]:
    return list(iterate(task(measured(2e3), TotalVariation())))


def test_the_weight_found_is_near_the_best_there_is(faint: list[Progress]) -> None:
    """Knowing the truth, weights a factor of three apart around the one found do not do much better."""
    weight = float(faint[-1].problem.regularizers[0].weight)
    others = [error(last(task(measured(2e3), TotalVariation(weight=weight * f), epochs=40)).model) for f in (0.3, 1, 3)]
    assert error(faint[-1].model) < 1.15 * min(others)
    assert error(faint[-1].model) < 0.9 * error(last(task(measured(2e3), epochs=60)).model)  # far from no penalty


def test_more_photons_need_less(faint: list[Progress]) -> None:
    """In units of the noise, which falls with the photons' root, and beyond: what is true is not held back."""
    bright = last(task(measured(2e5), TotalVariation()))
    both = [float(progress.problem.regularizers[0].weight) for progress in (faint[-1], bright)]
    assert both[1] / 2e5 < both[0] / 2e3
    assert error(bright.model) < 0.8 * error(faint[-1].model)


def test_it_ends_by_itself_with_the_best(faint: list[Progress]) -> None:
    end = faint[-1]
    assert end.step < 300
    assert isinstance(end.state, RelaxationState)
    (stage,) = task(measured(2e3), TotalVariation()).stages
    assert stage.solver.finished(end.state)
    for now, best in zip(
        jax.tree.leaves(end.problem.split(end.model)[0]), jax.tree.leaves(end.state.best_params), strict=True
    ):
        np.testing.assert_array_equal(now, best)
    seen = [float(one.state.best) for one in faint]
    assert seen[-1] == min(seen)
    assert "the best was weight" in end.info.note


def test_weights_fall_rise_from_the_best_and_go_back_to_it(faint: list[Progress]) -> None:
    falling, turning, rising, back = (
        [float(one.state.weight) for one in faint if one.state.way == way and not one.last] for way in range(4)
    )
    assert all(after <= before for before, after in itertools.pairwise(falling))
    assert falling[-1] < falling[0] / 4
    (best,) = set(turning)
    assert len(turning) == 6  # one look
    assert falling[-1] < best <= falling[0]
    assert all(after >= before for before, after in itertools.pairwise([2 * best, *rising]))
    assert set(back) == {float(faint[-1].state.best_weight)}
    assert set(back) <= {best, *rising}


def test_what_is_slow_to_come_has_its_time() -> None:
    """Steps go on while held-out frames gain from them: cutting the run off at the turn leaves more error."""
    run = list(iterate(task(measured(2e6), TotalVariation(), start="vacuum")))
    begun = next(one for one in run if one.state.way)
    assert run[-1].state.best < begun.state.best - 1  # nat: what chance makes
    assert error(run[-1].model) <= error(begun.model)


class Refusing(LBFGS):
    """Steps, but says that no way down was found."""

    def step(self, problem, model, state, *, feed, moment):  # type: ignore[no-untyped-def]
        moved, state, info = super().step(problem, model, state, feed=feed, moment=moment)
        return moved, state, info._replace(refused=True)


@pytest.mark.parametrize(("way", "follows"), [(0, 0.5), (1, 2.0), (2, 2.0), (3, 1.0)])
def test_what_the_solver_no_longer_gets_down_waits_for_no_further_gain(way: int, follows: float) -> None:
    """Once the way down is over, held-out frames' gain is no reason to stay at a weight any more."""
    run = task(measured(2e5, views=24), TotalVariation())
    solver = Relaxation.of(Refusing(views_per_batch=8, frames_per_batch=1))
    problem, feed = dataclasses.replace(run.problem, free=("object",)), run.feed(0)
    state = solver.init(problem, run.model, feed, seed=0)
    weight = state.weight
    whole = jnp.full_like(state.way, 2)  # looks after which all views are used
    before = state._replace(way=jnp.full_like(state.way, way), looks=whole, best_weight=weight)
    moment = Moment(step=20, steps=300, seed=0)
    _, after, _ = solver.step(problem, run.model, before, feed=feed, moment=moment)
    assert after.best < before.best  # a gain
    assert float(after.weight) == pytest.approx(follows * float(weight))


@pytest.mark.parametrize(("part", "goes_on"), [(0.5, False), (2.0, True)])
def test_of_many_free_elements_a_gain_is_more_nats(part: float, goes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a nat an element, times the share of the frames held back, is what noise costs; of that a small part."""
    run = task(measured(2e5, views=24), TotalVariation())
    solver = Relaxation(solver=LBFGS(views_per_batch=8, frames_per_batch=1), growing=(), steps=1)
    problem, feed = dataclasses.replace(run.problem, free=("object",)), run.feed(0)
    begun = solver.init(problem, run.model, feed, seed=0)
    begun = begun._replace(way=jnp.full_like(begun.way, 3), best_weight=begun.weight)
    moment = Moment(step=20, steps=300, seed=0)
    moved, after, _ = solver.step(problem, run.model, begun, feed=feed, moment=moment)
    _, nat = held_out(problem, moved, feed)
    monkeypatch.setattr("adorym.solvers._relaxation._FAINT", 0.05)
    gain = nat * 0.05 * 2 * 16**3 / 2 * 4 / 20
    before = begun._replace(best=after.best + part * gain, counted=after.best + part * gain)
    _, after, _ = solver.step(problem, run.model, before, feed=feed, moment=moment)
    assert solver.finished(after) != goes_on
    assert after.best < before.best  # kept in any case


@pytest.mark.parametrize(("since", "goes_on"), [(0.9, False), (1.1, True)])
def test_small_gains_add_up(since: float, goes_on: bool) -> None:
    """What was too little of a gain by itself counts together with what follows it."""
    run = task(measured(2e5, views=24), TotalVariation())
    solver = Relaxation(solver=LBFGS(views_per_batch=8, frames_per_batch=1), growing=(), steps=1)
    problem, feed = dataclasses.replace(run.problem, free=("object",)), run.feed(0)
    begun = solver.init(problem, run.model, feed, seed=0)
    begun = begun._replace(way=jnp.full_like(begun.way, 2), best_weight=begun.weight, worse=jnp.ones_like(begun.worse))
    moment = Moment(step=20, steps=300, seed=0)
    moved, after, _ = solver.step(problem, run.model, begun, feed=feed, moment=moment)
    value, nat = held_out(problem, moved, feed)
    gain = nat + 1e-5 * value
    before = begun._replace(best=after.best + 0.1 * gain, counted=after.best + since * gain)
    _, after, _ = solver.step(problem, run.model, before, feed=feed, moment=moment)
    assert (float(after.weight) == float(begun.weight)) == goes_on
    assert float(after.counted) == float(after.best) == pytest.approx(value)


@pytest.mark.parametrize(("part", "above", "goes_on"), [(0.9, 1.0, False), (1.1, 1.0, True), (1.1, 2.0, False)])
def test_at_the_best_weight_steps_go_on_while_the_objective_falls(part: float, above: float, goes_on: bool) -> None:
    """By as much as would be a gain in the frames kept back, a fifth of those fitted, whatever these say meanwhile."""
    run = task(measured(2e5, views=24), TotalVariation())
    solver = Relaxation(solver=LBFGS(views_per_batch=8, frames_per_batch=1), growing=(), steps=1)
    problem, feed = dataclasses.replace(run.problem, free=("object",)), run.feed(0)
    begun = solver.init(problem, run.model, feed, seed=0)
    begun = begun._replace(way=jnp.full_like(begun.way, 2), worse=jnp.ones_like(begun.worse))
    begun = begun._replace(best_weight=begun.weight / above)
    moment = Moment(step=20, steps=300, seed=0)
    moved, after, info = solver.step(problem, run.model, begun, feed=feed, moment=moment)
    value, nat = held_out(problem, moved, feed)
    best = jnp.full_like(begun.best, value)
    before = begun._replace(best=best, counted=best, objective=jnp.full_like(best, info.value + part * nat * 20 / 4))
    _, after, _ = solver.step(problem, run.model, before, feed=feed, moment=moment)
    assert (float(after.weight) == float(begun.weight) and not solver.finished(after)) == goes_on
    assert not goes_on or float(after.objective) == pytest.approx(info.value)


def test_without_an_open_weight_it_stops_early() -> None:
    """Fitting noise, the prediction of what was kept back grows worse, long before the fit is perfect."""
    end = last(task(measured(300.0)))
    assert end.step < 300
    assert error(end.model) < error(last(task(measured(300.0), epochs=150)).model)


def test_it_goes_on_bit_by_bit(faint: list[Progress]) -> None:
    """From a step between two looks, from one at a look, and from the last, after which nothing follows."""
    run = task(measured(2e3), TotalVariation())
    for index in (3, 11, len(faint) - 1):
        left = list(iterate(run, snapshot(faint[index])))
        assert len(left) == len(faint) - 1 - index
        if left:
            for one, other in zip(jax.tree.leaves(left[-1].model), jax.tree.leaves(faint[-1].model), strict=True):
                np.testing.assert_array_equal(one, other)


def test_an_end_by_number_has_the_best_too(faint: list[Progress]) -> None:
    """Cut off where the last look was no gain, the run still gives the best, and the weight that it had."""
    gone_by = next(one for one in faint if one.state.way)  # at the first look without a gain
    end = last(task(measured(2e3), TotalVariation(), epochs=gone_by.step))
    assert float(end.problem.regularizers[0].weight) == float(gone_by.state.best_weight)
    for now, best in zip(
        jax.tree.leaves(end.problem.split(end.model)[0]), jax.tree.leaves(gone_by.state.best_params), strict=True
    ):
        np.testing.assert_array_equal(now, best)


def test_every_solver_that_sweeps_can_be_relaxed() -> None:
    dataset = measured(2e4)
    stages = (Stage(("object",), GaussNewton(iterations=4)),)
    run = dataclasses.replace(task(dataset, TotalVariation()), stages=stages)
    assert isinstance(run.stages[0].solver, Relaxation)
    assert error(last(run).model) < 0.8


def test_steps_on_batches_are_refused_where_they_cannot_decide() -> None:
    dataset = measured(1e4, views=6)
    with pytest.raises(JobError, match="epochs"):
        dataclasses.replace(task(dataset), stages=(Stage(("object",), FirstOrder()),))
    with pytest.raises(JobError, match="weight"):
        dataclasses.replace(task(dataset, TotalVariation()), stages=(Stage(("object",), FirstOrder(), 3),))
    both = (Stage(("object",), FirstOrder(), 1), Stage(("object",), LBFGS()))
    mixed = dataclasses.replace(task(dataset, TotalVariation()), stages=both)
    assert next(iterate(mixed)).problem.regularizers[0].weight == 0  # a warm start without the penalty


def test_the_change_of_a_weight_is_that_of_the_objective() -> None:
    dataset = measured(1e4, views=6)
    run = task(dataset, TotalVariation())
    problem = dataclasses.replace(run.problem, free=("object",))
    rng = np.random.default_rng(0)
    model = eqx.tree_at(
        lambda one: one.object.parametrization.delta, run.model, jnp.asarray(rng.uniform(0, 1e-4, (16, 16, 16)))
    )
    params, frozen = problem.split(model)
    change, slope = problem.reweighted(params, frozen, (jnp.array(4.0), jnp.array(1.5)))
    penalty = {weight: problem.with_weight(weight).penalty(params, frozen) for weight in (4.0, 1.5)}
    assert float(change) == pytest.approx(float(penalty[1.5] - penalty[4.0]), rel=1e-12)
    one = jax.grad(lambda p: problem.with_weight(1.0).penalty(p, frozen))(params)
    for found, expected in zip(jax.tree.leaves(slope), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(found, -2.5 * expected, rtol=1e-10, atol=1e-12)


def test_what_is_kept_back_alone_is_swept() -> None:
    dataset = dataclasses.replace(measured(1e3), frames=ArrayFrames(np.ones((12, 1, 16, 16), np.float32)))
    feed = task(dataset).feed(0)
    views = np.concatenate([batch.views[batch.weights[:, 0] > 0] for batch in feed.sweep(held_out=True)])
    np.testing.assert_array_equal(views, [3, 9])
    trained = np.concatenate([batch.views[batch.weights[:, 0] > 0] for batch in feed.sweep()])
    np.testing.assert_array_equal(trained, np.setdiff1d(np.arange(12), [3, 9]))


def test_a_stage_that_no_open_weight_is_about_ends_early_and_leaves_it_alone() -> None:
    """Nothing that is penalised is free: the weight found before stays what it was."""
    run = task(measured(2e3), TotalVariation())
    first, probe = Stage(("object",), LBFGS(), 60), Stage(("probe",), LBFGS(), "auto")
    both = list(iterate(dataclasses.replace(run, stages=(first, probe))))
    found = next(one for one in reversed(both) if one.stage == 0).state.best_weight
    taken = [one for one in both if one.stage == 1]
    assert all(float(one.problem.regularizers[0].weight) == pytest.approx(float(found)) for one in taken)
    assert len(taken) < 60
    alone = list(iterate(dataclasses.replace(run, stages=(probe, first))))
    assert sum(one.stage == 0 for one in alone) < 60
    assert float(alone[-1].state.best_weight) > 0


def test_what_is_kept_back_has_to_be_finite() -> None:
    dataset = measured(1e3)
    counts = np.stack([dataset.read(view, np.arange(1)) for view in range(12)])
    counts[3, 0, 4, 4] = np.nan
    spoilt = dataclasses.replace(dataset, frames=ArrayFrames(counts.astype(np.float32)))
    with pytest.raises(DataError, match="Frame 0 of view 3"):
        last(task(spoilt, TotalVariation()))


def test_what_another_solver_left_unexplained_is_noise_for_the_first_weight() -> None:
    """The gradient's variance is the curvature times the reduced χ²; √ of it is what the weight is measured by."""
    run = task(measured(1e6), TotalVariation())
    problem, feed = dataclasses.replace(run.problem, free=("object",)), run.feed(0, 1)
    solver = run.stages[0].solver
    assert isinstance(solver, Relaxation)
    after = solver.following(FirstOrder().left(()))
    cold, warm = (float(one.init(problem, run.model, feed, seed=0).weight) for one in (solver, after))
    chi_squared = held_out(problem, run.model, feed)[1]
    assert chi_squared > 10  # nothing has been explained yet
    assert warm == pytest.approx(cold * chi_squared**0.5)


def hasty(dataset: Dataset, steps: int) -> list[RelaxationState]:
    """Looks after every step are gains for long, and would halve the weight each time."""
    start = task(dataset, TotalVariation())
    (stage,) = start.stages
    looking = dataclasses.replace(stage.solver, steps=1)
    run = dataclasses.replace(start, stages=(dataclasses.replace(stage, solver=looking),))
    return [progress.state for progress in itertools.islice(iterate(run), steps)]


def test_a_weight_without_effect_is_not_made_smaller() -> None:
    states = hasty(measured(2e5), 16)
    weights = [float(state.weight) for state in states]
    assert min(weights) == pytest.approx(float(states[0].noise) / 2, rel=1e-6)
    assert weights.count(min(weights)) > 1


def test_without_noise_the_weight_falls_as_far_as_the_frames_are_explained() -> None:
    """What counting statistics would allow is no noise there: a weight of that size would hold detail back."""
    states = [progress.state for progress in iterate(task(measured(1e3, noise=False), TotalVariation()))]
    noise = float(states[0].noise)
    down = [(float(s.weight), noise / 2 * min(1, float(s.unexplained)) ** 1.5) for s in states if int(s.way) == 0]
    assert all(weight >= least * (1 - 1e-6) for weight, least in down)
    assert down[-1][0] < noise / 16
    assert float(states[-1].unexplained) < 1 / 16


def test_after_another_way_down_all_views_are_used() -> None:
    """What few of them show is there already; the first weight is in units of the noise's own."""
    run = task(measured(1e3, views=48), TotalVariation())
    problem, feed = dataclasses.replace(run.problem, free=("object",)), run.feed(0, 1)
    solver = run.stages[0].solver
    assert isinstance(solver, Relaxation)
    first = solver.init(problem, run.model, feed, seed=0)
    assert solver._keep(feed, first) > 1
    assert float(first.weight) == pytest.approx(8 * float(first.noise))
    best = first._replace(best_weight=3 * first.noise)
    following = solver.following(solver.left(best))
    after = following.init(problem, run.model, feed, seed=0)
    assert following._keep(feed, after) == 1
    assert (solver.parts(feed)[0], following.parts(feed)) == ((2, 6), ())
    assert float(after.noise) == pytest.approx(float(first.noise), rel=0.5)  # of more views
    assert float(after.weight) == pytest.approx(4 * 3 * float(after.noise))
    nothing_open = solver.following((0.0, 2.0))  # where the stage before had no weight to find
    assert nothing_open._keep(feed, nothing_open.init(problem, run.model, feed, seed=0)) == 1


def test_steps_say_which_part_of_the_views_they_saw() -> None:
    run = task(measured(1e3, views=48), TotalVariation())
    solver, feed = run.stages[0].solver, run.feed(0, 1)
    assert isinstance(solver, Relaxation)
    seen = [progress.info.every for progress in itertools.islice(iterate(run), 7)]
    assert seen == [2] * 7  # forty views: every second of them is enough, every fourth is not
    assert solver.parts(feed) == ((2, 6), (2, 6))
    assert solver.parts(feed.every(2)) == ()
