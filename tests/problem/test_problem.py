"""The problem: sums over frames that weigh what is measured, however it is cut into batches and devices."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.contracts.cases import indices, parts, predicted, prepared, structured, whole

from adorym._core import Batch, JobError
from adorym._core.trees import images_among, replace, resolve
from adorym.constraints import Bounds, Support, non_negative
from adorym.data import ArrayFrames, Feed
from adorym.likelihoods import Amplitude, Poisson
from adorym.problem import Problem
from adorym.problem._kernels import _curvature
from adorym.regularizers import L1, Tikhonov, TotalVariation
from adorym.sharding import deal_out
from adorym.solvers import LBFGS, Moment
from adorym.solvers._passes import tried

NAME = "holography, two distances"


def flat(tree: object) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def over_a_sweep(problem: Problem, model: object, feed: Feed) -> list[np.ndarray]:
    """Objective, gradient, and curvature times the model's own leaves, over all data."""
    params, frozen = problem.split(model)
    parts = []
    for batch in feed.sweep():
        value, gradient = problem.value_and_gradient(params, frozen, batch)
        product = problem.gauss_newton_product(params, frozen, batch, vector=params)
        parts.append((np.array(value), flat(gradient), flat(product)))
    return [np.sum(one, axis=0) for one in zip(*parts, strict=True)]


def test_the_gauss_newton_product_is_the_dense_matrix() -> None:
    """Jᵀ F W J with the Jacobian written out, in the mode that does not build it."""
    model, dataset = prepared(NAME)
    batch = whole(dataset)
    weights = np.array([[1.0, 0.5], [0.0, 2.0]], np.float32)
    mask = np.ones((4, 6), np.float32)
    mask[1, 2] = 0
    batch = batch._replace(weights=weights, mask=mask)
    likelihood = Amplitude()
    problem = Problem(likelihood, free=("geometry.angles", "transport.distance_offset", "detector.gain"))
    params, frozen = problem.split(model)
    unit = replace(jax.tree.map(jnp.ones_like, params), "transport.distance_offset", jnp.array([1e-8, 2e-8]))

    @jax.jit
    def jacobian(params: object) -> tuple[jax.Array, object]:
        def frames(p: object) -> jax.Array:
            return eqx.combine(p, frozen).predict(*indices(dataset))

        return frames(params), jax.jacfwd(frames)(params)

    frames, dense = jacobian(params)
    matrix = np.concatenate([np.reshape(leaf, (frames.size, -1)) for leaf in jax.tree.leaves(dense)], axis=1)
    diagonal = np.ravel(weights[:, :, None, None] * mask * np.asarray(likelihood.fisher(frames)))
    product = problem.gauss_newton_product(params, frozen, batch, vector=unit)
    change = matrix @ flat(unit)
    np.testing.assert_allclose(flat(product), matrix.T @ (diagonal * change), rtol=1e-9)
    curvature = problem.curvature(params, frozen, batch, vector=unit)
    np.testing.assert_allclose(curvature, change @ (diagonal * change), rtol=1e-9)


def test_the_curvature_of_images_is_made_of_products() -> None:
    """Whose kernel is there for their bands: the number is the same, whichever way it is found."""
    model, dataset = prepared("far-field ptychography, two modes")
    batch, problem = whole(dataset), Problem(Amplitude(), free=("object", "probe"))
    params, frozen = problem.split(model)
    assert images_among(params, frozen)
    vector = jax.tree.map(lambda leaf: jnp.cos(7 * jnp.arange(leaf.size)).reshape(leaf.shape), params)
    found = problem.curvature(params, frozen, batch, vector=vector)
    along = _curvature(problem.likelihood, (params, frozen), batch, vector=vector)
    assert float(along) > 0
    np.testing.assert_allclose(found, along, rtol=1e-10)


def test_the_batches_do_not_matter() -> None:
    """The sums are those of one batch, however small the batches, and though frames are rejected or padded."""
    model, dataset = prepared(NAME)
    rng = np.random.default_rng(0)
    more = dataclasses.replace(
        dataset,
        frames=ArrayFrames(rng.poisson(100.0, (2, 2, 4, 6)).astype(float)),
        weights=np.array([[1.0, 0.0], [0.5, 1.0]]),
    )
    tv = TotalVariation("object.delta", 3.0, 1e-5)
    problem = Problem(Poisson(), free=("object", "probe"), regularizers=(tv,))
    one = over_a_sweep(problem, model, Feed(more, views_per_batch=2, frames_per_batch=2))
    other = over_a_sweep(problem, model, Feed(more, views_per_batch=1, frames_per_batch=1))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_padding_frames_of_any_content_change_nothing() -> None:
    model, dataset = prepared(NAME)
    problem = Problem(Poisson(), free=("object",))
    params, frozen = problem.split(model)
    batch = whole(dataset)
    longer = Batch(
        np.concatenate([batch.views, [0]]).astype(np.int32),
        np.concatenate([batch.frames, [[1, 0]]]).astype(np.int32),
        np.concatenate([batch.weights, [[0, 0]]]).astype(np.float32),
        batch.mask,
        np.concatenate([batch.counts, np.full((1, 2, 4, 6), 1e6)]).astype(np.float32),
    )
    short, long = (problem.value_and_gradient(params, frozen, b) for b in (batch, longer))
    assert float(short[0]) == pytest.approx(float(long[0]), rel=1e-13)
    np.testing.assert_allclose(flat(short[1]), flat(long[1]), rtol=1e-11)


def test_masked_pixels_change_nothing() -> None:
    model, dataset = prepared(NAME)
    problem = Problem(Poisson(), free=("object",))
    params, frozen = problem.split(model)
    mask = np.ones((4, 6), np.float32)
    mask[2, 3:] = 0
    batch = whole(dataset)._replace(mask=mask)
    hot = np.where(mask > 0, batch.counts, 1e7).astype(np.float32)
    one, other = (problem.value_and_gradient(params, frozen, b) for b in (batch, batch._replace(counts=hot)))
    assert float(one[0]) == float(other[0])
    np.testing.assert_array_equal(flat(one[1]), flat(other[1]))
    assert float(problem.fit(model, batch).pixels) == 4 * (24 - 3)
    unmasked, _ = problem.value_and_gradient(params, frozen, whole(dataset))
    assert float(unmasked) != float(one[0])


def test_the_fit_says_what_it_says() -> None:
    model, dataset = prepared(NAME)
    batch = whole(dataset)
    frames = np.asarray(predicted(model, dataset))
    fit = Problem(Poisson(), free=("object",)).fit(model, batch)
    counts = batch.counts.astype(float)
    assert float(fit.misfit) == pytest.approx(np.sum((np.sqrt(frames) - np.sqrt(counts)) ** 2), rel=1e-12)
    assert float(fit.counts) == counts.sum()
    assert float(fit.pixels) == counts.size
    assert float(fit.chi_squared) == pytest.approx(np.sum((frames - counts) ** 2 / (frames + 0.1)), rel=1e-12)
    assert float(fit.nll) == pytest.approx(float(Poisson().nll(jnp.asarray(frames), jnp.asarray(counts)).sum()))


def test_penalties_and_their_gradient() -> None:
    model, _ = prepared(NAME)
    terms = (Tikhonov("object.delta", 2.0, 1e-5), L1("object.delta", 5.0, 1e-5))
    problem = Problem(Poisson(), free=("object",), regularizers=terms)
    params, frozen = problem.split(model)
    delta = model.object.parametrization.delta
    penalty = sum(float(term(delta)) for term in terms)
    assert float(problem.penalty(params, frozen)) == pytest.approx(penalty)
    value, gradient = problem.penalty_and_gradient(params, frozen)
    assert float(value) == pytest.approx(penalty, rel=1e-12)
    slope = jax.grad(lambda x: terms[0](x) + terms[1](x))(delta)
    np.testing.assert_allclose(resolve(gradient, "object.delta"), slope, rtol=1e-12)
    assert np.count_nonzero(flat(gradient)) == np.count_nonzero(slope)  # no other leaf feels them


def test_a_pass_counts_penalties_once() -> None:
    """However many batches there are."""
    model, dataset = prepared(NAME)
    problem = Problem(Poisson(), free=("object",), regularizers=(Tikhonov("object.delta", 2.0, 1e-5),))
    split, found = problem.split(model), []
    for views, frames in ((2, 2), (1, 1)):
        found.append(tried(problem, split, Feed(dataset, views_per_batch=views, frames_per_batch=frames)))
    alone = tried(
        dataclasses.replace(problem, regularizers=()), split, Feed(dataset, views_per_batch=1, frames_per_batch=1)
    )
    penalty, slope = problem.penalty_and_gradient(*split)
    for value, gradient in found:
        assert float(value - alone[0]) == pytest.approx(float(penalty), rel=1e-8)
        np.testing.assert_allclose(
            flat(gradient) - flat(alone[1]), flat(slope), rtol=1e-6, atol=1e-9 * flat(slope).max()
        )


def test_the_penaltys_curvature_reaches_its_leaves_and_no_other() -> None:
    model, _ = prepared(NAME)
    terms = (Tikhonov("object.delta", 2.0, 0.5), Tikhonov("object.delta", 1.0, 1.0), L1("object.ratio", 3.0, 1.0))
    problem = Problem(Poisson(), free=("object.delta", "probe"), regularizers=terms)
    params, frozen = problem.split(model)
    curved = problem.penalty_curvature(params, frozen, jax.tree.map(jnp.ones_like, params))
    np.testing.assert_allclose(curved.object.parametrization.delta, 2.0 / 0.25 + 1.0)
    assert float(curved.probe.log_photons) == 0.0
    assert curved.object.parametrization.ratio is None  # fixed: nothing to bend


def test_constraints_apply_to_what_is_free() -> None:
    model, _ = prepared(NAME)
    model = replace(model, "object.delta", model.object.parametrization.delta - 1e-5)
    assert float(model.object.parametrization.delta.min()) < 0
    limits = (non_negative("object.delta"), Support("object.delta", "cylinder", 0.9), Bounds("object.ratio", 9.0, 9.5))
    params, _ = Problem(Poisson(), free=("object.delta",), constraints=limits).split(model)
    problem = Problem(Poisson(), free=("object.delta",), constraints=limits)
    projected = problem.project(params)
    expected = limits[1](limits[0](model.object.parametrization.delta))
    np.testing.assert_array_equal(projected.object.parametrization.delta, expected)
    assert projected.object.parametrization.ratio is None


def test_nothing_free_by_a_wrong_name() -> None:
    model, _ = prepared(NAME)
    with pytest.raises(JobError, match="did you mean object"):
        Problem(Poisson(), free=("objekt",)).split(model)


DEALT = ("holography, one distance", "far-field ptychography, two modes")


def answers(name: str, counts: np.ndarray, *, uneven: bool = False) -> np.ndarray:
    """Value and gradient over one batch that holds everything, or numbers that two do not divide."""
    model, plan = structured(name)
    problem = Problem(Poisson(), free=parts(model))
    params, frozen = problem.split(model)
    batch = whole(dataclasses.replace(plan, frames=ArrayFrames(counts)))
    if uneven and len(batch.views) == 1:
        batch = batch._replace(**{key: getattr(batch, key)[:, :-1] for key in ("frames", "weights", "counts")})
    elif uneven:
        keys = ("views", "frames", "weights", "counts")
        batch = batch._replace(**{key: getattr(batch, key)[np.array([0, 1, 0])] for key in keys})
    value, gradient = problem.value_and_gradient(params, frozen, batch)
    return np.concatenate([np.ravel(value), flat(gradient)])


def stepped(name: str, counts: np.ndarray) -> np.ndarray:
    """Penalties, their gradient, and where some steps lead whose vectors are dealt out over the devices."""
    model, plan = structured(name)
    leaf = "object.delta" if name.startswith("holography") else "object.phase"
    terms = (TotalVariation(leaf, 3.0, 1e-5), Tikhonov(leaf, 2.0, 1e-5))
    problem = Problem(Poisson(), free=("object",), regularizers=terms)
    penalty, slope = problem.penalty_and_gradient(*problem.split(model))
    solver = LBFGS(views_per_batch=2, frames_per_batch=4)
    feed = Feed(dataclasses.replace(plan, frames=ArrayFrames(counts)), views_per_batch=2, frames_per_batch=4)
    state = solver.init(problem, model, feed, seed=0)
    for step in range(4):
        model, state, info = solver.step(problem, model, state, feed=feed, moment=Moment(step, 4, 0))
        assert not info.refused
    return np.concatenate([np.ravel(penalty), flat(slope), flat(problem.split(model)[0])])


_ON_TWO_DEVICES = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_enable_x64", True)
import numpy as np
from adorym._core import Batch
from adorym.sharding import deal_out
from tests.problem.test_problem import DEALT, answers, stepped

assert jax.local_device_count() == 2
counts = np.load(sys.argv[1])
for name in DEALT:
    views, frames = counts[name].shape[:2]
    for more in (0, 1):
        batch = Batch(np.zeros(views + more, np.int32), np.zeros((views + more, frames + more), np.int32),
            np.ones((views + more, frames + more)), np.ones((1, 1)), np.ones((views + more, frames + more, 1, 1)))
        total = lambda b: deal_out(lambda c, part: c * part.weights.sum(), 1.0, b, like=np.zeros(()))
        assert "psum" in str(jax.make_jaxpr(total)(batch))
found = {f"{name}, {uneven}": answers(name, counts[name], uneven=uneven) for name in DEALT for uneven in (False, True)}
found |= {f"{name}, steps": stepped(name, counts[name]) for name in DEALT}
np.savez(sys.argv[2], **found)
"""


def test_two_devices_give_the_answer_of_one(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Views or one view's frames on two devices, also where two does not divide them; the sums agree to rounding."""
    assert jax.local_device_count() == 1
    counts = {name: prepared(name)[1].frames.array for name in DEALT}
    assert {array.shape[0] for array in counts.values()} == {1, 2}
    before, after = tmp_path / "counts.npz", tmp_path / "answers.npz"
    np.savez(before, **counts)
    command = [sys.executable, "-c", _ON_TWO_DEVICES, str(before), str(after)]
    run = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    two = np.load(after)
    for name, uneven in itertools.product(DEALT, (False, True)):
        one, key = answers(name, counts[name], uneven=uneven), f"{name}, {uneven}"
        np.testing.assert_allclose(two[key], one, rtol=1e-9, atol=1e-12 * np.abs(one).max(), err_msg=key)
    for name in DEALT:
        one, key = stepped(name, counts[name]), f"{name}, steps"
        np.testing.assert_allclose(two[key], one, rtol=1e-6, atol=1e-9 * np.abs(one).max(), err_msg=key)


@pytest.mark.parametrize(("views", "frames"), [(2, 3), (1, 4), (3, 1)])
def test_dealing_out_on_one_device_is_the_sum(views: int, frames: int) -> None:
    batch = Batch(
        np.arange(views, dtype=np.int32),
        np.zeros((views, frames), np.int32),
        np.arange(1.0, views * frames + 1).reshape(views, frames),
        np.ones((1, 1)),
        np.ones((views, frames, 1, 1)),
    )
    total = deal_out(lambda factor, part: factor * part.weights.sum(), 2.0, batch, like=np.zeros(()))
    assert float(total) == pytest.approx(batch.weights.sum() * 2)
