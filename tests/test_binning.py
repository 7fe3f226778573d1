"""Coarse to fine: what a coarser measurement and a coarser model are, and how a stage goes from one to the next."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import DataError, JobError, SamplingError
from adorym._core.resampling import binned, spread
from adorym.constraints import non_negative
from adorym.data import ArrayFrames, Dataset, Feed
from adorym.detectors import Detector
from adorym.experiment import (
    Experiment,
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
)
from adorym.geometry import Geometry
from adorym.io import latest_checkpoint, write_checkpoint
from adorym.likelihoods import Poisson
from adorym.objects import LogAmplitudePhase
from adorym.phantoms import cone
from adorym.probes import Modes, PlaneWave
from adorym.problem import Problem
from adorym.reconstruct import Progress, Snapshot, Stage, Task, iterate, restored, snapshot
from adorym.regularizers import TotalVariation
from adorym.simulate import simulate
from adorym.solvers import LBFGS, FirstOrder
from adorym.transport import FarField, InFocus

PHANTOM = cone(size=32, voxel=4e-9, energy=1e3)


def holograms(photons: float = 1e5) -> Dataset:
    plan = plan_holography((32, 32), pixel=4e-9, energy=1e3, distances=(5e-7,), views=20, photons=photons)
    return simulate(plan, PHANTOM.delta, PHANTOM.beta, seed=1)


def scans() -> Dataset:
    probe, raster = GaussianProbe(24, 4.0), Raster(8.0)
    plan = plan_ptychography((32, 32), pixel=4e-9, energy=1e3, probe=probe, raster=raster, views=3, photons=1e6)
    return simulate(plan, PHANTOM.delta, PHANTOM.beta, seed=1)


def true(model: Experiment) -> Experiment:
    return eqx.tree_at(lambda one: one.object, model, model.object.filled(PHANTOM.delta, PHANTOM.beta))


def misfit(model: Experiment, dataset: Dataset) -> float:
    feed = Feed(dataset, views_per_batch=2, frames_per_batch=dataset.frames.shape[1])
    fits = [Problem(Poisson()).fit(model, batch) for batch in feed.sweep()]
    return sum(float(one.misfit) for one in fits) / sum(float(one.counts) for one in fits)


# --- grids ------------------------------------------------------------------------------------------------------------


def test_arrays_are_averaged_about_their_centre() -> None:
    """A straight slope stays one, in the coarser cells' middles, whatever the size."""
    for size, factor in ((8, 2), (9, 2), (12, 4)):
        places = jnp.asarray(np.arange(size) - (size - 1) / 2)
        coarse = binned(places, factor)
        expected = factor * (np.arange(len(coarse)) - (len(coarse) - 1) / 2)
        np.testing.assert_allclose(coarse[1:-1], expected[1:-1], atol=1e-12)


def test_a_change_is_carried_over_in_the_units_of_the_finer_leaf() -> None:
    geometry = Geometry.scan(np.zeros(1), np.zeros((1, 3, 2)))
    change = jax.tree.map(jnp.ones_like, geometry)
    carried = spread(lambda one: one.binned(4), geometry, change)
    assert float(carried.position_offset[0, 0, 0]) == pytest.approx(4.0)  # one large pixel is four small ones
    smooth = spread(lambda one: binned(one, 2), jnp.zeros(16), jnp.arange(8.0))
    np.testing.assert_allclose(np.diff(smooth[4:-4]), 0.5, atol=1e-12)


# --- measurements -----------------------------------------------------------------------------------------------------


def test_counts_add_up_and_what_is_not_measured_spreads() -> None:
    dataset = holograms()
    mask = np.ones((32, 32), bool)
    mask[5, 7] = False
    coarse = dataclasses.replace(dataset, mask=mask).binned(4)
    assert coarse.frames.shape == (20, 1, 8, 8)
    assert (coarse.pixel, coarse.photons) == (16e-9, 16e5)
    assert (~coarse.mask).sum() == 1
    assert not coarse.mask[1, 1]
    whole = dataset.binned(4).read(3, np.array([0]))
    assert whole.sum() == pytest.approx(dataset.read(3, np.array([0])).sum(), rel=1e-6)


def test_in_the_far_field_the_middle_is_kept() -> None:
    dataset = scans()
    coarse, fine = (one.read(0, np.array([2]))[0] for one in (dataset.binned(2), dataset))
    np.testing.assert_array_equal(coarse, fine[6:18, 6:18])
    assert coarse[6, 6] == fine[12, 12]  # the zero frequency at N // 2 in both
    assert dataset.binned(2).photons == dataset.photons


def test_fewer_views_are_chosen_among_those_that_are_left() -> None:
    dataset = holograms()
    spared = np.zeros((20, 1), bool)
    spared[::5] = True
    left = np.flatnonzero(dataset.thinned(2, spared).weights[:, 0])
    assert left.tolist() == [0, 1, 3, 5, 6, 8, 10, 11, 13, 15, 16, 18]
    assert dataset.thinned(1, spared).weights.all()


def test_sides_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(SamplingError, match="32 x 32 pixels cannot be binned by 3"):
        holograms().binned(3)
    with pytest.raises(SamplingError, match="24 x 24"):
        Modes.of(np.ones((1, 24, 24), complex)).binned(5)
    with pytest.raises(SamplingError, match="Frames of 5 x 6"):
        InFocus((5, 6)).binned(2)
    with pytest.raises(SamplingError, match="adds up"):
        Detector.ideal(binning=2).binned(2, cut=False)


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["holograms", "scans"])
def test_a_coarser_model_predicts_the_coarser_measurement(kind: str) -> None:
    """All but what only the finer grid shows is there: far less is left than without the sample."""
    dataset = holograms() if kind == "holograms" else scans()
    model = holography(dataset) if kind == "holograms" else ptychography(dataset, object_size=32)
    coarse, measured = true(model).binned(2), dataset.binned(2)
    assert misfit(coarse, measured) < 0.35 * misfit(model.binned(2), measured)


def test_waves_keep_their_photons_and_their_shape() -> None:
    assert float(PlaneWave.of(3.0).binned(2).log_photons) == pytest.approx(np.log(12.0))
    fine, coarse = (GaussianProbe(n, s).field(1e3) for n, s in ((48, 8.0), (24, 4.0)))
    found = Modes.of(fine[None]).binned(2).field[0]
    np.testing.assert_allclose(found, coarse, atol=2e-3 * np.abs(coarse).max())  # the band's edge is not quite empty
    assert np.sum(np.abs(found) ** 2) == pytest.approx(1e3, rel=1e-3)


def test_thicker_voxels_turn_the_phase_further() -> None:
    leaves = LogAmplitudePhase(jnp.ones((4, 4, 4)), jnp.ones((4, 4, 4)))
    assert float(leaves.binned(2, 2.0).phase[0, 0, 0]) == pytest.approx(2.0)
    assert float(leaves.binned(2, 1.0).phase[0, 0, 0]) == pytest.approx(1.0)


def test_detectors_with_a_gain_for_each_pixel() -> None:
    gain, background = jnp.arange(16.0).reshape(4, 4), jnp.full((4, 4), 2.0)
    added = Detector(gain, background).binned(2, cut=False)
    assert added.gain[0, 0] == pytest.approx((0 + 1 + 4 + 5) / 4)
    assert added.background[0, 0] == pytest.approx(8.0)
    cut = Detector(gain, background).binned(2, cut=True)
    np.testing.assert_array_equal(cut.gain, gain[1:3, 1:3])
    assert float(Detector.ideal().binned(2, cut=False).gain) == 1.0
    assert FarField((8, 8)).binned(2).frame == (4, 4)


# --- stages -----------------------------------------------------------------------------------------------------------


def task(*binning: int, epochs: int = 4) -> Task:
    dataset = holograms()
    held_out = np.zeros((20, 1), bool)
    held_out[3::7] = True
    problem = Problem(
        Poisson(), (), (TotalVariation(weight=0.5),), (non_negative("object.delta"), non_negative("object.beta"))
    )
    stage = Stage(("object",), LBFGS(), epochs, binning)
    return Task(dataset, holography(dataset, slab_voxels=8), problem, (stage,), held_out=held_out)


@pytest.fixture(scope="module")
def run() -> list[Progress]:
    return list(iterate(task(2, 1)))


def test_each_level_starts_from_the_one_before(run: list[Progress]) -> None:
    assert [one.level.factor for one in run] == [2] * 4 + [1] * 4
    assert [one.step for one in run] == list(range(1, 9))
    assert [one.over for one in run] == [False] * 3 + [True] + [False] * 3 + [True]
    dataset, sizes = holograms(), {one.model.object.parametrization.delta.shape for one in run}
    assert sizes == {(32, 32, 32)}  # what is shown is always the whole
    fits = [misfit(one.model, dataset) for one in (run[0], run[3], run[-1])]
    assert fits[0] > 1.5 * fits[1] > 1.5 * fits[2]
    assert float(run[3].model.object.parametrization.delta.min()) >= 0


def test_a_level_goes_on_bit_by_bit(run: list[Progress]) -> None:
    """From within the coarse level, from its end, and from within the fine one."""
    for index in (1, 3, 5):
        left = list(iterate(task(2, 1), snapshot(run[index])))
        assert [one.step for one in left] == [one.step for one in run[index + 1 :]]
        for one, other in zip(jax.tree.leaves(left[-1].model), jax.tree.leaves(run[-1].model), strict=True):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(
            jax.tree.leaves(restored(task(2, 1), snapshot(run[index]))), jax.tree.leaves(run[index].model), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_levels_that_do_not_exist_are_refused() -> None:
    with pytest.raises(JobError, match=r"binning is \[5, 1\].*cannot be binned by 5"):
        task(5, 1)
    with pytest.raises(JobError, match="factors of 1 or more"):
        task(0)


def test_a_level_leaves_alone_what_is_not_free() -> None:
    run = dataclasses.replace(task(2), stages=(Stage(("object.delta",), LBFGS(), 1, (2,)),))
    (last,) = iterate(run)
    begun, ended = (one.object.parametrization for one in (run.model, last.model))
    np.testing.assert_array_equal(ended.beta, begun.beta)
    assert np.any(begun.beta)
    assert np.any(ended.delta != begun.delta)


# --- parts of the data ------------------------------------------------------------------------------------------------


def test_a_part_of_the_views_stands_for_all() -> None:
    dataset = dataclasses.replace(holograms(), frames=ArrayFrames(np.ones((20, 1, 4, 4))), mask=np.ones((4, 4), bool))
    held_out = np.zeros((20, 1), bool)
    held_out[2::10] = True
    feed = Feed(dataset, views_per_batch=4, frames_per_batch=1, held_out=held_out)
    part = feed.every(4)
    assert feed.views == 18
    assert part.views == 4
    assert part.total_weight == pytest.approx(feed.total_weight)
    seen = [
        view for batch in part.sweep() for view, weight in zip(batch.views, batch.weights[:, 0], strict=True) if weight
    ]
    assert len(seen) == 4
    assert not held_out[seen].any()
    kept = [
        view
        for batch in part.sweep(held_out=True)
        for view, w in zip(batch.views, batch.weights[:, 0], strict=True)
        if w
    ]
    assert kept == [2, 12]
    assert feed.every(1) is feed


# --- levels that the data decide --------------------------------------------------------------------------------------


def judged(photons: float) -> Task:
    """Weight and end of both levels are left to frames that are kept back."""
    dataset, fixed = holograms(photons), task(1)
    problem = dataclasses.replace(fixed.problem, regularizers=(TotalVariation(),))
    stage = Stage(("object",), LBFGS(), "auto", (2, 1))
    return Task(dataset, holography(dataset, slab_voxels=8), problem, (stage,), held_out=fixed.held_out)


def alone(photons: float) -> Task:
    """Without the coarse level."""
    both = judged(photons)
    return dataclasses.replace(both, stages=(dataclasses.replace(both.stages[0], binning=(1,)),))


def error(model: Experiment) -> float:
    return float(np.linalg.norm(model.object.delta_beta()[0] - PHANTOM.delta))


def levels(run: list[Progress]) -> tuple[list[Progress], list[Progress]]:
    coarse, fine = ([one for one in run if one.level.factor == factor] for factor in (2, 1))
    assert coarse[-1].over
    assert fine[-1].last
    return coarse, fine


@pytest.fixture(scope="module")
def dim() -> list[Progress]:
    return list(iterate(judged(1e2)))


def test_a_level_begins_above_the_weight_that_was_best_before_in_units_of_the_noise(dim: list[Progress]) -> None:
    """Where the coarse model explains the coarse frames."""
    coarse, fine = levels(dim)
    before, after = coarse[-1].state, fine[0].state
    assert float(before.unexplained) < 1.2
    weights = sorted({round(float(one.state.weight / one.state.noise), 6) for one in coarse}, reverse=True)
    explained = min(1.0, *(float(one.state.unexplained) for one in coarse))
    least = [max(8 * 0.5**i, 0.5 * explained) for i in range(len(weights))]  # the way down alone
    assert weights == pytest.approx(least, rel=0.05)
    assert weights[:5] == pytest.approx([8, 4, 2, 1, 0.5])
    first = 4 * float(before.best_weight) / float(before.noise) * float(after.noise)
    assert float(after.weight) == pytest.approx(first, rel=1e-5)
    assert after.noise != before.noise
    assert error(fine[0].model) < error(next(iterate(alone(1e2))).model)


@pytest.mark.parametrize("photons", [1e2, 1e5])
@pytest.mark.parametrize("earlier", [False, True])
def test_from_the_end_of_a_coarse_level_it_goes_on_bit_by_bit(photons: float, *, earlier: bool) -> None:
    """Whether the fine one starts from it or not, and whether another stage came before."""
    whole = judged(photons)
    if earlier:
        rough = Stage(("object",), FirstOrder(views_per_batch=4, frames_per_batch=1), 1)
        whole = dataclasses.replace(whole, stages=(rough, *whole.stages))
    run = list(iterate(whole))
    coarse, fine = levels([one for one in run if one.stage == len(whole.stages) - 1])
    assert (float(coarse[-1].state.unexplained) > 1.2) == (photons > 1e3)
    again = next(iterate(whole, snapshot(coarse[-1])))
    assert again.step == fine[0].step
    for one, other in zip(jax.tree.leaves(again.state), jax.tree.leaves(fine[0].state), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.single_precision
def test_what_is_remembered_in_16_bits_goes_through_a_file(tmp_path: Path) -> None:
    whole = task(1, epochs=6)
    stage = whole.stages[0]
    halved = dataclasses.replace(stage.solver, halved=1)
    whole = dataclasses.replace(whole, stages=(dataclasses.replace(stage, solver=halved),))
    run = list(iterate(whole))
    taken = snapshot(run[3])
    write_checkpoint(tmp_path, taken.step, taken.arrays, header={})
    read = latest_checkpoint(tmp_path).checkpoint
    assert read is not None
    pairs = [array for name, array in read.arrays.items() if ".steps" in name or ".changes" in name]
    assert {array.dtype for array in pairs} == {np.dtype(np.uint16)}
    left = list(iterate(whole, Snapshot(read.step, read.arrays)))
    assert [one.step for one in left] == [5, 6]
    for one, other in zip(jax.tree.leaves(left[-1].state), jax.tree.leaves(run[-1].state), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    old = {name: array.astype(np.float32) for name, array in read.arrays.items()}
    with pytest.raises(DataError, match="that version of adorym"):
        next(iterate(whole, Snapshot(read.step, old)))


def test_what_does_not_explain_its_frames_is_no_start() -> None:
    """The fine level begins as if there had been no other."""
    coarse, fine = levels(list(iterate(judged(1e5))))
    assert float(coarse[-1].state.unexplained) > 1.2
    assert "no start to go on from" in coarse[-1].info.note
    first = next(iterate(alone(1e5)))
    assert float(first.state.weight) == float(fine[0].state.weight)
    np.testing.assert_array_equal(fine[0].model.object.parametrization.delta, first.model.object.parametrization.delta)
