"""The chain of slabs against one written out by hand, and its derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adorym.propagation import multislice, transfer_function, transmission
from adorym.waves import Grid

SHAPE = (6, 5)
STEP = jnp.asarray(transfer_function(Grid(SHAPE, 2e-9, 1e-9), 4e-9))


def slabs(count: int, seed: int = 0) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    return jnp.asarray(-rng.uniform(0, 0.2, (count, *SHAPE))), jnp.asarray(-rng.uniform(0, 1.0, (count, *SHAPE)))


def by_hand(field: np.ndarray, log_amplitude: np.ndarray, phase: np.ndarray) -> np.ndarray:
    for index, (a, p) in enumerate(zip(log_amplitude, phase, strict=True)):
        field = field * np.exp(np.asarray(a) + 1j * np.asarray(p))
        if index < len(phase) - 1:
            field = np.fft.ifft2(np.fft.fft2(field) * np.asarray(STEP))
    return field


@pytest.mark.parametrize("count", [1, 2, 5])
def test_transmit_and_propagate_from_middle_to_middle(count: int) -> None:
    rng = np.random.default_rng(3)
    field = rng.normal(size=(2, *SHAPE)) + 1j * rng.normal(size=(2, *SHAPE))
    log_amplitude, phase = slabs(count)
    wave = multislice(jnp.asarray(field), (log_amplitude, phase), step=STEP)
    np.testing.assert_allclose(wave, by_hand(field, log_amplitude, phase), atol=1e-12)


def test_the_order_of_slabs_matters() -> None:
    log_amplitude, phase = slabs(3)
    field = jnp.ones(SHAPE, complex)
    forth = multislice(field, (log_amplitude, phase), step=STEP)
    back = multislice(field, (log_amplitude[::-1], phase[::-1]), step=STEP)
    assert float(jnp.abs(forth - back).max()) > 0.01


def test_a_window_cuts_what_each_frame_sees() -> None:
    """Windows of a larger slab, one for each frame, are the frames' own samples."""
    rng = np.random.default_rng(3)
    wide = [jnp.asarray(-rng.uniform(0, 1.0, (3, 10, 9))) for _ in range(2)]
    corners = [(0, 0), (2, 3), (4, 4)]

    def window(slab: jax.Array) -> jax.Array:
        return jnp.stack([slab[y : y + 6, x : x + 5] for y, x in corners])

    together = multislice(
        jnp.ones((3, *SHAPE), complex), tuple(wide), step=STEP, transmit=lambda *slab: window(transmission(*slab))
    )
    for frame, (y, x) in zip(together, corners, strict=True):
        own = tuple(part[:, y : y + 6, x : x + 5] for part in wide)
        np.testing.assert_allclose(frame, multislice(jnp.ones(SHAPE, complex), own, step=STEP), atol=1e-13)


@pytest.mark.parametrize("count", [1, 4])
def test_derivatives(count: int) -> None:
    log_amplitude, phase = slabs(count)
    weights = jnp.asarray(np.random.default_rng(1).uniform(size=SHAPE))

    @jax.jit
    def value(real: jax.Array, log_amplitude: jax.Array, phase: jax.Array) -> jax.Array:
        wave = multislice(jax.lax.complex(real, 0.3 * real), (log_amplitude, phase), step=STEP)
        return jnp.sum(weights * (jnp.square(wave.real) + jnp.square(wave.imag)))

    check_grads(value, (1 + weights, log_amplitude, phase), 1, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6, eps=1e-5)
