"""Sums over many parts, with their gradient found part by part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from adorym._core.words import scope


def sum_of_parts(function: Callable[[Any], Float[Array, ""]], parts: PyTree) -> Float[Array, ""]:
    """The sum of function(part) over the leading axis of `parts`, which has no gradient of its own.

    Where a gradient is wanted of what `function` closes over, it is found along with the value: each part goes forward
    and back while all that it needs is still in a processor's cache, and nothing is kept of it. Autodiff would go
    forward through all parts first and keep what every one of them needs for its way back.

    Example:
        >>> squares = lambda x: sum_of_parts(lambda part: x * part**2, jnp.arange(4.0))
        >>> [float(found) for found in jax.value_and_grad(squares)(3.0)]
        [42.0, 14.0]
    """
    first = jax.tree.map(lambda leaf: leaf[0], parts)
    # what is differentiated has to be an argument, for there to be a rule of its own
    converted, closed = jax.closure_convert(function, first)

    def summed(body: Callable[[Any], Any], start: Any) -> Any:
        def add(total: Any, part: Any) -> tuple[Any, None]:
            found = body(part)
            with scope("accumulate"):
                return jax.tree.map(jnp.add, total, found), None

        return jax.lax.scan(add, start, parts)[0]

    zero = jnp.zeros_like(jax.eval_shape(function, first))

    @jax.custom_vjp
    def total(*closed: Any) -> Array:
        return summed(lambda part: converted(part, *closed), zero)

    def forward(*closed: Any) -> tuple[Array, tuple[Any, ...]]:
        def both(part: Any) -> tuple[Array, tuple[Any, ...]]:
            value, pull = jax.vjp(lambda *closed: converted(part, *closed), *closed)
            return value, pull(jnp.ones_like(value))

        return summed(both, (zero, jax.tree.map(jnp.zeros_like, closed)))

    def back(gradient: tuple[Any, ...], cotangent: Array) -> tuple[Any, ...]:
        return jax.tree.map(lambda leaf: cotangent.astype(leaf.dtype) * leaf, gradient)

    total.defvjp(forward, back)
    return total(*closed)
