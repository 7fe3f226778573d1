"""A likelihood, regularisers, constraints and a selection of leaves: what a solver solves.

The objective is in nats: minus the log-likelihood of the frames, weighted, over the measured pixels, plus the
regularisers. Everything a solver may ask of it is a compiled kernel over one batch, added up over the batches of a
pass, so that no solver needs the data in memory.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch
from adorym._core.allocator import return_freed_memory
from adorym._core.trees import array_paths, images_among, replace, resolve, selection
from adorym._core.words import scope
from adorym.constraints import AbstractConstraint
from adorym.likelihoods import AbstractLikelihood
from adorym.problem._kernels import Fit, _curvature, _fit, _gauss_newton_product, _value_and_gradient
from adorym.regularizers import AbstractRegularizer
from adorym.sharding import dealt, on_host, replicate


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
        """vᵀ Jᵀ F J v over a batch, for which there is no way back to go.

        Where images are free it is made of the product all the same: their bands ask for that, and another kernel would
        take longer to compile than it saves.
        """
        likelihood, split, vector = replicate((self.likelihood, (params, frozen), vector))
        if not images_among(params, frozen):
            return _curvature(likelihood, split, batch, vector=vector)
        product = _gauss_newton_product(likelihood, split, batch, vector=vector)
        leaves = zip(jax.tree.leaves(vector), jax.tree.leaves(product), strict=True)
        return replicate(jnp.asarray(sum(np.vdot(on_host(a), on_host(b)) for a, b in leaves)))

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
            products: whether products with the Gauss-Newton matrix will be asked for, beside those of images' bands.
            others: kernels of a solver, with the arguments that they will be called with.

        Returns:
            bytes that each kernel takes on one device besides its arguments: "gradient", "fit", and where there is such
            a thing "curvature", "product" and "penalty"; -1 where the compiler does not tell.
        """
        problem, model = replicate((self, model))
        split = problem.split(model)
        data = (problem.likelihood, split, batch)
        kernels = {
            "gradient": Call(_value_and_gradient, data, {}),
            "fit": Call(_fit, (problem.likelihood, model, batch), {}),
        }
        images = images_among(*split)
        if not images:
            kernels["curvature"] = Call(_curvature, data, {"vector": split[0]})
        if images or products:
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
        >>> from adorym.likelihoods import Poisson
        >>> len(reweighting(Problem(Poisson()), ((jnp.zeros(2),), (None,))))
        2
    """
    number, count = replicate(jnp.zeros(())), len(jax.tree.leaves(split[0]))
    found = number, dealt(split[0])
    return [Call(_noise_weight, (problem, split, (number,) * count), {}), Call(_less, (found, found), {})]


@partial(jax.jit, donate_argnums=0)
def _less(a: PyTree, b: PyTree) -> PyTree:
    return jax.tree.map(jnp.subtract, a, b)


@eqx.filter_jit
def _penalty_and_gradient(problem: Problem, split: tuple[PyTree, PyTree]) -> tuple[Array, PyTree]:
    return jax.value_and_grad(problem.penalty)(*split)
