"""What a problem asks of the data: compiled kernels over one batch.

Within a batch each view is done by itself, gradient included, and within a view each group of frames, so that memory is
that of one group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch
from adorym._core.parts import curvature_of_parts, parts_of_view, pixel_weights, product_of_parts, sum_of_parts
from adorym._core.words import scope
from adorym.likelihoods import AbstractLikelihood
from adorym.sharding import deal_out


class Fit(NamedTuple):
    """Sums over a pass that say how well a model fits.

    Attributes:
        nll: negative log-likelihood in nats.
        misfit: Σ (√I - √m)², to be divided by `counts`.
        counts: Σ m.
        chi_squared: Σ residual².
        pixels: number of weighted pixels.

    Example:
        >>> Fit(*(jnp.array(x) for x in (8.0, 2.0, 100.0, 16.0, 16.0))).chi_squared.item()
        16.0
    """

    nll: Any
    misfit: Any
    counts: Any
    chi_squared: Any
    pixels: Any


def _per_view(function: Any, model: PyTree, batch: Batch, *, start: PyTree) -> PyTree:
    """Sum of function(model, one view's part of the batch) over the views, one after the other."""
    dtype = jnp.zeros(()).dtype  # frames are kept and sent in 32 bits, and compared in the precision of the model
    mask = jnp.asarray(batch.mask, dtype)

    def body(total: PyTree, one: tuple[Array, ...]) -> tuple[PyTree, None]:
        view, frames, weights, counts = one
        part = Batch(view, frames, weights.astype(dtype), mask, counts.astype(dtype))
        found = function(model, part)
        with scope("accumulate"):
            return jax.tree.map(jnp.add, total, found), None

    total, _ = jax.lax.scan(body, start, (batch.views, batch.frames, batch.weights, batch.counts))
    return total


def _weighted_sum(weights: Float[Array, "frame y x"], nll: Float[Array, "frame y x"]) -> Float[Array, ""]:
    """What has no weight does not count, infinite or not."""
    return jnp.sum(jnp.where(weights > 0, weights * nll, 0))


def _misfit(model: PyTree, view: Batch, likelihood: AbstractLikelihood) -> Float[Array, ""]:
    """Minus the log-likelihood of a view's frames."""
    predict, parts = parts_of_view(model, view, view.counts)

    def score(part: tuple[Array, ...]) -> Array:
        frames, weights, counts = part
        predicted = predict(frames)
        with scope("detect"):
            return _weighted_sum(pixel_weights(weights, view.mask), likelihood.nll(predicted, counts))

    return sum_of_parts(score, parts)


@eqx.filter_jit
def _value_and_gradient(
    likelihood: AbstractLikelihood, split: tuple[PyTree, PyTree], batch: Batch
) -> tuple[Array, PyTree]:
    def one_view(split: tuple[PyTree, PyTree], view: Batch) -> tuple[Array, PyTree]:
        params, frozen = split

        return jax.value_and_grad(lambda params: _misfit(eqx.combine(params, frozen), view, likelihood))(params)

    start = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, split[0]))
    return deal_out(lambda both, part: _per_view(one_view, both, part, start=start), split, batch, like=start)


@eqx.filter_jit
def _gauss_newton_product(
    likelihood: AbstractLikelihood, split: tuple[PyTree, PyTree], batch: Batch, *, vector: PyTree
) -> PyTree:
    start = jax.tree.map(jnp.zeros_like, vector)
    return _with_jacobian(product_of_parts, likelihood, (*split, vector), batch=batch, start=start)


@eqx.filter_jit
def _curvature(likelihood: AbstractLikelihood, split: tuple[PyTree, PyTree], batch: Batch, *, vector: PyTree) -> Array:
    return _with_jacobian(curvature_of_parts, likelihood, (*split, vector), batch=batch, start=jnp.zeros(()))


def _with_jacobian(
    of_parts: Callable[..., PyTree],
    likelihood: AbstractLikelihood,
    along: tuple[PyTree, PyTree, PyTree],
    *,
    batch: Batch,
    start: PyTree,
) -> PyTree:
    """The sum over a batch of what is made of the Jacobian: free leaves, the rest and a vector of the former."""

    def one_view(all_three: tuple[PyTree, PyTree, PyTree], view: Batch) -> PyTree:
        params, frozen, vector = all_three

        def weigh(part: tuple[Array, ...], predicted: Array, change: Array) -> Array:
            with scope("detect"):
                return pixel_weights(part[1], view.mask) * likelihood.fisher(predicted) * change

        def prepare(params: PyTree) -> tuple[Callable[[Any], Array], tuple[Array, ...]]:
            predict, parts = parts_of_view(eqx.combine(params, frozen), view)
            return lambda part: predict(part[0]), parts

        return of_parts(prepare, params, vector, weigh=weigh)

    return deal_out(lambda all_three, part: _per_view(one_view, all_three, part, start=start), along, batch, like=start)


@eqx.filter_jit
def _fit(likelihood: AbstractLikelihood, model: PyTree, batch: Batch) -> Fit:
    def one_view(model: PyTree, view: Batch) -> Fit:
        predicted = model.predict_view(view.views, view.frames)
        with scope("detect"):
            weights = pixel_weights(view.weights, view.mask)
            roots = jnp.sqrt(jnp.maximum(predicted, 0)) - jnp.sqrt(jnp.maximum(view.counts, 0))
            return Fit(
                _weighted_sum(weights, likelihood.nll(predicted, view.counts)),
                jnp.sum(weights * jnp.square(roots)),
                jnp.sum(weights * view.counts),
                jnp.sum(weights * jnp.square(likelihood.residual(predicted, view.counts))),
                jnp.sum(weights),
            )

    zero = Fit(*(jnp.zeros(()) for _ in range(5)))
    return deal_out(lambda model, part: _per_view(one_view, model, part, start=zero), model, batch, like=zero)
