"""A multislice chain's value and gradient: the kernel that a reconstruction spends its time in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.speed.clock import Run, alternate, quickest, ratio, rounded, timed
from benchmarks.speed.floor import Ffts
from benchmarks.speed.settings import Settings
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adorym.propagation import Backward, multislice, transfer_function
from adorym.sharding import ALL_CORES
from adorym.waves import Grid

Shape = tuple[int, int, int]
"""Waves, pixels along an edge, slabs."""

WAYS: tuple[Backward, ...] = get_args(Backward)

FAST: tuple[Backward, ...] = ("stored", "reversible")
"""Those that are timed: segments take the FFTs of the one and write the waves of the other."""


def energy(log_amplitude: jax.Array, phase: jax.Array, incident: jax.Array, step: jax.Array, *, backward: Backward):
    """The photons on every other column behind the last slab: a number that every voxel has a part in."""
    wave = multislice(incident, (log_amplitude, phase), step=step, backward=backward)[..., ::2]
    return jnp.sum(jnp.square(wave.real) + jnp.square(wave.imag))


def gradient(backward: Backward = "stored", *, devices: int = 1) -> Callable[..., Any]:
    """Compiled value and gradient with respect to the slabs; waves dealt out over several host devices."""

    def one(*arguments: jax.Array) -> Any:
        return jax.value_and_grad(lambda *both: energy(*both, *arguments[2:], backward=backward), (0, 1))(
            *arguments[:2]
        )

    if devices == 1:
        return jax.jit(one, compiler_options=ALL_CORES)
    everywhere, dealt = PartitionSpec(), PartitionSpec("device")
    return jax.jit(
        jax.shard_map(
            lambda *arguments: jax.lax.psum(one(*arguments), "device"),
            mesh=Mesh(jax.local_devices()[:devices], ("device",)),
            in_specs=(everywhere, everywhere, dealt, everywhere),
            out_specs=everywhere,
            check_vma=False,
        )
    )


def arguments(shape: Shape, *, devices: int = 1) -> tuple[jax.Array, ...]:
    """Log-amplitude and phase of the slabs, incident waves, transfer function; where the devices want them."""
    waves, size, slabs = shape
    random = np.random.default_rng(0)
    volume = (-0.01 * random.random((slabs, size, size), np.float32) for _ in range(2))
    step = transfer_function(Grid((size, size), 1e-9, 2.5e-10), 1e-8).astype(np.complex64)
    made = (*volume, np.ones((waves, size, size), np.complex64), step)
    if devices == 1:
        return tuple(jnp.asarray(one) for one in made)
    mesh = Mesh(jax.local_devices()[:devices], ("device",))
    specs = (PartitionSpec(), PartitionSpec(), PartitionSpec("device"), PartitionSpec())
    return tuple(jax.device_put(one, NamedSharding(mesh, spec)) for one, spec in zip(made, specs, strict=True))


def ffts_in_a_loop(count: int) -> Callable[[jax.Array], jax.Array]:
    """So many FFTs of waves by JAX, forward and back in turn, in a loop as the slabs are."""

    def both(wave: jax.Array, _: None) -> tuple[jax.Array, None]:
        return jnp.fft.ifft2(jnp.fft.fft2(wave)), None

    return jax.jit(lambda wave: jax.lax.scan(both, wave, None, length=count // 2)[0])


def scratch(shape: Shape, backward: Backward) -> int:
    """Bytes of temporaries: what a gradient needs beside its arguments and results. Known without running it."""
    waves, size, slabs = shape
    volume = jax.ShapeDtypeStruct((slabs, size, size), jnp.float32)
    wave, step = (jax.ShapeDtypeStruct(one, jnp.complex64) for one in ((waves, size, size), (size, size)))
    told = gradient(backward).lower(volume, volume, wave, step).compile().memory_analysis()
    return int(told.temp_size_in_bytes)


def ways_of(shape: Shape, *, devices: int, room: float) -> dict[str, Run]:
    """A chain by each backward pass, on one device and dealt out over all, as far as memory goes."""
    found = {}
    volume = 8 * shape[2] * shape[1] ** 2
    for count in dict.fromkeys((1, devices)):
        if shape[0] % count:
            continue
        own = (shape[0] // count, *shape[1:])
        fitting = [one for one in FAST if count * (2 * volume + scratch(own, one)) < room]
        if fitting:
            given = arguments(shape, devices=count)
            place = "one device" if count == 1 else f"{count} host devices"
            found |= {f"{one}, {place}": timed(gradient(one, devices=count), *given) for one in fitting}
    return found


def against_floor(shape: Shape, libraries: Ffts, settings: Settings) -> dict[str, Any]:
    """One chain against 4 FFTs a slab and wave, and how much of it is JAX's own FFTs."""
    waves, size, slabs = shape
    count = 4 * slabs
    floors = libraries.runs((waves, size, size), count)
    ways = ways_of(shape, devices=settings.devices, room=settings.room)
    few = min(count, 128)
    loop = timed(ffts_in_a_loop(few), jnp.ones((waves, size, size), jnp.complex64))
    runs = {**floors, **ways, "JAX's FFTs": lambda: loop() * count / few}
    times = alternate(runs, settings.rounds, patience=settings.patience)
    floor, best = quickest(times, list(floors)), quickest(times, list(ways))
    return {
        "shape": list(shape),
        **ratio(times, best, floor),
        "by": best,
        "floor by": floor,
        "seconds": {name: rounded(min(seconds)) for name, seconds in times.items()},
        "rounds": len(times[best]),
        "JAX's FFTs": ratio(times, "JAX's FFTs", floor)["ratio"],
    }
