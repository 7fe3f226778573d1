"""What every measure asks of its arrays."""

from __future__ import annotations

import numpy as np

from adorym._core import DataError


def same_shape(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> None:
    """Raise `DataError` unless two arrays have one shape and at least one element."""
    if a.shape != b.shape:
        raise DataError(
            f"The {names[0]} has shape {a.shape} and the {names[1]} {b.shape}: compare arrays of the same shape."
        )
    if not a.size:
        raise DataError(f"The {names[0]} is empty (shape {a.shape}): give at least one element.")


def selected(arrays: tuple[np.ndarray, ...], mask: np.ndarray | None) -> list[np.ndarray]:
    """The elements of each array where the mask is set, as flat arrays; the mask may lack leading axes."""
    if mask is None:
        return [array.reshape(-1) for array in arrays]
    shape = arrays[0].shape
    trailing = shape[len(shape) - mask.ndim :] if mask.ndim <= len(shape) else ()
    if any(have not in (1, want) for have, want in zip(mask.shape, trailing, strict=False)) or mask.ndim > len(shape):
        raise DataError(f"The mask has shape {mask.shape} and the array {shape}: give a mask that fits its last axes.")
    chosen = np.broadcast_to(mask != 0, shape)
    if not chosen.any():
        raise DataError("The mask leaves nothing to compare: give one that is true somewhere.")
    return [array[chosen] for array in arrays]


def finite(array: np.ndarray, name: str, advice: str = "mask them") -> None:
    """Raise `DataError` unless all elements are finite."""
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise DataError(f"The {name} holds {bad} values that are not finite: {advice}.")
