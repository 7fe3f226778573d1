"""What solvers that go over all data in a step share: sums over the batches of a pass, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch
from adorym.data import Feed
from adorym.problem import Problem
from adorym.solvers._vectors import axpy, dot, only, signs


def summed(kernel: Callable[[Batch], PyTree], feed: Feed) -> PyTree:
    """Sum of a kernel over the batches of a pass over all data, which are read one after the other.

    Example:
        >>> import dataclasses
        >>> import numpy as np
        >>> from adorym.data import ArrayFrames
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3)
        >>> data = dataclasses.replace(plan, frames=ArrayFrames(np.ones((3, 1, 8, 8))))
        >>> feed = Feed(data, views_per_batch=2, frames_per_batch=1)
        >>> float(summed(lambda batch: batch.weights.sum(), feed))
        3.0
    """
    total: PyTree = None
    for batch in feed.sweep():
        part = kernel(batch)
        total = part if total is None else jax.tree.map(jnp.add, total, part)
    return total


def objective(problem: Problem, split: tuple[PyTree, PyTree], feed: Feed) -> Float[Array, ""]:
    """The objective over all data, in nats.

    Args:
        problem: whose objective.
        split: free leaves and the rest, as `Problem.split` has them.
        feed: what serves the data.

    Example:
        >>> callable(objective)
        True
    """
    params, frozen = split
    model = eqx.combine(params, frozen)
    return summed(lambda batch: problem.fit(model, batch).nll, feed) + problem.penalty(params, frozen)


def objective_and_gradient(
    problem: Problem, split: tuple[PyTree, PyTree], feed: Feed
) -> tuple[Float[Array, ""], PyTree]:
    """The objective over all data and its gradient with respect to the free leaves; arguments as of `objective`.

    Example:
        >>> callable(objective_and_gradient)
        True
    """

    def kernel(batch: Batch) -> tuple[Array, PyTree]:
        share = float(batch.weights.sum()) / feed.total_weight
        return problem.value_and_gradient(*split, batch, fraction=share)

    return summed(kernel, feed)


def mean_curvature(
    problem: Problem, split: tuple[PyTree, PyTree], feed: Feed, *, seed: int
) -> tuple[Float[Array, ""], ...]:
    """For every free leaf the mean diagonal of JᵀFJ + R, found with random signs; arguments as of `objective`.

    Example:
        >>> callable(mean_curvature)
        True
    """
    params, frozen = split
    probe, curvature = signs(params, seed), []
    for index, leaf in enumerate(jax.tree.leaves(params)):  # one at a time: what couples leaves has either sign
        along = only(probe, index)

        def kernel(batch: Batch, along: PyTree = along) -> PyTree:
            return problem.gauss_newton_product(params, frozen, batch, vector=along)

        product = summed(kernel, feed)
        product = jax.tree.map(jnp.add, product, problem.penalty_curvature(params, frozen, along))
        curvature.append(jnp.maximum(dot(along, product) / leaf.size, 1e-30))
    return tuple(curvature)


def scaled(tree: PyTree, curvature: tuple[Float[Array, ""], ...], power: int) -> PyTree:
    """The tree with every leaf multiplied by a power of its curvature.

    Example:
        >>> [float(x) for x in scaled((jnp.ones(()), jnp.ones(())), (jnp.array(2.0), jnp.array(4.0)), -1)]
        [0.5, 0.25]
    """
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten([c**power * leaf for c, leaf in zip(curvature, leaves, strict=True)])


def inactive(problem: Problem, params: PyTree, gradient: PyTree, *, curvature: tuple[Float[Array, ""], ...]) -> PyTree:
    """The gradient without the elements that a constraint would put back where they are.

    Example:
        >>> callable(inactive)
        True
    """
    ahead = problem.project(axpy(-1.0, scaled(gradient, curvature, -1), params))
    return jax.tree.map(lambda g, a, p: jnp.where(a == p, 0, g), gradient, ahead, params)
