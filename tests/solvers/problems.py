"""Two problems for solvers: a convex one with a known answer, counts linear in the unknowns; and a tiny real one."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from tests.contracts.cases import prepared

from adorym.constraints import Bounds
from adorym.data import ArrayFrames, Dataset, Feed
from adorym.likelihoods import AbstractLikelihood, Poisson
from adorym.problem import Problem
from adorym.regularizers import TotalVariation
from adorym.solvers import AbstractSolver

VIEWS, FRAMES, UNKNOWNS = 3, 2, 5


class Linear(eqx.Module):
    """Counts = matrix x; whatever has `predict_view` can be solved for."""

    x: jax.Array
    matrix: jax.Array
    spare: jax.Array  # has no influence

    def predict_view(self, view: jax.Array, frames: jax.Array) -> jax.Array:
        """Frames of 2 x 2 pixels."""
        return self.matrix[view, frames] @ self.x


class Blocks(eqx.Module):
    """The same in two blocks, one in its own unit."""

    first: jax.Array
    second: jax.Array
    matrix: jax.Array
    unit: jax.Array

    def predict_view(self, view: jax.Array, frames: jax.Array) -> jax.Array:
        """Frames of 2 x 2 pixels."""
        return self.matrix[view, frames] @ jnp.concatenate([self.first, self.second / self.unit])


class Falling(AbstractLikelihood):
    """One without a lower bound, which steps of any solver soon run down."""

    def nll(self, predicted: jax.Array, measured: jax.Array) -> jax.Array:
        """Minus infinity where much is predicted."""
        return -jnp.exp(predicted) + 0 * measured

    def residual(self, predicted: jax.Array, measured: jax.Array) -> jax.Array:
        """Of no meaning."""
        return predicted - measured

    def fisher(self, predicted: jax.Array) -> jax.Array:
        """So little that steps are long."""
        return jnp.full_like(predicted, 1e-4)

    def sample(self, key: jax.Array, predicted: jax.Array) -> jax.Array:
        """Of no meaning."""
        return predicted


def linear(*, unit: float = 1.0, seed: int = 0) -> tuple[Linear, Dataset]:
    """A model at its start, and data with noise; the unknowns are about as large as the unit."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(VIEWS, FRAMES, 2, 2, UNKNOWNS)) * np.array([1.0, 0.3, 2.0, 1.0, 0.5])
    counts = matrix @ rng.normal(size=UNKNOWNS) + 0.3 * rng.normal(size=matrix.shape[:-1])
    dataset = Dataset(
        frames=ArrayFrames(counts),
        technique="tomography",
        regime="in focus",
        pixel=1.0,
        energy=None,
        angles=np.zeros(VIEWS),
        distances=np.zeros(0),
        mask=np.ones((2, 2), bool),
        weights=np.ones((VIEWS, FRAMES)),
    )
    return Linear(jnp.full(UNKNOWNS, 0.1 * unit), jnp.asarray(matrix / unit), jnp.full(3, 2.0)), dataset


def blocks(*, unit: float) -> tuple[Blocks, Dataset]:
    """The linear model in two blocks of three and two unknowns, the second in a unit of its own."""
    model, dataset = linear()
    return Blocks(model.x[:3], model.x[3:] * unit, model.matrix, jnp.array(unit)), dataset


def equations(model: Linear, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right-hand side, with the counts as the feed has them (32 bits)."""
    counts = np.stack([dataset.frames.read(view, np.arange(FRAMES)) for view in range(VIEWS)])
    return np.asarray(model.matrix).reshape(-1, UNKNOWNS), counts.astype(float).ravel()


def feed_for(solver: AbstractSolver, dataset: Dataset, *, held_out: np.ndarray | None = None) -> Feed:
    """Batches as the solver wants them."""
    return Feed(
        dataset,
        views_per_batch=solver.views_per_batch,
        frames_per_batch=solver.frames_per_batch,
        held_out=held_out,
    )


def scan() -> tuple[Problem, eqx.Module, Feed]:
    """A real problem, one for all tests so that it is compiled once: leaves of several kinds, a penalty, bounds that
    the first guess violates; the frames do not fill the batches."""
    model, dataset = prepared("far-field ptychography, two modes")
    problem = Problem(
        Poisson(),
        free=("object", "probe", "geometry.position_offset"),
        regularizers=(TotalVariation("object.phase", 0.01, 1.0),),
        constraints=(Bounds("object.log_amplitude", -1.0, 0.0),),
    )
    return problem, model, Feed(dataset, views_per_batch=1, frames_per_batch=3)
