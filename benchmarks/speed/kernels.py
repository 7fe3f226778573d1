"""Memory of the backward passes, and the rotation beside copies of the volume."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.speed.chain import WAYS, scratch
from benchmarks.speed.clock import Run, alternate, quickest, ratio, rounded, timed
from benchmarks.speed.settings import Settings

from adorym.rotation import rotate
from adorym.sharding import ALL_CORES


def memory(size: int, depths: tuple[int, int]) -> list[dict[str, Any]]:
    """Temporaries of a gradient through few slabs and many, one wave, for each backward pass; nothing is run."""
    wave = 8 * size**2
    found = []
    for backward in WAYS:
        few, many = (scratch((1, size, depth), backward) for depth in depths)
        waves = [rounded(one / wave) for one in (few, many)]
        found.append({"by": backward, "slabs": list(depths), "waves": waves, "growth": rounded(many / few - 1)})
    return found


def rotation(size: int, settings: Settings) -> dict[str, Any]:
    """A rotation and its adjoint against copies of the volume."""
    volume = jnp.asarray(np.random.default_rng(0).random((size, size, size), np.float32))
    there, back = np.asarray(volume), np.empty((size, size, size), np.float32)
    angle = jnp.asarray(0.7, jnp.float32)

    def turned(array: jax.Array, angle: jax.Array, planes: int = 1) -> jax.Array:
        return rotate(array, angle, 0.0, size=(size, size), planes=planes)

    def adjoint(array: jax.Array, angle: jax.Array) -> jax.Array:
        return jax.linear_transpose(lambda volume: turned(volume, angle), volume)(array)[0]

    compiled = functools.partial(jax.jit, compiler_options=ALL_CORES)
    runs: dict[str, Run] = {
        "copy": timed(there.copy),
        "copy by JAX": timed(compiled(jnp.copy), volume),
        "copy onto a copy": timed(np.copyto, back, there),
        "forward": timed(compiled(turned), volume, angle),
        "adjoint": timed(compiled(adjoint), volume, angle),
        "into slabs of 8": timed(compiled(turned, static_argnums=2), volume, angle, 8),
    }
    times = alternate(runs, 2 * settings.rounds, patience=settings.patience)
    times["both"] = [a + b for a, b in zip(times["forward"], times["adjoint"], strict=True)]
    copy = quickest(times, ("copy", "copy by JAX"))
    told = {name: ratio(times, name, copy) for name in ("forward", "adjoint", "into slabs of 8")}
    least = {name: rounded(min(seconds)) for name, seconds in times.items()}
    return {"size": size, **ratio(times, "both", copy), "by": copy, "parts": told, "seconds": least}
