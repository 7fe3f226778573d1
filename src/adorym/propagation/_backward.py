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

from adorym._core.fourier import convolve, convolve_transposed, plain_fft2, plain_ifft2
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

    def behind(self, wave: Array, k: Any) -> Array:
        """A wave that has crossed slab k."""
        windows = self.windows
        seen = self.seen(self.slab(k)) if windows is None else windows.cut(self.operands[SLABS], k)
        with scope("transmit"):
            return wave * seen


# --- forward ----------------------------------------------------------------------------------------------------------


def _advance(chain: _Chain, wave: Array, slabs: Array, *, keep: bool) -> tuple[Array, Any]:
    """The wave in front of the slab after the given ones, and in front of each of those."""

    def body(wave: Array, k: Array) -> tuple[Array, Array | None]:
        return convolve(chain.behind(wave, k), chain.operands[STEP]), wave if keep else None

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


class _State(NamedTuple):
    """Where the walk is: the cotangent of the wave there, and those of the operands so far."""

    cotangent: Array
    totals: Parts


def _before_slab(chain: _Chain, state: _State, k: Any, *, front: Callable[[Array], Array]) -> tuple[_State, Array]:
    """From behind slab k to its front; `front` finds the wave there, given what is seen of the slab."""
    with scope("transmit"):
        return _back(chain, state, k, front=front)


def _back(chain: _Chain, state: _State, k: Any, *, front: Callable[[Array], Array]) -> tuple[_State, Array]:
    if (windows := chain.windows) is not None:
        wave, cotangent, of_seen = _back_through(windows.cut(chain.operands[SLABS], k), state, front)
        added = {i: windows.added(total, k, of_seen) for i, total in state.totals.items() if i == SLABS}
        return _State(cotangent, state.totals | added), wave
    parts = chain.slab(k)
    wanted = {i: part for i, part in parts.items() if i in state.totals}
    seen, pull = jax.vjp(lambda wanted: chain.seen(parts | wanted), wanted)
    wave, cotangent, of_seen = _back_through(seen, state, front)
    totals = dict(state.totals)
    for i, change in pull(of_seen)[0].items():
        if i in chain.plan.of_slabs:
            totals[i] = jax.lax.dynamic_update_index_in_dim(totals[i], change, k, 0)
        else:
            totals[i] = totals[i] + change
    return _State(cotangent, totals), wave


def _back_through(seen: Array, state: _State, front: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """The wave in front of what is seen of a slab, and the cotangents of both."""
    wave = front(seen)
    _, product = jax.vjp(jnp.multiply, wave, seen)
    return wave, *product(state.cotangent)


def _before_step(chain: _Chain, state: _State, spectrum: Callable[[], Array]) -> _State:
    """From the front of a slab to behind the one before it; `spectrum` is that of the wave there.

    JAX's transposes are without conjugation, and Fourier's matrix is symmetric.
    """
    step = chain.operands[STEP]
    if STEP not in state.totals:
        return state._replace(cotangent=convolve_transposed(state.cotangent, step))
    cotangent = plain_ifft2(state.cotangent)
    _, product = jax.vjp(lambda step: spectrum() * step, step)
    total = state.totals[STEP] + product(cotangent)[0]
    return _State(plain_fft2(cotangent * step), state.totals | {STEP: total})


def _reciprocal(values: Array) -> Array:
    """1 / values, several times faster than a complex division, which guards against overflow."""
    scale = 1 / (jnp.square(values.real) + jnp.square(values.imag))
    return jax.lax.complex(values.real * scale, -values.imag * scale)


def _walk_back(chain: _Chain, exit_wave: Array, state: _State) -> _State:
    """The walk of a wave that is known behind the last slab."""
    undo = _reciprocal(chain.operands[STEP])

    def body(both: tuple[_State, Array], k: Array) -> tuple[tuple[_State, Array], None]:
        state, wave = both
        behind = convolve(wave, undo)
        state = _before_step(chain, state, lambda: plain_fft2(behind))
        return _before_slab(chain, state, k, front=lambda seen: behind * _reciprocal(seen)), None

    start = _before_slab(chain, state, chain.last, front=lambda seen: exit_wave * _reciprocal(seen))
    (state, _), _ = jax.lax.scan(body, start, jnp.arange(chain.last), reverse=True)
    return state


def _walk_along(chain: _Chain, state: _State, slabs: Array, *, waves: Array) -> _State:
    """The walk over some slabs, of a wave that is known in front of each."""

    def one(state: _State, slab: tuple[Array, Array]) -> tuple[_State, None]:
        k, wave = slab
        state = _before_step(chain, state, lambda: plain_fft2(chain.behind(wave, k)))
        return _before_slab(chain, state, k, front=lambda seen: wave)[0], None

    return jax.lax.scan(one, state, (slabs, waves), reverse=True)[0]


def _walk_stored(chain: _Chain, kept: Kept, state: _State) -> _State:
    """The walk of a wave that is known in front of each slab."""
    waves, last = kept
    state, _ = _before_slab(chain, state, chain.last, front=lambda seen: last)
    return _walk_along(chain, state, jnp.arange(chain.last), waves=waves)


def _walk_segments(chain: _Chain, kept: Kept, state: _State) -> _State:
    """The walk of a wave that is known at the start of each segment."""

    def segment(state: _State, piece: tuple[Array, Array]) -> tuple[_State, None]:
        slabs, start = piece
        _, waves = _advance(chain, start, slabs, keep=True)
        return _walk_along(chain, state, slabs, waves=waves), None

    (starts, rest), (whole, left) = kept, _segments(chain)
    wave, waves = _advance(chain, rest, left, keep=True)
    state, _ = _before_slab(chain, state, chain.last, front=lambda seen: wave)
    state = _walk_along(chain, state, left, waves=waves)
    return jax.lax.scan(segment, state, (whole, starts), reverse=True)[0]


def _walk(chain: _Chain, kept: Kept, linear: tuple[int, ...], *, cotangent: Array) -> Parts:
    """Cotangents of the operands named by `linear`."""
    state = _State(cotangent, {i: jnp.zeros_like(chain.operands[i]) for i in linear if i != FIELD})
    match chain.plan.backward:
        case "stored":
            state = _walk_stored(chain, kept, state)
        case "segments":
            state = _walk_segments(chain, kept, state)
        case "reversible":
            state = _walk_back(chain, kept[0], state)
    return state.totals | {FIELD: state.cotangent}
