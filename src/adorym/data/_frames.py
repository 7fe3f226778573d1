"""Frames, wherever they lie."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from adorym._core import DataError

_PART = 16 << 20
"""Bytes of frames that are read at a time where all are looked at."""


class FrameSource(ABC):
    """Frames that are read when they are needed: shape `(view, frame, y, x)`, photons, never negative.

    A concrete source sets `shape` and implements `read`; it applies every conversion (magnitudes squared, flips,
    shifts of the zero frequency, scale to photons) so that what leaves it follows the conventions. `read` is called
    from other threads, too.

    Example:
        >>> issubclass(ArrayFrames, FrameSource)
        True
    """

    shape: tuple[int, int, int, int]

    @property
    def parts(self) -> list[np.ndarray]:
        """The numbers of a view's frames, in parts that are read without taking much memory."""
        frames = self.shape[1]
        count = max(1, _PART // (4 * self.shape[2] * self.shape[3]))
        return [np.arange(first, min(first + count, frames)) for first in range(0, frames, count)]

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
        return coarser(self._frames.read(view, frames), self._factor, cut=self._cut)


def coarser(images: np.ndarray, factor: int, *, cut: bool) -> np.ndarray:
    """Images `(..., y, x)` with sides smaller by a factor."""
    ny, nx = (n // factor for n in images.shape[-2:])
    if cut:
        top, left = (n // 2 - m // 2 for n, m in zip(images.shape[-2:], (ny, nx), strict=True))
        return images[..., top : top + ny, left : left + nx]
    return images.reshape(*images.shape[:-2], ny, factor, nx, factor).sum((-3, -1))
