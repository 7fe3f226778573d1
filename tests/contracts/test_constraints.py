"""What every constraint owes."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import AdorymError
from adorym.constraints import CONSTRAINTS, AbstractConstraint, Bounds, Support, non_negative

# each with the rule that its points obey
ROWS: dict[str, tuple[AbstractConstraint, Callable[[np.ndarray], bool]]] = {
    "non-negative": (non_negative("x"), lambda x: x.min() >= 0),
    "bounds": (Bounds("x", -0.2, 0.4), lambda x: x.min() >= -0.2 and x.max() <= 0.4),
    "support": (Support("x", "cylinder", 0.8), lambda x: bool(np.all(x[0, 0] == 0) and np.any(x[2, 2] != 0))),
}
members = pytest.mark.parametrize(("constraint", "obeyed"), ROWS.values(), ids=ROWS)


def leaf(seed: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(6, 6, 3)))


def test_every_constraint_has_a_row() -> None:
    assert set(ROWS) == set(CONSTRAINTS)
    assert isinstance(CONSTRAINTS["non-negative"]("x"), Bounds)
    assert CONSTRAINTS["bounds"]("x", -0.2, 0.4) == ROWS["bounds"][0]
    assert CONSTRAINTS["support"]("x", "cylinder", 0.8) == ROWS["support"][0]


@members
def test_it_puts_a_point_into_the_set(constraint: AbstractConstraint, obeyed: Callable) -> None:
    x = leaf(0)
    assert not obeyed(np.asarray(x))
    assert obeyed(np.asarray(constraint(x)))
    assert constraint(x).dtype == x.dtype
    assert constraint.where == "x"


@members
def test_it_leaves_a_point_of_the_set_where_it_is(constraint: AbstractConstraint, obeyed: Callable) -> None:
    once = constraint(leaf(0))
    np.testing.assert_array_equal(constraint(once), once)


@members
def test_it_finds_the_nearest_point(constraint: AbstractConstraint, obeyed: Callable) -> None:
    """(x - Px) . (y - Px) <= 0 for every y of a convex set; and no two points are moved apart."""
    for seed in range(10):
        x, y = leaf(seed), constraint(leaf(100 + seed))
        assert float(jnp.vdot(x - constraint(x), y - constraint(x))) <= 1e-12
        other = leaf(200 + seed)
        assert float(jnp.linalg.norm(constraint(x) - constraint(other))) <= float(jnp.linalg.norm(x - other))


@members
def test_it_can_be_compiled(constraint: AbstractConstraint, obeyed: Callable) -> None:
    np.testing.assert_array_equal(jax.jit(constraint.__call__)(leaf(0)), constraint(leaf(0)))


def test_supports_have_their_shapes() -> None:
    ones = jnp.ones((9, 9, 5))
    cylinder, ball, box = (Support("x", shape, 0.6)(ones) for shape in ("cylinder", "disc", "box"))
    for plane in range(5):  # the axis, y, is the last: every plane across it is the same disc
        np.testing.assert_array_equal(cylinder[..., plane], cylinder[..., 0])
    assert float(cylinder[..., 0].sum()) == pytest.approx(np.pi * (0.3 * 9) ** 2, rel=0.2)
    assert float(box.sum()) == 5 * 5 * 3
    assert float(ball.sum()) < float(cylinder.sum())
    assert float(ball[4, 4, 2]) == 1
    for kept in (cylinder, ball, box):
        np.testing.assert_array_equal(kept, kept[::-1, ::-1, ::-1])
    np.testing.assert_array_equal(Support("x", "box", 1.0)(ones), ones)


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(AdorymError, match="is above upper"):
        Bounds("x", 1.0, 0.0)
