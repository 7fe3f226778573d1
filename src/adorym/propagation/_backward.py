"""The multislice chain and its backward pass, by hand.

What enters a chain, in this order: field, step, the arrays that describe the slabs, those that `transmit` closes over,
and the corners of windows. The cotangents of all of them come from one walk from the last slab to the first. It needs
the wave in front of each slab, which is found in one of three ways:

- stored: the waves in front of all slabs are kept.
- reversible: only the exit wave is kept, and walked back. Divided by its transmission and by its transfer function a
  wave is what it was: 4 FFTs a slab for the way back, and memory that does not grow with the number of slabs.
- segments: the waves at the start of √S segments are kept, and a segment's waves are computed again from its start.

Neither the volume nor its gradient is ever cut or joined, as a copy of them is larger than all the rest: loops count
slabs, read a slab where it is and write its gradient where it belongs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import eval_jaxpr
from jax.extend.core import Jaxpr
from jaxtyping import Array

from adorym._core.crossing import cross_and_convolve, cross_and_convolve_transposed, crossed, middle
from adorym._core.fourier import plain_fft2, plain_ifft2
from adorym._core.words import scope
from adorym.propagation._windows import Windows

Backward = Literal["stored", "segments", "reversible"]

FIELD, STEP, SLABS = range(3)

Operands = tuple[Array, ...]
Parts = dict[int, Array]
"""Operands, or their cotangents, by their place."""

Kept = tuple[Array, ...]
"""Waves kept for the way back: behind the last slab; or in front of each slab, or of each whole segment, and of what
is left."""


class _Plan(NamedTuple):
    """What a chain does, beside its arrays.

    Attributes:
        seen: (what `transmit` closes over; what describes a slab) to what the frames see of its transmission.
        parts: how many arrays describe the slabs.
        backward: which waves are kept.
        window: size of what each frame sees of a slab, if not all of it; the slabs are transmissions then.
    """

    seen: Jaxpr
    parts: int
    backward: Backward
    window: tuple[int, int] | None

    @property
    def of_slabs(self) -> range:
        """Places of what describes the slabs."""
        return range(SLABS, SLABS + self.parts)


class _Chain(NamedTuple):
    """A plan and the arrays it is for."""

    plan: _Plan
    operands: Operands

    @property
    def last(self) -> int:
        """Index of the last slab, and number of steps."""
        return self.operands[SLABS].shape[0] - 1

    @property
    def closed(self) -> range:
        """Places of what `transmit` closes over."""
        return range(SLABS + self.plan.parts, len(self.operands) - (self.plan.window is not None))

    @property
    def windows(self) -> Windows | None:
        """What each frame sees of a slab."""
        return None if self.plan.window is None else Windows(self.operands[-1], self.plan.window)

    def slab(self, k: Any) -> Parts:
        """What the transmission of slab k is made of."""
        parts = {i: self.operands[i] for i in self.closed}
        for i in self.plan.of_slabs:
            parts[i] = jax.lax.dynamic_index_in_dim(self.operands[i], k, keepdims=False)
        return parts

    def seen(self, parts: Parts) -> Array:
        """The transmission that the frames see of a slab."""
        closed = [parts[i] for i in self.closed]
        with scope("transmit"):
            return eval_jaxpr(self.plan.seen, closed, *(parts[i] for i in self.plan.of_slabs))[0]

    def of_slab(self, k: Any) -> Array:
        """The transmission that the frames see of slab k."""
        windows = self.windows
        return self.seen(self.slab(k)) if windows is None else windows.cut(self.operands[SLABS], k)

    def behind(self, wave: Array, k: Any) -> Array:
        """A wave that has crossed slab k."""
        seen = self.of_slab(k)
        with scope("transmit"):
            return crossed(wave, seen)

    def beyond(self, wave: Array, k: Any) -> Array:
        """A wave that has crossed slab k and gone on to the next one."""
        return cross_and_convolve(wave, self.of_slab(k), self.operands[STEP])


# --- forward ----------------------------------------------------------------------------------------------------------


def _advance(chain: _Chain, wave: Array, slabs: Array, *, keep: bool) -> tuple[Array, Any]:
    """The wave in front of the slab after the given ones, and in front of each of those."""

    def body(wave: Array, k: Array) -> tuple[Array, Array | None]:
        return chain.beyond(wave, k), wave if keep else None

    return jax.lax.scan(body, wave, slabs)


def _exit(chain: _Chain) -> Array:
    wave, _ = _advance(chain, chain.operands[FIELD], jnp.arange(chain.last), keep=False)
    return chain.behind(wave, chain.last)


def _segments(chain: _Chain) -> tuple[Array, Array]:
    """The slabs of the whole segments, `(segment, slab)`, and those that are left over; the last slab is in neither."""
    slabs, segment = jnp.arange(chain.last), math.isqrt(chain.last - 1) + 1
    whole = len(slabs) // segment * segment
    return slabs[:whole].reshape(-1, segment), slabs[whole:]


def _exit_and_kept(chain: _Chain) -> tuple[Array, Kept]:
    if chain.plan.backward == "reversible":
        exit_wave = _exit(chain)
        return exit_wave, (exit_wave,)
    if chain.plan.backward == "stored":
        last, waves = _advance(chain, chain.operands[FIELD], jnp.arange(chain.last), keep=True)
        return chain.behind(last, chain.last), (waves, last)

    def body(wave: Array, slabs: Array) -> tuple[Array, Array]:
        return _advance(chain, wave, slabs, keep=False)[0], wave

    whole, left = _segments(chain)
    rest, starts = jax.lax.scan(body, chain.operands[FIELD], whole)
    wave, _ = _advance(chain, rest, left, keep=False)
    return chain.behind(wave, chain.last), (starts, rest)


# --- back -------------------------------------------------------------------------------------------------------------


class _Behind(NamedTuple):
    """Where the walk has come to: the cotangent of the wave behind a slab, and those of the operands so far."""

    cotangent: Array
    totals: Parts


class _State(NamedTuple):
    """Where the walk is once what the slab is made of has been dealt with.

    Attributes:
        cotangent: of the wave behind the slab.
        seen: the slab's transmission; none where each frame sees a window of it, which is cut out again where it is
            wanted.
        totals: the cotangents of the operands so far.
    """

    cotangent: Array
    seen: Array | None
    totals: Parts


def _at_slab(chain: _Chain, behind: _Behind, k: Any, *, front: Callable[[Array], Array]) -> _State:
    """Deals with slab k; `front` finds the wave's middle in front of it, given what is seen of it."""
    cotangent, totals = behind
    with scope("transmit"):
        if (windows := chain.windows) is not None:
            seen = windows.cut(chain.operands[SLABS], k)
            change = _of_seen(cotangent, seen, front)
            added = {i: windows.added(total, k, change) for i, total in totals.items() if i == SLABS}
            return _State(cotangent, None, totals | added)
        parts = chain.slab(k)
        wanted = {i: part for i, part in parts.items() if i in totals}
        seen, pull = jax.vjp(lambda wanted: chain.seen(parts | wanted), wanted)
        totals = dict(totals)
        for i, change in pull(_of_seen(cotangent, seen, front))[0].items():
            if i in chain.plan.of_slabs:
                totals[i] = jax.lax.dynamic_update_index_in_dim(totals[i], change, k, 0)
            else:
                totals[i] = totals[i] + change
        return _State(cotangent, seen, totals)


def _of_seen(cotangent: Array, seen: Array, front: Callable[[Array], Array]) -> Array:
    """The cotangent of what is seen of a slab; of what its waves share the sum."""
    wave = front(seen)
    _, product = jax.vjp(lambda seen: wave * seen, seen)
    return product(middle(cotangent, seen))[0]


def _seen(chain: _Chain, state: _State, k: Any) -> Array:
    """What is seen of slab k, behind which the walk is."""
    return chain.of_slab(k) if state.seen is None else state.seen


def _before(chain: _Chain, state: _State, k: Any, *, spectrum: Callable[[], Array]) -> _Behind:
    """From behind the slab after slab k to behind slab k; `spectrum` is that of the wave there.

    JAX's transposes are without conjugation, and Fourier's matrix is symmetric.
    """
    step, seen = chain.operands[STEP], _seen(chain, state, k + 1)
    if STEP not in state.totals:
        return _Behind(cross_and_convolve_transposed(state.cotangent, seen, step), state.totals)
    cotangent = plain_ifft2(crossed(state.cotangent, seen))
    _, product = jax.vjp(lambda step: spectrum() * step, step)
    total = state.totals[STEP] + product(cotangent)[0]
    return _Behind(plain_fft2(cotangent * step), state.totals | {STEP: total})


def _reciprocal(values: Array) -> Array:
    """1 / values, several times faster than a complex division, which guards against overflow."""
    scale = 1 / (jnp.square(values.real) + jnp.square(values.imag))
    return jax.lax.complex(values.real * scale, -values.imag * scale)


def _walk_back(chain: _Chain, exit_wave: Array, start: _Behind) -> _State:
    """The walk of a wave that is known behind the last slab."""
    undo = _reciprocal(chain.operands[STEP])

    def at(wave: Array, behind: _Behind, k: Any) -> _State:
        return _at_slab(chain, behind, k, front=lambda seen: middle(wave, seen) * _reciprocal(seen))

    def body(both: tuple[_State, Array], k: Array) -> tuple[tuple[_State, Array], None]:
        state, wave = both
        behind = cross_and_convolve(wave, _reciprocal(_seen(chain, state, k + 1)), undo)
        return (at(behind, _before(chain, state, k, spectrum=lambda: plain_fft2(behind)), k), behind), None

    (end, _), _ = jax.lax.scan(
        body, (at(exit_wave, start, chain.last), exit_wave), jnp.arange(chain.last), reverse=True
    )
    return end


def _walk_along(chain: _Chain, state: _State, slabs: Array, *, waves: Array) -> _State:
    """The walk over some slabs, of a wave that is known in front of each."""

    def one(state: _State, slab: tuple[Array, Array]) -> tuple[_State, None]:
        k, wave = slab
        before = _before(chain, state, k, spectrum=lambda: plain_fft2(chain.behind(wave, k)))
        return _at_slab(chain, before, k, front=lambda seen: middle(wave, seen)), None

    return jax.lax.scan(one, state, (slabs, waves), reverse=True)[0]


def _walk_stored(chain: _Chain, kept: Kept, start: _Behind) -> _State:
    """The walk of a wave that is known in front of each slab."""
    waves, last = kept
    behind = _at_slab(chain, start, chain.last, front=lambda seen: middle(last, seen))
    return _walk_along(chain, behind, jnp.arange(chain.last), waves=waves)


def _walk_segments(chain: _Chain, kept: Kept, start: _Behind) -> _State:
    """The walk of a wave that is known at the start of each segment."""

    def segment(state: _State, piece: tuple[Array, Array]) -> tuple[_State, None]:
        slabs, start = piece
        _, waves = _advance(chain, start, slabs, keep=True)
        return _walk_along(chain, state, slabs, waves=waves), None

    (starts, rest), (whole, left) = kept, _segments(chain)
    wave, waves = _advance(chain, rest, left, keep=True)
    behind = _at_slab(chain, start, chain.last, front=lambda seen: middle(wave, seen))
    behind = _walk_along(chain, behind, left, waves=waves)
    return jax.lax.scan(segment, behind, (whole, starts), reverse=True)[0]


def _walk(chain: _Chain, kept: Kept, linear: tuple[int, ...], *, cotangent: Array) -> Parts:
    """Cotangents of the operands named by `linear`."""
    start = _Behind(cotangent, {i: jnp.zeros_like(chain.operands[i]) for i in linear if i != FIELD})
    match chain.plan.backward:
        case "stored":
            end = _walk_stored(chain, kept, start)
        case "segments":
            end = _walk_segments(chain, kept, start)
        case "reversible":
            end = _walk_back(chain, kept[0], start)
    with scope("transmit"):
        return end.totals | {FIELD: crossed(end.cotangent, _seen(chain, end, 0))}
