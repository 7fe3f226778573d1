"""Free space and thick matter against other codes: a quadrature written down beforehand, and a matrix exponential."""

from __future__ import annotations

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from tests.oracle import rayleigh_sommerfeld as oracle

from adorym.propagation import multislice, phase_per_length, propagate, transfer_function
from adorym.waves import Grid, Wave

RECORD = json.loads(oracle.FILE.read_text(encoding="utf-8"))


def test_the_record_is_what_its_recipe_gives() -> None:
    for index in (0, 3):
        recorded = complex(RECORD["real"][index], RECORD["imaginary"][index])
        assert oracle.at(*map(float, RECORD["points"][index])) == pytest.approx(recorded, rel=1e-9)


def test_rayleigh_and_sommerfeld() -> None:
    """The exact angular spectrum is their integral; Fresnel's is an approximation of it."""
    size = 256
    axis = np.arange(size) - size // 2
    field = oracle.source(axis[None, :].astype(float), axis[:, None].astype(float))
    wave = Wave(jnp.asarray(field), oracle.PIXEL, oracle.WAVELENGTH)
    expected = np.array(RECORD["real"]) + 1j * np.array(RECORD["imaginary"])
    errors = {}
    for model in ("angular spectrum", "fresnel"):
        found = np.asarray(propagate(wave, oracle.DISTANCE, model=model).field)
        seen = np.array([found[size // 2 + y, size // 2 + x] for x, y in RECORD["points"]])
        errors[model] = np.abs(seen - expected).max() / np.abs(expected).max()
    assert errors["angular spectrum"] < 2e-6
    assert errors["fresnel"] > 100 * errors["angular spectrum"]


def test_a_plate_is_the_exponential_of_its_operator() -> None:
    """Along a plate that is the same at every depth, the one-way equation du/dz = (i φ(f) - ik δ - kβ) u is solved by
    one matrix exponential (scipy's); multislice goes there as the square of the slabs' thickness."""
    size, pixel, wavelength, thickness = 32, 2e-9, 1e-9, 6e-8
    grid, k = Grid((1, size), pixel, wavelength), 2 * np.pi / wavelength
    x = np.arange(size) * 2 * np.pi / size
    delta = 4e-3 * (1.2 + np.sin(x) + 0.5 * np.cos(3 * x))
    beta = 5e-4 * (1.2 + np.cos(2 * x))
    transform = np.fft.fft(np.eye(size), axis=0)
    free = np.linalg.inv(transform) @ np.diag(1j * phase_per_length(grid)[0]) @ transform
    incident = 1 + 0.3 * np.sin(2 * x) + 0.2j * np.cos(x)
    exact = expm(thickness * (free + np.diag(-1j * k * delta - k * beta))) @ incident
    errors = []
    for count in (4, 8, 16, 32):
        step = thickness / count
        half, whole = (jnp.asarray(transfer_function(grid, z)) for z in (step / 2, step))
        matter = [jnp.asarray(np.broadcast_to(-k * step * part, (count, 1, size))) for part in (beta, delta)]
        wave = Wave(jnp.asarray(incident[None]), pixel, wavelength)
        entered = jnp.fft.ifft2(jnp.fft.fft2(wave.field) * half)
        behind = jax.jit(multislice)(entered, tuple(matter), step=whole)
        left = jnp.fft.ifft2(jnp.fft.fft2(behind) * half)
        errors.append(np.abs(np.asarray(left)[0] - exact).max())
    ratios = [coarse / fine for coarse, fine in itertools.pairwise(errors)]
    np.testing.assert_allclose(ratios, 4.0, rtol=0.1)
    assert errors[-1] < 2e-3 * np.abs(exact).max()
