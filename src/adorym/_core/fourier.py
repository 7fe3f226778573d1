"""The one FFT of the project: unitary, over the last two axes, zero frequency in the corner.

Unitary ("ortho") transforms keep the sum of |wave|^2, so that it is the number of photons on every plane.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Complex, Num

# A primitive, so that another library's transform can take the place of XLA's on a CPU: to whatever is differentiated,
# mapped or compiled it is one operation. Fourier's matrix is symmetric: each direction is its own transpose.

_transform = Primitive("fft2")


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


def use_on_cpu(forward: str, inverse: str, *, divided: bool) -> None:
    """Has a CPU's transforms made by two targets of XLA's foreign function interface, registered by these names.

    Args:
        forward: takes and gives a complex array of any rank from 2; transforms it over the last two axes, as NumPy.
        inverse: likewise, the inverse.
        divided: whether that is divided by the number of points; if not it is here, where XLA joins it to what follows.

    Example:
        >>> use_on_cpu.__name__
        'use_on_cpu'
    """
    targets = {False: forward, True: inverse}

    def lowered(field: Array, *, inverse: bool) -> Array:
        found = jax.ffi.ffi_call(targets[inverse], jax.ShapeDtypeStruct(field.shape, field.dtype))(field)
        points = field.shape[-2] * field.shape[-1]
        return found * (1 / max(points, 1)) if inverse and not divided else found

    mlir.register_lowering(_transform, mlir.lower_fun(lowered, multiple_results=False), platform="cpu")


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
    return plain_ifft2(plain_fft2(field) * transfer)


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
