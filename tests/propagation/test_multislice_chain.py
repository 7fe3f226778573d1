"""The chain of slabs against one written out by hand, and its derivatives."""

from __future__ import annotations

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adorym._core import SamplingError
from adorym.propagation import Backward, Windows, multislice, transfer_function
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


CORNERS = ((0, 0), (2, 3), (4, 4))


def windowed(wide: tuple[jax.Array, ...], backward: Backward) -> jax.Array:
    windows = Windows(jnp.asarray(CORNERS), SHAPE)
    return multislice(jnp.ones((3, 1, *SHAPE), complex), wide, step=STEP, windows=windows, backward=backward)


def own_chains(wide: tuple[jax.Array, ...]) -> jax.Array:
    """What windows stand for: every frame by itself, through slabs of its own."""
    own = (tuple(part[:, y : y + SHAPE[0], x : x + SHAPE[1]] for part in wide) for y, x in CORNERS)
    return jnp.stack([multislice(jnp.ones((1, *SHAPE), complex), one, step=STEP) for one in own])


@pytest.mark.parametrize("backward", get_args(Backward))
@pytest.mark.parametrize("count", [1, 2, 5])
def test_windows_are_what_each_frame_sees(count: int, backward: Backward) -> None:
    """Overlapping windows of larger slabs, one for each frame: waves, derivatives, and gradients added up."""
    rng = np.random.default_rng(3)
    wide = tuple(jnp.asarray(-rng.uniform(0, 0.5, (count, 10, 9))) for _ in range(2))
    moves = tuple(jnp.asarray(rng.normal(size=(count, 10, 9))) for _ in range(2))
    np.testing.assert_allclose(windowed(wide, backward), own_chains(wide), atol=1e-13)
    found, pull = jax.vjp(lambda wide: windowed(wide, backward), wide)
    _, pull_own = jax.vjp(own_chains, wide)
    for a, b in zip(*(one(found.conj() * 2)[0] for one in (pull, pull_own)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    forth = [jax.jvp(chain, (wide,), (moves,))[1] for chain in (lambda wide: windowed(wide, backward), own_chains)]
    np.testing.assert_allclose(*forth, atol=1e-12)


@pytest.mark.parametrize("backward", get_args(Backward))
@pytest.mark.parametrize(("count", "size"), [(1, (3, 2)), (2, (6, 3)), (5, (3, 2))], ids=str)
def test_around_a_slab_smaller_than_the_wave_is_vacuum(size: tuple[int, int], count: int, backward: Backward) -> None:
    """As if it were padded: waves, derivatives forth and back."""
    rng = np.random.default_rng(3)
    small = tuple(jnp.asarray(-rng.uniform(0, 0.5, (count, *size))) for _ in range(2))
    moves = tuple(jnp.asarray(rng.normal(size=(count, *size))) for _ in range(2))
    field = jnp.asarray(rng.normal(size=(3, 2, *SHAPE)) + 1j * rng.normal(size=(3, 2, *SHAPE)))
    before = [(n - m) // 2 for n, m in zip(SHAPE, size, strict=True)]
    pads = ((0, 0), *((b, n - m - b) for b, n, m in zip(before, SHAPE, size, strict=True)))

    def as_it_is(slabs: tuple[jax.Array, ...]) -> jax.Array:
        return multislice(field, slabs, step=STEP, backward=backward)

    def padded(slabs: tuple[jax.Array, ...]) -> jax.Array:
        return multislice(field, tuple(jnp.pad(part, pads) for part in slabs), step=STEP)

    (found, moved), (wanted, right) = (jax.jvp(jax.jit(chain), (small,), (moves,)) for chain in (as_it_is, padded))
    np.testing.assert_allclose(found, wanted, atol=1e-13)
    np.testing.assert_allclose(moved, right, atol=1e-12)
    pulls = (jax.jit(lambda c, chain=chain: jax.vjp(chain, small)[1](c)[0]) for chain in (as_it_is, padded))
    for a, b in zip(*(pull(found.conj() * 2) for pull in pulls), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("count", [1, 2])
def test_a_slab_larger_than_the_wave_is_refused(count: int) -> None:
    slab = jnp.zeros((count, SHAPE[0], SHAPE[1] + 2))
    with pytest.raises(SamplingError, match="slab of 6 x 7 pixels is larger than the wave of 6 x 5"):
        multislice(jnp.ones(SHAPE, complex), (slab, slab), step=STEP)


@pytest.mark.parametrize("count", [1, 4])
def test_derivatives(count: int) -> None:
    log_amplitude, phase = slabs(count)
    weights = jnp.asarray(np.random.default_rng(1).uniform(size=SHAPE))

    @jax.jit
    def value(real: jax.Array, log_amplitude: jax.Array, phase: jax.Array) -> jax.Array:
        wave = multislice(jax.lax.complex(real, 0.3 * real), (log_amplitude, phase), step=STEP)
        return jnp.sum(weights * (jnp.square(wave.real) + jnp.square(wave.imag)))

    check_grads(value, (1 + weights, log_amplitude, phase), 1, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6, eps=1e-5)
