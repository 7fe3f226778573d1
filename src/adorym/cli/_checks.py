"""What would fail late, with no memory or with nonsense, refused early with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adorym._core import DataError, SamplingError
from adorym.data import Dataset

if TYPE_CHECKING:
    from adorym.experiment import Experiment

_WIDEST_SPREAD = 8
_SPARSEST_SCAN = 100


def check_dataset(dataset: Dataset) -> None:
    """Distances and positions that the frames cannot go with.

    Raises:
        SamplingError: the wave spreads far beyond the frames before it reaches the detector.
        DataError: the scan covers far more than its frames could.
    """
    if dataset.regime == "near field" and dataset.positions is None:
        _check_spread(dataset)
    if dataset.positions is not None:
        _check_scan(dataset, dataset.positions)


def _check_spread(dataset: Dataset) -> None:
    from adorym.propagation import spread

    widest = max(dataset.frames.shape[2:])
    distance = float(np.max(np.abs(dataset.distances)))
    pixels = spread(dataset.pixel, dataset.wavelength, distance)
    if pixels > _WIDEST_SPREAD * widest:
        raise SamplingError(
            f"{dataset.source}: over {distance:.4g} m the finest waves of a pixel of {dataset.pixel:.4g} m spread over "
            f"{pixels:.3g} pixels, and a frame has {widest}, which undersamples them: check distances, pixel and "
            "energy in [data]."
        )


def _check_scan(dataset: Dataset, positions: np.ndarray) -> None:
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


def check_model(model: Experiment, source: str) -> None:
    """A scan whose probe misses the object.

    Raises:
        DataError: no probe array touches the object's field at any position.
    """
    import jax

    from adorym.objects import Volume

    geometry, sample = model.geometry, model.object
    if not geometry.scanned:
        return
    shape = jax.tree.leaves(sample.parametrization)[0].shape
    field = (shape[2], sample.width) if isinstance(sample, Volume) else shape
    positions = np.abs(np.asarray(geometry.positions).reshape(-1, 2))
    meets = positions < (np.array(field) + np.array(model.grid.shape)) / 2
    if not meets.all(axis=1).any():
        raise DataError(
            f"{source}: the probe misses the object at every position (the nearest is {positions.min(axis=0)} pixels "
            f"from the axis, the object is {field[0]} x {field[1]}): check the positions and object_size."
        )
