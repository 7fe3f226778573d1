"""Curvature by spatial frequency: what is measured is what the optics say, and steps that start from it are short of
iterations."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.contracts.cases import prepared

from adorym.data import ArrayFrames, Dataset, Feed
from adorym.likelihoods import Gaussian, Poisson
from adorym.problem import Problem
from adorym.solvers import LBFGS, Moment
from adorym.solvers._frequencies import (
    ImageMetric,
    _cosine_matrix,
    inverse_times,
    measured_bands,
    metric,
    no_bands,
    squared_length,
)

SIDE, SIGMA = 32, 0.5


class Slices(eqx.Module):
    """Two slices: their sum is seen as it is, their difference through a filter that hardly passes what is coarse."""

    slices: jax.Array
    gain: jax.Array
    of_what: tuple[str, ...] = eqx.field(static=True, default=("slices",))

    @property
    def images(self) -> tuple[str, ...]:
        """See `adorym.experiment.Experiment`."""
        return self.of_what

    def predict_view(self, view: jax.Array, frames: jax.Array) -> jax.Array:
        """A frame of the sum, and one of the difference."""
        cosines = jnp.asarray(_cosine_matrix(SIDE))
        difference = cosines.T @ (self.gain * (cosines @ (self.slices[0] - self.slices[1]) @ cosines.T)) @ cosines
        return jnp.stack([self.slices[0] + self.slices[1], difference])[frames]


def gain() -> np.ndarray:
    """4 % of what is coarsest, rising with the frequency squared."""
    one = np.arange(SIDE) / (2 * SIDE)
    return np.minimum(0.04 + 4 * (one[:, None] ** 2 + one**2), 1)


def seen(*, of_what: tuple[str, ...] = ("slices",)) -> tuple[Slices, Dataset, np.ndarray]:
    """A model at its start, its data, and the truth."""
    truth = np.random.default_rng(3).normal(size=(2, SIDE, SIDE))
    model = Slices(jnp.asarray(truth), jnp.asarray(gain()), of_what)
    dataset = Dataset(
        frames=ArrayFrames(np.asarray(model.predict_view(jnp.array(0), jnp.arange(2)))[None]),
        technique="tomography",
        regime="in focus",
        pixel=1.0,
        energy=None,
        angles=np.zeros(1),
        distances=np.zeros(0),
        mask=np.ones((SIDE, SIDE), bool),
        weights=np.ones((1, 2)),
    )
    return Slices(jnp.zeros((2, SIDE, SIDE)), jnp.asarray(gain()), of_what), dataset, truth


def test_bands_are_those_of_the_optics() -> None:
    model, dataset, _ = seen()
    problem = Problem(Gaussian(SIGMA), free=("slices",))
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=2)
    found = np.mean(
        [np.asarray(measured_bands(problem, problem.split(model), feed, seed=seed)[0]) for seed in range(8)], axis=0
    )
    one = np.arange(SIDE) / (2 * SIDE)
    frequency = np.hypot(one[:, None], one)
    assert found.shape == (2, 6)
    for band, (low, high) in enumerate([(0, 0), (1 / 32, 1 / 16), (1 / 16, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2)]):
        inside = (frequency >= low) & (frequency <= high)
        least, most = (2 * extreme(gain()[inside]) ** 2 / SIGMA**2 for extreme in (np.min, np.max))
        np.testing.assert_allclose(found[0, band], 2 / SIGMA**2, rtol=1e-5)  # the sum: all of it is seen
        around = found[1, band : band + 2]
        assert np.all(around[0] <= 1.1 * most)
        assert np.all(around[1] >= 0.9 * least)
    assert np.all(np.diff(found[1]) > 0)
    assert found[1, 0] < 0.01 * found[0, 0]


@pytest.mark.parametrize("shape", [(12, 10), (2, 9, 8), (7, 8, 8)])
def test_the_inverse_is_symmetric_and_positive(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    (blank,) = no_bands(Problem(Gaussian(SIGMA), free=("slices",)).split(Slices(jnp.zeros(shape), jnp.ones(()))))
    assert blank is not None
    bands = jnp.asarray(rng.uniform(0.01, 2, blank.shape))
    diagonal = jnp.asarray(rng.uniform(0, 5, shape))
    (one,) = units = metric((jnp.zeros(()),), (diagonal,), (bands,), part=jnp.array(0.01))
    a, b = (jnp.asarray(rng.normal(size=shape)) for _ in range(2))
    np.testing.assert_allclose(
        jnp.vdot(a, inverse_times(units, (b,))[0]), jnp.vdot(b, inverse_times(units, (a,))[0]), rtol=1e-10
    )
    np.testing.assert_allclose(jnp.vdot(a, inverse_times(units, (a,))[0]), squared_length(units, (a,)), rtol=1e-10)
    assert float(squared_length(units, (a,))) > 0
    matrix = np.stack([np.ravel(inverse_times(units, (jnp.asarray(row.reshape(shape)),))[0]) for row in np.eye(a.size)])
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert one.pixels.shape == shape  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_no_image_is_scaled_by_its_diagonal() -> None:
    units = metric((jnp.array(4.0), jnp.array(0.0)), (jnp.zeros(2), jnp.zeros(())), (None, None), part=jnp.array(1.0))
    vector = (jnp.array([2.0, -8.0]), jnp.array(3.0))
    told = inverse_times(units, vector)
    np.testing.assert_allclose(told[0], [0.5, -2.0])
    assert float(told[1]) == 0
    assert float(squared_length(units, vector)) == pytest.approx(17.0)


def test_images_of_one_shape_are_scaled_together_as_each_alone() -> None:
    rng = np.random.default_rng(5)
    bands = tuple(jnp.asarray(rng.uniform(0.1, 9, (1, 4))) for _ in range(2))
    diagonal, vector = (tuple(jnp.asarray(rng.uniform(1, 2, (8, 8))) for _ in range(2)) for _ in range(2))
    part = jnp.array(0.3)
    both = metric((jnp.array(1.0),) * 2, diagonal, bands, part=part)
    alone = [metric((jnp.array(1.0),), (diagonal[i],), (bands[i],), part=part) for i in range(2)]
    for i, found in enumerate(inverse_times(both, vector)):
        np.testing.assert_allclose(found, inverse_times(alone[i], (vector[i],))[0], rtol=1e-12)
    lengths = [squared_length(alone[i], (vector[i],)) for i in range(2)]
    np.testing.assert_allclose(squared_length(both, vector), sum(lengths), rtol=1e-12)


def test_a_table_beside_images_is_none() -> None:
    """With a diagonal of its own, of two axes as an image's is."""
    table, image = jnp.full((4, 3), 2.0), jnp.ones((8, 8))
    bands = jnp.ones((1, 4))
    simple, diagonal = (table, image), (jnp.zeros((4, 3)), jnp.zeros((8, 8)))
    found, other = metric(simple, diagonal, (None, bands), part=jnp.array(1.0))
    assert isinstance(other, ImageMetric)
    np.testing.assert_array_equal(found, 2 * table)


def test_what_lies_beside_images_moves_half_as_far() -> None:
    """Image and probe would both make up for the same mistake; what goes without an image is as measured."""
    image, vector = jnp.zeros((8, 8)), jnp.ones(3)
    (bands,) = no_bands(Problem(Gaussian(SIGMA), free=("slices",)).split(Slices(image, jnp.ones(()))))
    both = metric((jnp.array(1.0), jnp.array(4.0)), (image, vector), (bands, None), part=jnp.array(1.0))
    np.testing.assert_allclose(inverse_times(both, (image, vector))[1], 1 / 8)
    np.testing.assert_allclose(
        inverse_times(metric((jnp.array(4.0),), (vector,), (None,), part=jnp.array(1.0)), (vector,))[0], 1 / 4
    )


def test_slices_are_told_apart_in_a_few_steps() -> None:
    """The way to the same error with bands, and with one number for all of the leaf."""

    def steps(of_what: tuple[str, ...]) -> int:
        model, dataset, truth = seen(of_what=of_what)
        problem, solver = Problem(Gaussian(SIGMA), free=("slices",)), LBFGS(views_per_batch=1, frames_per_batch=2)
        feed = Feed(dataset, views_per_batch=1, frames_per_batch=2)
        state = solver.init(problem, model, feed, seed=0)
        for step in range(200):
            model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 200, 0))
            if np.linalg.norm(model.slices - truth) < 0.02 * np.linalg.norm(truth):
                return step + 1
        return 200

    assert 2 * steps(("slices",)) < steps(())


@pytest.mark.parametrize(("part", "damping"), [(2.0, 5.0), (1.0, 5.0), (0.25, 1.25), (0.04, 0.2), (1e-6, 1e-3)])
def test_damping_falls_with_the_objective(part: float, damping: float) -> None:
    """Of a constant image, of which every band has a curvature of 3: P is 1 / (3 + 3 μ)."""
    image = jnp.ones((8, 8))
    (blank,) = no_bands(Problem(Gaussian(SIGMA), free=("slices",)).split(Slices(image, jnp.ones(()))))
    assert blank is not None
    units = metric((jnp.zeros(()),), (jnp.zeros_like(image),), (jnp.full_like(blank, 3.0),), part=jnp.array(part))
    np.testing.assert_allclose(inverse_times(units, (image,))[0], 1 / (3 + 3 * damping), rtol=1e-6)


@pytest.mark.parametrize("of_what", [("slices",), ()])
def test_bands_are_measured_anew_when_most_of_the_objective_is_gone(of_what: tuple[str, ...]) -> None:
    """Where the model is by then; what is no image has none."""
    model, dataset, _ = seen(of_what=of_what)
    problem, solver = Problem(Gaussian(SIGMA), free=("slices",)), LBFGS(views_per_batch=1, frames_per_batch=2)
    feed = Feed(dataset, views_per_batch=1, frames_per_batch=2)
    state = solver.init(problem, model, feed, seed=0)
    began, renewals = float(state.value), []
    for step in range(30):
        before, known = float(state.value), float(state.measured)
        model, state, _ = solver.step(problem, model, state, feed=feed, moment=Moment(step, 30, 0))
        assert float(state.measured) == (before if of_what and before < 0.02 * known else known)
        renewals += [float(state.measured)] if float(state.measured) != known else []
    assert float(state.began) == began
    assert bool(renewals) == bool(of_what)


def test_images_of_an_experiment() -> None:
    model, _ = prepared("far-field ptychography, two modes")
    assert model.images == ("object.parametrization.log_amplitude", "object.parametrization.phase")
    split = Problem(Poisson(), free=("object", "probe")).split(model)
    known = no_bands(split)
    assert [one is None for one in known] == [False, False] + [True] * (len(known) - 2)
    volume, _ = prepared("holography, one distance")
    assert volume.images == ()
