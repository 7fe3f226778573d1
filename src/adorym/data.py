"""Measurements in memory or on disk: lazy frames, the geometry they were taken in, masks and weights.

A `Dataset` is what every reader returns and what every experiment is built from. It follows CONVENTIONS (SI units,
`(view, frame, y, x)`, far-field frames with the zero frequency at index N//2) and imports neither JAX nor a file
library, so that reading, inspecting and converting data never waits for a compiler.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

import numpy as np

from adorym._core import DataError

Technique = Literal["holography", "ptychography", "tomography", "cdi"]
Regime = Literal["in focus", "near field", "far field"]


class FrameSource(ABC):
    """Frames that are read when they are needed: shape `(view, frame, y, x)`, photons, never negative.

    A concrete source sets `shape` and implements `read`; it applies every conversion (magnitudes squared, flips,
    shifts of the zero frequency, scale to photons) so that what leaves it follows the conventions.
    """

    shape: tuple[int, int, int, int]

    @abstractmethod
    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """The given frames of one view as a float32 array `(len(frames), y, x)`."""


class ArrayFrames(FrameSource):
    """Frames held in memory.

    Args:
        array: intensities `(view, frame, y, x)` in photons.

    Example:
        >>> ArrayFrames(np.ones((2, 3, 4, 4))).read(1, np.array([0, 2])).shape
        (2, 4, 4)
    """

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim != 4:
            raise DataError(f"Frames have shape {array.shape}: give four axes, (view, frame, y, x).")
        self.array = array
        self.shape = (array.shape[0], array.shape[1], array.shape[2], array.shape[3])

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        return np.asarray(self.array[view, frames], dtype=np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """Frames and all that is known of how they were taken.

    Attributes:
        frames: the lazy intensities `(view, frame, y, x)` in photons.
        technique: what kind of measurement it is; chooses the default experiment.
        regime: how the wave gets from the sample to the detector.
        pixel: sampling of the wave at the sample, metres: the (effective) detector pixel in focus and near field,
            `wavelength * distance / (N * detector pixel)` in the far field. 1.0 in pixel units.
        energy: photon energy in eV; `None` means pixel units (phase, and attenuation per pixel).
        angles: rotation of the sample about +y, radians `(view,)`.
        distances: effective propagation distance from the rotation axis (z = 0), metres; `(1,)` for all frames or
            `(frame,)`; empty in focus and in the far field.
        positions: laboratory (y, x) of the probe's centre relative to the projected rotation axis, metres
            `(view, frame, 2)`, or `None` where the whole field is lit at once.
        mask: True where a pixel is measured, `(y, x)`.
        weights: weight of every frame `(view, frame)`; 0 rejects it.
        probe: known or guessed incident field at z = 0 `(mode, y, x)`, complex, sum |probe|^2 = photons.
        flat, dark: frames without sample and without beam, in the frames' units, `(y, x)`.
        photons: photons per detector pixel without a sample (full field), or per frame (scanned); `None` if unknown.
        axis_offset: column of the rotation axis minus (N - 1) / 2, in pixels.
        source: where it came from, for reports and error messages.
        notes: further facts worth telling, name to text.
    """

    frames: FrameSource
    technique: Technique
    regime: Regime
    pixel: float
    energy: float | None
    angles: np.ndarray
    distances: np.ndarray
    positions: np.ndarray | None = None
    mask: np.ndarray
    weights: np.ndarray
    probe: np.ndarray | None = None
    flat: np.ndarray | None = None
    dark: np.ndarray | None = None
    photons: float | None = None
    axis_offset: float = 0.0
    source: str = "memory"
    notes: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def wavelength(self) -> float:
        """Wavelength in metres, hc/E; 2 pi pixels (k = 1) in pixel units, so that delta is a phase per pixel."""
        return 2 * np.pi * self.pixel if self.energy is None else 1.23984198e-6 / self.energy

    @property
    def pixel_units(self) -> bool:
        """Whether lengths are counted in pixels for want of an energy or a pixel size."""
        return self.energy is None
