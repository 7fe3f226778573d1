"""The transmission of a slab against NumPy's exponential in 64 bits, and its derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adorym.propagation import phasor, transmission


def exact(log_amplitude: np.ndarray, phase: np.ndarray) -> np.ndarray:
    return np.exp(log_amplitude.astype(np.float64) + 1j * phase.astype(np.float64))


@pytest.mark.single_precision
@pytest.mark.parametrize("largest", [1e-3, 1.0, 30.0, 1e4])
def test_polynomials_are_as_exact_as_32_bits_are(largest: float) -> None:
    phase = np.random.default_rng(0).uniform(-largest, largest, 100_000).astype(np.float32)
    log_amplitude = np.full_like(phase, -0.2)
    value = np.asarray(jax.jit(transmission)(log_amplitude, phase))
    assert value.dtype == np.complex64
    assert np.abs(value / exact(log_amplitude, phase) - 1).max() < 1.5e-7


@pytest.mark.single_precision
def test_quarters_of_a_turn_end_where_they_should() -> None:
    phase = (np.arange(-9, 10) * np.pi / 2).astype(np.float32)
    value = np.asarray(transmission(jnp.zeros(19), jnp.asarray(phase)))
    np.testing.assert_allclose(value, exact(np.zeros(19), phase), atol=1e-7)


@pytest.mark.single_precision
def test_vacuum_is_exactly_one() -> None:
    assert np.all(np.asarray(transmission(jnp.zeros(3), jnp.zeros(3))) == 1)


@pytest.mark.single_precision
def test_what_is_not_a_number_stays_so() -> None:
    value = np.asarray(transmission(jnp.zeros(2), jnp.array([jnp.nan, jnp.inf])))
    assert np.isnan(value).all()


def test_64_bits() -> None:
    rng = np.random.default_rng(1)
    log_amplitude, phase = -rng.uniform(0, 1, 50), rng.uniform(-40, 40, 50)
    value = transmission(jnp.asarray(log_amplitude), jnp.asarray(phase))
    np.testing.assert_allclose(value, exact(log_amplitude, phase), rtol=1e-13)


def test_derivatives_of_both_orders() -> None:
    rng = np.random.default_rng(2)
    weights = jnp.asarray(rng.normal(size=(2, 7)))

    def parts(log_amplitude: jax.Array, phase: jax.Array) -> jax.Array:
        value = transmission(jnp.asarray(log_amplitude), jnp.asarray(phase))
        return jnp.sum(weights[0] * value.real + weights[1] * jnp.square(value.imag))

    at = jnp.asarray(-rng.uniform(0, 1, 7)), jnp.asarray(rng.uniform(-4, 4, 7))
    check_grads(parts, at, 2, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6, eps=1e-5)


def test_many_at_once() -> None:
    phase = jnp.linspace(-3.0, 3.0, 12).reshape(3, 4)
    together = jax.vmap(transmission, in_axes=(None, 0))(jnp.zeros(4), phase)
    np.testing.assert_allclose(together, np.exp(1j * np.asarray(phase)), atol=1e-14)


@pytest.mark.single_precision
def test_a_phasor_is_the_transmission_of_what_absorbs_nothing() -> None:
    phase = jnp.asarray(np.random.default_rng(3).uniform(-30, 30, 1000), jnp.float32)
    np.testing.assert_array_equal(phasor(phase), transmission(jnp.zeros_like(phase), phase))


def test_derivatives_of_a_phasor() -> None:
    def parts(phase: jax.Array) -> jax.Array:
        value = phasor(jnp.asarray(phase))
        return jnp.sum(value.real + jnp.square(value.imag))

    check_grads(parts, (jnp.linspace(-4, 4, 7),), 2, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6, eps=1e-5)
