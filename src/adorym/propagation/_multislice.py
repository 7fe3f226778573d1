"""The multislice model: transmit through a slab, propagate, again and again.

A slab of thickness Δz is thin when propagation by half of it, transmission, and propagation by the other half make an
error of second order in Δz (Strang splitting; Cowley & Moodie, Acta Cryst. 10, 609 (1957)). Neighbouring halves merge,
so the wave goes from centre to centre of the slabs. Where it starts and ends, in the middle of the first slab and of
the last, is the caller's to join to probe and detector. One slab is the projection approximation.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Complex, PyTree

from adorym._core.fourier import convolve
from adorym.propagation._transmission import transmission


def multislice(
    field: Complex[Array, "*frames y x"],
    slabs: PyTree[Array],
    *,
    step: Complex[Array, "y x"],
    transmit: Callable[..., Complex[Array, "*windows"]] = transmission,
) -> Complex[Array, "*frames y x"]:
    """The wave in the middle of the last slab, behind its transmission.

    Args:
        field: the incident wave in the middle of the first slab, `(..., y, x)`.
        slabs: what `transmit` takes, every slab along a leading axis: ln |t| and arg t `(slab, y, x)`.
        step: transfer function from one slab's middle to the next.
        transmit: the transmission of one slab, or what each frame of the field sees of it.

    Only the wave in front of each slab is stored for the backward pass, which needs no more FFTs than the forward one.

    Example:
        >>> import jax.numpy as jnp
        >>> slabs = jnp.full((3, 4, 4), -0.1)
        >>> exit_wave = multislice(jnp.ones((4, 4), complex), (slabs, 0 * slabs), step=jnp.ones((4, 4), complex))
        >>> bool(jnp.allclose(exit_wave, jnp.exp(-0.3)))
        True
    """

    @jax.checkpoint
    def body(wave: Array, slab: tuple[Array, ...]) -> tuple[Array, None]:
        return convolve(wave * transmit(*slab), step), None

    first, last = (jax.tree.map(lambda part, chosen=chosen: part[chosen], slabs) for chosen in (slice(-1), -1))
    if jax.tree.leaves(slabs)[0].shape[0] > 1:
        field, _ = jax.lax.scan(body, field, first)
    return field * transmit(*last)
