"""A sum along a short axis is NumPy's, one operation, and its way back repeats."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adorym._core.short_sum import short_sum


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (3, 1, 2)], ids=str)
def test_it_is_numpys_with_all_derivatives(shape, axis):
    array = jnp.asarray(np.random.default_rng(0).normal(size=shape))
    np.testing.assert_allclose(jax.jit(short_sum, static_argnums=1)(array, axis), np.sum(array, axis), rtol=1e-14)
    np.testing.assert_allclose(short_sum(array, axis), np.sum(array, axis), rtol=1e-14)
    check_grads(lambda x: jnp.sum(short_sum(jnp.asarray(x), axis) ** 3), (array,), order=2)


@pytest.mark.parametrize("mapped", [0, 1, 2])
def test_mapped_over_any_other_axis(mapped):
    array = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, 4)))
    found = jax.vmap(lambda x: short_sum(x, 0), in_axes=mapped)(array)
    np.testing.assert_allclose(found, np.sum(np.moveaxis(array, mapped, 0), axis=1), rtol=1e-14)


def test_its_way_back_puts_nothing_together():
    told = str(jax.make_jaxpr(jax.grad(lambda x: jnp.sum(short_sum(x, 1) ** 2)))(jnp.ones((2, 3, 4))))
    assert "broadcast_in_dim" in told
    assert "concatenate" not in told
