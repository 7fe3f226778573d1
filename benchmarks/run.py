"""Times the kernels as ratios to what no code can avoid, side by side in one run: `make bench`.

A multislice chain's value and gradient against 4 FFTs a slab and wave by JAX's own FFT; a rotation and its adjoint
against plain copies of the volume. Medians over several runs. The backward passes that keep few waves against the one
that stores them all, in time and in memory.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np

from adorym.propagation import Backward, multislice, transfer_function
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


def chain_gradient(backward: Backward = "stored") -> Callable[..., object]:
    """Value and gradient of a multislice chain."""

    def energy(log_amplitude: jax.Array, phase: jax.Array, incident: jax.Array, step: jax.Array) -> jax.Array:
        return jnp.sum(
            jnp.abs(multislice(incident, (log_amplitude, phase), step=step, backward=backward)[..., ::2]) ** 2
        )

    return jax.jit(jax.value_and_grad(energy, (0, 1)))


def chain_arguments(waves: int, size: int, slabs: int) -> tuple[jax.Array, ...]:
    """Log-amplitude, phase, incident wave and transfer function."""
    random = np.random.default_rng(0)
    log_amplitude, phase = (jnp.asarray(-0.01 * random.random((slabs, size, size)), jnp.float32) for _ in range(2))
    incident = jnp.ones((waves, size, size), jnp.complex64)
    step = jnp.asarray(transfer_function(Grid((size, size), 1e-9, 2.5e-10), 1e-8), jnp.complex64)
    return log_amplitude, phase, incident, step


def chain(waves: int, size: int, slabs: int) -> None:
    """Value and gradient of a multislice chain."""
    gradient, arguments = chain_gradient(), chain_arguments(waves, size, slabs)
    transform = jax.jit(jnp.fft.fft2)
    floor = 4 * slabs * seconds(lambda: transform(arguments[2]))
    took = seconds(lambda: gradient(*arguments))
    print(
        f"multislice {waves} x {size}^2 x {slabs}: {took * 1e3:8.1f} ms, {took / floor:5.2f} x 4 FFTs a slab and wave"
    )


def memory(waves: int, size: int, slabs: int, deep: int) -> None:
    """The backward passes: time, and memory beyond the volume and its gradient, which is known without running."""
    arguments, stored = chain_arguments(waves, size, slabs), None
    wave, step = (jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arguments[2:])
    for backward in get_args(Backward):
        gradient = chain_gradient(backward)
        needs = []
        for count in (slabs, deep):
            volume = jax.ShapeDtypeStruct((count, size, size), jnp.float32)
            compiled = gradient.lower(volume, volume, wave, step).compile()
            needs.append(compiled.memory_analysis().temp_size_in_bytes / arguments[2].nbytes)
        took = seconds(lambda gradient=gradient: gradient(*arguments))
        stored = stored or took
        print(
            f"{backward} {waves} x {size}^2 x {slabs}: {took / stored:5.2f} x the time stored; "
            f"{needs[0]:6.1f} waves of memory, {needs[1]:6.1f} for {deep} slabs: {needs[1] / needs[0]:5.2f} x"
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
    memory(4, 256, 32, 256)
    rotation(256)
