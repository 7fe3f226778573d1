"""What every parametrisation owes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym.objects import PARAMETRIZATIONS, AbstractParametrization, DeltaBeta, FixedRatio, LogAmplitudePhase

ROWS: dict[str, type[AbstractParametrization]] = {
    "delta beta": DeltaBeta,
    "fixed ratio": FixedRatio,
    "log amplitude and phase": LogAmplitudePhase,
}
members = pytest.mark.parametrize("name", ROWS)
SCALE = 7.0


def filled(name: str) -> AbstractParametrization:
    """With random values in its leaves."""
    rng = np.random.default_rng(0)
    empty = PARAMETRIZATIONS[name]((3, 2, 4), 0.2)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.uniform(0.1, 0.5, leaf.shape)), empty)


def test_every_parametrisation_has_a_row() -> None:
    assert set(ROWS) == set(PARAMETRIZATIONS)
    assert all(isinstance(PARAMETRIZATIONS[name]((2, 2, 2), 0.2), row) for name, row in ROWS.items())


@members
def test_it_starts_as_vacuum_and_all_its_leaves_are_real(name: str) -> None:
    empty = PARAMETRIZATIONS[name]((3, 2, 4), 0.2)
    assert all(eqx.is_inexact_array(leaf) and leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(empty))
    for part in (*empty.exponent(lambda a: a, SCALE), *empty.delta_beta(SCALE)):
        np.testing.assert_array_equal(part, np.zeros((3, 2, 4)))


@members
def test_delta_and_beta_are_those_of_the_exponent(name: str) -> None:
    """ln t = scale (-β - iδ) voxel by voxel."""
    parametrization = filled(name)
    log_amplitude, phase = parametrization.exponent(lambda a: a, SCALE)
    delta, beta = parametrization.delta_beta(SCALE)
    np.testing.assert_allclose(phase, -SCALE * delta, rtol=1e-12)
    np.testing.assert_allclose(log_amplitude, -SCALE * beta, rtol=1e-12)
    assert delta.shape == beta.shape == (3, 2, 4)


@members
def test_collecting_is_linear_in_what_the_physics_sees(name: str) -> None:
    """A sum along the beam of the exponent is the exponent of the sum, in as few calls as there are fields."""
    parametrization, calls = filled(name), []

    def collect(leaf: jax.Array) -> jax.Array:
        calls.append(leaf.shape)
        return leaf.sum(0, keepdims=True)

    collected = parametrization.exponent(collect, SCALE)
    each = parametrization.exponent(lambda a: a, SCALE)
    for one, other in zip(collected, each, strict=True):
        np.testing.assert_allclose(one, other.sum(0, keepdims=True), rtol=1e-12)
    fields = [leaf for leaf in jax.tree.leaves(parametrization) if leaf.ndim == 3]
    assert calls == [(3, 2, 4)] * len(fields)


def test_the_ratio_is_kept_and_can_be_refined() -> None:
    parametrization = PARAMETRIZATIONS["fixed ratio"]((2, 2, 2), 0.2)
    assert float(parametrization.ratio) == pytest.approx(0.2)
    full = FixedRatio(jnp.ones((2, 2, 2)), jnp.array(0.3))
    delta, beta = full.delta_beta(1.0)
    np.testing.assert_allclose(beta, 0.3 * delta)
    slope = jax.grad(lambda ratio: FixedRatio(full.delta, ratio).exponent(lambda a: a, SCALE)[0].sum())(jnp.array(0.3))
    assert float(slope) == pytest.approx(-SCALE * 8)
