"""F + R about a model, matrix-free, and its inverse applied to vectors.

F = JᵀFJ is the Fisher information that the frames hold about the free leaves, R the regularisers' curvature. Neither is
ever formed: every product is a pass over the views, and systems are solved by conjugate gradients. Their right-hand
side b is known to matter only through b·(F+R)⁻¹b, which conjugate gradients approach from below, by a known amount in
every iteration; they stop when the last few added next to nothing (Strakoš & Tichý, ETNA 13, 56 (2002)).
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch
from adorym._core.parts import parts_of_view, pixel_weights, sum_of_parts
from adorym.data import Feed, FrameSource
from adorym.experiment import PlannedFrames
from adorym.problem import Problem
from adorym.reconstruct._stages import with_scales
from adorym.sharding import replicate
from adorym.solvers import axpy, data_product, dot, objective_and_gradient, signs, summed

_DELAY = 5, 0.3
"""The last iterations, at least so many and this part of all, have to add little before a value counts as settled."""

_PROBES = 8
"""Products with random signs that the preconditioner is estimated from."""


class Effort(NamedTuple):
    """What an estimate may cost.

    Attributes:
        tolerance: relative change of a variance in the last few iterations at which it counts as settled.
        iterations: most conjugate-gradient iterations, each a pass over the data, for one right-hand side.
        probes: random right-hand sides, where an estimate is stochastic.
        seed: of all that is random.

    Example:
        >>> Effort(probes=4).tolerance
        0.01
    """

    tolerance: float = 0.01
    iterations: int = 200
    probes: int = 16
    seed: int = 0


class Solution(NamedTuple):
    """What conjugate gradients reached for a right-hand side b.

    Attributes:
        x: (F+R)⁻¹ b, approached.
        value: b · x, a lower bound; infinite where nothing holds b.
        settled: whether it came to rest.
    """

    x: PyTree
    value: float
    settled: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Hessian:
    """F + R about a model, over the elements that are free to move.

    Attributes:
        problem: likelihood, regularisers and constraints.
        split: free leaves and the rest.
        feed: what tells which frames there are; their counts are not read.
        strength: factor of F, where other numbers of photons are foreseen.
        inverse: the preconditioner; zero for elements that do not move.
        unseen: True for elements that neither data nor regulariser feel.
    """

    problem: Problem
    split: tuple[PyTree, PyTree]
    feed: Feed
    strength: float
    inverse: PyTree
    unseen: PyTree

    def fisher(self, vector: PyTree) -> PyTree:
        """F v."""
        product = data_product(self.problem, self.split, vector, feed=self.feed)
        return jax.tree.map(lambda x: self.strength * x, product)

    def product(self, vector: PyTree) -> PyTree:
        """(F + R) v."""
        penalty = self.problem.penalty_curvature(*self.split, vector)
        return jax.tree.map(jnp.add, self.fisher(vector), penalty)

    def moving(self, vector: PyTree) -> PyTree:
        """The vector without the elements that do not move."""
        return jax.tree.map(lambda x, inverse: jnp.where(inverse > 0, x, 0), vector, self.inverse)

    def noise(self, seed: tuple[int, ...]) -> PyTree:
        """A random vector of covariance F: the gradient's scatter when the same frames are counted again."""
        keys = jax.random.split(jax.random.key(_number(seed)), self.feed.batches_per_epoch)
        batches = iter(keys)
        total = summed(lambda batch: _drawn(self.problem, self.split, batch, key=next(batches)), self.feed)
        return jax.tree.map(lambda x: self.strength**0.5 * x, total)

    def solve(self, right: PyTree, effort: Effort) -> Solution:
        """(F+R)⁻¹ applied to a vector, from zero, by preconditioned conjugate gradients."""
        x = jax.tree.map(jnp.zeros_like, right)
        residual = self.moving(right)
        direction = preconditioned = jax.tree.map(jnp.multiply, self.inverse, residual)
        energy = dot(residual, preconditioned)
        least = float(energy) * float(jnp.finfo(energy.dtype).eps) ** 2
        gains: list[float] = []
        for _ in range(effort.iterations):
            if float(energy) <= least:
                return Solution(x, sum(gains, 0.0), True)
            image = self.moving(self.product(direction))
            bend = dot(direction, image)
            if not float(bend) > 0:
                return Solution(x, np.inf, False)
            length = energy / bend
            x, residual = axpy(length, direction, x), axpy(-length, image, residual)
            gains.append(float(length * energy))
            last = max(_DELAY[0], int(_DELAY[1] * len(gains)))
            if len(gains) > last and sum(gains[-last:]) <= effort.tolerance * sum(gains, 0.0):
                return Solution(x, sum(gains, 0.0), True)
            preconditioned = jax.tree.map(jnp.multiply, self.inverse, residual)
            energy, before = dot(residual, preconditioned), energy
            direction = axpy(energy / before, direction, preconditioned)
        return Solution(x, sum(gains, 0.0), False)


def hessian(
    problem: Problem, model: PyTree, feed: Feed, *, seed: int, planned: bool = False, strength: float = 1.0
) -> Hessian:
    """F + R about a model.

    An element that a constraint holds at its bound is not moved: it would have to be pushed back after a step along the
    gradient. Of a plan, whose frames have no gradient, only what can move neither way is held.

    Args:
        problem: what was solved.
        model: about which, usually the estimate.
        feed: the frames.
        seed: of the preconditioner's random signs.
        planned: whether the frames are still to be taken.
        strength: factor of F.
    """
    if not all(regularizer.scale for regularizer in problem.regularizers):
        problem = with_scales(problem, model)
    split = replicate(problem.split(model))
    planned = planned or isinstance(feed.dataset.frames, PlannedFrames)
    gradient = None if planned else objective_and_gradient(problem, split, feed)[1]
    held = _held(problem, split[0], gradient)
    bare = Hessian(problem, split, _without_counts(feed), strength, split[0], split[0])
    squares = jax.tree.map(jnp.zeros_like, split[0])
    for probe in range(_PROBES):
        product = bare.product(signs(split[0], _number((seed, 0, probe))))
        squares = jax.tree.map(lambda total, x: total + jnp.square(x) / _PROBES, squares, product)
    # The mean square of a row's product with signs is the row's squared length: close to the diagonal, never negative.
    inverse = jax.tree.map(
        lambda s, h: jnp.where(h | (s == 0), 0, 1 / jnp.sqrt(jnp.where(s == 0, 1, s))), squares, held
    )
    unseen = jax.tree.map(lambda s, h: (s == 0) & ~h, squares, held)
    return dataclasses.replace(bare, inverse=inverse, unseen=unseen)


def _held(problem: Problem, params: PyTree, gradient: PyTree | None) -> PyTree:
    """True for elements that a constraint puts back after a step downhill, or after any step."""

    def put_back(direction: float) -> PyTree:
        ahead = problem.project(jax.tree.map(lambda p: p + direction * _size(p), params))
        return jax.tree.map(jnp.equal, ahead, params)

    below, above = put_back(-1.0), put_back(1.0)
    if gradient is None:
        return jax.tree.map(jnp.logical_and, below, above)

    def downhill(g: Array, below: Array, above: Array) -> Array:
        return jnp.where(g > 0, below, jnp.where(g < 0, above, below & above))

    return jax.tree.map(downhill, gradient, below, above)


def _size(leaf: Float[Array, "*shape"]) -> Float[Array, ""]:
    """A step that no rounding swallows."""
    largest = jnp.max(jnp.abs(leaf), initial=0.0)
    return jnp.where(largest > 0, largest, 1.0)


@eqx.filter_jit
def _drawn(problem: Problem, split: tuple[PyTree, PyTree], batch: Batch, *, key: Array) -> PyTree:
    """Jᵀ √F ε over a batch, ε normal numbers."""
    params, frozen = split
    dtype = jnp.zeros(()).dtype
    mask = jnp.asarray(batch.mask, dtype)

    def along(params: PyTree, view: Batch, noise: Array) -> Array:
        """Σ √F ε · predicted, whose gradient is wanted; √F is not a part of it."""
        predict, parts = parts_of_view(eqx.combine(params, frozen), view, noise)

        def score(part: tuple[Array, ...]) -> Array:
            frames, weights, noise = part
            predicted = predict(frames)
            spread = jnp.sqrt(pixel_weights(weights, mask) * problem.likelihood.fisher(predicted))
            return jnp.sum(jax.lax.stop_gradient(spread) * noise * predicted)

        return sum_of_parts(score, parts)

    def body(total: PyTree, one: tuple[Array, ...]) -> tuple[PyTree, None]:
        index, frames, weights, own = one
        noise = jax.random.normal(own, (*frames.shape, *mask.shape), dtype)
        view = Batch(index, frames, weights.astype(dtype), mask, noise)
        return jax.tree.map(jnp.add, total, jax.grad(along)(params, view, noise)), None

    start = jax.tree.map(jnp.zeros_like, params)
    views = jnp.asarray(batch.views)
    keys = jax.random.split(key, views.shape[0])
    total, _ = jax.lax.scan(body, start, (views, jnp.asarray(batch.frames), jnp.asarray(batch.weights), keys))
    return total


class _Uncounted(FrameSource):
    """Frames whose counts nobody asks for."""

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        self.shape = shape

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        return np.zeros((len(frames), *self.shape[2:]), np.float32)


def _without_counts(feed: Feed) -> Feed:
    return Feed(
        dataclasses.replace(feed.dataset, frames=_Uncounted(feed.dataset.frames.shape)),
        views_per_batch=feed.views_per_batch,
        frames_per_batch=feed.frames_per_batch,
        held_out=feed.held_out,
        memory=0,
    )


def _number(seeds: tuple[int, ...]) -> int:
    """One seed from several."""
    return int(np.random.SeedSequence(list(seeds)).generate_state(1)[0])
