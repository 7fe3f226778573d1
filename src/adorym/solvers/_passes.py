"""What solvers share: sums over the batches of a pass, what follows from them, and what to say where that fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch, DataError, JobError
from adorym._core.allocator import Returning
from adorym._core.trees import leaf_paths
from adorym._core.words import served
from adorym.data import Feed, not_finite
from adorym.problem import Call, Problem
from adorym.sharding import dealt, replicate
from adorym.solvers._solver import Moment
from adorym.solvers._vectors import axpy, only, signs

_ANEW = 6
"""Steps after which the curvature of corrections is measured anew."""

_NO_CURVATURE = 1e-30  # that of a leaf on which the objective does not depend; finite, and so is its inverse


def summed(kernel: Callable[[Batch], PyTree], feed: Feed) -> PyTree:
    """Sum of a kernel over the batches of a pass over all data, which are read one after the other.

    One batch is at work and one waits for it; more would only take memory. What is added up is added in place.

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
    before: PyTree = None
    returning = Returning()
    for batch in served(feed.sweep()):
        part = kernel(batch)
        jax.block_until_ready(before)
        total, before = (part, part) if total is None else _added(total, part)
        returning.look()
    return total


def added(total: PyTree, part: PyTree) -> PyTree:
    """The sum of two trees; the first, of which nothing is left, is where it lies.

    Example:
        >>> float(added(jnp.array(3.0), jnp.array(1.0)))
        4.0
    """
    return _added(total, part)[0]


@partial(jax.jit, donate_argnums=0)
def _added(total: PyTree, part: PyTree) -> tuple[PyTree, Array]:
    """The sum, in the memory of the total, and a number that is there as soon as it is."""
    return jax.tree.map(jnp.add, total, part), jnp.zeros(())


def passing(split: tuple[PyTree, PyTree]) -> list[Call]:
    """How what passes over the data have of their own will be called.

    Example:
        >>> len(passing(((jnp.zeros(2),), (None,))))
        2
    """
    number = replicate(jnp.zeros((), jax.tree.leaves(split[0])[0].dtype))
    found = number, dealt(split[0])
    return [Call(_added, both, {}) for both in ((number, number), (found, found))]


def objective(problem: Problem, split: tuple[PyTree, PyTree], feed: Feed) -> Float[Array, ""]:
    """The objective over all data, in nats; what is not a number is left for the caller to refuse.

    Args:
        problem: whose objective.
        split: free leaves and the rest, as `Problem.split` has them.
        feed: what serves the data.

    Raises:
        JobError: the objective has no lower bound.

    Example:
        >>> callable(objective)
        True
    """
    model = replicate(eqx.combine(*split))
    value = summed(lambda batch: problem.fit(model, batch).nll, feed) + problem.penalty(*split)
    ensure_bounded(float(value))
    return value


def objective_and_gradient(
    problem: Problem, split: tuple[PyTree, PyTree], feed: Feed
) -> tuple[Float[Array, ""], PyTree]:
    """The objective over all data and its gradient with respect to the free leaves; arguments as of `objective`.

    Raises:
        AdorymError: they are not finite.

    Example:
        >>> callable(objective_and_gradient)
        True
    """
    value, gradient = tried(problem, split, feed)
    ensure_finite(value, gradient, params=split[0], batches=feed.sweep())
    return value, gradient


def held_out(problem: Problem, model: PyTree, feed: Feed) -> tuple[float, float]:
    """The objective of the frames kept back in nats, without penalties, and their reduced χ².

    Of the frames trained on where none are kept back.

    Raises:
        AdorymError: the objective is not finite.

    Example:
        >>> callable(held_out)
        True
    """
    batches, model = feed.sweep(held_out=bool(feed.held_out.any())), replicate(model)
    nll, chi_squared, pixels = 0.0, 0.0, 0.0
    for batch in served(batches):
        fit = problem.fit(model, batch)
        nll += float(fit.nll)
        chi_squared, pixels = chi_squared + float(fit.chi_squared), pixels + float(fit.pixels)
    if not math.isfinite(nll):
        kept = feed.sweep(held_out=bool(feed.held_out.any()))
        ensure_finite(jnp.asarray(nll), (), params=problem.split(model)[0], batches=kept)
    return nll, chi_squared / max(pixels, 1.0)


def tried(problem: Problem, split: tuple[PyTree, PyTree], feed: Feed) -> tuple[Float[Array, ""], PyTree]:
    """As `objective_and_gradient`, but without a word where they are not finite: for a step that may be refused.

    Example:
        >>> callable(tried)
        True
    """
    return penalized(problem, split, fitted(problem, split, feed))


def fitted(problem: Problem, split: tuple[PyTree, PyTree], feed: Feed) -> tuple[Float[Array, ""], PyTree]:
    """The data's part of the objective, and of its gradient; arguments as of `objective`.

    Example:
        >>> callable(fitted)
        True
    """
    params, frozen = replicate(split)
    return summed(lambda batch: problem.value_and_gradient(params, frozen, batch), feed)


def penalized(
    problem: Problem, split: tuple[PyTree, PyTree], found: tuple[Float[Array, ""], PyTree]
) -> tuple[Float[Array, ""], PyTree]:
    """What `fitted` found, with the penalties.

    Example:
        >>> callable(penalized)
        True
    """
    return added(found, problem.penalty_and_gradient(*split)) if problem.regularizers else found


def ensure_bounded(value: float) -> None:
    """Raises a sentence where an objective has fallen to minus infinity.

    Example:
        >>> ensure_bounded(0.0)
    """
    if value == -math.inf:
        raise JobError(
            "The objective has fallen to minus infinity: nothing holds what is free in this stage; add constraints or "
            "a regularizer, or free less."
        )


def ensure_finite(value: Float[Array, ""], gradient: PyTree, *, params: PyTree, batches: Iterable[Batch]) -> None:
    """Raises a sentence that names the cause where an objective or its gradient is not finite.

    Args:
        value: the objective.
        gradient: its gradient.
        params: free leaves where both were found.
        batches: the data that they were found from; looked at only where something is wrong.

    Raises:
        DataError: a frame, or a leaf of the model, holds something that is not finite.
        JobError: data and model are finite, and the objective has no finite value or slope for them all the same.

    Example:
        >>> ensure_finite(jnp.ones(()), (jnp.ones(2),), params=(jnp.ones(2),), batches=())
    """
    if _finite((value, gradient)):
        return
    ensure_bounded(float(value))
    for batch in batches:
        wrong = ~np.isfinite(batch.counts).all(axis=(2, 3))
        for row, column in np.argwhere(wrong):
            raise not_finite(int(batch.views[row]), int(batch.frames[row, column]))
    spoilt = _not_finite(params)
    if spoilt is not None:
        raise DataError(f"The model's {spoilt} holds values that are not finite: start it from finite ones.")
    spoilt = _not_finite(gradient) if math.isfinite(float(value)) else None
    what = f"objective is {float(value)}" if spoilt is None else f"gradient with respect to {spoilt} is not finite"
    raise undefined(what)


def undefined(what: str) -> JobError:
    """The sentence that says what cannot be computed although data and model are finite.

    Example:
        >>> str(undefined("objective is nan"))[:57]
        'The objective is nan where the data and the model are fin'
    """
    return JobError(
        f"The {what} where the data and the model are finite: start nearer to the answer, add constraints that keep "
        "what is free where counts can be predicted, or take another likelihood, or one with dark_counts above 0."
    )


def _not_finite(tree: PyTree) -> str | None:
    """Path of the first leaf that holds something that is not finite."""
    leaves = zip(leaf_paths(tree), jax.tree.leaves(tree), strict=True)
    return next((path for path, leaf in leaves if not _finite(leaf)), None)


def _finite(tree: PyTree) -> bool:
    """Looked at on the host, part by part: it is asked for once, and would take as long to compile."""
    parts = (part.data for leaf in jax.tree.leaves(tree) for part in leaf.addressable_shards)
    return all(bool(np.isfinite(np.asarray(part)).all()) for part in parts)


def data_curvature(
    problem: Problem, split: tuple[PyTree, PyTree], feed: Feed, *, seed: int
) -> tuple[Float[Array, ""], ...]:
    """For every free leaf the mean diagonal of JᵀFJ, found with random signs; arguments as of `objective`.

    A scale is all that it is used for, so that a sample of the data is enough. A correction, such as that of positions,
    has none as long as frames do not tell it to within the most that makes sense (`reach`): it is held where it is.

    Example:
        >>> callable(data_curvature)
        True
    """
    count = len(jax.tree.leaves(split[0]))
    return _measured(problem, split, feed, known=(None,) * count, seed=seed)


def corrected_curvature(
    problem: Problem,
    split: tuple[PyTree, PyTree],
    feed: Feed,
    *,
    known: tuple[Float[Array, ""], ...],
    moment: Moment,
) -> tuple[Float[Array, ""], ...]:
    """What `data_curvature` found, with that of corrections measured anew every few steps.

    Before there is something to be seen of the sample frames do not tell where they were taken.

    Example:
        >>> callable(corrected_curvature)
        True
    """
    most = reach(split)
    if not any(most) or moment.step % _ANEW or not moment.step:
        return known
    kept = tuple(None if unit else value for unit, value in zip(most, known, strict=True))
    return _measured(problem, split, feed, known=kept, seed=moment.seed)


def _measured(
    problem: Problem,
    split: tuple[PyTree, PyTree],
    feed: Feed,
    *,
    known: tuple[Float[Array, ""] | None, ...],
    seed: int,
) -> tuple[Float[Array, ""], ...]:
    """The curvatures, as far as they are not known."""
    probe, feed = dealt(signs(split[0], seed)), feed.sample()

    def measured(index: int, leaf: Array, most: float) -> Float[Array, ""]:
        along = only(probe, index)  # one at a time: what couples leaves has either sign
        value = max(float(curvature_along(problem, split, along, feed=feed)) / leaf.size, _NO_CURVATURE)
        value = _NO_CURVATURE if most and value * most**2 <= 1 else value
        return replicate(jnp.asarray(value, leaf.dtype))

    leaves = zip(jax.tree.leaves(split[0]), known, reach(split), strict=True)
    return tuple(
        measured(index, leaf, most) if value is None else value for index, (leaf, value, most) in enumerate(leaves)
    )


def reach(split: tuple[PyTree, PyTree]) -> tuple[float, ...]:
    """For every free leaf the most by which a correction may be off for frames to tell; 0 for what is no correction.

    A model says so as `corrections`.

    Example:
        >>> callable(reach)
        True
    """
    corrections = getattr(eqx.combine(*split), "corrections", {})
    return tuple(corrections.get(path, 0.0) for path in leaf_paths(split[0]))


def data_product(problem: Problem, split: tuple[PyTree, PyTree], vector: PyTree, *, feed: Feed) -> PyTree:
    """JᵀFJ over all data, applied to a vector of free leaves; arguments as of `objective`.

    Example:
        >>> callable(data_product)
        True
    """
    (params, frozen), vector = replicate((split, vector))
    return summed(lambda batch: problem.gauss_newton_product(params, frozen, batch, vector=vector), feed)


def curvature_along(problem: Problem, split: tuple[PyTree, PyTree], vector: PyTree, *, feed: Feed) -> Float[Array, ""]:
    """vᵀ JᵀFJ v over all data; arguments as of `data_product`.

    Example:
        >>> callable(curvature_along)
        True
    """
    (params, frozen), vector = replicate((split, vector))
    return summed(lambda batch: problem.curvature(params, frozen, batch, vector=vector), feed)


@eqx.filter_jit
def with_penalties(
    problem: Problem, split: tuple[PyTree, PyTree], curvature: tuple[Float[Array, ""], ...]
) -> tuple[Array, ...]:
    """The diagonal of the second derivative as solvers scale by it.

    One number per leaf for the data, and the regularisers' own diagonal, element by element.

    Example:
        >>> callable(with_penalties)
        True
    """
    if not problem.regularizers:
        return curvature
    diagonal = problem.penalty_diagonal(*split)
    return tuple(c + d for c, d in zip(curvature, jax.tree.leaves(diagonal), strict=True))


def scaled(tree: PyTree, curvature: tuple[Array, ...], power: int) -> PyTree:
    """The tree with every leaf multiplied by a power of its curvature; zero for a leaf that has none.

    Example:
        >>> [float(x) for x in scaled((jnp.ones(()), jnp.ones(())), (jnp.array(2.0), jnp.array(4.0)), -1)]
        [0.5, 0.25]
    """
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten(
        [jnp.where(c > _NO_CURVATURE, c**power, 0) * leaf for c, leaf in zip(curvature, leaves, strict=True)]
    )


@eqx.filter_jit
def inactive(problem: Problem, params: PyTree, gradient: PyTree, *, curvature: tuple[Array, ...]) -> PyTree:
    """The gradient without the elements that a constraint would put back where they are.

    Example:
        >>> callable(inactive)
        True
    """
    ahead = problem.project(axpy(-1.0, scaled(gradient, curvature, -1), params))
    return jax.tree.map(lambda g, a, p: jnp.where(a == p, 0, g), gradient, ahead, params)
