"""The one FFT of the project: unitary, over the last two axes, zero frequency in the corner.

Unitary ("ortho") transforms keep the sum of |wave|^2, so that it is the number of photons on every plane.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Complex, Num

# Primitives, so that another library's transform can take the place of XLA's on a CPU: to whatever is differentiated,
# mapped or compiled each is one operation. Fourier's matrix is symmetric: each direction is its own transpose, and a
# filter's transpose is the filter that goes the other way first.

_transform = Primitive("fft2")
_filter = Primitive("filter2")


def _apply(field: Any, *, inverse: bool) -> Any:
    return _transform.bind(field, inverse=inverse)


def _by_xla(field: Array, *, inverse: bool) -> Array:
    return jnp.fft.ifft2(field) if inverse else jnp.fft.fft2(field)


def _batch(fields: tuple[Array], axes: tuple[int], *, inverse: bool) -> tuple[Array, int]:
    return _apply(jnp.moveaxis(fields[0], axes[0], 0), inverse=inverse), 0


_transform.def_impl(jax.jit(_apply, static_argnames="inverse"))
_transform.def_abstract_eval(lambda field, *, inverse: field)
ad.deflinear2(_transform, lambda cotangent, field, *, inverse: [_apply(cotangent, inverse=inverse)])
batching.primitive_batchers[_transform] = _batch
mlir.register_lowering(_transform, mlir.lower_fun(_by_xla, multiple_results=False))


def _filtered(field: Any, transfer: Any, *, inverse: bool) -> Any:
    """Transformed, multiplied by the transfer function, and transformed back."""
    return _filter.bind(field, transfer, inverse=inverse)


def _step_by_step(field: Array, transfer: Array, *, inverse: bool) -> Array:
    return _apply(_apply(field, inverse=inverse) * transfer, inverse=not inverse)


def _filter_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any], *, inverse: bool) -> tuple[Array, Any]:
    (field, transfer), (moved, changed) = primals, tangents
    parts = []
    if type(moved) is not ad.Zero:
        parts.append(_filtered(moved, transfer, inverse=inverse))
    if type(changed) is not ad.Zero:
        parts.append(_step_by_step(field, changed, inverse=inverse))
    return _filtered(field, transfer, inverse=inverse), sum(parts[1:], start=parts[0])


def _filter_transpose(cotangent: Any, field: Any, transfer: Any, *, inverse: bool) -> tuple[Any, None]:
    """Of a field alone: changes of a transfer function are taken step by step."""
    if type(cotangent) is ad.Zero:
        return ad.Zero(field.aval), None
    return _filtered(cotangent, transfer, inverse=not inverse), None


def _filter_batch(
    both: tuple[Array, Array], axes: tuple[int | None, int | None], *, inverse: bool
) -> tuple[Array, int]:
    field, transfer = (x if axis is None else jnp.moveaxis(x, axis, 0) for x, axis in zip(both, axes, strict=True))
    if axes[1] is None:
        return _filtered(field, transfer, inverse=inverse), 0
    each = transfer.reshape(transfer.shape[0], *[1] * (field.ndim - 2 - (axes[0] is not None)), *transfer.shape[1:])
    return _step_by_step(field, each, inverse=inverse), 0


_filter.def_impl(jax.jit(_filtered, static_argnames="inverse"))
_filter.def_abstract_eval(lambda field, transfer, *, inverse: field)
ad.primitive_jvps[_filter] = _filter_jvp
ad.primitive_transposes[_filter] = _filter_transpose
batching.primitive_batchers[_filter] = _filter_batch
mlir.register_lowering(_filter, mlir.lower_fun(_step_by_step, multiple_results=False))


class Targets(NamedTuple):
    """Names by which XLA's foreign function interface knows what takes the place of its transforms.

    All take and give complex arrays of any rank from 2, and transform them over the last two axes, as NumPy.

    Attributes:
        forward, inverse: one transform.
        filter, inverse_filter: a transform, the forward or the inverse one, the product with a second array `(y, x)`,
            and the transform back, divided by the number of points; of a third array, what is seen of a slab, the
            product with the field's middle before that.
        divided: whether `inverse` is divided by that as well; if not it is here, where XLA joins it to what follows.
        transposed: bytes of a wave above which the second array of a filter is `(x, y)`, if ever.

    Example:
        >>> Targets("a", "b", "c", "d", divided=True, transposed=None).forward
        'a'
    """

    forward: str
    inverse: str
    filter: str
    inverse_filter: str
    divided: bool
    transposed: int | None


def use_on_cpu(targets: Targets) -> None:
    """Has a CPU's transforms made by targets of XLA's foreign function interface that are registered.

    Example:
        >>> use_on_cpu.__name__
        'use_on_cpu'
    """

    def lowered(field: Array, *, inverse: bool) -> Array:
        target = targets.inverse if inverse else targets.forward
        found = jax.ffi.ffi_call(target, jax.ShapeDtypeStruct(field.shape, field.dtype))(field)
        points = field.shape[-2] * field.shape[-1]
        return found * (1 / max(points, 1)) if inverse and not targets.divided else found

    for primitive, rule in ((_transform, lowered), (_filter, filter_of(targets))):
        mlir.register_lowering(primitive, mlir.lower_fun(rule, multiple_results=False), platform="cpu")


def filter_of(targets: Targets) -> Callable[..., Array]:
    """From a field, a transfer function and, if a slab is crossed before, what is seen of it, to the field filtered.

    Example:
        >>> filter_of(Targets("a", "b", "c", "d", divided=True, transposed=None)).__name__
        'filtered'
    """

    def filtered(field: Array, transfer: Array, *seen: Array, inverse: bool) -> Array:
        target = targets.inverse_filter if inverse else targets.filter
        turned = targets.transposed is not None and transfer.nbytes > targets.transposed
        by = transfer.T if turned else transfer
        return jax.ffi.ffi_call(target, jax.ShapeDtypeStruct(field.shape, field.dtype))(field, by, *seen)

    return filtered


def plain_fft2(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """As NumPy's `fft2`: the sum over all pixels, for filters, in which the scales of both directions cancel.

    Example:
        >>> bool(jnp.allclose(plain_fft2(jnp.ones((4, 4), complex))[0, 0], 16.0))
        True
    """
    return _apply(field, inverse=False)


def plain_ifft2(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """Inverse of `plain_fft2`.

    Example:
        >>> bool(jnp.allclose(plain_ifft2(jnp.ones((4, 4), complex))[0, 0], 1.0))
        True
    """
    return _apply(field, inverse=True)


def fft2(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """Unitary forward transform with the kernel exp(-2 pi i f.x).

    Example:
        >>> bool(jnp.allclose(fft2(jnp.ones((4, 4), complex))[0, 0], 4.0))
        True
    """
    return plain_fft2(field) * (1 / math.sqrt(field.shape[-2] * field.shape[-1]))


def ifft2(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """Inverse of `fft2`.

    Example:
        >>> field = jnp.arange(4.0).reshape(2, 2) + 0j
        >>> bool(jnp.allclose(ifft2(fft2(field)), field))
        True
    """
    return plain_ifft2(field) * math.sqrt(field.shape[-2] * field.shape[-1])


def convolve(field: Complex[Array, "*batch y x"], transfer: Complex[Array, "*kernel y x"]) -> Complex[Array, "... y x"]:
    """The field filtered by a transfer function given in FFT order.

    Example:
        >>> bool(jnp.allclose(convolve(jnp.ones((2, 2), complex), jnp.ones((2, 2), complex)), 1.0))
        True
    """
    return _convolved(field, transfer, inverse=False)


def convolve_transposed(
    cotangent: Complex[Array, "*batch y x"], transfer: Complex[Array, "y x"]
) -> Complex[Array, "*batch y x"]:
    """What `convolve` makes of a cotangent on its way back to the field; as JAX has it, without conjugation.

    Example:
        >>> bool(jnp.allclose(convolve_transposed(jnp.ones((2, 2), complex), jnp.ones((2, 2), complex)), 1.0))
        True
    """
    return _convolved(cotangent, transfer, inverse=True)


def _convolved(field: Array, transfer: Array, *, inverse: bool) -> Array:
    if transfer.shape == field.shape[-2:] and transfer.dtype == field.dtype:
        return _filtered(field, transfer, inverse=inverse)
    return _step_by_step(field, transfer, inverse=inverse)


def centre_frequencies(frames: Num[Array, "*batch y x"]) -> Num[Array, "*batch y x"]:
    """Frames in FFT order with the zero frequency moved to index N//2.

    Example:
        >>> centre_frequencies(jnp.arange(4.0)[None, :]).tolist()
        [[2.0, 3.0, 0.0, 1.0]]
    """
    return jnp.fft.fftshift(frames, axes=(-2, -1))


def crop_frequencies(field: Array, shape: tuple[int, int]) -> Array:
    """The middle of the last two axes about the index N//2.

    Example:
        >>> crop_frequencies(jnp.arange(4.0)[None], (1, 3)).tolist()
        [[1.0, 2.0, 3.0]]
    """
    top, left = (n // 2 - m // 2 for n, m in zip(field.shape[-2:], shape, strict=True))
    return field[..., top : top + shape[0], left : left + shape[1]]


def smooth_size(minimum: int) -> int:
    """The smallest even size of at least `minimum` whose only prime factors are 2, 3 and 5: what every FFT likes.

    Example:
        >>> [smooth_size(n) for n in (1, 17, 97, 128)]
        [2, 18, 100, 128]
    """
    size = max(2, minimum + minimum % 2)
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 2
