"""Measurements in memory or on disk: lazy frames, the geometry they were taken in, masks and weights.

A `Dataset` is what every reader returns and what every experiment is built from. It follows CONVENTIONS (SI units,
`(view, frame, y, x)`, far-field frames with the zero frequency at index N//2) and imports neither JAX nor a file
library, so that reading, inspecting and converting data never waits for a compiler.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

import numpy as np

from adorym._core import Batch, DataError, JobError, SamplingError

Technique = Literal["holography", "ptychography", "tomography", "cdi"]
Regime = Literal["in focus", "near field", "far field"]


class FrameSource(ABC):
    """Frames that are read when they are needed: shape `(view, frame, y, x)`, photons, never negative.

    A concrete source sets `shape` and implements `read`; it applies every conversion (magnitudes squared, flips,
    shifts of the zero frequency, scale to photons) so that what leaves it follows the conventions.

    Example:
        >>> issubclass(ArrayFrames, FrameSource)
        True
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


class CoarserFrames(FrameSource):
    """Frames with fewer pixels: added up in squares, or in the far field cut out about the zero frequency.

    Args:
        frames: the frames themselves, whose sides the factor divides.
        factor: by how much their sides shrink.
        cut: whether the middle is cut out.

    Example:
        >>> CoarserFrames(ArrayFrames(np.ones((1, 1, 4, 4))), 2, cut=False).read(0, np.array([0])).tolist()
        [[[4.0, 4.0], [4.0, 4.0]]]
    """

    def __init__(self, frames: FrameSource, factor: int, *, cut: bool) -> None:
        self._frames, self._factor, self._cut = frames, factor, cut
        self.shape = (*frames.shape[:2], frames.shape[2] // factor, frames.shape[3] // factor)

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        return _coarser(self._frames.read(view, frames), self._factor, cut=self._cut)


def _coarser(images: np.ndarray, factor: int, *, cut: bool) -> np.ndarray:
    """Images `(..., y, x)` with sides smaller by a factor."""
    ny, nx = (n // factor for n in images.shape[-2:])
    if cut:
        top, left = (n // 2 - m // 2 for n, m in zip(images.shape[-2:], (ny, nx), strict=True))
        return images[..., top : top + ny, left : left + nx]
    return images.reshape(*images.shape[:-2], ny, factor, nx, factor).sum((-3, -1))


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
            return None if image is None else _coarser(image, factor, cut=cut)

        lost = _coarser(~self.mask, factor, cut=cut) > 0
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
        >>> frames = ArrayFrames(np.ones((60, 1, 2, 2)))
        >>> dataset = Dataset(frames=frames, technique="tomography", regime="in focus", pixel=1e-6, energy=2e4,
        ...     angles=np.arange(60.0), distances=np.zeros(0), mask=np.ones((2, 2), bool), weights=np.ones((60, 1)))
        >>> int(held_out_frames(dataset).sum())
        6
    """
    views, frames = dataset.frames.shape[:2]
    kept = np.zeros((views, frames), bool)
    count = views if views > 1 else frames
    if every == "auto":
        every = max(10, count // 8)
        if count <= every:
            return None
    if not every:
        return kept
    if count <= every:
        raise JobError(f"output.held_out is {every}, but there are {views} views of {frames} frames: give less, or 0.")
    chosen = slice(every // 2, None, every)
    kept[(chosen, slice(None)) if views > 1 else (slice(None), chosen)] = True
    if not np.any(dataset.weights * ~kept):
        raise JobError("output.held_out leaves no frame to fit: choose a larger number, or 0.")
    return kept


class Feed:
    """Serves a data set in batches of one shape: in a random order that only the seed and the step decide, or in full.

    Frames are read when a batch is made and kept in memory while they fit into `memory` bytes.

    Args:
        dataset: the measurement.
        views_per_batch: views in one batch.
        frames_per_batch: frames of each view in one batch.
        held_out: True for frames that are never trained on, `(view, frame)`.
        memory: bytes that cached frames may take.

    Raises:
        JobError: a batch of no views or no frames.

    Example:
        >>> from adorym.data import ArrayFrames, Dataset, Feed
        >>> dataset = Dataset(frames=ArrayFrames(np.ones((3, 1, 2, 2))), technique="holography", regime="near field",
        ...     pixel=1.0, energy=None, angles=np.arange(3.0), distances=np.ones(1), mask=np.ones((2, 2), bool),
        ...     weights=np.ones((3, 1)))
        >>> feed = Feed(dataset, views_per_batch=2, frames_per_batch=1)
        >>> feed.batches_per_epoch, sum(batch.weights.sum() for batch in feed.sweep())
        (2, np.float32(3.0))
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        views_per_batch: int,
        frames_per_batch: int,
        held_out: np.ndarray | None = None,
        memory: int = 2 << 30,
    ) -> None:
        if min(views_per_batch, frames_per_batch) < 1:
            raise JobError(
                f"views_per_batch is {views_per_batch} and frames_per_batch {frames_per_batch}: a batch has at least "
                "one of each (in a job, 0 decides them from the data)."
            )
        views, frames = dataset.frames.shape[:2]
        self.dataset = dataset
        self.views_per_batch = min(views_per_batch, views)
        self.frames_per_batch = min(frames_per_batch, frames)
        self.held_out = np.zeros((views, frames), bool) if held_out is None else held_out
        self._mask = dataset.mask.astype(np.float32)
        self._trained = dataset.weights * ~self.held_out
        keep = int(np.prod(dataset.frames.shape)) * 4 <= memory
        self._cache: dict[int, np.ndarray] | None = {} if keep else None

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches that show every frame once."""
        views, frames = self.dataset.frames.shape[:2]
        return -(-views // self.views_per_batch) * -(-frames // self.frames_per_batch)

    @property
    def total_weight(self) -> float:
        """Sum of the weights of all frames that are trained on."""
        return float(np.sum(self._trained))

    @property
    def views(self) -> int:
        """Number of views that are trained on."""
        return int(np.count_nonzero(self._trained.any(axis=1)))

    def every(self, keep: int) -> Feed:
        """The same data, but of those trained on every `keep`-th view only, which stands for the others too."""
        if keep == 1:
            return self
        part = copy.copy(self)
        views = np.flatnonzero(self._trained.any(axis=1))[keep // 2 :: keep]
        part._trained = np.zeros_like(self._trained)
        part._trained[views] = self._trained[views]
        part._trained *= np.sum(self._trained) / np.sum(part._trained)
        return part

    def first(self, batches: int) -> Feed:
        """The same data, but of those trained on only what the first batches of a sweep show."""
        part = copy.copy(self)
        kept = np.zeros(self._trained.shape, bool)
        for views, frames in itertools.islice(self._groups(False), batches):
            kept[np.ix_(views, frames)] = True
        part._trained = self._trained * kept
        return part

    @property
    def cached_bytes(self) -> int:
        """What the frames take in memory once all have been read; 0 where they are read anew every time."""
        return 0 if self._cache is None else 4 * int(np.prod(self.dataset.frames.shape))

    def batch(self, seed: int, step: int) -> Batch:
        """The batch of a step: a pure function of seed and step, so that resuming needs no state.

        Every epoch shuffles the views and, for each group of views, the frames.
        """
        epoch, position = divmod(step, self.batches_per_epoch)
        views, frames = self.dataset.frames.shape[:2]
        blocks = -(-frames // self.frames_per_batch)
        order = np.random.default_rng([seed, epoch]).permutation(self.batches_per_epoch)
        group, block = divmod(int(order[position]), blocks)
        chosen = _slice(np.random.default_rng([seed, epoch, 1]).permutation(views), group, self.views_per_batch)
        shuffled = np.random.default_rng([seed, epoch, 2, group]).permutation(frames)
        return self._collect(chosen, _slice(shuffled, block, self.frames_per_batch), held_out=False)

    def sweep(self, *, held_out: bool = False) -> Iterator[Batch]:
        """All frames in order: those trained on, or those held out; views and frames that have none are passed over."""
        for views, frames in self._groups(held_out):
            yield self._collect(views, frames, held_out=held_out)

    def batches(self, *, held_out: bool = False) -> int:
        """Number of batches of a sweep."""
        return sum(1 for _ in self._groups(held_out))

    def _groups(self, held_out: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views and frames of each batch of a sweep."""
        wanted = self._allowed(held_out) > 0
        views = np.flatnonzero(wanted.any(axis=1))
        for first in range(0, len(views), self.views_per_batch):
            chosen = views[first : first + self.views_per_batch]
            frames = np.flatnonzero(wanted[chosen].any(axis=0))
            for start in range(0, len(frames), self.frames_per_batch):
                yield chosen, frames[start : start + self.frames_per_batch]

    def _allowed(self, held_out: bool) -> np.ndarray:
        return self.dataset.weights * self.held_out if held_out else self._trained

    def _collect(self, views: np.ndarray, frames: np.ndarray, *, held_out: bool) -> Batch:
        allowed = self._allowed(held_out)
        weights = np.zeros((self.views_per_batch, self.frames_per_batch), np.float32)
        weights[: len(views), : len(frames)] = allowed[np.ix_(views, frames)]
        counts = np.zeros((*weights.shape, *self.dataset.frames.shape[2:]), np.float32)
        for row, view in enumerate(views):
            counts[row, : len(frames)] = self._read(int(view), frames)
        counts[weights == 0] = 0  # whatever a rejected frame holds, nought times it is to be nought
        padded_views = np.concatenate([views, np.repeat(views[:1], self.views_per_batch - len(views))])
        padded_frames = np.concatenate([frames, np.repeat(frames[:1], self.frames_per_batch - len(frames))])
        indices = np.broadcast_to(padded_frames.astype(np.int32), weights.shape)
        return Batch(padded_views.astype(np.int32), indices, weights, self._mask, counts)

    def _read(self, view: int, frames: np.ndarray) -> np.ndarray:
        if self._cache is None:
            return self.dataset.read(view, np.sort(frames))[np.argsort(np.argsort(frames))]
        if view not in self._cache:
            self._cache[view] = self.dataset.read(view, np.arange(self.dataset.frames.shape[1]))
        return self._cache[view][frames]


def _slice(order: np.ndarray, index: int, size: int) -> np.ndarray:
    return order[index * size : (index + 1) * size]
