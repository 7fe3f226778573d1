"""What every experiment owes: exact gradients in both modes for every leaf, user transformations, sums that agree."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.contracts.cases import (
    CASES,
    indices,
    parts,
    perturbation,
    predicted,
    prepared,
    pushed,
    refinable,
    still,
    whole,
)

from adorym._core.trees import replace, resolve
from adorym.experiment import EXPERIMENTS, Experiment, _experiment
from adorym.likelihoods import Poisson
from adorym.problem import Problem

everywhere = pytest.mark.parametrize("name", CASES)


def test_every_technique_has_a_row() -> None:
    assert {case.technique for case in CASES.values()} == set(EXPERIMENTS)


@everywhere
def test_gradient_of_every_leaf_against_finite_differences(name: str) -> None:
    model, dataset = prepared(name)
    batch = whole(dataset)
    problem = Problem(Poisson(), free=parts(model))
    params, frozen = problem.split(model)
    _, gradient = problem.value_and_gradient(params, frozen, batch)

    def value(path: str, change: jax.Array) -> float:
        moved = replace(params, path, resolve(params, path) + change)
        return float(problem.value_and_gradient(moved, frozen, batch)[0])

    for index, path in enumerate(refinable(model)):
        direction = perturbation(model, path, 200 + index)
        slope = float(np.vdot(resolve(gradient, path), direction))
        h = 1e-3  # fourth order: the error is of the order of h⁴ and of rounding / h
        near, far = (value(path, s * h * direction) - value(path, -s * h * direction) for s in (1, 2))
        numeric = (8 * near - far) / (12 * h)
        if path in CASES[name].inert:
            assert slope == pytest.approx(0, abs=1e-9), path
            assert numeric == pytest.approx(0, abs=1e-9), path
        else:
            assert slope == pytest.approx(numeric, rel=2e-6, abs=2e-8 * abs(value(path, 0 * direction))), path
            assert slope != 0, path


@everywhere
def test_forward_mode_agrees_with_reverse_mode(name: str) -> None:
    """d nll along v: reverse mode through the kernels of `Problem`, forward mode through the frames of `predict`."""
    model, dataset = prepared(name)
    batch = whole(dataset)
    problem = Problem(Poisson(), free=parts(model))
    params, frozen = problem.split(model)
    value, gradient = problem.value_and_gradient(params, frozen, batch)
    tangent = still(model)
    for index, path in enumerate(refinable(model)):
        tangent = replace(tangent, path, perturbation(model, path, index))
    frames, change = pushed(model, tangent, indices(dataset))
    counts = jnp.asarray(batch.counts, float)
    assert float(value) == pytest.approx(float(Poisson().nll(frames, counts).sum()), rel=1e-12)
    slope = np.asarray((frames - counts) / (frames + 0.1))
    left = np.vdot(slope, change)
    pairs = zip(jax.tree.leaves(gradient), jax.tree.leaves(tangent), strict=True)
    assert left == pytest.approx(sum(np.vdot(a, b) for a, b in pairs), rel=1e-10)
    assert abs(left) > 0.1


@pytest.mark.parametrize("name", ["holography, two distances", "multislice ptycho-tomography", "coherent diffraction"])
def test_a_users_vmap_of_predict_view(name: str) -> None:
    model, dataset = prepared(name)
    mapped = jax.jit(jax.vmap(model.predict_view))(*indices(dataset))
    np.testing.assert_allclose(mapped, predicted(model, dataset), rtol=1e-10)
    assert mapped.shape == dataset.frames.shape


@pytest.mark.parametrize("name", ["far-field ptychography, two modes", "multislice ptycho-tomography"])
def test_frames_carried_a_few_at_a_time_are_those_carried_together(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many waves a processor's cache takes, one that does not divide the number of frames among them."""
    model, dataset = prepared(name)
    _, frames = indices(dataset)
    problem, batch = Problem(Poisson(), free=parts(model)), whole(dataset)
    one = 16 * model.probe.real.shape[0] * math.prod(model.grid.shape)
    found = []
    for size in (one, (frames.shape[1] - 1) * one, 1 << 40):
        monkeypatch.setattr(_experiment, "_CACHE", size)
        jax.clear_caches()
        value, gradient = problem.value_and_gradient(*problem.split(model), batch)
        found.append(np.concatenate([np.ravel(leaf) for leaf in [value, *jax.tree.leaves(gradient)]]))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-9, atol=1e-12 * np.abs(found[0]).max())


def test_the_gradient_of_many_frames_takes_the_memory_of_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the frames themselves, which are small beside the waves between the slabs."""
    model, dataset = prepared("multislice ptycho-tomography")
    monkeypatch.setattr(_experiment, "_CACHE", 16 * model.probe.real.shape[0] * math.prod(model.grid.shape))
    problem, batch = Problem(Poisson(), free=("object",)), whole(dataset)

    def taken(times: int) -> int:
        repeated = {name: np.repeat(getattr(batch, name), times, axis=1) for name in ("frames", "weights", "counts")}
        return problem.compile_ahead(model, batch._replace(**repeated))["gradient"]

    frames = np.asarray(batch.counts[0], np.float64).nbytes
    assert taken(16) - taken(2) <= 2 * 14 * frames


def test_frames_for_which_there_is_no_room_at_once_go_in_few_groups_that_are_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, _ = prepared("multislice ptycho-tomography")
    slabs, one = model.object.slabs(model.geometry.view(jnp.asarray(0))), 16 * math.prod(model.grid.shape)
    monkeypatch.setattr(_experiment, "_CACHE", 12 * one)
    assert [model._group(slabs, count) for count in (1, 12, 13, 24, 27)] == [1, 12, 7, 12, 9]
    few = dataclasses.replace(model, together=5)
    assert [few._group(slabs, count) for count in (4, 5, 6, 11)] == [4, 5, 3, 4]


@pytest.mark.parametrize("backward", ["stored", "segments", "reversible"])
@pytest.mark.parametrize("together", [1, 2])
def test_waves_that_are_computed_again_are_those_that_were_kept(backward: str, together: int) -> None:
    """With respect to every part, positions and probe too, forward and back."""
    model, dataset = prepared("multislice ptycho-tomography")
    problem, batch = Problem(Poisson(), free=parts(model)), whole(dataset)

    def derivatives(model: Experiment) -> np.ndarray:
        params, frozen = problem.split(model)
        value, gradient = problem.value_and_gradient(params, frozen, batch)
        product = problem.gauss_newton_product(params, frozen, batch, vector=gradient)
        return np.concatenate([np.ravel(leaf) for leaf in [value, *jax.tree.leaves((gradient, product))]])

    wanted = derivatives(model)
    found = derivatives(dataclasses.replace(model, backward=backward, together=together))
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-11 * np.abs(wanted).max())
