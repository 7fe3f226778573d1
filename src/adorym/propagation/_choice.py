"""Which backward pass a multislice chain can afford, and which one is accurate."""

from __future__ import annotations

from typing import Any

import numpy as np

from adorym.propagation._backward import Backward


def backward_error(log_amplitude: Any, step: Any) -> float:
    """Relative error to be expected of the gradients of `multislice(..., backward="reversible")`, beyond rounding.

    A wave that is walked back grows again by what was absorbed on the way, and its rounding errors with it, which
    diffraction has meanwhile carried from the bright parts into the dark ones. Where the transfer function stops a
    frequency, nothing brings it back. With ε the precision, t the transmission of all slabs together where it is
    lowest and S slabs, the error is ε S / (3 |t| min|H|^(S-1)): an upper bound to what was measured with absorbing
    blocks of many widths and places, |t| from 1e-4 to 1, 16 to 256 slabs. Most objects do better, uniform ones much.

    Args:
        log_amplitude: ln |t| of every slab, `(slab, y, x)`, as an array of numbers: not inside `jax.jit`.
        step: transfer function from slab to slab, in the precision of the chain.

    Returns:
        Relative to the largest of the gradients; infinite if the transfer function is 0 somewhere.

    Example:
        >>> import numpy as np
        >>> absorbing = np.full((64, 4, 4), np.log(0.1) / 64, np.float32)
        >>> round(backward_error(absorbing, np.ones((4, 4), np.complex64)), 6)
        2.5e-05
    """
    slabs, transfer = len(log_amplitude), np.abs(np.asarray(step))
    with np.errstate(divide="ignore", over="ignore"):
        along = np.sum(np.asarray(log_amplitude), axis=0, dtype=float)
        filtered = np.log(transfer.astype(float)) * (slabs - 1)
        growth = np.exp(sum(max(0.0, x.max()) + max(0.0, -x.min()) for x in (along, filtered)))
        return float(np.finfo(transfer.dtype).eps * slabs / 3 * growth)


def choose_backward(field: Any, log_amplitude: Any, step: Any, *, budget: int, tolerance: float = 1e-4) -> Backward:
    """The backward pass for a chain: the fastest that is accurate and does not need more memory than there is.

    "stored" if its waves, and the copy it makes of the slabs, fit into the budget; else "reversible" if its error is
    tolerable; else "segments", whose √S waves may still be more than the budget.

    Args:
        field: the incident wave `(..., y, x)` with an axis for the frames that are computed at once, or anything of
            its `size` and `dtype`, such as a `jax.ShapeDtypeStruct`.
        log_amplitude: ln |t| of every slab, `(slab, y, x)`: of the object, or of one that absorbs as much.
        step: transfer function from slab to slab.
        budget: bytes.
        tolerance: largest relative error of the gradients, see `backward_error`.

    Example:
        >>> import numpy as np
        >>> wave, clear = np.ones((8, 8), np.complex64), np.zeros((64, 8, 8), np.float32)
        >>> [choose_backward(wave, log_amplitude, wave, budget=budget)
        ...     for log_amplitude, budget in ((clear, 10**6), (clear, 10**4), (clear - 1, 10**4))]
        ['stored', 'reversible', 'segments']
    """
    waves = len(log_amplitude) * field.size * field.dtype.itemsize
    slabs = 2 * log_amplitude.size * log_amplitude.dtype.itemsize
    if waves + slabs <= budget:
        return "stored"
    return "reversible" if backward_error(log_amplitude, step) <= tolerance else "segments"
