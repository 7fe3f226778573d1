"""Looking at a run: every chosen frame once, in batches of one shape, at a cost that is bounded; and the defaults."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from adorym._core import JobError
from adorym.cli._content import history_of
from adorym.cli._defaults import default_constraints, default_stages, filled, guessed_photons
from adorym.cli._evaluate import Evaluator, batches_of, fit_of
from adorym.data import ArrayFrames, Feed, held_out_frames
from adorym.experiment import GaussianProbe, Raster, holography, plan_holography, plan_ptychography, plan_tomography
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, fit
from adorym.simulate import simulate
from adorym.solvers import LBFGS, FirstOrder, GaussNewton

VACUUM = np.zeros((8, 8, 8))


def data(views=7):
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7, 2e-7), views=views, photons=100.0)
    return simulate(plan, VACUUM, VACUUM)


def task(*stages, views=7, held_out=None):
    dataset = data(views)
    return Task(dataset, holography(dataset), Problem(Poisson(), free=()), stages, held_out=held_out)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (3, 1), (9, 9)])
def test_every_chosen_frame_is_in_one_batch(sizes):
    dataset = data()
    chosen = np.random.default_rng(0).random((7, 2)) < 0.6
    chosen[3] = False
    seen = np.zeros(chosen.shape)
    shapes = set()
    for batch in batches_of(dataset, chosen, sizes):
        shapes.add((batch.weights.shape, batch.counts.shape))
        for row, view in enumerate(batch.views):
            for column in np.flatnonzero(batch.weights[row]):
                frame = batch.frames[row, column]
                seen[view, frame] += 1
                assert np.array_equal(batch.counts[row, column], dataset.frames.read(int(view), np.array([frame]))[0])
    assert np.array_equal(seen, chosen)
    assert len(shapes) == 1


def test_the_fit_is_that_of_the_library():
    one = task(Stage(("object",), GaussNewton(), 1))
    feed = Feed(one.dataset, views_per_batch=2, frames_per_batch=2)
    whole = fit(one.problem, one.model, feed)
    found = fit_of(one.problem, one.model, batches_of(one.dataset, np.ones((7, 2), bool), (3, 1)))
    assert found["misfit"] == pytest.approx(float(whole.misfit / whole.counts), rel=1e-9)
    assert found["reduced_chi2"] == pytest.approx(float(whole.chi_squared / whole.pixels), rel=1e-9)
    assert fit_of(one.problem, one.model, []) == {}


def due(looks, *, steps):
    return [step for step in range(1, steps + 1) if looks.due(step)]


def test_evaluations_are_spread_and_end_with_the_end():
    looks = Evaluator(task(Stage(("object",), FirstOrder(), 30)), 20, None)
    assert sum(leg.steps for leg in looks.task.legs()) == 30 * 4 * 1
    found = due(looks, steps=120)
    assert len(found) == 20
    assert found[-1] == 120
    gaps = np.diff(found)
    assert gaps.max() - gaps.min() <= 1
    assert due(Evaluator(task(Stage(("object",), GaussNewton(), 3)), 20, None), steps=3) == [1, 2, 3]


def test_where_the_end_is_open_a_usual_one_is_expected():
    looks = Evaluator(task(Stage(("object",), LBFGS()), views=60), 20, None)
    assert len(due(looks, steps=40)) == 20
    assert len(due(looks, steps=300)) == 150  # and it goes on like that


def test_evaluations_take_a_twentieth_of_the_work_at_most():
    for epochs in (2, 10, 60, 400):
        one = task(Stage(("object",), FirstOrder(views_per_batch=1), epochs), views=50)
        looks = Evaluator(one, 20, None)
        found = looks.look(one.model, one.problem, whole=False)
        assert found["share"] * 20 <= 0.05 * 2 * (epochs + 0.1) + 20 / 50
        assert 0 < found["share"] <= 1
    assert looks.look(one.model, one.problem, whole=True)["share"] == 1


def test_the_curve_of_a_run_is_of_one_choice_of_frames():
    one = task(Stage(("object",), FirstOrder(views_per_batch=1), 5), views=30)
    looks = Evaluator(one, 20, None)
    sampled, whole = (looks.look(one.model, one.problem, whole=whole) for whole in (False, True))
    assert whole["sampled_misfit"] == sampled["misfit"] != whole["misfit"]
    records = [
        {"step": 0, "seconds": 0.0, **sampled},
        {"step": 5, "seconds": 1.0, **whole},
        {"step": 6, "seconds": 2.0},
    ]
    history = history_of(records)
    assert history.misfit.tolist() == [sampled["misfit"]] * 2
    assert history.step.tolist() == [0, 5]
    assert history.held_out is None
    assert history_of([{"step": 1}]) is None


def test_frames_kept_back_are_measured_apart():
    held = held_out_frames(data(), 3)
    assert np.flatnonzero(held.any(axis=1)).tolist() == [1, 4]
    one = task(Stage(("object",), FirstOrder(views_per_batch=1), 100), held_out=held)
    found = Evaluator(one, 5, lambda model: 0.25).look(one.model, one.problem, whole=True)
    assert found.keys() == {
        "misfit", "reduced_chi2", "held_out_misfit", "held_out_reduced_chi2", "share", "error", "compared_seconds"
    }  # fmt: skip
    kept = fit_of(one.problem, one.model, batches_of(one.dataset, held, (1, 1)))
    assert found["held_out_misfit"] == pytest.approx(kept["misfit"])
    assert found["error"] == 0.25


def test_what_is_kept_back():
    assert not held_out_frames(data(), 0).any()
    with pytest.raises(JobError, match="give less"):
        held_out_frames(data(), 7)
    frames = ArrayFrames(np.ones((1, 10, 4, 4)))
    one_view = dataclasses.replace(data(views=1), frames=frames, weights=np.ones((1, 10)))
    assert np.flatnonzero(held_out_frames(one_view, 5)[0]).tolist() == [2, 7]


def test_what_is_rejected_is_not_what_is_kept_back():
    """Else nothing may be left to judge by."""
    many = plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=12)
    weights = np.ones((12, 1))
    weights[5] = 0
    assert np.flatnonzero(held_out_frames(dataclasses.replace(many, weights=weights))).tolist() == [6]
    weights[:2] = 0
    assert held_out_frames(dataclasses.replace(many, weights=weights)) is None  # nine are too few
    with pytest.raises(JobError, match="9 views to fit"):
        held_out_frames(dataclasses.replace(many, weights=weights), 9)


def test_a_stage_refines_what_the_technique_would():
    beam, raster = GaussianProbe(16), Raster(8.0)
    thin = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=beam, raster=raster)
    asked = {"stages": [{"binning": [2]}, {"free": ["object.phase"]}]}
    free = [stage["free"] for stage in filled(asked, thin)["stages"]]
    assert free == [["object", "probe"], ["object.phase"]]
    assert asked["stages"][0] == {"binning": [2]}


def test_defaults_suit_the_technique():
    beam, raster = GaussianProbe(16), Raster(8.0)
    thin = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=beam, raster=raster)
    thick = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=beam, raster=raster, views=4)
    projections = plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=4)
    kinds = {"kind": "ptychography"}, {"kind": "tomography"}
    assert [stage["free"] for stage in default_stages(thin, kinds[0])] == [["object"], ["object", "probe"]]
    assert [stage["free"] for stage in default_stages(thick, kinds[0])] == [["object"]]
    (stage,) = default_stages(projections, kinds[1])
    assert stage == {"solver": "l-bfgs", "free": ["object.delta"], "epochs": "auto"}  # β/δ is fixed, and stays so
    (stage,) = default_stages(projections, {**kinds[1], "parametrization": "delta beta"})
    assert stage["free"] == ["object"]


def test_dim_frames_of_a_volume_are_counted_as_they_are():
    beam, raster, scan = GaussianProbe(16), Raster(8.0), {"pixel": 2e-9, "energy": 1e3}
    bright, dim, thin = (
        plan_ptychography((16, 16), **scan, probe=beam, raster=raster, views=views, photons=each * 256)
        for views, each in ((4, 200.0), (4, 50.0), (1, 50.0))
    )
    assert [filled({}, one)["likelihood"]["kind"] for one in (bright, dim, thin)] == [
        "amplitude",
        "poisson",
        "amplitude",
    ]
    assert filled({}, dim)["likelihood"]["dark_counts"] == 0.01
    assert filled({"likelihood": {"kind": "amplitude"}}, dim)["likelihood"] == {"kind": "amplitude"}
    assert filled({}, plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=4))["likelihood"] == {"kind": "poisson"}
    counted = dataclasses.replace(dim, photons=None, frames=ArrayFrames(np.full(dim.frames.shape, 99.0, np.float32)))
    assert filled({}, counted)["likelihood"]["kind"] == "poisson"
    assert filled({}, dataclasses.replace(counted, frames=ArrayFrames(np.full(dim.frames.shape, 101.0, np.float32))))[
        "likelihood"
    ] == {"kind": "amplitude"}


def test_what_is_rejected_says_nothing_about_the_counts():
    plan = plan_ptychography(
        (16, 16), pixel=2e-9, energy=1e3, probe=GaussianProbe(16), raster=Raster(8.0), views=4, photons=1.0
    )
    frames, weights = np.full(plan.frames.shape, 101.0, np.float32), np.ones(plan.weights.shape)
    frames[0], frames[1, 0] = np.nan, 1e6
    weights[0], weights[1, 0] = 0, 0
    spoilt = dataclasses.replace(plan, photons=None, frames=ArrayFrames(frames), weights=weights)
    assert filled({}, spoilt)["likelihood"] == {"kind": "amplitude"}
    holograms = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=4)
    lit = np.full(holograms.frames.shape, 7.0, np.float32)
    lit[:2] = np.nan
    rejected = np.array([[0.0], [0.0], [1.0], [1.0]])
    few = dataclasses.replace(holograms, photons=None, frames=ArrayFrames(lit), weights=rejected)
    assert guessed_photons(few) == 7.0


def test_a_penalty_is_taken_where_the_data_can_tell_its_weight():
    beam, raster = GaussianProbe(16), Raster(8.0)
    thick = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=beam, raster=raster, views=4)
    many, few = (plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=n) for n in (60, 4))
    assert held_out_frames(many).sum() == 6
    assert held_out_frames(few) is None
    assert filled({}, many)["regularizers"][0]["weight"] == "auto"
    assert "regularizers" not in filled({}, few)
    assert "regularizers" not in filled({}, thick)  # steps on batches
    assert "regularizers" not in filled({"stages": [{"solver": "l-bfgs", "epochs": 7}]}, many)
    assert filled({"regularizers": []}, many)["regularizers"] == []
    assert "regularizers" not in filled({"output": {"held_out": 0}}, many)  # nothing to judge by


def test_constraints_suit_the_technique():
    beam, raster = GaussianProbe(16), Raster(8.0)
    thin = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=beam, raster=raster)
    thick = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=beam, raster=raster, views=4)
    projections = plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=4)
    assert default_constraints(thin, {"kind": "ptychography"}) == []
    assert [one["where"] for one in default_constraints(thick, {"kind": "ptychography"})] == [
        "object.delta",
        "object.beta",
    ]
    assert [one["where"] for one in default_constraints(projections, {"kind": "tomography"})] == ["object.delta"]
    in_pixels = dataclasses.replace(projections, energy=None, pixel=1.0)
    assert default_constraints(in_pixels, {"kind": "tomography"}) == []
    phases = {"kind": "ptychography", "parametrization": "log amplitude and phase"}
    assert default_constraints(thick, phases) == []


def test_photons_that_nobody_told_are_those_of_the_empty_field():
    dataset = data()
    assert guessed_photons(dataset) is None
    assert guessed_photons(dataclasses.replace(dataset, photons=None)) == pytest.approx(100, rel=0.02)
    lit = dataclasses.replace(dataset, photons=None, flat=np.full((8, 8), 90.0))
    assert guessed_photons(lit) is None
