"""Derivatives of the multislice chain, forward and back.

`jax.custom_vjp` would do for gradients, but Gauss-Newton needs forward mode too. So the chain has a forward rule, and
that rule's linear map is a primitive: forward it goes along the waves that were kept, or is the plain chain's
derivative; transposed it is the walk back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Complex

from adorym.propagation._backward import (
    FIELD,
    Backward,
    Operands,
    Parts,
    _Chain,
    _exit,
    _exit_and_kept,
    _Plan,
    _walk,
)
from adorym.propagation._windows import Windows


def chain_of_slabs(
    field: Complex[Array, "*frames y x"],
    slabs: tuple[Array, ...],
    *,
    step: Complex[Array, "y x"],
    transmit: Callable[..., Complex[Array, "*windows"]],
    windows: Windows | None,
    backward: Backward,
) -> Complex[Array, "*frames y x"]:
    """`multislice` of two slabs or more; with windows the slabs are transmissions."""
    slab = (jax.ShapeDtypeStruct(part.shape[1:], part.dtype) for part in slabs)
    seen = jax.make_jaxpr(transmit)(*slab)
    closed = [*map(jnp.asarray, seen.consts), *(() if windows is None else (windows.corners,))]
    plan = _Plan(seen.jaxpr, len(slabs), backward, None if windows is None else windows.shape)
    return _multislice(plan, field, step, *slabs, *closed)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _multislice(plan: _Plan, *operands: Array) -> Array:
    return _exit(_Chain(plan, operands))


def _multislice_jvp(plan: _Plan, operands: Operands, tangents: Any) -> tuple[Array, Array]:
    exit_wave, kept = _exit_and_kept(_Chain(plan, operands))
    moves = {
        i: tangent
        for i, (operand, tangent) in enumerate(zip(operands, tangents, strict=True))
        if jnp.issubdtype(operand.dtype, jnp.inexact) and not isinstance(tangent, SymbolicZero)
    }
    if not moves:
        return exit_wave, jnp.zeros_like(exit_wave)
    return exit_wave, _tangent.bind(*kept, *operands, *moves.values(), plan=plan, linear=tuple(moves))


_multislice.defjvp(_multislice_jvp, symbolic_zeros=True)


def _sorted_out(plan: _Plan, linear: tuple[int, ...], flat: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    """What the primitive is given: waves kept, operands, and the moves of those named by `linear`."""
    waves = 1 if plan.backward == "reversible" else 2
    moves = len(flat) - len(linear)
    return flat[:waves], flat[waves:moves], flat[moves:]


def _implementation(*flat: Array, plan: _Plan, linear: tuple[int, ...]) -> Array:
    """How the exit wave moves when the operands named by `linear` do; along the waves kept, if they are all there."""
    if plan.backward != "stored":
        return _moved(*flat, plan=plan, linear=linear)
    (waves, last), operands, moves = _sorted_out(plan, linear, flat)
    of_field, some = jnp.zeros_like(operands[FIELD]), {}
    for i, move in zip(linear, moves, strict=True):
        if i == FIELD:
            of_field = move
        else:
            some[i] = move

    def along(front: Array, moved: Array, step: Callable[[_Chain, Array], Array]) -> Array:
        def function(front: Array, own: Parts) -> Array:
            mixed = dict(enumerate(operands)) | own
            return step(_Chain(plan, tuple(mixed.values())), front)

        return jax.jvp(function, (front, {i: operands[i] for i in some}), (moved, some))[1]

    def body(moved: Array, slab: tuple[Array, Array]) -> tuple[Array, None]:
        k, front = slab
        return along(front, moved, lambda chain, front: chain.beyond(front, k)), None

    end = _Chain(plan, operands).last
    moved, _ = jax.lax.scan(body, of_field, (jnp.arange(end), waves))
    return along(last, moved, lambda chain, front: chain.behind(front, end))


def _moved(*flat: Array, plan: _Plan, linear: tuple[int, ...]) -> Array:
    """The same by JAX's own rules for the plain chain, which does not ask for the waves kept."""
    _, operands, moves = _sorted_out(plan, linear, flat)

    def moved(*some: Array) -> Array:
        mixed = list(operands)
        for i, x in zip(linear, some, strict=True):
            mixed[i] = x
        return _exit(_Chain(plan, tuple(mixed)))

    return jax.jvp(moved, tuple(operands[i] for i in linear), moves)[1]


_tangent = Primitive("multislice_tangent")
_tangent.def_impl(_implementation)


@_tangent.def_abstract_eval
def _(*flat: Any, plan: _Plan, linear: tuple[int, ...]) -> Any:
    return _sorted_out(plan, linear, flat)[1][FIELD]


def _jvp(flat: tuple[Any, ...], tangents: tuple[Any, ...], *, plan: _Plan, linear: tuple[int, ...]) -> tuple[Any, Any]:
    out = _tangent.bind(*flat, plan=plan, linear=linear)
    kept, operands, _ = _sorted_out(plan, linear, flat)
    _, of_operands, of_moves = _sorted_out(plan, linear, tangents)
    total = None
    some = {i: tangent for i, tangent in zip(linear, of_moves, strict=True) if type(tangent) is not ad.Zero}
    if some:
        total = _tangent.bind(*kept, *operands, *some.values(), plan=plan, linear=tuple(some))
    # second derivatives: the waves kept move as well
    first = len(flat) - len(operands) - len(linear)
    bent = [first + i for i, tangent in enumerate(of_operands) if type(tangent) is not ad.Zero]
    bent = [i for i in bent if jnp.issubdtype(flat[i].dtype, jnp.inexact)]
    if bent:

        def plain(*some: Array) -> Array:
            mixed = list(flat)
            for i, x in zip(bent, some, strict=True):
                mixed[i] = x
            return _moved(*mixed, plan=plan, linear=linear)

        _, change = jax.jvp(plain, tuple(flat[i] for i in bent), tuple(tangents[i] for i in bent))
        total = change if total is None else total + change
    return out, ad.Zero(jax.typeof(out)) if total is None else total


def _transpose(cotangent: Any, *flat: Any, plan: _Plan, linear: tuple[int, ...]) -> list[Any]:
    kept, operands, moves = _sorted_out(plan, linear, flat)
    wanted = tuple(i for i, move in zip(linear, moves, strict=True) if ad.is_undefined_primal(move))
    if type(cotangent) is ad.Zero:
        found: dict[int, Any] = {i: ad.Zero(jax.typeof(operands[i])) for i in wanted}
    else:
        chain = _Chain(plan, tuple(map(jnp.asarray, operands)))  # constants may come as NumPy's arrays
        found = _walk(chain, kept, wanted, cotangent=cotangent)
    return [None] * (len(flat) - len(linear)) + [found[i] if i in wanted else None for i in linear]


def _batch(
    flat: tuple[Array, ...], axes: tuple[int | None, ...], *, plan: _Plan, linear: tuple[int, ...]
) -> tuple[Array, int]:
    """One after the other; what is common to all is not repeated."""
    stacked = {
        i: jnp.moveaxis(x, axis, 0) for i, (x, axis) in enumerate(zip(flat, axes, strict=True)) if axis is not None
    }

    def one(own: Parts) -> Array:
        return _tangent.bind(*(own.get(i, x) for i, x in enumerate(flat)), plan=plan, linear=linear)

    return jax.lax.map(one, stacked), 0


ad.primitive_jvps[_tangent] = _jvp
ad.primitive_transposes[_tangent] = _transpose
batching.primitive_batchers[_tangent] = _batch
mlir.register_lowering(_tangent, mlir.lower_fun(_implementation, multiple_results=False))
