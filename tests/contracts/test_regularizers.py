"""What every regulariser owes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym.regularizers import L1, REGULARIZERS, AbstractRegularizer, Tikhonov, TotalVariation, differences

ROWS: dict[str, AbstractRegularizer] = {
    "tikhonov": Tikhonov("x", 3.0, 0.7),
    "l1": L1("x", 3.0, 0.7),
    "total variation": TotalVariation("x", 3.0, 0.7),
}
members = pytest.mark.parametrize("regularizer", ROWS.values(), ids=ROWS)


def leaf(seed: int, shape: tuple[int, ...] = (4, 3, 5)) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def test_every_regulariser_has_a_row() -> None:
    assert set(ROWS) == set(REGULARIZERS)
    for name, row in ROWS.items():
        assert REGULARIZERS[name](where=row.where, weight=row.weight, scale=row.scale) == row


@members
def test_zero_for_nothing_and_never_below(regularizer: AbstractRegularizer) -> None:
    assert float(regularizer(jnp.zeros((3, 4)))) == 0
    assert all(float(regularizer(leaf(seed))) > 0 for seed in range(3))


@members
def test_gradient_against_finite_differences(regularizer: AbstractRegularizer) -> None:
    x, v, h = leaf(0), leaf(1), 1e-5
    slope = float(jnp.vdot(jax.grad(regularizer)(x), v))
    assert slope == pytest.approx(float(regularizer(x + h * v) - regularizer(x - h * v)) / (2 * h), rel=1e-6)


@members
def test_strength_and_unit(regularizer: AbstractRegularizer) -> None:
    """Twice the weight, twice the penalty; a leaf in another unit with the scale in that unit, the same."""
    x, kind = leaf(0), type(regularizer)
    assert float(kind("x", 6.0, 0.7)(x)) == pytest.approx(2 * float(regularizer(x)))
    assert float(kind("x", 3.0, 0.7e-6)(1e-6 * x)) == pytest.approx(float(regularizer(x)), rel=1e-9)


@members
def test_curvature_is_linear_symmetric_and_not_negative(regularizer: AbstractRegularizer) -> None:
    x, u, v = leaf(0), leaf(1), leaf(2)

    def bent(vector: jax.Array) -> jax.Array:
        return regularizer.curvature(x, vector)

    np.testing.assert_allclose(bent(2 * u + v), 2 * bent(u) + bent(v), rtol=1e-9, atol=1e-12)
    assert float(jnp.vdot(u, bent(v))) == pytest.approx(float(jnp.vdot(v, bent(u))), rel=1e-10)
    matrix = np.stack([np.ravel(bent(one)) for one in jnp.eye(60).reshape(60, 4, 3, 5)])
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.abs(matrix).max()


@members
@pytest.mark.parametrize("size", [1e-3, 0.03, 1.0, 30.0])
def test_the_parabola_of_the_curvature_lies_above(regularizer: AbstractRegularizer, size: float) -> None:
    """f(x + s) <= f(x) + f'(x) s + s C(x) s / 2: a step of the quadratic model never makes the penalty worse."""
    for seed in range(6):
        x, s = leaf(seed), size * leaf(100 + seed)
        model = regularizer(x) + jnp.vdot(jax.grad(regularizer)(x), s) + jnp.vdot(s, regularizer.curvature(x, s)) / 2
        assert float(regularizer(x + s)) <= float(model) * (1 + 1e-12) + 1e-12


@members
def test_curvature_reproduces_the_slope(regularizer: AbstractRegularizer) -> None:
    """For penalties of |x| or |∇x| the half-quadratic model's slope at x is C(x) x itself."""
    x = leaf(3)
    np.testing.assert_allclose(regularizer.curvature(x, x), jax.grad(regularizer)(x), rtol=1e-8, atol=1e-10)


def test_closed_forms() -> None:
    x = jnp.array([[3.0, -4.0], [0.0, 0.0]])
    assert float(Tikhonov("x", 2.0, 0.5)(x)) == pytest.approx(100.0)
    assert float(L1("x", 2.0, 0.5)(x)) == pytest.approx(2 * 14, rel=3e-3)
    step = jnp.zeros((6, 4)).at[3:].set(2.0)  # a border of length 4 and height 2
    assert float(TotalVariation("x", 1.0, 0.5)(step)) == pytest.approx(4 * 4, rel=3e-3)
    assert float(TotalVariation("x", 1.0, 0.5)(step + 7.0)) == pytest.approx(float(TotalVariation("x", 1.0, 0.5)(step)))


def test_total_variation_is_isotropic() -> None:
    """A slope of one along both axes counts √2 for each voxel, not 2."""
    ramp = jnp.arange(50.0)[:, None] + jnp.arange(50.0)
    inner = float(TotalVariation("x", 1.0, 1.0)(ramp))
    assert inner == pytest.approx(49 * 49 * np.sqrt(2) + 2 * 49, rel=0.01)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
def test_differences_are_forward_and_end_with_zero(shape: tuple[int, ...]) -> None:
    x = leaf(0, shape)
    steps = differences(x)
    assert steps.shape == (len(shape), *shape)
    for axis in range(len(shape)):
        np.testing.assert_allclose(jnp.diff(x, axis=axis), jnp.take(steps[axis], np.arange(shape[axis] - 1), axis))
        np.testing.assert_array_equal(jnp.take(steps[axis], jnp.array([-1]), axis), 0)
