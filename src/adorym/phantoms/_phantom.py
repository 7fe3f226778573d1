"""A sample of known refractive index, and its reduction to coarser voxels."""

from __future__ import annotations

import dataclasses

import numpy as np

from adorym._core import DataError


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Phantom:
    """The refractive index n = 1 - delta + i beta of a sample, as means over voxels.

    Attributes:
        delta: float32 `(z, y, x)` at rotation angle 0; a thin (2D) sample has one voxel along z.
        beta: the same shape.
        voxel: edge of the voxels, metres; the single voxel of a thin sample has this depth too, and holds delta and
            beta times the sample's thickness over it, so that the projection is right.
        energy: photon energy delta and beta hold for, eV.
        name: which phantom it is.
        seed: what its random numbers came from.

    Raises:
        DataError: delta and beta differ in shape or are no volumes.

    Example:
        >>> import numpy as np
        >>> cube = np.ones((4, 4, 4), np.float32)
        >>> phantom = Phantom(delta=1e-5 * cube, beta=1e-7 * cube, voxel=1e-9, energy=5000.0, name="cube", seed=0)
        >>> phantom.binned(2).delta.shape, phantom.binned(2).voxel
        ((2, 2, 2), 2e-09)
    """

    delta: np.ndarray
    beta: np.ndarray
    voxel: float
    energy: float
    name: str
    seed: int

    def __post_init__(self) -> None:
        if self.delta.ndim != 3 or self.delta.shape != self.beta.shape:
            raise DataError(
                f"Phantom {self.name} has delta {self.delta.shape} and beta {self.beta.shape}: give both as (z, y, x)."
            )

    def binned(self, factor: int) -> Phantom:
        """The same sample on voxels `factor` times larger; a thin sample stays one voxel deep.

        Raises:
            DataError: the factor does not divide the shape.

        Example:
            >>> import numpy as np
            >>> sheet = np.full((1, 4, 4), 4e-5, np.float32)
            >>> thin = Phantom(delta=sheet, beta=sheet, voxel=1e-9, energy=5000.0, name="sheet", seed=0)
            >>> np.round(thin.binned(2).delta * 1e5, 4).tolist()
            [[[2.0, 2.0], [2.0, 2.0]]]
        """
        dilution = factor if self.delta.shape[0] == 1 else 1  # the deeper voxel holds the same sheet
        delta, beta = (bin_volume(array, factor) / np.float32(dilution) for array in (self.delta, self.beta))
        return dataclasses.replace(self, delta=delta, beta=beta, voxel=self.voxel * factor)


def bin_volume(array: np.ndarray, factor: int) -> np.ndarray:
    """Means over cubes of `factor` voxels a side; axes of length 1 stay as they are.

    Args:
        array: any number of axes; every length is 1 or divisible by the factor.
        factor: 1 or more.

    Returns:
        The means in the array's dtype, summed in 64 bits.

    Raises:
        DataError: the factor does not divide the shape.

    Example:
        >>> import numpy as np
        >>> bin_volume(np.array([[1.0, 3.0, 5.0, 7.0], [1.0, 3.0, 5.0, 7.0]]), 2)
        array([[2., 6.]])
    """
    if factor < 1 or any(n % factor and n > 1 for n in array.shape):
        raise DataError(f"An array of shape {array.shape} cannot be binned by {factor}: give a factor that divides it.")
    split = [part for n in array.shape for part in ((n // factor, factor) if n > 1 else (1, 1))]
    axes = tuple(range(1, 2 * array.ndim, 2))
    return array.reshape(split).mean(axis=axes, dtype=np.result_type(array.dtype, np.float64)).astype(array.dtype)
