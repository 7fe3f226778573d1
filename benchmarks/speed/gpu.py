"""The same kernels where memory is fast: absolute times, and how near they come to what moving the bytes takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.speed.chain import arguments, gradient
from benchmarks.speed.clock import Run, alternate, rounded, timed
from benchmarks.speed.scenes import batch_of, gradient_of, hologram
from benchmarks.speed.settings import Settings
from benchmarks.speed.traffic import chain_bytes, far_field_bytes, fraction, view_bytes

from adorym._core.fourier import fft2
from adorym.propagation import Windows, multislice, transfer_function
from adorym.waves import Grid


def scanned(frames: int, size: int, slices: int, *, step: int = 12) -> tuple[Run, int]:
    """Frames of a scan through a few slices, compared with data: the gradient of the slices; and the bytes."""
    edge = max(1, round(frames**0.5))
    width = size + step * edge
    random = np.random.default_rng(0)
    slabs = tuple(jnp.asarray(-0.01 * random.random((slices, width, width), np.float32)) for _ in range(2))
    corners = jnp.asarray([(step * (i // edge % edge), step * (i % edge)) for i in range(frames)])
    probe = jnp.ones((size, size), jnp.complex64)
    counts = jnp.ones((frames, size, size), jnp.float32)
    transfer = jnp.asarray(transfer_function(Grid((size, size), 1e-9, 2.5e-10), 1e-6), jnp.complex64)

    windows = Windows(corners, (size, size))

    def nll(slabs: tuple[jax.Array, jax.Array], probe: jax.Array, counts: jax.Array) -> jax.Array:
        incident = jnp.broadcast_to(probe, (frames, 1, size, size))
        wave = fft2(multislice(incident, slabs, step=transfer, windows=windows))[:, 0]
        expected = jnp.square(wave.real) + jnp.square(wave.imag) + 1e-6
        return jnp.sum(expected - counts * jnp.log(expected))

    moved = chain_bytes(frames, size**2, slices, slab_pixels=width**2) + far_field_bytes(frames, size**2)
    return timed(jax.jit(jax.value_and_grad(nll)), slabs, probe, counts), moved


def bulk(waves: int, size: int, slabs: int) -> tuple[Run, int]:
    """Many waves through the same slabs."""
    given = arguments((waves, size, slabs))
    return timed(gradient(), *given), chain_bytes(waves, size**2, slabs)


def full_field(size: int, views: int) -> tuple[Run, int]:
    """Views of a full-field volume with the slabs of a default job, rotation included."""
    experiment = hologram(size, views=views)
    run, _ = gradient_of(experiment, batch_of(views, 1, (size, size)))
    pixels = experiment.grid.shape[0] * experiment.grid.shape[1]
    slabs = -(-size // experiment.object.slab_voxels)
    return run, views * (chain_bytes(1, pixels, slabs) + view_bytes(size**3, slabs * size**2))


def against_bandwidth(settings: Settings) -> list[dict[str, Any]]:
    """All kernels beside a plain copy, in turn."""
    small = settings.small
    large = np.ones((1 << 18) if small else (1 << 28), np.float32)
    copied = jax.jit(lambda x: x + 1)
    cases: dict[str, tuple[tuple[Run, int], int]] = {}
    for waves in (2,) if small else (64, 256):
        size, slabs = (32, 4) if small else (256, 16)
        cases[f"{waves} x {size}² through {slabs} slabs"] = bulk(waves, size, slabs), waves
    frames, size = (4, 36) if small else (100, 364)
    cases[f"{frames} frames of {size}² through 4 slices"] = scanned(frames, size, 4), frames
    size, views = (16, 2) if small else (256, 4)
    cases[f"full field {size}³"] = full_field(size, views), views
    runs = {"copy": timed(copied, jnp.asarray(large)), **{name: run for name, ((run, _), _) in cases.items()}}
    times = alternate(runs, 2 * settings.rounds, patience=settings.patience)
    bandwidth = 2 * large.nbytes / min(times["copy"])
    rows: list[dict[str, Any]] = [{"kernel": "copy", "bytes a second": rounded(bandwidth)}]
    for name, ((_, moved), count) in cases.items():
        least = min(times[name])
        told = {"ms": rounded(1e3 * least), "µs each": rounded(1e6 * least / count), "bytes": moved}
        rows.append({"kernel": name, **told, "fraction": rounded(fraction(moved, least, bandwidth))})
    return rows
