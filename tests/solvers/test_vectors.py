"""Trees as vectors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from adorym.solvers._vectors import axpy, dot, only, signs

A = {"x": jnp.array([1.0, 2.0]), "y": (jnp.array(3.0), None)}
B = {"x": jnp.array([-1.0, 4.0]), "y": (jnp.array(0.5), None)}


def test_dot_and_axpy() -> None:
    assert float(dot(A, B)) == -1 + 8 + 1.5
    moved = axpy(2.0, A, B)
    np.testing.assert_array_equal(moved["x"], [1.0, 8.0])
    assert float(moved["y"][0]) == 6.5
    assert moved["y"][1] is None


def test_signs_are_seeded_and_fair() -> None:
    tree = {"x": jnp.zeros((50, 40)), "y": jnp.zeros(1000)}
    one, again, other = signs(tree, 1), signs(tree, 1), signs(tree, 2)
    np.testing.assert_array_equal(one["x"], again["x"])
    assert not np.array_equal(one["x"], other["x"])
    assert set(np.unique(one["x"])) == {-1.0, 1.0}
    assert abs(float(one["x"].mean())) < 0.1
    assert abs(float(jnp.vdot(one["x"].ravel()[:1000], one["y"]))) < 150, "leaves are independent"


def test_only_keeps_one_leaf() -> None:
    kept = only(A, 0)
    np.testing.assert_array_equal(kept["x"], A["x"])
    assert float(kept["y"][0]) == 0
