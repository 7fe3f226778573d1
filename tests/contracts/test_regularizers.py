"""What every regulariser owes."""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import JobError
from adorym.regularizers import (
    L1,
    REGULARIZERS,
    AbstractRegularizer,
    ReweightedL1,
    Tikhonov,
    TotalVariation,
    differences,
)

ROWS: dict[str, AbstractRegularizer] = {
    "tikhonov": Tikhonov("x", 3.0, 0.7),
    "l1": L1("x", 3.0, 0.7),
    "reweighted l1": ReweightedL1("x", 3.0, 0.7),
    "total variation": TotalVariation("x", 3.0, 0.7),
}
members = pytest.mark.parametrize("regularizer", ROWS.values(), ids=ROWS)


def leaf(seed: int, shape: tuple[int, ...] = (4, 3, 5)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# compiled as a whole: operation by operation the compiler would be called for each of them
value = eqx.filter_jit(lambda regularizer, x: regularizer(x))
slope = eqx.filter_jit(lambda regularizer, x: jax.grad(regularizer)(x))
curved = eqx.filter_jit(lambda regularizer, x, vector: regularizer.curvature((x,), (vector,))[0])


def test_every_regulariser_has_a_row() -> None:
    assert set(ROWS) == set(REGULARIZERS)
    for name, row in ROWS.items():
        assert REGULARIZERS[name](where=row.where, weight=row.weight, scale=row.scale) == row


@members
def test_zero_for_nothing_and_never_below(regularizer: AbstractRegularizer) -> None:
    assert float(value(regularizer, np.zeros((4, 3, 5)))) == 0
    assert all(float(value(regularizer, leaf(seed))) > 0 for seed in range(3))


@members
def test_gradient_against_finite_differences(regularizer: AbstractRegularizer) -> None:
    x, v, h = leaf(0), leaf(1), 1e-5
    numeric = float(value(regularizer, x + h * v) - value(regularizer, x - h * v)) / (2 * h)
    assert np.vdot(slope(regularizer, x), v) == pytest.approx(numeric, rel=1e-6)


@members
def test_strength_and_unit(regularizer: AbstractRegularizer) -> None:
    """Twice the weight, twice the penalty; a leaf in another unit with the scale in that unit, the same."""
    x, kind, penalty = leaf(0), type(regularizer), float(value(regularizer, leaf(0)))
    assert float(value(kind("x", 6.0, 0.7), x)) == pytest.approx(2 * penalty)
    assert float(value(kind("x", 3.0, 0.7e-6), 1e-6 * x)) == pytest.approx(penalty, rel=1e-9)


@members
def test_curvature_is_linear_symmetric_and_not_negative(regularizer: AbstractRegularizer) -> None:
    matrix = np.stack([np.ravel(curved(regularizer, leaf(0), one)) for one in np.eye(60).reshape(60, 4, 3, 5)])
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-12, atol=1e-12 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.abs(matrix).max()
    np.testing.assert_allclose(np.ravel(curved(regularizer, leaf(0), leaf(1))), matrix @ leaf(1).ravel(), rtol=1e-9)


@members
@pytest.mark.parametrize("size", [1e-3, 0.03, 1.0, 30.0])
def test_the_parabola_of_the_curvature_lies_above(regularizer: AbstractRegularizer, size: float) -> None:
    """f(x + s) <= f(x) + f'(x) s + s C(x) s / 2: a step of the quadratic model never makes the penalty worse."""
    for seed in range(6):
        x, s = leaf(seed), size * leaf(100 + seed)
        bound = float(value(regularizer, x)) + np.vdot(slope(regularizer, x), s)
        bound += np.vdot(s, curved(regularizer, x, s)) / 2
        assert float(value(regularizer, x + s)) <= bound * (1 + 1e-12) + 1e-12


@members
def test_curvature_reproduces_the_slope(regularizer: AbstractRegularizer) -> None:
    """For penalties of |x| or |∇x| the half-quadratic model's slope at x is C(x) x itself."""
    x = leaf(3)
    np.testing.assert_allclose(curved(regularizer, x, x), slope(regularizer, x), rtol=1e-8, atol=1e-10)


@members
def test_several_leaves_count_together(regularizer: AbstractRegularizer) -> None:
    """The curvature's matrix is symmetric and not negative, and its diagonal is the one that steps are scaled by."""
    both = dataclasses.replace(regularizer, where=("x", "y"), scale=(0.7, 1.9))
    leaves = (jnp.asarray(leaf(0, (3, 4))), jnp.asarray(leaf(1, (3, 4))))
    product = eqx.filter_jit(lambda v: jnp.stack(both.curvature(leaves, (v[0], v[1]))))
    matrix = np.stack([np.ravel(product(one)) for one in jnp.eye(24).reshape(24, 2, 3, 4)])
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-12, atol=1e-12 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.abs(matrix).max()
    np.testing.assert_allclose(np.ravel(jnp.stack(both.diagonal(leaves))), np.diag(matrix), rtol=1e-9)
    slope = jax.grad(lambda pair: both(*pair))(leaves)
    np.testing.assert_allclose(np.ravel(jnp.stack(slope)), matrix @ np.ravel(np.stack(leaves)), rtol=1e-6, atol=1e-9)


@members
def test_lengths_and_squares_are_the_measure_or_touch_it_from_above(regularizer: AbstractRegularizer) -> None:
    """Of one leaf and of two: Σ a |field| + b Σ x²/2, a the slope at one place, grows elsewhere by as much or more."""
    for sharp, size in ((regularizer.sharp(), 1), (dataclasses.replace(regularizer, scale=(0.7, 1.9)).sharp(), 2)):

        def above(leaves: tuple[jax.Array, ...], slope: jax.Array, one: AbstractRegularizer = sharp) -> float:
            length = jnp.sqrt(jnp.sum(jnp.square(one.field(*leaves)), axis=0))
            squares = sum(float(jnp.sum(jnp.square(x))) for x in leaves)
            return float(jnp.sum(slope * length)) + one.stiffness * squares / 2

        here, there = (tuple(jnp.asarray(leaf(seed + i)) for i in range(size)) for seed in (0, 10))
        slope = sharp.slope(*here)
        change = float(sharp.measure(*there) - sharp.measure(*here))
        assert change <= above(there, slope) - above(here, slope) + 1e-9
        if not isinstance(sharp, ReweightedL1):
            assert change == pytest.approx(above(there, slope) - above(here, slope), rel=1e-9)


@members
def test_a_field_is_linear_and_lengthens_no_more_than_it_says(regularizer: AbstractRegularizer) -> None:
    matrix = np.stack([np.ravel(regularizer.field(one)) for one in jnp.eye(60).reshape(60, 4, 3, 5)], axis=1)
    np.testing.assert_allclose(np.ravel(regularizer.field(jnp.asarray(leaf(2)))), matrix @ leaf(2).ravel(), atol=1e-12)
    largest = np.linalg.norm(matrix, 2) ** 2 if matrix.size else 0.0
    assert 0.75 * regularizer.gain(3) <= largest <= regularizer.gain(3) * (1 + 1e-12)


@members
def test_rounding_takes_a_corner_from_each_voxel_at_most(regularizer: AbstractRegularizer) -> None:
    sharp = regularizer.sharp()
    most = 3.0 * 60 * getattr(regularizer, "corner", 0.0)
    for size in (1e-3, 1.0, 1e3):
        x = size * leaf(0)
        assert -1e-9 <= float(value(sharp, x) - value(regularizer, x)) <= most + 1e-9
    assert sharp == sharp.sharp()


@pytest.mark.parametrize("kind", [L1, TotalVariation])
def test_shared_places_cost_less(kind: type[L1] | type[TotalVariation]) -> None:
    """Two leaves with their values, or borders, in the same place cost √2 of one; in two places twice as much."""
    one = jnp.zeros(40).at[10:20].set(1.0)
    both, single = kind(("x", "y"), 1.0, (1.0, 1.0)), float(value(kind("x", 1.0, 1.0), one))
    assert float(both(one, one)) == pytest.approx(np.sqrt(2) * single, rel=0.02)
    assert float(both(one, jnp.roll(one, 15))) == pytest.approx(2 * single, rel=0.02)


@pytest.mark.parametrize(("weight", "scale"), [(-1.0, 1.0), (math.nan, 1.0), (1.0, 0.0), (1.0, (1.0, -2.0))])
def test_impossible_numbers_are_refused(weight: float, scale: float | tuple[float, ...]) -> None:
    with pytest.raises(JobError, match=r"object\.delta"):
        TotalVariation("object.delta", weight, scale)


@pytest.mark.parametrize("wrong", [-0.1, math.nan])
@pytest.mark.parametrize("kind", [L1, ReweightedL1, TotalVariation])
def test_impossible_corners_are_refused(kind: type[L1], wrong: float) -> None:
    with pytest.raises(JobError, match="corner"):
        kind("object.delta", 1.0, 1.0, corner=wrong)


@pytest.mark.parametrize("wrong", [-0.1, 0.0, math.nan])
def test_impossible_thresholds_are_refused(wrong: float) -> None:
    with pytest.raises(JobError, match="threshold"):
        ReweightedL1("object.delta", 1.0, 1.0, threshold=wrong)


def test_closed_forms() -> None:
    x = np.array([[3.0, -4.0], [0.0, 0.0]])
    assert float(value(Tikhonov("x", 2.0, 0.5), x)) == pytest.approx(100.0)
    assert float(value(L1("x", 2.0, 0.5), x)) == pytest.approx(2 * 14, rel=3e-3)
    logarithms = 0.1 * (math.log(1 + 6 / 0.1) + math.log(1 + 8 / 0.1))
    assert float(value(ReweightedL1("x", 2.0, 0.5), x)) == pytest.approx(2 * logarithms, rel=3e-3)
    step = np.zeros((6, 4))
    step[3:] = 2.0  # a border of length 4 and height 2
    penalty = float(value(TotalVariation("x", 1.0, 0.5), step))
    assert penalty == pytest.approx(4 * 4, rel=3e-3)
    assert float(value(TotalVariation("x", 1.0, 0.5), step + 7.0)) == pytest.approx(penalty)


def test_reweighted_counts_as_l1_near_zero_and_hardly_grows_far_from_it() -> None:
    tiny, large = np.full(3, 1e-4), np.full(3, 10.0)
    one, plain = ReweightedL1("x", 1.0, 1.0).sharp(), L1("x", 1.0, 1.0).sharp()
    assert float(value(one, tiny)) == pytest.approx(float(value(plain, tiny)), rel=1e-3)
    assert float(value(one, 2 * large) - value(one, large)) == pytest.approx(3 * 0.1 * math.log(2), rel=0.02)


def test_total_variation_is_isotropic() -> None:
    """A slope of one along both axes counts √2 for each voxel, not 2."""
    ramp = np.arange(50.0)[:, None] + np.arange(50.0)
    assert float(value(TotalVariation("x", 1.0, 1.0), ramp)) == pytest.approx(49 * 49 * np.sqrt(2) + 2 * 49, rel=0.01)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
def test_differences_are_forward_and_end_with_zero(shape: tuple[int, ...]) -> None:
    x = leaf(0, shape)
    steps = np.asarray(differences(jnp.asarray(x)))
    assert steps.shape == (len(shape), *shape)
    for axis in range(len(shape)):
        np.testing.assert_allclose(np.diff(x, axis=axis), np.take(steps[axis], np.arange(shape[axis] - 1), axis))
        np.testing.assert_array_equal(np.take(steps[axis], [-1], axis), 0)
