"""A measurement as a file holds it: what every reader returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from adorym._core import DataError
from adorym.data import FrameSource, Regime, Technique
from adorym.io._sources import Step


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """A measurement as a file holds it, before the conventions and the job's overrides are applied.

    Images are as stored, intensities in the file's own unit; lengths are metres from the rotation axis.

    Attributes:
        path: the file or folder, for messages and for files beside it.
        frames: lazy intensities `(view, frame, y, x)`.
        technique, regime: what kind of measurement it is.
        energy: eV.
        pixel: sampling at the sample, where the file says it.
        distances: effective propagation distances.
        detector_pixel, detector_distance: of the detector itself, from which pixel and distances follow.
        angles: `(view,)`, in `angle_unit`; a unit of `None` means that the file does not say.
        positions: probe's laboratory (y, x) `(frame, 2)` or `(view, frame, 2)`, in `position_unit`.
        mask: True where a pixel is measured.
        weights: `(view, frame)`.
        probe: incident field at z = 0, `(mode, y, x)`.
        flat, dark: `(y, x)`.
        photons: photons of the incident beam in the frames' unit.
        axis_column: of the rotation axis, in stored columns.
        steps: what the file says must be done to its images to follow the conventions.
        notes: further facts.
    """

    path: Path
    frames: FrameSource
    technique: Technique
    regime: Regime
    energy: float | None = None
    pixel: float | None = None
    distances: np.ndarray | None = None
    detector_pixel: float | None = None
    detector_distance: float | None = None
    angles: np.ndarray | None = None
    angle_unit: Literal["rad", "deg"] | None = None
    positions: np.ndarray | None = None
    position_unit: Literal["m", "pixel"] = "m"
    mask: np.ndarray | None = None
    weights: np.ndarray | None = None
    probe: np.ndarray | None = None
    flat: np.ndarray | None = None
    dark: np.ndarray | None = None
    photons: float | None = None
    axis_column: float | None = None
    steps: tuple[Step, ...] = ()
    notes: dict[str, str] = dataclasses.field(default_factory=dict)


def check_positive(path: Path, values: Mapping[str, float | None]) -> None:
    """Refuse numbers of a measurement that cannot be, before anything is computed from them.

    Args:
        path: the measurement's file.
        values: by their keys in [data]; `None` where nobody says.

    Raises:
        DataError: one is zero, negative or not finite.
    """
    for name, value in values.items():
        if value is not None and not (np.isfinite(value) and value > 0):
            raise DataError(f"{path} has {name} = {value:g}: a positive number is needed; give {name} in [data].")


def check_frames(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse a measurement without a single pixel.

    Raises:
        DataError: an axis of the frames is empty.
    """
    if 0 in shape:
        raise DataError(f"{path} holds no frames (shape {shape}): check that it is the right file, and complete.")


def check_probe(path: Path, probe: np.ndarray | None) -> None:
    """Refuse a probe that lights nothing.

    Raises:
        DataError: it is zero or not finite (in 32 bits, which the computation may have).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        power = 1.0 if probe is None else float(np.sum(np.abs(probe) ** 2))
    if not 0 < power < float(np.finfo(np.float32).max):
        raise DataError(f"The probe in {path} is zero or not finite: correct it, or take it out of the file.")
