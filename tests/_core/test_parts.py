"""Sums over parts: right in value and gradient, whatever they close over, and with memory for one part only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core.parts import curvature_of_parts, product_of_parts, sum_of_parts


def _parts(number: int) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.integers(0, 4, number)), jnp.asarray(rng.standard_normal((number, 5)))


def _by_autodiff(function, parts):
    return jnp.sum(jax.vmap(function)(parts))


@pytest.mark.parametrize("number", [1, 7])
def test_value_and_gradient_of_real_and_complex_arrays(number: int) -> None:
    """Integers among the parts, a complex array and a number closed over, one of them not differentiated."""
    parts, fixed = _parts(number), jnp.arange(5.0)

    def of(how, wave, number):
        def one(part):
            row, weight = part
            return jnp.sum(weight * fixed * jnp.abs(wave[row]) ** 2) * jnp.sin(number)

        return how(one, parts)

    wave = jnp.asarray(np.random.default_rng(4).standard_normal((4, 5, 2)) @ np.array([1, 1j]))
    for transformed in (jax.value_and_grad(of, argnums=(1, 2)), jax.jit(of, static_argnums=0)):
        found, wanted = (jax.tree.leaves(transformed(how, wave, 0.7)) for how in (sum_of_parts, _by_autodiff))
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_cotangent_is_carried_on() -> None:
    parts = _parts(6)

    def of(how, x):
        return jnp.exp(how(lambda part: jnp.sum(part[1] * x) ** 2, parts) / 30)

    found, wanted = (jax.grad(of, argnums=1)(how, 0.3) for how in (sum_of_parts, _by_autodiff))
    assert float(found) == pytest.approx(float(wanted), rel=1e-12)
    assert abs(float(wanted)) > 0.1


@pytest.mark.parametrize("what", ["gradient", "product"])
def test_derivatives_of_many_parts_take_the_memory_of_one(what: str) -> None:
    def taken(number: int) -> int:
        parts, wave = jnp.ones(number, complex), jnp.ones((64, 64), complex)

        def gradient(wave: jax.Array) -> jax.Array:
            of = jax.value_and_grad(lambda wave: sum_of_parts(lambda part: jnp.sum(intensity(wave, part) ** 2), parts))
            return of(wave)[1]

        def product(wave: jax.Array) -> jax.Array:
            def prepare(wave: jax.Array) -> tuple:
                return lambda part: intensity(wave, part), parts

            return product_of_parts(prepare, wave, wave, weigh=lambda part, value, change: value * change)

        told = jax.jit({"gradient": gradient, "product": product}[what]).lower(wave).compile().memory_analysis()
        assert told is not None
        return told.temp_size_in_bytes

    def intensity(wave: jax.Array, part: jax.Array) -> jax.Array:
        return jnp.abs(jnp.fft.fft2(wave * part)) ** 2

    assert taken(50) <= taken(2) + 64 * 64 * 8


@pytest.mark.parametrize("number", [1, 7])
def test_a_gauss_newton_product_and_the_curvature_along_a_vector_are_those_of_the_whole(number: int) -> None:
    """What the parts share is a nonlinear function of the point; real and complex arrays are closed over."""
    weights, point = _parts(number), {"a": jnp.linspace(0.1, 0.9, 20).reshape(4, 5), "b": jnp.asarray(0.3)}
    vector = jax.tree.map(lambda leaf: jnp.cos(7 * leaf), point)

    def prepare(point):
        wave = jnp.fft.fft(jax.lax.complex(jnp.cos(point["a"]), jnp.sin(point["a"])))  # all parts see this one
        return lambda part: (jnp.abs(wave[part[0]]) * part[1] + point["b"]) ** 2, weights

    def weigh(part, value, change):
        return jnp.abs(part[1]) / value * change

    def whole(point):
        function, parts = prepare(point)
        return jax.vmap(function)(parts)

    values, forward = jax.linearize(whole, point)
    changed = jax.vmap(weigh)(weights, values, forward(vector))
    wanted = jax.linear_transpose(forward, point)(changed)[0]
    along = sum(np.vdot(a, b) for a, b in zip(jax.tree.leaves(vector), jax.tree.leaves(wanted), strict=True))
    for ready in (lambda how: how, lambda how: jax.jit(how, static_argnums=0, static_argnames="weigh")):
        found = ready(product_of_parts)(prepare, point, vector, weigh=weigh)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(ready(curvature_of_parts)(prepare, point, vector, weigh=weigh), along, rtol=1e-11)
