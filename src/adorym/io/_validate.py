"""Whether a data set can be used: shapes that agree, numbers that are finite, counts that are not negative."""

from __future__ import annotations

import itertools

import numpy as np

from adorym._core import DataError
from adorym.data import Dataset
from adorym.io._dataset import MAXIMUM_SPAN


def validate(dataset: Dataset) -> None:
    """Check a data set; its frames are looked at once, part by part.

    Args:
        dataset: the data set.

    Raises:
        DataError: shapes disagree, something is not finite, counts are negative, or nothing is left to fit; one
            sentence says which, where and what to do.

    Example:
        >>> import numpy as np
        >>> from adorym.data import ArrayFrames
        >>> data = Dataset(
        ...     frames=ArrayFrames(np.full((1, 1, 2, 2), -1.0)), technique="cdi", regime="far field", pixel=1.0,
        ...     energy=None, angles=np.zeros(1), distances=np.zeros(0), mask=np.ones((2, 2), bool),
        ...     weights=np.ones((1, 1)), source="scan.h5",
        ... )
        >>> validate(data)
        Traceback (most recent call last):
        ...
        adorym._core.errors.DataError: scan.h5, view 0, frame 0, pixel (0, 0) holds -1: ...
    """
    validate_metadata(dataset)
    brightest = 0.0
    for view, part in itertools.product(range(dataset.frames.shape[0]), dataset.frames.parts):
        images = dataset.frames.read(view, part)
        used = dataset.mask & (dataset.weights[view, part] > 0)[:, None, None]
        bad = used & (~np.isfinite(images) | (images < 0))
        if bad.any():
            first, row, column = np.argwhere(bad)[0]
            value, frame = images[first, row, column], part[first]
            kind = "negative counts" if np.isfinite(value) else "values that are not finite"
            raise DataError(
                f"{dataset.source}, view {view}, frame {frame}, pixel ({row}, {column}) holds {value:g}: measured "
                f"pixels may hold no {kind}; mask them (mask, mask_outside in [data]) or leave the frame out (views, "
                "frames)."
            )
        brightest = max(brightest, float(np.max(images, initial=0.0, where=used)))
    if brightest == 0:
        raise DataError(f"{dataset.source} holds nothing but zeros: check that the frames are the right array.")


def validate_metadata(dataset: Dataset) -> None:
    """The part of `validate` that reads no frame.

    Raises:
        DataError: see `validate`.

    Example:
        >>> import numpy as np
        >>> from adorym.data import ArrayFrames
        >>> validate_metadata(Dataset(
        ...     frames=ArrayFrames(np.ones((2, 1, 4, 4))), technique="tomography", regime="in focus", pixel=1.0,
        ...     energy=None, angles=np.array([0.0, 90.0]), distances=np.zeros(0), mask=np.ones((4, 4), bool),
        ...     weights=np.ones((2, 1)), source="scan.h5",
        ... ))
        Traceback (most recent call last):
        ...
        adorym._core.errors.DataError: scan.h5 has angles that span 90 radians: ...
    """
    source = dataset.source
    if 0 in dataset.frames.shape:
        raise DataError(f"{source} holds no frames (shape {dataset.frames.shape}): check the file and the selection.")
    _check_shapes(dataset)
    if np.ptp(dataset.angles) > MAXIMUM_SPAN:
        raise DataError(
            f"{source} has angles that span {np.ptp(dataset.angles):.4g} radians: these look like degrees; convert "
            "them, or wrap them to one turn."
        )
    for name in ("pixel", "energy", "photons"):
        value = getattr(dataset, name)
        if value is not None and not (np.isfinite(value) and value > 0):
            raise DataError(f"{source} has {name} = {value}: a positive number is needed.")
    if dataset.regime == "near field" and (dataset.energy is None or dataset.distances.size == 0):
        lacks = "energy" if dataset.energy is None else "distances"
        raise DataError(f"{source} lacks the {lacks} that near-field data need: add {lacks} to [data].")
    if (dataset.weights < 0).any():
        raise DataError(f"{source} has negative weights: 0 rejects a frame, 1 keeps it.")
    if not dataset.mask.any():
        raise DataError(
            f"All pixels of {source} are masked: check the mask (not zero means bad) in the file and in [data]."
        )
    if not dataset.weights.any():
        raise DataError(f"All frames of {source} have weight 0: give at least one a positive weight.")


def _check_shapes(dataset: Dataset) -> None:
    """Every array of the data set fits its frames and is finite."""
    views, frames, y, x = dataset.frames.shape
    shapes = {
        "angles": (views,),
        "mask": (y, x),
        "weights": (views, frames),
        "flat": (y, x),
        "dark": (y, x),
        "positions": (views, frames, 2),
    }
    source = dataset.source
    for name, shape in shapes.items():
        value = getattr(dataset, name)
        if value is not None and value.shape != shape:
            raise DataError(
                f"{source} has {name} of shape {value.shape} where its frames need {shape}: correct either."
            )
    if dataset.distances.shape not in ((0,), (1,), (frames,)):
        raise DataError(
            f"{source} has {dataset.distances.size} distances for {frames} frames a view: give one, or one each."
        )
    probe = dataset.probe
    far = dataset.regime == "far field"  # there the frame's grid fixes the probe's
    if probe is not None and (probe.ndim != 3 or (far and probe.shape[1:] != (y, x))):
        raise DataError(f"{source} has a probe of shape {probe.shape}: (mode, {y}, {x}) is needed for its frames.")
    for name in (*shapes, "distances", "probe"):
        value = getattr(dataset, name)
        if value is not None and not np.isfinite(value).all():
            raise DataError(f"{source} has {name} that are not finite: correct them, or leave the frames out.")
