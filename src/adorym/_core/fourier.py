"""The one FFT of the project: unitary, over the last two axes, zero frequency in the corner.

Unitary ("ortho") transforms keep the sum of |wave|^2, so that it is the number of photons on every plane.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Complex, Num


def fft2(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """Unitary forward transform with the kernel exp(-2 pi i f.x).

    Example:
        >>> bool(jnp.allclose(fft2(jnp.ones((4, 4), complex))[0, 0], 4.0))
        True
    """
    return jnp.fft.fft2(field, norm="ortho")


def ifft2(field: Complex[Array, "*batch y x"]) -> Complex[Array, "*batch y x"]:
    """Inverse of `fft2`.

    Example:
        >>> field = jnp.arange(4.0).reshape(2, 2) + 0j
        >>> bool(jnp.allclose(ifft2(fft2(field)), field))
        True
    """
    return jnp.fft.ifft2(field, norm="ortho")


def convolve(field: Complex[Array, "*batch y x"], transfer: Complex[Array, "*kernel y x"]) -> Complex[Array, "... y x"]:
    """The field filtered by a transfer function given in FFT order.

    Example:
        >>> bool(jnp.allclose(convolve(jnp.ones((2, 2), complex), jnp.ones((2, 2), complex)), 1.0))
        True
    """
    return jnp.fft.ifft2(jnp.fft.fft2(field) * transfer)


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
