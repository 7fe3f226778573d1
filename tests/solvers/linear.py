"""A convex problem with a known answer: counts that are linear in the unknowns."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from adorym.data import ArrayFrames, Dataset, Feed
from adorym.solvers import AbstractSolver

VIEWS, FRAMES, UNKNOWNS = 3, 2, 5


class Linear(eqx.Module):
    """Counts = matrix x; whatever has `predict_view` can be solved for."""

    x: jax.Array
    matrix: jax.Array

    def predict_view(self, view: jax.Array, frames: jax.Array) -> jax.Array:
        """Frames of 2 x 2 pixels."""
        return self.matrix[view, frames] @ self.x


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
    return Linear(jnp.full(UNKNOWNS, 0.1 * unit), jnp.asarray(matrix / unit)), dataset


def equations(model: Linear, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right-hand side, with the counts as the feed has them (32 bits)."""
    counts = np.stack([dataset.frames.read(view, np.arange(FRAMES)) for view in range(VIEWS)])
    return np.asarray(model.matrix).reshape(-1, UNKNOWNS), counts.astype(float).ravel()


def feed_for(solver: AbstractSolver, dataset: Dataset) -> Feed:
    return Feed(dataset, views_per_batch=solver.views_per_batch, frames_per_batch=solver.frames_per_batch)
