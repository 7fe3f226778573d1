"""A measurement: frames and all that is known of how they were taken."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from adorym._core import DataError, JobError, SamplingError
from adorym.data._frames import CoarserFrames, FrameSource, coarser

Technique = Literal["holography", "ptychography", "tomography", "cdi"]
Regime = Literal["in focus", "near field", "far field"]


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

    Example:
        >>> from adorym.data import ArrayFrames
        >>> dataset = Dataset(frames=ArrayFrames(np.ones((3, 1, 2, 2))), technique="tomography", regime="in focus",
        ...     pixel=1e-6, energy=2e4, angles=np.arange(3.0), distances=np.zeros(0), mask=np.ones((2, 2), bool),
        ...     weights=np.ones((3, 1)))
        >>> round(dataset.wavelength * 1e12, 2)
        61.99
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

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """The given frames of one view `(len(frames), y, x)`, 0 where nothing is measured, whatever is stored there."""
        images = self.frames.read(view, frames)
        return images if self.mask.all() else np.where(self.mask, images, np.float32(0))

    def read_finite(self, view: int, frames: np.ndarray) -> np.ndarray:
        """As `read`, for what is computed from frames directly.

        Raises:
            DataError: one of them holds a value that is not finite.
        """
        images = self.read(view, frames)
        for frame in frames[~np.isfinite(images).all(axis=(1, 2))]:
            raise not_finite(int(view), int(frame))
        return images

    def without(self, frames: np.ndarray | None) -> Dataset:
        """The measurement with no weight on some frames, True in `(view, frame)`; `None` are none."""
        return self if frames is None else dataclasses.replace(self, weights=self.weights * ~frames)

    def binned(self, factor: int) -> Dataset:
        """What a coarser measurement of the same sample would have shown.

        The pixel at the sample grows by the factor: counts are added up in squares of pixels, and in the far field,
        where fine detail is recorded at large angles, the middle of the frames is kept. A square with a pixel that is
        not measured is not measured. The probe, if there is one, is left out: it is the model's to make coarser.

        Raises:
            SamplingError: the factor does not divide the sides of the frames.
        """
        ny, nx = self.frames.shape[2:]
        if ny % factor or nx % factor:
            raise SamplingError(
                f"Frames of {ny} x {nx} pixels cannot be binned by {factor}, which does not divide both."
            )
        cut = self.regime == "far field"
        added = None if self.photons is None else self.photons * (1 if self.positions is not None or cut else factor**2)

        def of(image: np.ndarray | None) -> np.ndarray | None:
            return None if image is None else coarser(image, factor, cut=cut)

        lost = coarser(~self.mask, factor, cut=cut) > 0
        return dataclasses.replace(
            self,
            frames=CoarserFrames(self.frames, factor, cut=cut),
            pixel=self.pixel * factor,
            mask=~lost,
            photons=added,
            flat=of(self.flat),
            dark=of(self.dark),
            probe=None,
            axis_offset=self.axis_offset / factor,
        )

    def thinned(self, keep: int, spared: np.ndarray) -> Dataset:
        """Every `keep`-th view only, and the frames that are spared `(view, frame)`; others get the weight 0."""
        chosen = np.zeros(self.weights.shape, bool)
        chosen[np.flatnonzero((self.weights * ~spared).any(axis=1))[:: max(1, keep)]] = True
        return dataclasses.replace(self, weights=self.weights * (chosen | spared))


def not_finite(view: int, frame: int) -> DataError:
    """The sentence about a frame that nothing can be fitted to.

    Example:
        >>> str(not_finite(3, 0))[:33]
        'Frame 0 of view 3 holds values th'
    """
    return DataError(
        f"Frame {frame} of view {view} holds values that are not finite: correct them, or leave the frame out."
    )


def held_out_frames(dataset: Dataset, every: int | Literal["auto"] = "auto") -> np.ndarray | None:
    """Frames to be kept back from a fit, so that its prediction can be tested on them.

    Args:
        dataset: the measurement.
        every: every how many-th view, or frame where there is one view; 0 keeps none, "auto" about eight and no more
            than a tenth.

    Returns:
        True for frames `(view, frame)` that are kept back; `None` where "auto" finds too few to spare any.

    Raises:
        JobError: nothing would be kept back, or nothing would be left.

    Example:
        >>> from adorym.data import ArrayFrames
        >>> frames = ArrayFrames(np.ones((60, 1, 2, 2)))
        >>> dataset = Dataset(frames=frames, technique="tomography", regime="in focus", pixel=1e-6, energy=2e4,
        ...     angles=np.arange(60.0), distances=np.zeros(0), mask=np.ones((2, 2), bool), weights=np.ones((60, 1)))
        >>> int(held_out_frames(dataset).sum())
        6
    """
    views, frames = dataset.frames.shape[:2]
    kept = np.zeros((views, frames), bool)
    usable = np.flatnonzero(dataset.weights.any(axis=1) if views > 1 else dataset.weights[0])
    if every == "auto":
        every = max(10, len(usable) // 8)
        if len(usable) <= every:
            return None
    if not every:
        return kept
    if len(usable) <= every:
        what = "views" if views > 1 else "frames"
        raise JobError(f"output.held_out is {every}, but there are {len(usable)} {what} to fit: give less, or 0.")
    chosen = usable[every // 2 :: every]
    kept[(chosen, slice(None)) if views > 1 else (slice(None), chosen)] = True
    if not np.any(dataset.weights * ~kept):
        raise JobError("output.held_out leaves no frame to fit: choose a larger number, or 0.")
    return kept
