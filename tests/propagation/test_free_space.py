"""Propagation as an operation on arrays: batches, gradients, fractional shifts, far fields."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adorym._core import SamplingError
from adorym._core.fourier import centre_frequencies, convolve, fft2, ifft2, smooth_size
from adorym.propagation import far_field, phase_per_length, propagate, shift, transfer_function
from adorym.waves import Grid, Wave

GRID = Grid((12, 10), 2e-9, 5e-10)


def random_field(shape: tuple[int, ...], seed: int = 0) -> jax.Array:
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))


def test_a_stack_of_waves_is_propagated_wave_by_wave() -> None:
    stack = random_field((2, 3, 12, 10))
    together = propagate(Wave(stack, 2e-9, 5e-10), 1e-7)
    alone = propagate(Wave(stack[1, 2], 2e-9, 5e-10), 1e-7)
    np.testing.assert_allclose(together.field[1, 2], alone.field, atol=1e-13)
    assert together.shape == (12, 10)
    assert together.grid == GRID


def test_it_is_linear_and_its_gradient_is_the_wave_sent_back() -> None:
    """d/du Σ |Pu|² w = Pᵀ w Pu: reverse mode carries the residual upstream."""
    field, weights = random_field((12, 10)), jnp.asarray(np.random.default_rng(1).uniform(size=(12, 10)))

    def value(real: jax.Array, imaginary: jax.Array) -> jax.Array:
        wave = propagate(Wave(jax.lax.complex(real, imaginary), 2e-9, 5e-10), 1e-7)
        return jnp.sum(weights * wave.intensity)

    real, imaginary = jax.grad(value, (0, 1))(field.real, field.imag)
    there = propagate(Wave(field, 2e-9, 5e-10), 1e-7)
    back = propagate(there.with_field((2 * weights).astype(complex) * there.field), -1e-7).field
    np.testing.assert_allclose(real, back.real, atol=1e-12)
    np.testing.assert_allclose(imaginary, back.imag, atol=1e-12)


def test_no_distance_changes_nothing() -> None:
    wave = Wave(random_field((12, 10)), 2e-9, 5e-10)
    np.testing.assert_allclose(propagate(wave, 0.0).field, wave.field, atol=1e-14)
    evanescent = Grid((12, 10), 2e-10, 5e-10)
    np.testing.assert_array_equal(transfer_function(evanescent, 0.0), 1.0)


def test_rotational_symmetry_of_the_kernel() -> None:
    phase = phase_per_length(Grid((9, 9), 1e-9, 3e-10))
    np.testing.assert_array_equal(phase, phase.T)
    np.testing.assert_allclose(phase[1:], phase[1:][::-1])
    assert np.all(np.diff(phase[0, :5]) < 0)
    with pytest.raises(ValueError, match="read-only"):
        phase[0, 0] = 1.0  # it is cached


@pytest.mark.parametrize("grid", [Grid((4, 4), 0.0, 1e-10), Grid((4, 4), 1e-9, -1e-10)])
def test_impossible_grids_are_refused(grid: Grid) -> None:
    with pytest.raises(SamplingError, match="have to be positive"):
        phase_per_length(grid)


def test_whole_shifts_roll_towards_larger_indices() -> None:
    field = random_field((2, 6, 7))
    pixels = jnp.array([[0.0, 0.0], [2.0, -1.0]])
    moved = shift(field, pixels)
    assert moved.shape == (2, 2, 6, 7)
    np.testing.assert_allclose(moved[0], field, atol=1e-13)
    np.testing.assert_allclose(moved[1], jnp.roll(field, (2, -1), (1, 2)), atol=1e-13)


def test_fractional_shifts_move_a_smooth_field_by_their_fraction() -> None:
    y, x = np.meshgrid(np.arange(32) - 15.5, np.arange(32) - 15.5, indexing="ij")

    def spot(dy: float, dx: float) -> np.ndarray:
        return np.exp(-((y - dy) ** 2 + (x - dx) ** 2) / (2 * 2.5**2))

    moved = shift(jnp.asarray(spot(0, 0), complex), jnp.array([0.37, -0.82]))
    np.testing.assert_allclose(moved, spot(0.37, -0.82), atol=1e-8)


def test_shifts_are_differentiable_by_their_length() -> None:
    field = random_field((6, 5))

    @jax.jit
    def value(pixels: jax.Array) -> jax.Array:
        return jnp.sum(jnp.abs(shift(field, pixels)[0] - field))

    check_grads(value, (jnp.array([[0.3, -0.4]]),), 1, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 6), (5, 7)])
def test_the_transform_is_the_textbooks_sum(shape: tuple[int, int]) -> None:
    """Σ u(x) exp(-2 pi i f.x) / √N, with the zero frequency first; and its inverse."""
    field = random_field(shape)
    ny, nx = (np.arange(n) for n in shape)
    rows = np.exp(-2j * np.pi * np.outer(ny, ny) / shape[0])
    columns = np.exp(-2j * np.pi * np.outer(nx, nx) / shape[1])
    expected = rows @ np.asarray(field) @ columns / np.sqrt(field.size)
    np.testing.assert_allclose(fft2(field), expected, atol=1e-12)
    np.testing.assert_array_equal(far_field(field), fft2(field))
    np.testing.assert_allclose(ifft2(fft2(field)), field, atol=1e-13)
    np.testing.assert_allclose(convolve(field, jnp.full(shape, 2.0 + 0j)), 2 * np.asarray(field), atol=1e-13)
    centred = centre_frequencies(fft2(field))
    np.testing.assert_allclose(
        centred[shape[0] // 2, shape[1] // 2], np.sum(np.asarray(field)) / np.sqrt(field.size), atol=1e-12
    )


def test_smooth_sizes_are_the_next_even_ones_without_large_primes() -> None:
    def rough(n: int) -> int:
        for factor in (2, 3, 5):
            while n % factor == 0:
                n //= factor
        return n

    for minimum in range(1, 200):
        size = smooth_size(minimum)
        assert size % 2 == 0
        assert rough(size) == 1
        assert size >= minimum
        assert not any(n % 2 == 0 and rough(n) == 1 for n in range(max(minimum, 2), size))


def test_intensity_is_the_squared_modulus() -> None:
    field = random_field((3, 4, 4))
    np.testing.assert_allclose(Wave(field, 1.0, 1.0).intensity, np.abs(field) ** 2, rtol=1e-12)
