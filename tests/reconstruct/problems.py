"""A volume seen by a few holograms, small enough for its curvature to be a dense matrix."""

from __future__ import annotations

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from adorym.constraints import non_negative
from adorym.data import ArrayFrames, Dataset, Feed
from adorym.experiment import Experiment, holography, plan_holography
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.regularizers import Tikhonov
from adorym.solvers import GaussNewton, Moment

SIZE, VIEWS, PHOTONS = 6, 5, 1e5
UNIT = 2e-4  # of δ: an eighth of a radian in a voxel, and the deviation of the prior
PATH = "object.delta"

plan = functools.cache(
    lambda: plan_holography(
        (SIZE, SIZE), pixel=8e-9, energy=1e3, distances=(3e-7,), views=VIEWS, span=np.pi, photons=PHOTONS
    )
)
blank = functools.cache(lambda: holography(plan(), slab_voxels=3, parametrization="fixed ratio", ratio=0.2))


def with_object(leaf: np.ndarray) -> Experiment:
    """The experiment with δ in the layout of the leaf."""
    return eqx.tree_at(lambda m: m.object.parametrization.delta, blank(), jnp.asarray(leaf))


def problem(*, positive: bool = False, prior: float = UNIT) -> Problem:
    """δ free, normal beforehand with one deviation for all voxels."""
    constraints = (non_negative(PATH),) if positive else ()
    return Problem(Poisson(), (PATH,), (Tikhonov(PATH, 1.0, prior),), constraints)


def feed_of(dataset: Dataset) -> Feed:
    """All views in one batch, so that little is compiled."""
    return Feed(dataset, views_per_batch=VIEWS, frames_per_batch=1)


@eqx.filter_jit
def _predicted(model: Experiment) -> jax.Array:
    return model.predict(jnp.arange(VIEWS), jnp.zeros((VIEWS, 1), int))


def measured(truth: np.ndarray, seed: int | None) -> Dataset:
    """Frames that the model itself gives of a true δ, with noise unless the seed is None."""
    expected = np.asarray(_predicted(with_object(truth)))
    counts = expected if seed is None else np.random.default_rng(seed).poisson(expected)
    return dataclasses.replace(plan(), frames=ArrayFrames(counts.astype(np.float32)))


def estimate(one: Problem, dataset: Dataset, start: np.ndarray, *, steps: int = 5) -> np.ndarray:
    """The leaf at the minimum."""
    solver = GaussNewton(views_per_batch=VIEWS, frames_per_batch=1, iterations=60, tolerance=3e-3)
    feed, model = feed_of(dataset), with_object(start)
    state = solver.init(one, model, feed, seed=0)._replace(damping=jnp.asarray(1e-6))
    for step in range(steps):
        model, state, _ = solver.step(one, model, state, feed=feed, moment=Moment(step, steps, 0))
    return np.asarray(model.object.parametrization.delta)


def gradient(one: Problem, model: Experiment, dataset: Dataset) -> np.ndarray:
    """Of the objective, over the leaf."""
    (batch,) = feed_of(dataset).sweep()
    _, slope = one.value_and_gradient(*one.split(model), batch)
    return np.asarray(slope.object.parametrization.delta)


def dense(one: Problem, model: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """F and R as matrices over the flattened free leaves."""
    params, frozen = one.split(model)
    flat, unflatten = ravel_pytree(params)
    counts = np.zeros(plan().frames.shape)  # of no importance
    batch = next(iter(feed_of(dataclasses.replace(plan(), frames=ArrayFrames(counts))).sweep()))
    units = [unflatten(unit) for unit in np.eye(flat.size)]
    information = [one.gauss_newton_product(params, frozen, batch, vector=unit) for unit in units]
    penalty = [one.penalty_curvature(params, frozen, unit) for unit in units]
    information, penalty = (np.stack([ravel_pytree(row)[0] for row in rows]) for rows in (information, penalty))
    return information, penalty


def smooth_truth(seed: int) -> np.ndarray:
    """Something that is everywhere above zero."""
    return UNIT * np.random.default_rng(seed).uniform(1, 2, (SIZE,) * 3)
