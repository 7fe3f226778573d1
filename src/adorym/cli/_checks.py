"""What would fail late, with no memory or with nonsense, refused early with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adorym._core import DataError
from adorym.cli._console import note
from adorym.data import Dataset

if TYPE_CHECKING:
    from adorym.experiment import Experiment

_SPARSEST_SCAN = 100


def check_dataset(dataset: Dataset) -> None:
    """Positions, distances and a pixel that the frames cannot go with.

    Raises:
        SamplingError: no propagator carries the wave to the frames.
        DataError: the scan covers far more than its frames could, or does not move.
    """
    from adorym.experiment import check_sampling

    check_sampling(dataset)
    if dataset.positions is None:
        return
    positions = dataset.positions
    frames = positions.reshape(-1, 2) / dataset.pixel
    extent = np.ptp(frames, axis=0) if len(frames) > 1 else np.zeros(2)
    window = np.array(dataset.frames.shape[2:])
    reach = 2 * np.abs(frames).max(axis=0)
    if np.prod(np.maximum(extent, reach)) > _SPARSEST_SCAN * dataset.frames.shape[1] * np.prod(window):
        raise DataError(
            f"{dataset.source}: the scan positions reach over {reach[0]:.3g} x {reach[1]:.3g} pixels, far more than "
            f"{dataset.frames.shape[1]} probes of {window[0]} x {window[1]} pixels cover: check the unit of the "
            "positions, pixel, and that they count from the rotation axis."
        )
    if dataset.frames.shape[1] > 1 and not np.ptp(positions, axis=1).any():
        raise DataError(
            f"{dataset.source}: all {dataset.frames.shape[1]} frames of a view have the same scan position: check the "
            "positions."
        )


def check_model(model: Experiment, source: str) -> None:
    """A scan whose probe misses the object.

    Raises:
        DataError: at most positions the probe's array does not touch the object's field.
    """
    import jax

    from adorym.objects import Volume

    geometry, sample = model.geometry, model.object
    if not geometry.scanned:
        return
    shape = jax.tree.leaves(sample.parametrization)[0].shape
    field = (shape[2], sample.width) if isinstance(sample, Volume) else shape[-2:]
    positions = np.abs(np.asarray(geometry.positions).reshape(-1, 2))
    meets = (positions < (np.array(field) + np.array(model.grid.shape)) / 2).all(axis=1)
    missing = int(np.sum(~meets))
    if 2 * missing > meets.size:
        raise DataError(
            f"{source}: the probe misses the object at {missing} of {meets.size} positions (the farthest is "
            f"{positions.max(axis=0).round(1).tolist()} pixels (y, x) from the axis, the object is {field[0]} x "
            f"{field[1]}): check the positions and object_size."
        )
    if missing:
        note(f"{source}: the probe misses the object at {missing} of {meets.size} positions, which tell nothing of it.")
