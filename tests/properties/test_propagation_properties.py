"""What has to hold for every wave: round trips, energy, shifts, and that free space knows no preferred place."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym.propagation import fresnel_one_step, multislice, propagate, shift, transfer_function
from adorym.waves import Wave

shapes = st.sampled_from([(8, 8), (9, 12), (5, 7)])
seeds = st.integers(0, 2**32 - 1)
models = st.sampled_from(["angular spectrum", "fresnel"])
distances = st.floats(-1e-4, 1e-4)
PIXEL, WAVELENGTH = 1e-8, 1e-10
chain = jax.jit(lambda field, log_amplitude, phase, step: multislice(field, (log_amplitude, phase), step=step))


def random_wave(shape: tuple[int, ...], seed: int) -> Wave:
    rng = np.random.default_rng(seed)
    return Wave(jnp.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape)), PIXEL, WAVELENGTH)


def photons(wave: Wave) -> float:
    return float(wave.intensity.sum())


@given(shape=shapes, seed=seeds, model=models, distance=distances)
def test_there_and_back_again(shape: tuple[int, int], seed: int, model: str, distance: float) -> None:
    wave = random_wave(shape, seed)
    there = propagate(wave, distance, model=model)
    np.testing.assert_allclose(propagate(there, -distance, model=model).field, wave.field, atol=1e-12)
    assert photons(there) == pytest.approx(photons(wave), rel=1e-12)


@given(shape=shapes, seed=seeds, model=models, first=distances, second=distances)
def test_distances_add(shape: tuple[int, int], seed: int, model: str, first: float, second: float) -> None:
    wave = random_wave(shape, seed)
    twice = propagate(propagate(wave, first, model=model), second, model=model)
    np.testing.assert_allclose(twice.field, propagate(wave, first + second, model=model).field, atol=1e-9)


@given(seed=seeds, distance=distances, rows=st.integers(-9, 9), columns=st.integers(-9, 9))
def test_free_space_knows_no_place(seed: int, distance: float, rows: int, columns: int) -> None:
    wave = random_wave((9, 12), seed)
    moved = wave.with_field(jnp.roll(wave.field, (rows, columns), (0, 1)))
    expected = jnp.roll(propagate(wave, distance).field, (rows, columns), (0, 1))
    np.testing.assert_allclose(propagate(moved, distance).field, expected, atol=1e-12)


@given(seed=seeds, y=st.floats(-4.0, 4.0), x=st.floats(-4.0, 4.0))
def test_shifts_undo_each_other_and_keep_photons(seed: int, y: float, x: float) -> None:
    wave = random_wave((8, 9), seed)
    there = shift(wave.field, jnp.array([y, x]))
    back = shift(there, jnp.array([-y, -x]))
    np.testing.assert_allclose(back, wave.field, atol=1e-12)
    assert photons(wave.with_field(there)) == pytest.approx(photons(wave), rel=1e-12)


@given(seed=seeds, y=st.integers(-8, 8), x=st.integers(-8, 8))
def test_whole_shifts_are_rolls(seed: int, y: int, x: int) -> None:
    wave = random_wave((8, 9), seed)
    moved = shift(wave.field, jnp.array([float(y), float(x)]))
    np.testing.assert_allclose(moved, jnp.roll(wave.field, (y, x), (0, 1)), atol=1e-12)


@given(seed=seeds, factor=st.floats(1.0, 50.0))
def test_one_step_keeps_photons(seed: int, factor: float) -> None:
    wave = random_wave((8, 8), seed)
    far = fresnel_one_step(wave, factor * 1.0001 * 8 * PIXEL**2 / WAVELENGTH)
    assert photons(far) == pytest.approx(photons(wave), rel=1e-12)


@given(seed=seeds, strength=st.floats(0.0, 3.0), distance=st.floats(0.0, 1e-5))
def test_a_transparent_sample_takes_no_photon(seed: int, strength: float, distance: float) -> None:
    wave = random_wave((8, 9), seed)
    phase = jnp.asarray(-strength * np.random.default_rng(seed).uniform(size=(4, 8, 9)))
    step = jnp.asarray(transfer_function(wave.grid, distance))
    behind = wave.with_field(chain(wave.field, jnp.zeros_like(phase), phase, step))
    assert photons(behind) == pytest.approx(photons(wave), rel=1e-12)


@given(seed=seeds, thickness=st.floats(0.0, 1.0))
def test_the_chain_can_be_walked_back(seed: int, thickness: float) -> None:
    """Divide by t, propagate upstream: the incident wave returns."""
    wave = random_wave((8, 9), seed)
    rng = np.random.default_rng(seed)
    log_amplitude, phase = (jnp.asarray(-thickness * rng.uniform(size=(3, 8, 9))) for _ in range(2))
    step = jnp.asarray(transfer_function(wave.grid, 1e-6))
    behind = chain(wave.field, log_amplitude, phase, step)
    back = chain(behind, -log_amplitude[::-1], -phase[::-1], jnp.conj(step))
    np.testing.assert_allclose(back, wave.field, atol=1e-11)
