"""What is left unexplained, told by frame and by pixel: the same sums as the fit's, and the views that stand out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.contracts.cases import prepared

from adorym._core import DataError
from adorym.data import ArrayFrames, Dataset, Feed
from adorym.experiment import holography, plan_holography
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import fit, residuals
from adorym.simulate import simulate

VIEWS = 12
VACUUM = np.zeros((8, 8, 8))


@pytest.fixture(scope="module")
def empty() -> Dataset:
    """Two holograms of nothing at each of twelve angles."""
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7, 2e-7), views=VIEWS, photons=100.0)
    return simulate(plan, VACUUM, VACUUM, seed=2)


def changed(dataset: Dataset, view: int, frame: int, factor: float) -> Dataset:
    frames = dataset.frames.array.copy()
    frames[view, frame] *= factor
    return dataclasses.replace(dataset, frames=ArrayFrames(frames))


def left(dataset: Dataset, held_out: np.ndarray | None = None, *, batch: tuple[int, int] = (5, 2)):
    feed = Feed(dataset, views_per_batch=batch[0], frames_per_batch=batch[1], held_out=held_out)
    return residuals(Problem(Poisson()), holography(dataset), feed), feed


@pytest.mark.parametrize("batch", [(5, 2), (12, 1)])
def test_the_sums_are_those_of_the_fit(empty, batch):
    """With frames held out, one rejected, and pixels that are not measured."""
    mask, weights = np.ones((8, 8), bool), np.ones((VIEWS, 2))
    mask[2, 5], weights[3, 1], weights[4] = False, 0.0, 0.5
    held_out = np.zeros((VIEWS, 2), bool)
    held_out[6] = held_out[7, 1] = True
    dataset = dataclasses.replace(empty, mask=mask, weights=weights)
    found, feed = left(dataset, held_out, batch=batch)
    for held in (False, True):
        whole = fit(Problem(Poisson()), holography(dataset), feed, held_out=held)
        np.testing.assert_allclose(found.fit(held_out=held), whole, rtol=1e-9)
    assert found.fits.pixels[3].tolist() == [63, 0]
    assert found.fits.pixels[4].tolist() == [31.5, 31.5]


def test_the_map_is_the_mean_over_frames(empty):
    found, _ = left(empty)
    off = (empty.frames.array - 100) / np.sqrt(100.1)
    np.testing.assert_allclose(found.mean, off.mean((0, 1)), atol=0.01)
    np.testing.assert_allclose(found.mean_square, np.square(off).mean((0, 1)), rtol=0.01)


def test_a_pixel_that_lies_and_one_that_is_not_measured_show_in_the_map(empty):
    frames = empty.frames.array.copy()
    frames[:, :, 3, 3] += 20
    mask = np.ones((8, 8), bool)
    mask[5, 5] = False
    found, _ = left(dataclasses.replace(empty, frames=ArrayFrames(frames), mask=mask))
    assert np.unravel_index(np.nanargmax(found.mean), (8, 8)) == (3, 3)
    assert found.mean[3, 3] == pytest.approx(2, abs=0.6)
    assert np.argwhere(np.isnan(found.mean_square)).tolist() == [[5, 5]]


def test_a_corrupted_view_stands_out(empty):
    clean, _ = left(empty)
    assert clean.per_view().bad.size == 0
    assert clean.per_view().reduced_chi2 == pytest.approx(1, abs=0.5)
    views = left(changed(empty, 4, 1, 1.3))[0].per_view()
    assert (views.unit, views.bad.tolist()) == ("view", [4])
    assert views.index.tolist() == list(range(VIEWS))
    assert views.reduced_chi2[4] > 2
    assert np.argmax(views.misfit) == 4


def test_views_kept_back_are_judged_among_themselves(empty):
    """A model explains them less well than what it was fitted to, without their being bad."""
    held_out = np.zeros((VIEWS, 2), bool)
    held_out[1::2] = True
    dataset = empty
    for view in range(1, VIEWS, 2):
        dataset = changed(changed(dataset, view, 0, 1.2), view, 1, 1.2)
    views = left(dataset, held_out)[0].per_view()
    assert views.held_out.sum() == VIEWS // 2
    assert views.reduced_chi2[views.held_out].min() > views.reduced_chi2[~views.held_out].max()
    assert views.bad.size == 0
    views = left(changed(dataset, 7, 0, 2.0), held_out)[0].per_view()
    assert views.bad.tolist() == [7]
    assert views.held_out[views.outlier].all()


def test_a_view_with_frames_of_both_kinds_has_two_entries(empty):
    held_out = np.zeros((VIEWS, 2), bool)
    held_out[3, 0] = True
    views = left(empty, held_out)[0].per_view()
    assert views.index.tolist() == [*range(VIEWS), 3]


def test_alike_views_are_not_told_apart_by_little_and_few_not_at_all(empty):
    """Without noise the spread is nothing: a tenth of the median is needed; and three views have no usual one."""
    frames = np.full_like(empty.frames.array, 110.0)
    frames[2] = 110.2
    views = left(dataclasses.replace(empty, frames=ArrayFrames(frames)))[0].per_view()
    assert views.reduced_chi2[2] > 1.02 * np.median(views.reduced_chi2)
    assert views.bad.size == 0
    weights = np.zeros((VIEWS, 2))
    weights[3:6] = 1
    views = left(dataclasses.replace(changed(empty, 4, 0, 3.0), weights=weights))[0].per_view()
    assert views.index.tolist() == [3, 4, 5]
    assert views.bad.size == 0


def test_of_a_single_view_the_frames_are_told():
    model, dataset = prepared("far-field ptychography, two modes")
    exact = dataclasses.replace(dataset, weights=np.where(np.arange(dataset.weights.size) == 1, 0.0, 1.0)[None])
    found = residuals(Problem(Poisson()), model, Feed(exact, views_per_batch=1, frames_per_batch=3)).per_view()
    assert found.unit == "frame"
    assert found.index.tolist() == [i for i in range(dataset.weights.size) if i != 1]
    nothing = dataclasses.replace(dataset, weights=np.zeros_like(dataset.weights))
    with pytest.raises(DataError, match="no frames"):
        residuals(Problem(Poisson()), model, Feed(nothing, views_per_batch=1, frames_per_batch=3)).per_view()
