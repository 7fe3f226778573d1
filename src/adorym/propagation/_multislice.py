"""The multislice model: transmit through a slab, propagate, again and again.

A slab of thickness Δz is thin when propagation by half of it, transmission, and propagation by the other half make an
error of second order in Δz (Strang splitting; Cowley & Moodie, Acta Cryst. 10, 609 (1957)). Neighbouring halves merge,
so the wave goes from centre to centre of the slabs. Where it starts and ends, in the middle of the first slab and of
the last, is the caller's to join to probe and detector. One slab is the projection approximation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import jax
from jaxtyping import Array, Complex

from adorym._core import SamplingError
from adorym._core.crossing import crossed
from adorym._core.words import scope
from adorym.propagation._backward import Backward
from adorym.propagation._derivatives import chain_of_slabs
from adorym.propagation._transmission import transmission
from adorym.propagation._windows import Windows


def multislice(
    field: Complex[Array, "*frames y x"],
    slabs: tuple[Array, ...],
    *,
    step: Complex[Array, "y x"],
    transmit: Callable[..., Complex[Array, "Y X"]] = transmission,
    windows: Windows | None = None,
    backward: Backward = "stored",
) -> Complex[Array, "*frames y x"]:
    """The wave in the middle of the last slab, behind its transmission.

    Args:
        field: the incident wave in the middle of the first slab, `(..., y, x)`.
        slabs: what `transmit` takes, every slab along a leading axis: ln |t| and arg t `(slab, y, x)`.
        step: transfer function from one slab's middle to the next.
        transmit: the transmission of one slab.
        windows: what each frame of the field sees of it, if not all; transmissions are computed beforehand then.
        backward: what the backward pass keeps of the forward one; `choose_backward` chooses.

            - "stored": the wave in front of each slab. With the forward pass 4 FFTs a slab, the least there is.
            - "segments": the waves at the start of √S segments of √S slabs, whose waves are computed again: 6 FFTs.
            - "reversible": the exit wave, which is walked back: 6 FFTs, and memory that does not grow with depth.
              Only where `backward_error` says so: no transfer function that stops a frequency, not too much absorbed.

    Raises:
        SamplingError: there is no such backward pass.

    Example:
        >>> import jax.numpy as jnp
        >>> slabs = jnp.full((3, 4, 4), -0.1)
        >>> exit_wave = multislice(jnp.ones((4, 4), complex), (slabs, 0 * slabs), step=jnp.ones((4, 4), complex))
        >>> bool(jnp.allclose(exit_wave, jnp.exp(-0.3)))
        True
    """
    if backward not in get_args(Backward):
        raise SamplingError(f"There is no backward pass {backward!r}: choose one of {', '.join(get_args(Backward))}.")
    if windows is not None:
        with scope("transmit"):
            slabs, transmit = (jax.vmap(transmit)(*slabs),), _itself
    if slabs[0].shape[0] > 1:
        with scope("propagate"):
            return chain_of_slabs(field, slabs, step=step, transmit=transmit, windows=windows, backward=backward)
    with scope("transmit"):
        return crossed(field, transmit(*(part[0] for part in slabs)) if windows is None else windows.cut(slabs[0], 0))


def _itself(slab: Complex[Array, "Y X"]) -> Complex[Array, "Y X"]:
    return slab
