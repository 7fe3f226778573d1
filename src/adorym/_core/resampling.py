"""Between grids that differ by a factor: coarser values, and what a change of them means on the finer grid."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


def binned(leaf: Float[Array, "*fine"], factor: int) -> Float[Array, "*coarse"]:
    """An array on a grid coarser by a factor along every axis, about the same centre.

    Weights are those of a triangle two coarse cells wide (full weighting; Trottenberg, Oosterlee & Schueller,
    Multigrid, 2001), so that its transpose interpolates linearly. Sides that the factor does not divide are rounded up.

    Example:
        >>> binned(jnp.ones((4, 5)), 2).shape
        (2, 3)
    """
    shape = tuple(-(-n // factor) for n in leaf.shape)
    scale = jnp.full(leaf.ndim, 1 / factor, leaf.dtype)
    centre = jnp.asarray([m / 2 - n / (2 * factor) for n, m in zip(leaf.shape, shape, strict=True)], leaf.dtype)
    axes = tuple(range(leaf.ndim))
    return jax.image.scale_and_translate(leaf, shape, axes, scale, centre, "linear", antialias=True)


def spread(binning: Callable[[PyTree], PyTree], like: PyTree, change: PyTree) -> PyTree:
    """A change on the coarser grid carried to the finer one: Rᵀ change / RᵀR 1, where R is the binning's linear part.

    Where R averages this interpolates, where it changes the unit this changes it back, and where it keeps a part of a
    leaf the rest stays as it is.

    Args:
        binning: makes leaves coarser; affine in them.
        like: the finer leaves.
        change: of the coarser leaves.

    Example:
        >>> import numpy as np
        >>> np.round(spread(lambda x: binned(x, 2), jnp.zeros(4), jnp.array([0.0, 1.0])), 2).tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    _, forward = jax.linearize(binning, like)
    backward = jax.linear_transpose(forward, like)
    (image,), (norm,) = backward(change), backward(forward(jax.tree.map(jnp.ones_like, like)))
    return jax.tree.map(lambda x, n: jnp.where(n == 0, 0, x / jnp.where(n == 0, 1, n)), image, norm)
