"""Trees of real arrays as vectors, each operation compiled as one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree


@jax.jit
def dot(a: PyTree, b: PyTree) -> Float[Array, ""]:
    """Inner product over all leaves.

    Example:
        >>> float(dot({"x": jnp.ones(3)}, {"x": jnp.full(3, 2.0)}))
        6.0
    """
    return sum((jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)), jnp.zeros(()))


@jax.jit
def axpy(factor: Array | float, a: PyTree, b: PyTree) -> PyTree:
    """factor * a + b.

    Example:
        >>> float(axpy(2.0, jnp.array(3.0), jnp.array(1.0)))
        7.0
    """
    return jax.tree.map(lambda x, y: factor * x + y, a, b)


@jax.jit
def plus(a: PyTree, b: PyTree) -> PyTree:
    """a + b.

    Example:
        >>> float(plus(jnp.array(3.0), jnp.array(1.0)))
        4.0
    """
    return jax.tree.map(jnp.add, a, b)


@jax.jit
def zeros_like(tree: PyTree) -> PyTree:
    """Zeros where and as a tree's arrays are.

    Example:
        >>> zeros_like({"x": jnp.ones(2)})["x"].tolist()
        [0.0, 0.0]
    """
    return jax.tree.map(jnp.zeros_like, tree)


def signs(tree: PyTree, seed: int) -> PyTree:
    """Random +1 and -1 of a tree's shape: probes of a matrix's diagonal (Hutchinson).

    Example:
        >>> set(np.asarray(signs(jnp.zeros(8), 0)).tolist()) <= {-1.0, 1.0}
        True
    """
    generator = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(generator.choice([-1.0, 1.0], x.shape), x.dtype), tree)


def only(tree: PyTree, index: int, leaf: Array | None = None) -> PyTree:
    """The tree with every leaf but one set to zero, that one as it is or another in its place.

    Example:
        >>> [float(x) for x in only((jnp.ones(()), jnp.ones(())), 1)]
        [0.0, 1.0]
    """
    leaves, structure = jax.tree.flatten(zeros_like(tree))
    leaves[index] = jax.tree.leaves(tree)[index] if leaf is None else leaf
    return structure.unflatten(leaves)
