"""Sums over many parts, with their derivatives found part by part.

Each part goes forward and back while all that it needs is still in a processor's cache, and nothing is kept of it.
Autodiff would go forward through all parts first and keep what every one of them needs for its way back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym._core.batches import Batch
from adorym._core.words import scope


def in_parts(arrays: PyTree, size: int) -> PyTree:
    """Arrays `(frame, ...)` as `(part, frame, ...)`, the last part filled up with zeros.

    Example:
        >>> in_parts(jnp.arange(1, 6), 3).tolist()
        [[1, 2, 3], [4, 5, 0]]
    """

    def cut(array: Array) -> Array:
        filled = jnp.pad(array, [(0, -array.shape[0] % size), *[(0, 0)] * (array.ndim - 1)])
        return filled.reshape(-1, size, *array.shape[1:])

    return jax.tree.map(cut, arrays)


def parts_of_view(model: PyTree, view: Batch, *others: Array) -> tuple[Callable[[Array], Array], tuple[Array, ...]]:
    """From some frames of a view to their expected counts, and its frames in parts that are best done by themselves.

    `predict_view` is all that a model needs; one that has `by_groups` says how many frames to do at a time.

    Args:
        model: an `Experiment`, or something like it.
        view: one view of a batch.
        others: what else belongs to its frames, `(frame, ...)`.

    Returns:
        the function, and frames, weights and the others, each `(part, frame, ...)`; a last part is filled up with
        frames whose weights and others are 0.

    Example:
        >>> callable(parts_of_view)
        True
    """
    size = view.frames.shape[0]
    if hasattr(model, "by_groups"):
        predict, size = model.by_groups(view.views, size)
    else:
        predict = functools.partial(model.predict_view, view.views)
    return predict, in_parts((view.frames, view.weights, *others), size)


def pixel_weights(weights: Float[Array, "frame"], mask: Float[Array, "y x"]) -> Float[Array, "frame y x"]:
    """The weight of each pixel of each frame.

    Example:
        >>> pixel_weights(jnp.asarray([1.0, 2.0]), jnp.ones((1, 1))).ravel().tolist()
        [1.0, 2.0]
    """
    return weights[:, None, None] * mask


def sum_of_parts(function: Callable[[Any], Float[Array, ""]], parts: PyTree) -> Float[Array, ""]:
    """The sum of function(part) over the leading axis of `parts`, which has no gradient of its own.

    Where a gradient is wanted of what `function` closes over, it is found along with the value.

    Example:
        >>> squares = lambda x: sum_of_parts(lambda part: x * part**2, jnp.arange(4.0))
        >>> [float(found) for found in jax.value_and_grad(squares)(3.0)]
        [42.0, 14.0]
    """
    if _count(parts) == 1:  # forward mode goes through that as well
        return function(_first(parts))
    # what is differentiated has to be an argument, for there to be a rule of its own
    converted, closed = jax.closure_convert(function, _first(parts))
    zero = jnp.zeros_like(jax.eval_shape(function, _first(parts)))

    @jax.custom_vjp
    def total(*closed: Any) -> Array:
        return _summed(lambda part: converted(part, *closed), parts, zero)

    def forward(*closed: Any) -> tuple[Array, tuple[Any, ...]]:
        def both(part: Any) -> tuple[Array, tuple[Any, ...]]:
            value, pull = jax.vjp(lambda *closed: converted(part, *closed), *closed)
            return value, pull(jnp.ones_like(value))

        return _summed(both, parts, (zero, jax.tree.map(jnp.zeros_like, closed)))

    def back(gradient: tuple[Any, ...], cotangent: Array) -> tuple[Any, ...]:
        return jax.tree.map(lambda leaf: cotangent.astype(leaf.dtype) * leaf, gradient)

    total.defvjp(forward, back)
    return total(*closed)


def product_of_parts(
    prepare: Callable[[PyTree], tuple[Callable[[Any], Array], PyTree]],
    point: PyTree,
    vector: PyTree,
    *,
    weigh: Callable[[Any, Array, Array], Array],
) -> PyTree:
    """Jᵀ W J v, J the Jacobian of all that a function makes of the parts of something.

    Args:
        prepare: from the point to that function, and to the parts, which do not depend on it. What the function closes
            over is what all parts share: it is linearised once.
        point: where J is.
        vector: v, like the point.
        weigh: W: from a part, what the function makes of it and how that changes along v, to the weighted change.

    Example:
        >>> parts = jnp.arange(4.0)
        >>> weigh = lambda part, value, change: 2 * change
        >>> float(product_of_parts(lambda x: (lambda part: x * part, parts), 3.0, 1.0, weigh=weigh))
        28.0
    """
    shared, made = _shared(prepare)
    closed, forward = jax.linearize(shared, point)
    moved, (function, parts) = forward(vector), made

    def product(part: Any) -> tuple[Array, ...]:
        value, along = jax.linearize(lambda *closed: function(part, *closed), *closed)
        return jax.linear_transpose(along, *closed)(weigh(part, value, along(*moved)))

    total = _summed(product, parts, tuple(map(jnp.zeros_like, closed)))
    return jax.linear_transpose(forward, point)(list(total))[0]


def curvature_of_parts(
    prepare: Callable[[PyTree], tuple[Callable[[Any], Array], PyTree]],
    point: PyTree,
    vector: PyTree,
    *,
    weigh: Callable[[Any, Array, Array], Array],
) -> Float[Array, ""]:
    """vᵀ Jᵀ W J v, for which there is no way back to go; arguments as of `product_of_parts`.

    Example:
        >>> parts = jnp.arange(4.0)
        >>> weigh = lambda part, value, change: 2 * change
        >>> float(curvature_of_parts(lambda x: (lambda part: x * part, parts), 3.0, 1.0, weigh=weigh))
        28.0
    """
    shared, made = _shared(prepare)
    closed, moved = jax.jvp(shared, (point,), (vector,))
    function, parts = made

    def curvature(part: Any) -> Array:
        value, change = jax.jvp(lambda *closed: function(part, *closed), tuple(closed), tuple(moved))
        return jnp.sum(change * weigh(part, value, change))

    return _summed(curvature, parts, jnp.zeros(()))


def _shared(
    prepare: Callable[[PyTree], tuple[Callable[[Any], Array], PyTree]],
) -> tuple[Callable[[PyTree], list[Array]], list[Any]]:
    """From a point to what all parts share; once that was called, the function of a part and of it, and the parts."""
    made: list[Any] = []

    def shared(point: PyTree) -> list[Array]:
        of_part, parts = prepare(point)
        function, closed = jax.closure_convert(of_part, _first(parts))
        made[:] = function, parts
        return closed

    return shared, made


def _count(parts: PyTree) -> int:
    return jax.tree.leaves(parts)[0].shape[0]


def _first(parts: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[0], parts)


def _summed(body: Callable[[Any], Any], parts: PyTree, start: Any) -> Any:
    if _count(parts) == 1:
        return body(_first(parts))

    def add(total: Any, part: Any) -> tuple[Any, None]:
        found = body(part)
        with scope("accumulate"):
            return jax.tree.map(jnp.add, total, found), None

    return jax.lax.scan(add, start, parts)[0]
