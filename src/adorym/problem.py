"""A likelihood, regularisers, constraints and a selection of leaves: what a solver solves.

The objective is in nats: minus the log-likelihood of the frames, weighted, over the measured pixels, plus the
regularisers. Everything a solver may ask of it is a compiled kernel over one batch, added up over the batches of a
pass, so that no solver needs the data in memory. Within a batch each view is done by itself, gradient included, and
within a view each group of frames, so that memory is that of one group.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch
from adorym._core.allocator import return_freed_memory
from adorym._core.parts import curvature_of_parts, parts_of_view, pixel_weights, product_of_parts, sum_of_parts
from adorym._core.trees import array_paths, replace, resolve, selection
from adorym._core.words import scope
from adorym.constraints import AbstractConstraint
from adorym.likelihoods import AbstractLikelihood
from adorym.regularizers import AbstractRegularizer
from adorym.sharding import deal_out, dealt, replicate


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


class Call(NamedTuple):
    """A compiled function and what it will be called with.

    Attributes:
        kernel: made by `equinox.filter_jit`.
        arguments, settings: by position and by name; only their shapes, types and places count.

    Example:
        >>> Call(eqx.filter_jit(jnp.sin), (jnp.ones(2),), {}).arguments[0].shape
        (2,)
    """

    kernel: Any
    arguments: tuple[Any, ...]
    settings: dict[str, Any]


class Problem(eqx.Module):
    """What is fitted, to what, under which conditions.

    Attributes:
        likelihood: compares predicted with measured counts.
        free: paths of the parts of the model to refine, such as ("object", "probe").
        regularizers: penalties on leaves.
        constraints: projections of leaves.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> model = holography(plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3))
        >>> params, frozen = Problem(Poisson(), free=("object.delta",)).split(model)
        >>> [leaf.shape for leaf in jax.tree.leaves(params)]
        [(8, 8, 8)]
    """

    likelihood: AbstractLikelihood
    free: tuple[str, ...] = eqx.field(static=True, default=())
    regularizers: tuple[AbstractRegularizer, ...] = ()
    constraints: tuple[AbstractConstraint, ...] = ()

    def split(self, model: PyTree) -> tuple[PyTree, PyTree]:
        """The free leaves and the rest, each a tree of the model's shape; `equinox.combine` joins them."""
        return eqx.partition(model, selection(model, self.free))

    def value_and_gradient(self, params: PyTree, frozen: PyTree, batch: Batch) -> tuple[Float[Array, ""], PyTree]:
        """The likelihood's part of the objective for a batch, and its gradient, which is dealt out over the devices."""
        likelihood, split = replicate((self.likelihood, (params, frozen)))
        return _value_and_gradient(likelihood, split, batch)

    def gauss_newton_product(self, params: PyTree, frozen: PyTree, batch: Batch, *, vector: PyTree) -> PyTree:
        """Jᵀ F J v over a batch, dealt out: J the Jacobian of the predicted counts, F their Fisher information."""
        likelihood, split, vector = replicate((self.likelihood, (params, frozen), vector))
        return _gauss_newton_product(likelihood, split, batch, vector=vector)

    def curvature(self, params: PyTree, frozen: PyTree, batch: Batch, *, vector: PyTree) -> Float[Array, ""]:
        """vᵀ Jᵀ F J v over a batch: what `gauss_newton_product` is often for, without a way back."""
        likelihood, split, vector = replicate((self.likelihood, (params, frozen), vector))
        return _curvature(likelihood, split, batch, vector=vector)

    def fit(self, model: PyTree, batch: Batch) -> Fit:
        """How well a model fits a batch."""
        return _fit(self.likelihood, replicate(model), batch)

    def compile_ahead(
        self, model: PyTree, batch: Batch, *, products: bool = False, others: Sequence[Call] = ()
    ) -> dict[str, int]:
        """Compile the kernels for batches like this one side by side, instead of each when it is first called.

        Args:
            model: what is refined.
            batch: of the shape that all have.
            products: whether products with the Gauss-Newton matrix will be asked for.
            others: kernels of a solver, with the arguments that they will be called with.

        Returns:
            bytes that each kernel takes on one device besides its arguments: "gradient", "curvature", "fit", and where
            there is such a thing "product" and "penalty"; -1 where the compiler does not tell.
        """
        problem, model = replicate((self, model))
        split = problem.split(model)
        data = (problem.likelihood, split, batch)
        kernels = {
            "gradient": Call(_value_and_gradient, data, {}),
            "curvature": Call(_curvature, data, {"vector": split[0]}),
            "fit": Call(_fit, (problem.likelihood, model, batch), {}),
        }
        if products:
            kernels["product"] = Call(_gauss_newton_product, data, {"vector": split[0]})
        if problem.regularizers:
            kernels["penalty"] = Call(_penalty_and_gradient, (problem, dealt(split)), {})
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # for compiling alone: tracing holds Python's lock
            traced = (one.kernel.lower(*one.arguments, **one.settings) for one in (*kernels.values(), *others))
            futures = [pool.submit(one.compile) for one in traced]
            compiled = [future.result() for future in futures]
        return_freed_memory()
        return {name: _scratch(kernel) for name, kernel in zip(kernels, compiled, strict=False)}

    def penalty(self, params: PyTree, frozen: PyTree) -> Float[Array, ""]:
        """Sum of the regularisers."""
        return _penalty(self, (params, frozen))

    def penalty_and_gradient(self, params: PyTree, frozen: PyTree) -> tuple[Float[Array, ""], PyTree]:
        """Sum of the regularisers and its gradient, dealt out over the devices."""
        return _penalty_and_gradient(replicate(self), dealt((params, frozen)))

    def sharp(self) -> Problem:
        """The problem with no corner of a regulariser rounded: for values, since a corner has no slope."""
        return dataclasses.replace(self, regularizers=tuple(r.sharp() for r in self.regularizers))

    def penalty_curvature(self, params: PyTree, frozen: PyTree, vector: PyTree) -> PyTree:
        """The regularisers' model of their second derivative, applied to a vector of free leaves."""
        return _penalty_curvature(self, (params, frozen), vector)

    def penalty_diagonal(self, params: PyTree, frozen: PyTree) -> PyTree:
        """The diagonal of `penalty_curvature`."""
        model = eqx.combine(params, frozen)
        total = jax.tree.map(jnp.zeros_like, params)
        for regularizer in self.regularizers:
            paths = array_paths(model, regularizer.where)
            with scope("regularise"):
                total = _added(total, paths, regularizer.diagonal(_leaves(model, paths)))
        return total

    @property
    def open(self) -> bool:
        """Whether the weight of a regulariser is left to the data."""
        return any(isinstance(regularizer.weight, str) for regularizer in self.regularizers)

    def open_in(self, model: PyTree) -> bool:
        """Whether a weight is left to the data of a regulariser of which something is free."""
        params, _ = self.split(model)
        undecided = (regularizer for regularizer in self.regularizers if isinstance(regularizer.weight, str))
        paths = (path for regularizer in undecided for path in array_paths(model, regularizer.where))
        return any(resolve(params, path) is not None for path in paths)

    def with_weight(self, weight: float | Array) -> Problem:
        """The problem with one weight, in nats, for every regulariser that left it open."""
        value = jnp.asarray(weight, jnp.zeros(()).dtype)  # an array: another weight is no reason to compile again
        decided = (dataclasses.replace(r, weight=value) if isinstance(r.weight, str) else r for r in self.regularizers)
        return dataclasses.replace(self, regularizers=tuple(decided))

    def reweighted(
        self, params: PyTree, frozen: PyTree, weights: tuple[Array, Array]
    ) -> tuple[Float[Array, ""], PyTree]:
        """By how much the objective and its gradient change from one open weight to another."""
        before, after = (self.with_weight(weight).penalty_and_gradient(params, frozen) for weight in weights)
        return _less(after, before)

    def noise_weight(self, params: PyTree, frozen: PyTree, curvature: tuple[Array, ...]) -> Float[Array, ""]:
        """The weight at which open regularisers pull at an element as much as its noise does.

        Of every free leaf the mean `curvature` of the data is the variance of its gradient.
        """
        return _noise_weight(self, (params, frozen), curvature)

    def project(self, params: PyTree) -> PyTree:
        """The free leaves with every constraint on them applied."""
        for constraint in self.constraints:
            leaf = resolve(params, constraint.where)
            if leaf is not None:
                with scope("regularise"):
                    params = replace(params, constraint.where, constraint(leaf))
        return params


def _scratch(kernel: Any) -> int:
    """Bytes of a compiled kernel's results and temporaries."""
    told = kernel.compiled.memory_analysis()
    return -1 if told is None else told.output_size_in_bytes + told.temp_size_in_bytes


def _leaves(model: PyTree, paths: tuple[str, ...]) -> tuple[Array, ...]:
    return tuple(resolve(model, path) for path in paths)


def _added(tree: PyTree, paths: tuple[str, ...], changes: tuple[Array, ...]) -> PyTree:
    """The tree of free leaves with changes added at those of the paths that are free."""
    for path, change in zip(paths, changes, strict=True):
        leaf = resolve(tree, path)
        if leaf is not None:
            tree = replace(tree, path, leaf + change)
    return tree


# Each as one program: hundreds of small ones, started before those in front of them are done, are more than XLA takes
# at a time on several devices, and then wait for one another for ever.
@eqx.filter_jit
def _penalty(problem: Problem, split: tuple[PyTree, PyTree]) -> Array:
    model = eqx.combine(*split)
    with scope("regularise"):
        parts = (r(*_leaves(model, array_paths(model, r.where))) for r in problem.regularizers)
        return sum(parts, start=jnp.zeros(()))


@eqx.filter_jit
def _penalty_curvature(problem: Problem, split: tuple[PyTree, PyTree], vector: PyTree) -> PyTree:
    model = eqx.combine(*split)
    total = jax.tree.map(jnp.zeros_like, split[0])
    for regularizer in problem.regularizers:
        paths = array_paths(model, regularizer.where)
        moved = [resolve(vector, path) for path in paths]
        leaves = _leaves(model, paths)
        vectors = tuple(jnp.zeros_like(x) if v is None else v for x, v in zip(leaves, moved, strict=True))
        with scope("regularise"):
            total = _added(total, paths, regularizer.curvature(leaves, vectors))
    return total


@eqx.filter_jit
def _noise_weight(problem: Problem, split: tuple[PyTree, PyTree], curvature: tuple[Array, ...]) -> Array:
    variance = jax.tree.unflatten(jax.tree.structure(split[0]), curvature)
    model, found = eqx.combine(*split), [jnp.zeros(())]
    for regularizer in problem.regularizers:
        if isinstance(regularizer.weight, str):
            paths = array_paths(model, regularizer.where)
            of = [(scale, resolve(variance, path)) for scale, path in zip(regularizer.scales, paths, strict=True)]
            found += [scale * jnp.sqrt(value) for scale, value in of if value is not None]
    return jnp.max(jnp.stack(found))


def reweighting(problem: Problem, split: tuple[PyTree, PyTree]) -> list[Call]:
    """How what `Problem.noise_weight` and `Problem.reweighted` have of their own will be called.

    Example:
        >>> len(reweighting(Problem(None), ((jnp.zeros(2),), (None,))))
        2
    """
    number, count = replicate(jnp.zeros(())), len(jax.tree.leaves(split[0]))
    found = number, dealt(split[0])
    return [Call(_noise_weight, (problem, split, (number,) * count), {}), Call(_less, (found, found), {})]


@partial(jax.jit, donate_argnums=0)
def _less(a: PyTree, b: PyTree) -> PyTree:
    return jax.tree.map(jnp.subtract, a, b)


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
def _penalty_and_gradient(problem: Problem, split: tuple[PyTree, PyTree]) -> tuple[Array, PyTree]:
    return jax.value_and_grad(problem.penalty)(*split)


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
