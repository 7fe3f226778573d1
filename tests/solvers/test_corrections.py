"""Positions that are not quite those asked for: refined with object and probe, judged by frames kept back."""

from __future__ import annotations

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from adorym._core.trees import replace
from adorym.data import Dataset, Feed, held_out_frames
from adorym.experiment import Experiment, GaussianProbe, Raster, holography, plan_holography, plan_ptychography
from adorym.experiment import ptychography as ptychographic
from adorym.likelihoods import Amplitude
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate, reconstruct
from adorym.regularizers import TotalVariation
from adorym.simulate import simulate
from adorym.solvers import LBFGS, AbstractSolver, ConjugateGradient, FirstOrder, GaussNewton, Moment, Proximal
from adorym.solvers._follow import followed, own_paths
from adorym.solvers._passes import corrected_curvature, data_curvature

PIXEL = 10e-9
OFFSETS = "geometry.position_offset"
FREE = ("object", "probe", OFFSETS)


@cache
def scanned() -> tuple[Dataset, np.ndarray]:
    """A scan whose positions are wrong by 0.6 pixels (root of the mean square), and by how much, `(1, frame, 2)`."""
    plan = plan_ptychography(
        (32, 32), pixel=PIXEL, energy=8e3, probe=GaussianProbe(16, sigma=2.5), raster=Raster(3.0), photons=1e5
    )
    texture = gaussian_filter(np.random.default_rng(2).normal(size=(1, 32, 32)), 1.5)
    delta = np.maximum(texture / texture.std(), 0) * plan.wavelength / (2 * np.pi * PIXEL)  # radians there
    data = simulate(plan, delta, 0.1 * delta, seed=1)
    assert data.positions is not None
    wrong = np.random.default_rng(0).normal(0, 0.6, data.positions.shape)
    return dataclasses.replace(data, positions=data.positions + wrong * PIXEL), wrong


def feed_of(data: Dataset) -> Feed:
    return Feed(data, views_per_batch=1, frames_per_batch=64, held_out=held_out_frames(data))


@cache
def solved() -> Experiment:
    """Object and probe as they are once positions are known."""
    data, wrong = scanned()
    assert data.positions is not None
    right = dataclasses.replace(data, positions=data.positions - wrong * PIXEL)
    problem = Problem(Amplitude())
    return reconstruct(Task(right, ptychographic(right), problem, (Stage(("object", "probe"), LBFGS(), epochs=60),)))


def at_wrong_positions() -> Experiment:
    """What has been found, and positions as they were asked for."""
    data, _ = scanned()
    return replace(solved(), "geometry", ptychographic(data).geometry)


def off(model: Experiment, which: np.ndarray, *, shifted: bool = True) -> float:
    """How wrong the positions of some frames are, by default apart from a shift of all."""
    left = np.asarray(model.geometry.position_offset) + scanned()[1]
    return float(np.sqrt(np.mean(np.square((left - shifted * left.mean((0, 1)))[which]))))


def test_frames_kept_back_find_their_own_positions() -> None:
    data, _ = scanned()
    feed, model = feed_of(data), at_wrong_positions()
    problem = Problem(Amplitude(), FREE)
    after = followed(problem, model, feed, steps=30, seed=0)
    assert off(model, feed.held_out, shifted=False) > 0.4
    assert off(after, feed.held_out, shifted=False) < 0.05
    moved = np.asarray(after.geometry.position_offset != model.geometry.position_offset).any(axis=2)
    np.testing.assert_array_equal(moved, feed.held_out)  # and of those fitted none is touched
    shared = [jax.tree.leaves((one.object, one.probe)) for one in (after, model)]
    assert all(jnp.array_equal(*pair) for pair in zip(*shared, strict=True))


def test_what_frames_have_in_common_is_not_theirs() -> None:
    """The one angle of a scan belongs to all of its frames; of a full field each view has its own."""
    data, _ = scanned()
    problem = Problem(Amplitude(), ("object", "geometry.angles", "geometry.axis_offset", OFFSETS))
    assert own_paths(problem, ptychographic(data), feed_of(data)) == (OFFSETS,)
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7, 2e-7), views=20, photons=100.0)
    views = simulate(plan, np.zeros((8, 8, 8)), np.zeros((8, 8, 8)))
    problem = Problem(Amplitude(), ("object", "geometry"))
    assert own_paths(problem, holography(views), feed_of(views)) == ("geometry.angles",)
    assert own_paths(Problem(Amplitude(), ("object",)), holography(views), feed_of(views)) == ()
    assert own_paths(problem, holography(views), Feed(views, views_per_batch=1, frames_per_batch=1)) == ()


def test_positions_have_no_curvature_before_there_is_something_to_be_seen() -> None:
    data, _ = scanned()
    feed, problem = feed_of(data), Problem(Amplitude(), FREE)
    flat, seen = (problem.split(model) for model in (ptychographic(data), solved()))
    (*_, nothing) = data_curvature(problem, flat, feed, seed=0)
    (*_, something) = data_curvature(problem, seen, feed, seed=0)
    assert float(nothing) < 1e-20
    assert float(something) > 100
    known = data_curvature(problem, flat, feed, seed=0)
    for step, anew in ((0, False), (1, False), (6, True), (7, False)):
        (*others, positions) = corrected_curvature(problem, seen, feed, known=known, moment=Moment(step, 30, 0))
        assert [float(x) for x in others] == [float(x) for x in known[:-1]]
        assert (float(positions) == pytest.approx(float(something), rel=1e-6)) == anew


@pytest.mark.parametrize(
    "solver",
    [LBFGS(), ConjugateGradient(), Proximal(), GaussNewton(iterations=4), FirstOrder()],
    ids=lambda s: type(s).__name__,
)
def test_positions_are_refined_from_an_empty_start(solver: AbstractSolver) -> None:
    """They wait until the sample is there; without that, rounding drives them off by more than a million pixels."""
    data, wrong = scanned()
    task = Task(data, ptychographic(data), Problem(Amplitude()), (Stage(FREE, solver, epochs=60),))
    model = reconstruct(task)
    everything = np.ones(wrong.shape[:2], bool)
    assert off(model, everything) < 0.5 * off(ptychographic(data), everything)


def test_a_scan_with_wrong_positions_is_predicted_better_once_they_are_refined() -> None:
    """By the default way, whose end is decided by frames kept back."""
    data, _ = scanned()
    kept = held_out_frames(data)
    assert kept is not None

    def end(free: tuple[str, ...]) -> tuple[Experiment, float]:
        problem = Problem(Amplitude(), (), (TotalVariation("object"),))
        last = list(iterate(Task(data, ptychographic(data), problem, (Stage(free, LBFGS()),))))[-1]
        return last.model, float(last.state.best)

    (_, fixed), (model, refined) = end(("object", "probe")), end(FREE)
    assert refined < 0.5 * fixed
    assert off(model, ~kept) < 0.5 * off(ptychographic(data), ~kept)
    assert off(model, kept) < 0.6 * off(ptychographic(data), kept)
