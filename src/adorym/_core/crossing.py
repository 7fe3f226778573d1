"""A wave through a slab and on to the next one: the product with what is seen of the slab, and a filter.

One operation, so that a library that makes a CPU's transforms can do both to a wave while it is in the cache. And XLA
would compute a transmission in the loop that puts it into the middle of a wider wave: number by number on a CPU, which
takes ten times as long as the transmission alone in vectors. Handed to a library it is computed by itself.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Complex

from adorym._core.errors import SamplingError
from adorym._core.fourier import Targets, convolve, convolve_transposed, filter_of

Wave = Complex[Array, "*frames y x"]
Seen = Complex[Array, "*some ys xs"]


def middle(wave: Wave, seen: Seen) -> Complex[Array, "*frames ys xs"]:
    """What of a wave crosses a slab that may be smaller than the wave.

    Example:
        >>> import jax.numpy as jnp
        >>> middle(jnp.arange(4.0)[None] + 0j, jnp.ones((1, 2), complex)).real.tolist()
        [[1.0, 2.0]]
    """
    if wave.shape[-2:] == seen.shape[-2:]:
        return wave
    corner = _corner(wave, seen)
    return jax.lax.slice(
        wave, corner, [*wave.shape[:-2], *(c + m for c, m in zip(corner[-2:], seen.shape[-2:], strict=True))]
    )


def crossed(wave: Wave, seen: Seen) -> Wave:
    """A wave times what is seen of a slab, in its middle; around a slab that is smaller than the wave is vacuum.

    Args:
        wave: `(..., y, x)`.
        seen: the slab's transmission, as large as the wave or smaller along each axis.

    Raises:
        SamplingError: it is larger.

    Example:
        >>> import jax.numpy as jnp
        >>> crossed(jnp.ones((1, 4), complex), jnp.full((1, 2), 3.0 + 0j)).real.tolist()
        [[1.0, 3.0, 3.0, 1.0]]
    """
    product = middle(wave, seen) * seen
    return product if product.shape == wave.shape else jax.lax.dynamic_update_slice(wave, product, _corner(wave, seen))


def _corner(wave: Any, seen: Any) -> list[int]:
    have, want = wave.shape[-2:], seen.shape[-2:]
    if any(m > n for n, m in zip(have, want, strict=True)):
        raise SamplingError(
            f"A slab of {want[0]} x {want[1]} pixels is larger than the wave of {have[0]} x {have[1]} that crosses it: "
            "cut its middle out, or give windows."
        )
    return [*[0] * (wave.ndim - 2), *((n - m) // 2 for n, m in zip(have, want, strict=True))]


def cross_and_convolve(wave: Wave, seen: Seen, transfer: Complex[Array, "y x"]) -> Wave:
    """`convolve(crossed(wave, seen), transfer)`.

    Example:
        >>> import jax.numpy as jnp
        >>> ones = jnp.ones((2, 2), complex)
        >>> bool(jnp.allclose(cross_and_convolve(ones, 3 * ones, ones), 3.0))
        True
    """
    return _crossing.bind(wave, seen, transfer, inverse=False)


def cross_and_convolve_transposed(cotangent: Wave, seen: Seen, transfer: Complex[Array, "y x"]) -> Wave:
    """`convolve_transposed(crossed(cotangent, seen), transfer)`, the way back to behind the slab before.

    Example:
        >>> import jax.numpy as jnp
        >>> ones = jnp.ones((2, 2), complex)
        >>> bool(jnp.allclose(cross_and_convolve_transposed(ones, 3 * ones, ones), 3.0))
        True
    """
    return _crossing.bind(cotangent, seen, transfer, inverse=True)


_crossing = Primitive("cross_and_filter2")


def _step_by_step(wave: Array, seen: Array, transfer: Array, *, inverse: bool) -> Array:
    return (convolve_transposed if inverse else convolve)(crossed(wave, seen), transfer)


def _checked(wave: Any, seen: Any, transfer: Any, *, inverse: bool) -> Any:
    """A wave like the first; of a slab that is larger a library would read and write beside it."""
    _corner(wave, seen)
    return wave


def _jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...], *, inverse: bool) -> tuple[Array, Any]:
    moved = {i: tangent for i, tangent in enumerate(tangents) if type(tangent) is not ad.Zero}

    def of(*some: Array) -> Array:
        mixed = dict(enumerate(primals)) | dict(zip(moved, some, strict=True))
        return _step_by_step(*mixed.values(), inverse=inverse)

    _, change = jax.jvp(of, tuple(primals[i] for i in moved), tuple(moved.values()))
    return _crossing.bind(*primals, inverse=inverse), change


def _batch(operands: tuple[Array, ...], axes: tuple[int | None, ...], *, inverse: bool) -> tuple[Array, int]:
    return jax.vmap(functools.partial(_step_by_step, inverse=inverse), in_axes=axes)(*operands), 0


_crossing.def_impl(jax.jit(_step_by_step, static_argnames="inverse"))
_crossing.def_abstract_eval(_checked)
ad.primitive_jvps[_crossing] = _jvp
batching.primitive_batchers[_crossing] = _batch
mlir.register_lowering(_crossing, mlir.lower_fun(_step_by_step, multiple_results=False))


def cross_on_cpu(targets: Targets) -> None:
    """Has waves cross slabs by the targets that filter them, on a CPU.

    Example:
        >>> cross_on_cpu.__name__
        'cross_on_cpu'
    """
    filtered = filter_of(targets)

    def lowered(wave: Array, seen: Array, transfer: Array, *, inverse: bool) -> Array:
        alike = math.prod(seen.shape) == math.prod(seen.shape[-2:])  # each frame's own part of a slab XLA cuts out
        if not alike or transfer.shape != wave.shape[-2:] or {seen.dtype, transfer.dtype} != {wave.dtype}:
            return _step_by_step(wave, seen, transfer, inverse=inverse)
        return filtered(wave, transfer, seen, inverse=inverse)

    mlir.register_lowering(_crossing, mlir.lower_fun(lowered, multiple_results=False), platform="cpu")
