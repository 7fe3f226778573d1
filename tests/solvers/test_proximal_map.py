"""Proximal maps against closed forms, other solvers and the optimality conditions themselves."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, lsq_linear

from adorym.constraints import AbstractConstraint, Bounds, Support, non_negative
from adorym.likelihoods import Gaussian
from adorym.problem import Problem
from adorym.regularizers import L1, AbstractRegularizer, ReweightedL1, Tikhonov, TotalVariation
from adorym.solvers import Mapped, no_duals, proximal_map


class Leaves(eqx.Module):
    """A model of nothing but two leaves."""

    x: jax.Array
    y: jax.Array


def mapped(
    regularizers: tuple[AbstractRegularizer, ...],
    *targets: np.ndarray,
    stiffness: tuple[float, float] = (1.0, 1.0),
    constraints: tuple[AbstractConstraint, ...] = (),
    place: tuple[np.ndarray, ...] = (),
    calls: int = 40,
) -> Mapped:
    """To the last bit: of one leaf, with the other frozen, or of two; every call starts from the last one's duals."""
    free = ("x", "y")[: len(targets)]
    problem = Problem(Gaussian(1.0), free, regularizers, constraints)
    both = [jnp.asarray(t, float) for t in (*targets, np.zeros_like(targets[0]))[:2]]
    model = Leaves(*[jnp.asarray(p, float) for p in (*place, *both[len(place) :])])
    split, target = problem.split(model), problem.split(Leaves(*both))[0]
    duals, strength = no_duals(problem, model), tuple(jnp.asarray(h, float) for h in stiffness[: len(targets)])
    for _ in range(calls):
        found = proximal_map(problem, split, target, stiffness=strength, duals=duals, share=1e-20)
        duals = found.duals
        if int(found.iterations) == 0:
            break
    return found


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# --- lengths of values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", [(), (non_negative("x"),), (Bounds("x", -0.2, 0.9),)])
def test_l1_is_the_soft_threshold(constraint: tuple[AbstractConstraint, ...]) -> None:
    """Then clipped, as each voxel is by itself; Σ |x / 0.5| of weight 0.6 at stiffness 4 takes 0.3 away."""
    y = noise(0, 200)
    found = mapped((L1("x", 0.6, 0.5),), y, stiffness=(4.0, 1.0), constraints=constraint)
    expected = np.sign(y) * np.maximum(np.abs(y) - 0.3, 0)
    for one in constraint:
        expected = np.asarray(one(jnp.asarray(expected)))
    np.testing.assert_allclose(found.params.x, expected, atol=1e-12)
    assert int(found.iterations) == 0


def test_moreau() -> None:
    """What is taken away is the nearest point of the ball: y = prox(y) + projection(y)."""
    y = noise(1, 100)
    found = mapped((L1("x", 0.7, 1.0),), y)
    np.testing.assert_allclose(y - np.asarray(found.params.x), np.clip(y, -0.7, 0.7), atol=1e-12)
    np.testing.assert_allclose(found.duals[0][0], np.clip(y, -0.7, 0.7), atol=1e-12)


def test_leaves_together_are_shortened_as_vectors() -> None:
    x, y = noise(2, 50), noise(3, 50)
    found = mapped((L1(("x", "y"), 0.8, (1.0, 1.0)),), x, y)
    factor = np.maximum(1 - 0.8 / np.hypot(x, y), 0)
    np.testing.assert_allclose(found.params.x, factor * x, atol=1e-12)
    np.testing.assert_allclose(found.params.y, factor * y, atol=1e-12)


def test_leaves_of_different_stiffness() -> None:
    """No closed form: x h / (h + w / r), where the length r solves an equation of its own."""
    x, y, h, w = noise(4, 30), noise(5, 30), (1.0, 6.0), 1.3
    found = mapped((L1(("x", "y"), w, (1.0, 1.0)),), x, y, stiffness=h)
    for i in range(30):

        def length(r: float, i: int = i) -> float:
            return np.hypot(x[i] * h[0] / (h[0] * r + w), y[i] * h[1] / (h[1] * r + w)) - 1

        r = brentq(length, 0, 1e3) if length(0) > 0 else 0
        expected = [r * v * k / (k * r + w) for v, k in ((x[i], h[0]), (y[i], h[1]))]
        np.testing.assert_allclose([found.params.x[i], found.params.y[i]], expected, atol=1e-7)


def test_a_reweighted_step_spares_what_is_there() -> None:
    """The soft threshold with the weight ε / (|x₀| + ε), x₀ where the model stands."""
    y, there = noise(6, 60), np.where(np.arange(60) % 2, 0.0, 0.4)
    found = mapped((ReweightedL1("x", 0.9, 1.0),), y, place=(there,))
    weight = 0.9 * 0.1 / (np.abs(there) + 0.1)
    np.testing.assert_allclose(found.params.x, np.sign(y) * np.maximum(np.abs(y) - weight, 0), atol=1e-12)


def test_repeated_reweighting_finds_the_stationary_point_of_the_logarithm() -> None:
    """From its target: x = y - w ε / (x + ε), or zero."""
    w, eps, y = 0.9, 0.1, np.array([0.2, 0.4, 1.0, 3.0])
    place = y
    for _ in range(200):
        place = np.asarray(mapped((ReweightedL1("x", w, 1.0),), y, place=(place,)).params.x)
    root = np.sqrt(np.maximum((y + eps) ** 2 - 4 * w * eps, 0))
    expected = np.where((y + eps) ** 2 >= 4 * w * eps, np.maximum((y - eps + root) / 2, 0), 0)
    np.testing.assert_allclose(place, expected, atol=1e-9)


def test_squares_are_closed_forms() -> None:
    y = noise(7, 40)
    found = mapped((Tikhonov("x", 3.0, 0.5),), y, stiffness=(2.0, 1.0), constraints=(non_negative("x"),))
    np.testing.assert_allclose(found.params.x, np.maximum(y * 2 / (2 + 3 / 0.25), 0), rtol=1e-12)
    elastic = mapped((Tikhonov("x", 3.0, 1.0), L1("x", 0.4, 1.0)), y)
    np.testing.assert_allclose(elastic.params.x, np.sign(y) * np.maximum(np.abs(y) - 0.4, 0) / 4, atol=1e-12)


# --- total variation --------------------------------------------------------------------------------------------------


def test_two_levels_come_nearer() -> None:
    """Each by weight / length, which is twice that for the jump between equal ones; the border stays sharp."""
    y = np.repeat([1.0, 3.0], 16)
    found = np.asarray(mapped((TotalVariation("x", 2.0, 1.0),), y).params.x)
    np.testing.assert_allclose(found, np.repeat([1 + 2 / 16, 3 - 2 / 16], 16), atol=1e-8)
    uneven = np.asarray(mapped((TotalVariation("x", 2.0, 1.0),), np.repeat([1.0, 3.0], [8, 32])).params.x)
    np.testing.assert_allclose(uneven, np.repeat([1 + 2 / 8, 3 - 2 / 32], [8, 32]), atol=1e-8)


def test_a_large_weight_leaves_the_mean() -> None:
    y = noise(8, 5, 6)
    found = mapped((TotalVariation("x", 100.0, 1.0),), y)
    np.testing.assert_allclose(found.params.x, y.mean(), atol=1e-8)


def taut_string(y: np.ndarray, weight: float) -> np.ndarray:
    """Total variation along a line: y - Dᵀp with bounded p, by an active-set method."""
    d = np.diff(np.eye(y.size), axis=0)
    p = lsq_linear(d.T, y, bounds=(-weight, weight), method="bvls", tol=1e-14).x
    return y - d.T @ p


def test_a_line_is_the_taut_string() -> None:
    y = np.repeat([0.0, 2.0, 1.0, 4.0], 10) + 0.5 * noise(9, 40)
    found = mapped((TotalVariation("x", 1.2, 0.5),), y, stiffness=(3.0, 1.0))
    np.testing.assert_allclose(found.params.x, taut_string(y, 1.2 / 0.5 / 3.0), atol=1e-7)


def test_bounds_and_thresholds_of_a_line_follow_its_total_variation() -> None:
    """On a line the maps compose (Friedman et al., Ann. Appl. Stat. 1, 302 (2007)); inside the dual they agree."""
    y = np.repeat([-1.0, 0.3, -0.4, 2.0], 10) + 0.5 * noise(10, 40)
    variation = TotalVariation("x", 0.8, 1.0)
    alone = taut_string(y, 0.8)
    bounded = mapped((variation,), y, constraints=(Bounds("x", 0.0, 1.5),))
    np.testing.assert_allclose(bounded.params.x, np.clip(alone, 0, 1.5), atol=1e-7)
    both = mapped((variation, L1("x", 0.25, 1.0)), y)
    np.testing.assert_allclose(both.params.x, np.sign(alone) * np.maximum(np.abs(alone) - 0.25, 0), atol=1e-7)


def test_two_leaves_with_bounds_are_at_the_optimum() -> None:
    """In a plane, of different stiffness and scale, one not negative, the other on a support.

    Any vectors p no longer than the weight bound the least energy from below (weak duality), by the least over allowed
    x of Σ h (x - y)² / 2 + p·∇x: nothing can have less energy than what the map's own p shows to be the least.
    """
    shape, h, scale, w = (9, 8), (1.0, 2.5), (1.0, 0.6), 0.5
    targets = [noise(11, *shape) + 0.3, noise(12, *shape)]
    inside = np.asarray(Support("y", "box", 0.7)(jnp.ones(shape))) > 0
    regularizer = TotalVariation(("x", "y"), w, scale)
    found = mapped((regularizer,), *targets, stiffness=h, constraints=(non_negative("x"), Support("y", "box", 0.7)))
    x, p = [np.asarray(found.params.x), np.asarray(found.params.y)], np.asarray(found.duals[0]).reshape(2, 2, *shape)
    assert x[0].min() >= 0
    assert np.all(x[1][~inside] == 0)
    assert min(np.sum(x[0] == 0), np.sum(np.abs(np.diff(x[1])) < 1e-9)) > 4  # neither bounds nor corners are far

    def steps(leaf: np.ndarray) -> np.ndarray:
        return np.stack([np.diff(leaf, axis=axis, append=np.take(leaf, [-1], axis)) for axis in range(2)])

    gradient = np.concatenate([steps(one / s) for one, s in zip(x, scale, strict=True)])
    energy = sum(k * np.sum((one - y) ** 2) / 2 for one, y, k in zip(x, targets, h, strict=True))
    energy += w * np.sum(np.sqrt(np.sum(gradient**2, axis=0)))
    assert np.sqrt(np.sum(p**2, axis=(0, 1))).max() <= w * (1 + 1e-12)
    least = 0.0
    for i in range(2):
        grid = np.eye(72).reshape(72, *shape)
        pulled = np.array([np.vdot(p[i], steps(one)) for one in grid]).reshape(shape) / scale[i]
        best = targets[i] - pulled / h[i]
        best = np.maximum(best, 0) if i == 0 else np.where(inside, best, 0)
        least += h[i] * np.sum((best - targets[i]) ** 2) / 2 + np.vdot(pulled, best)
    assert least <= energy <= least + 1e-7


def test_a_common_border_is_kept_by_the_clearer_leaf() -> None:
    """A faint step is lost by itself, and stays where the other leaf has a clear one."""
    rng = np.random.default_rng(13)
    clear, faint = np.repeat([0.0, 5.0], 16), np.repeat([0.0, 0.25], 16) + 0.02 * rng.normal(size=32)
    alone = np.asarray(mapped((TotalVariation("x", 2.2, 1.0),), faint).params.x)
    joint = np.asarray(mapped((TotalVariation(("x", "y"), 2.2, (1.0, 1.0)),), faint, clear).params.x)
    assert np.ptp(alone) < 1e-6
    assert joint[16:].mean() - joint[:16].mean() > 0.2


# --- what the answer comes with ---------------------------------------------------------------------------------------


def test_the_gap_bounds_what_is_missing() -> None:
    """At every stage of the way, and a start from the last p is at its end."""
    y = noise(14, 12, 12)
    regularizers = (TotalVariation("x", 0.7, 1.0),)
    best = mapped(regularizers, y)
    gaps = []
    for calls in (1, 2, 3):
        found = mapped(regularizers, y, calls=calls)
        gaps.append(float(found.gap))
        assert np.sum((found.params.x - best.params.x) ** 2) / 2 <= gaps[-1] + 1e-12
    assert gaps[-1] < 1e-3 * float(np.sum(y**2))
    assert np.sqrt(np.sum(np.square(best.duals[0]), axis=0)).max() <= 0.7 * (1 + 1e-12)


def test_what_is_frozen_counts_and_what_nothing_holds_stays() -> None:
    """A frozen leaf's border helps the free one's; a leaf without stiffness is left at its target."""
    y, other = np.repeat([0.0, 0.5], 8), np.repeat([0.0, 9.0], 8)
    problem = Problem(Gaussian(1.0), ("x",), (TotalVariation(("x", "y"), 2.0, (1.0, 1.0)),))
    model = Leaves(jnp.asarray(y), jnp.asarray(other))
    params, frozen = problem.split(model)
    found = proximal_map(
        problem, (params, frozen), params, stiffness=(jnp.array(1.0),), duals=no_duals(problem, model), share=1e-9
    )
    assert float(jnp.ptp(found.params.x)) > 0.45
    still = mapped((TotalVariation(("x", "y"), 2.0, (1.0, 1.0)), Tikhonov("y", 2.0, 1.0)), y, other, stiffness=(1.0, 0))
    np.testing.assert_array_equal(still.params.y, other)
    assert float(jnp.ptp(still.params.x)) > 0.45


def test_no_penalty_is_the_projection() -> None:
    y = noise(15, 20)
    np.testing.assert_array_equal(mapped((), y, constraints=(non_negative("x"),)).params.x, np.maximum(y, 0))
    np.testing.assert_array_equal(mapped((TotalVariation("x", 0.0, 1.0),), y).params.x, y)
