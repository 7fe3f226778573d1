"""Times the kernels as ratios to what no code can avoid, side by side in one run: `make bench`.

A multislice chain's value and gradient against 4 FFTs a slab and wave by JAX's own FFT; a rotation and its adjoint
against plain copies of the volume. Medians over several runs.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from adorym.propagation import multislice, transfer_function
from adorym.rotation import rotate
from adorym.waves import Grid


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of a compiled function."""
    jax.block_until_ready(run())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(run())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def chain(waves: int, size: int, slabs: int) -> None:
    """Value and gradient of a multislice chain."""
    random = np.random.default_rng(0)
    log_amplitude, phase = (jnp.asarray(-0.01 * random.random((slabs, size, size)), jnp.float32) for _ in range(2))
    incident = jnp.ones((waves, size, size), jnp.complex64)
    step = jnp.asarray(transfer_function(Grid((size, size), 1e-9, 2.5e-10), 1e-8), jnp.complex64)

    @jax.jit
    def gradient(log_amplitude: jax.Array, phase: jax.Array) -> object:
        def energy(log_amplitude: jax.Array, phase: jax.Array) -> jax.Array:
            return jnp.sum(jnp.abs(multislice(incident, (log_amplitude, phase), step=step)[..., ::2]) ** 2)

        return jax.value_and_grad(energy, (0, 1))(log_amplitude, phase)

    transform = jax.jit(jnp.fft.fft2)
    floor = 4 * slabs * seconds(lambda: transform(incident))
    took = seconds(lambda: gradient(log_amplitude, phase))
    print(
        f"multislice {waves} x {size}^2 x {slabs}: {took * 1e3:8.1f} ms, {took / floor:5.2f} x 4 FFTs a slab and wave"
    )


def rotation(size: int) -> None:
    """A rotation about y, its adjoint, and the rotation summed into slabs."""
    volume = jnp.ones((size, size, size), jnp.float32)
    plus = jax.jit(lambda array: array + jnp.float32(1))
    copy = seconds(lambda: plus(volume))
    turn = jax.jit(lambda array: rotate(array, 0.7, 0.0, size=(size, size)))
    back = jax.jit(lambda array: jax.linear_transpose(turn, volume)(array)[0])
    sums = jax.jit(lambda array: rotate(array, 0.7, 0.0, size=(size, size), planes=8))
    for name, run in (("rotation", turn), ("adjoint", back), ("into slabs of 8", sums)):
        took = seconds(lambda run=run: run(volume))
        print(f"{name} of {size}^3: {took * 1e3:8.1f} ms, {took / copy:5.2f} x a copy of the volume")


if __name__ == "__main__":
    print(f"JAX {jax.__version__}, {jax.devices()[0].platform}, {platform.machine()}, {time.strftime('%Y-%m-%d')}")
    for case in ((8, 128, 16), (16, 256, 16), (2, 512, 32)):
        chain(*case)
    rotation(256)
