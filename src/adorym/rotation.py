"""Turning a volume about the y axis, with an exact adjoint that gathers.

A view at angle θ sees, at the laboratory point (x, z), the sample point (x cos θ - z sin θ, x sin θ + z cos θ)
(CONVENTIONS). The rotation is the same for all planes across the axis, so the volume is kept `(z, x, y)`: an index is
computed once and fetches a contiguous row along y. The value at a sample point is bilinear in (z, x).

The linear map is a primitive of its own, because none of JAX's ways gives all of: the transpose as a gather (the one
autodiff finds is a scatter, 7 times slower), forward and reverse mode, `vmap`, and derivatives with respect to the
angle and the axis. The transpose: output o samples the volume at R(o) with the tent weight
(1 - |Δz|)(1 - |Δx|), so voxel p receives from the outputs o in the 3 x 3 neighbourhood of round(R⁻¹(p)) the weight
tent(R(o) - p). It is exact: where the tent is not zero, o differs from R⁻¹(p) by less than √2 along each axis, so from
its rounded value by less than 2, that is by one at most.

Six reads do for these nine. The tent stands on an open square with sides of 2 about R⁻¹(p), turned by the angle. Count
the neighbourhood's axes in the direction in which R⁻¹(p) lies off its rounded value. Then (-1, -1) is at least √2 away,
half the square's diagonal: never inside. (-1, 0) and (-1, 1) lie 1 apart on a line that passes R⁻¹(p) at a distance of
1 or more; the square's chord there is 2 / (1 + sin θ + cos θ) <= 1 long (θ to the nearest axis), so that at most one is
inside. The same holds for (0, -1) and (1, -1).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.layout import Layout, with_layout_constraint
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from adorym._core.words import scope

Size = tuple[int, int]


def rotate(
    volume: Float[Array, "z x y"],
    angle: Float[Array, ""] | float,
    axis_offset: Float[Array, ""] | float,
    *,
    size: Size,
    planes: int = 1,
    middle: float = 0.0,
) -> Float[Array, "slab xo y"]:
    """The volume as the laboratory sees it when the sample is turned by `angle` about +y; vacuum outside.

    Planes along the beam can be summed into slabs on the way, without the turned volume ever being stored.

    Args:
        volume: values on cubic voxels, `(z, x, y)`, its centre on the rotation axis.
        angle: radians, right-hand rule about +y (z turns towards x).
        axis_offset: where the axis stands in the output, in voxels right of its centre.
        size: number of output voxels along z and x.
        planes: voxel planes along z that are summed into one slab; divides the first size.
        middle: z of the output's middle, in voxels downstream of the axis.

    Returns:
        `(slab, x, y)` in the laboratory; z is centred on the axis (but for `middle`), x on the output's centre.

    Example:
        >>> volume = jnp.zeros((3, 3, 1)).at[1, 2, 0].set(1.0)      # at x = +1
        >>> turned = rotate(volume, jnp.pi / 2, 0.0, size=(3, 3))   # z turns towards x, so x turns towards -z
        >>> bool(jnp.isclose(turned[0, 1, 0], 1.0))
        True
    """
    angle, axis_offset = (jnp.asarray(value, volume.dtype) for value in (angle, axis_offset))
    plan = _Plan((volume.shape[0], volume.shape[1]), size, planes, middle)
    with scope("rotate"):
        return _rotate.bind(volume, angle, axis_offset, plan=plan, transpose=False)


class _Plan(NamedTuple):
    """What a rotation does, beside the angle and the axis: from which grid to which."""

    source: Size
    size: Size
    planes: int
    middle: float


def _sample_of(z: Array, x: Array, angle: Array) -> tuple[Array, Array]:
    """Sample coordinates seen at the laboratory point (z, x)."""
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return x * sine + z * cosine, x * cosine - z * sine


def _index_of(z: Array, x: Array, size: Size) -> tuple[Array, Array]:
    """Fractional indices on a centred grid."""
    return z + (size[0] - 1) / 2, x + (size[1] - 1) / 2


class _Corner(NamedTuple):
    """A grid point, and its weight."""

    z: Array
    x: Array
    weight: Array


def _weighted_rows(rows: Array, size: Size, corners: list[_Corner]) -> Array:
    """Sum over corners of weight times row; corners outside the grid are vacuum."""
    total: Array | None = None
    for z, x, weight in corners:
        inside = (z >= 0) & (z < size[0]) & (x >= 0) & (x < size[1])
        index = jnp.where(inside, z * size[1] + x, 0)
        part = rows.at[index].get(mode="promise_in_bounds") * jnp.where(inside, weight, 0)[:, None]
        total = part if total is None else total + part
    assert total is not None
    return total


def _forward(volume: Array, angle: Array, offset: Array, *, plan: _Plan) -> Array:
    return _turned(volume, angle, offset, slabs=jnp.arange(plan.size[0] // plan.planes), plan=plan)


def _forward_in_turn(volume: Array, angle: Array, offset: Array, *, plan: _Plan) -> Array:
    """Slab after slab, as a CPU is to do it.

    Left to fuse all slabs' reads with what is done to them, XLA reads single numbers of four rows for a transposed
    result: ten times slower where every plane is a slab.
    """
    return jax.lax.map(
        lambda slab: _turned(volume, angle, offset, slabs=slab[None], plan=plan)[0],
        jnp.arange(plan.size[0] // plan.planes),
    )


def _turned(volume: Array, angle: Array, offset: Array, *, slabs: Array, plan: _Plan) -> Array:
    """Some of the slabs, by their index."""
    width = plan.size[1]
    x = jnp.arange(width, dtype=volume.dtype) - (width - 1) / 2 - offset
    first = slabs.astype(volume.dtype) * plan.planes - (plan.size[0] - 1) / 2 + plan.middle
    rows = volume.reshape(-1, volume.shape[-1])

    def one_plane(plane: Array, total: Array) -> Array:
        laboratory_z, laboratory_x = jnp.broadcast_arrays((first + plane.astype(first.dtype))[:, None], x[None, :])
        seen = _sample_of(laboratory_z.reshape(-1), laboratory_x.reshape(-1), angle)
        z, x_index = _index_of(*seen, plan.source)
        z0, x0 = jnp.floor(z), jnp.floor(x_index)
        fz, fx = z - z0, x_index - x0
        iz, ix = z0.astype(jnp.int32), x0.astype(jnp.int32)
        corners = [
            _Corner(iz + a, ix + b, (fz if a else 1 - fz) * (fx if b else 1 - fx))
            for a, b in itertools.product((0, 1), repeat=2)
        ]
        return total + _weighted_rows(rows, plan.source, corners)

    empty = jnp.zeros((len(slabs) * width, volume.shape[-1]), volume.dtype)
    return jax.lax.fori_loop(0, plan.planes, one_plane, empty).reshape(len(slabs), width, -1)


def _backward(cotangent: Array, angle: Array, offset: Array, *, plan: _Plan) -> Array:
    size, slab_size = plan.size, (plan.size[0] // plan.planes, plan.size[1])
    depth, width = plan.source
    # the rows it reads have to lie in memory as rows; left to itself, XLA hands over a transposed array
    rows = with_layout_constraint(cotangent.reshape(-1, cotangent.shape[-1]), Layout(major_to_minor=(0, 1)))
    z, x = (jnp.arange(n, dtype=cotangent.dtype) - (n - 1) / 2 for n in (depth, width))
    point_z, point_x = (a.reshape(-1) for a in jnp.broadcast_arrays(z[:, None], x[None, :]))
    # the inverse rotation is the rotation by -angle; the output's x index counts from the displaced axis
    laboratory_z, laboratory_x = _sample_of(point_z, point_x, -angle)
    oz, ox = _index_of(laboratory_z - plan.middle, laboratory_x + offset, size)
    nz, nx = jnp.round(oz), jnp.round(ox)
    to_z, to_x = jnp.where(oz < nz, -1, 1), jnp.where(ox < nx, -1, 1)

    def neighbour(along_z: int, along_x: int) -> _Corner:
        a, b = along_z * to_z, along_x * to_x
        back_z, back_x = _sample_of(
            nz + (a - (size[0] - 1) / 2 + plan.middle), nx + (b - (size[1] - 1) / 2) - offset, angle
        )
        weight = jnp.maximum(1 - jnp.abs(back_z - point_z), 0) * jnp.maximum(1 - jnp.abs(back_x - point_x), 0)
        # floor division sends planes in front of the first slab to slab -1, which is outside
        return _Corner((nz.astype(jnp.int32) + a) // plan.planes, nx.astype(jnp.int32) + b, weight)

    def either(one: _Corner, other: _Corner) -> _Corner:
        return _Corner(*(jnp.where(one.weight > other.weight, a, b) for a, b in zip(one, other, strict=True)))

    corners = [neighbour(*at) for at in ((0, 0), (0, 1), (1, 0), (1, 1))]
    corners.append(either(neighbour(-1, 0), neighbour(-1, 1)))
    corners.append(either(neighbour(0, -1), neighbour(1, -1)))
    return _weighted_rows(rows, slab_size, corners).reshape(*plan.source, -1)


def _implementation(array: Array, angle: Array, offset: Array, *, plan: _Plan, transpose: bool) -> Array:
    kernel: Callable[..., Array] = _backward if transpose else _forward
    return kernel(array, angle, offset, plan=plan)


def _on_cpu(array: Array, angle: Array, offset: Array, *, plan: _Plan, transpose: bool) -> Array:
    kernel: Callable[..., Array] = _backward if transpose else _forward_in_turn
    return kernel(array, angle, offset, plan=plan)


_rotate = Primitive("rotate")
_rotate.def_impl(jax.jit(_rotate.bind, static_argnames=("plan", "transpose")))


@_rotate.def_abstract_eval
def _(array: Any, angle: Any, offset: Any, *, plan: _Plan, transpose: bool) -> Any:
    seen = (plan.size[0] // plan.planes, plan.size[1])
    shape = (*(plan.source if transpose else seen), array.shape[-1])
    return array.update(shape=shape)


def _jvp(primals: tuple[Array, ...], tangents: tuple[Any, ...], *, plan: _Plan, transpose: bool) -> tuple[Array, Any]:
    array, angle, offset = primals

    def turned(array: Array, angle: Array, offset: Array) -> Array:
        return _rotate.bind(array, angle, offset, plan=plan, transpose=transpose)

    out, total = turned(array, angle, offset), None
    if type(tangents[0]) is not ad.Zero:
        total = turned(tangents[0], angle, offset)
    if any(type(t) is not ad.Zero for t in tangents[1:]):
        moves = tuple(ad.instantiate_zeros(t) for t in tangents[1:])
        plain = functools.partial(_implementation, array, plan=plan, transpose=transpose)
        _, change = jax.jvp(plain, (angle, offset), moves)
        total = change if total is None else total + change
    return out, ad.Zero(jax.typeof(out)) if total is None else total


def _transpose(
    cotangent: Any, array: Any, angle: Array, offset: Array, *, plan: _Plan, transpose: bool
) -> tuple[Any, None, None]:
    if type(cotangent) is ad.Zero:
        return ad.Zero(array.aval), None, None
    back = _rotate.bind(cotangent, angle, offset, plan=plan, transpose=not transpose)
    return back, None, None


def _batch(
    operands: tuple[Array, ...], axes: tuple[int | None, ...], *, plan: _Plan, transpose: bool
) -> tuple[Array, int]:
    length = next(o.shape[a] for o, a in zip(operands, axes, strict=True) if a is not None)
    stacked = tuple(
        jnp.broadcast_to(o, (length, *o.shape)) if a is None else jnp.moveaxis(o, a, 0)
        for o, a in zip(operands, axes, strict=True)
    )
    one = functools.partial(_rotate.bind, plan=plan, transpose=transpose)
    return jax.lax.map(lambda operands: one(*operands), stacked), 0


ad.primitive_jvps[_rotate] = _jvp
ad.primitive_transposes[_rotate] = _transpose
batching.primitive_batchers[_rotate] = _batch
mlir.register_lowering(_rotate, mlir.lower_fun(_implementation, multiple_results=False))
mlir.register_lowering(_rotate, mlir.lower_fun(_on_cpu, multiple_results=False), platform="cpu")
