"""Lazy frames made from other lazy frames: turned, cropped, centred, scaled, selected."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from adorym._core import DataError
from adorym.data import FrameSource

Step = Callable[[np.ndarray], np.ndarray]
"""Something done to images `(..., y, x)`: frames, masks, flat and dark fields alike."""


def transpose(images: np.ndarray) -> np.ndarray:
    """Rows and columns exchanged."""
    return np.swapaxes(images, -1, -2)


def flip_x(images: np.ndarray) -> np.ndarray:
    """Left and right exchanged."""
    return images[..., ::-1]


def flip_y(images: np.ndarray) -> np.ndarray:
    """Top and bottom exchanged."""
    return images[..., ::-1, :]


def centre_zero_frequency(images: np.ndarray) -> np.ndarray:
    """The zero frequency moved from the corner to index N//2."""
    return np.fft.fftshift(images, axes=(-2, -1))


@dataclasses.dataclass(frozen=True)
class Crop:
    """A part of each image: rows and columns from `top`, `left`."""

    top: int
    left: int
    rows: int
    columns: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        y, x = images.shape[-2:]
        if min(self.top, self.left) < 0 or self.top + self.rows > y or self.left + self.columns > x:
            raise DataError(
                f"The crop of {self.rows} x {self.columns} pixels from row {self.top}, column {self.left} reaches "
                f"beyond the frames of {y} x {x}: change crop_centre or crop_size in [data]."
            )
        return images[..., self.top : self.top + self.rows, self.left : self.left + self.columns]


def apply(steps: Iterable[Step], images: np.ndarray) -> np.ndarray:
    """One step after the other."""
    for step in steps:
        images = step(images)
    return images


class ConvertedFrames(FrameSource):
    """Frames of another source after some steps, scaled, with zeros where nothing was measured.

    Args:
        source: the frames as stored.
        steps: what turns them into frames as the conventions want them.
        scale: photons per unit of the source.
        mask: True where a pixel is measured, `(y, x)` after the steps; the rest is set to 0, whatever the file says.
    """

    def __init__(
        self, source: FrameSource, steps: Sequence[Step] = (), *, scale: float = 1.0, mask: np.ndarray | None = None
    ) -> None:
        self.source, self.steps, self.scale = source, tuple(steps), scale
        self.hidden = None if mask is None or mask.all() else ~mask
        y, x = apply(self.steps, np.empty((1, *source.shape[2:]), np.bool_)).shape[1:]
        self.shape = (source.shape[0], source.shape[1], y, x)

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        images = np.array(apply(self.steps, self.source.read(view, frames)), dtype=np.float32, order="C")
        if self.scale != 1.0:
            images *= np.float32(self.scale)
        if self.hidden is not None:
            images[..., self.hidden] = 0.0
        return images


class SelectedFrames(FrameSource):
    """Some views and some frames of another source, in the order given."""

    def __init__(self, source: FrameSource, views: np.ndarray, frames: np.ndarray) -> None:
        self.source, self.views, self.frames = source, views, frames
        self.shape = (len(views), len(frames), source.shape[2], source.shape[3])

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        return self.source.read(int(self.views[view]), self.frames[np.asarray(frames)])


class TiffFrames(FrameSource):
    """Frames in TIFF files: one page per file, or all pages of a single file.

    Args:
        files: the files in order; one file of many pages, or many of one page.
        index: `(view, frame)`, which of the images each frame is; `None` for one frame per view.

    Raises:
        DataError: the first file is no TIFF, or its pages are no grey images.
    """

    def __init__(self, files: Sequence[Path], *, index: np.ndarray | None = None) -> None:
        pages, y, x = _tiff_shape(files[0])
        self.files = tuple(files)
        count = pages if len(files) == 1 else len(files)
        self.index = np.arange(count)[:, None] if index is None else index
        self.shape = (self.index.shape[0], self.index.shape[1], y, x)

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        return np.stack([self._image(int(number)) for number in self.index[view, np.asarray(frames)]])

    def _image(self, number: int) -> np.ndarray:
        file, page = (self.files[0], number) if len(self.files) == 1 else (self.files[number], 0)
        image = read_tiff(file, page)
        if image.shape != self.shape[2:]:
            raise DataError(
                f"{file} has shape {image.shape}, but {self.files[0]} has {self.shape[2:]}: all frames must have one "
                "size."
            )
        return image.astype(np.float32)


def read_tiff(path: Path, page: int | None = None) -> np.ndarray:
    """One page of a TIFF file, or all of it.

    Raises:
        DataError: missing, damaged, no TIFF, or compressed in a way that needs another package.
    """
    import tifffile

    try:
        return np.asarray(tifffile.imread(path, key=page))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: check the path in [data].") from error
    except (tifffile.TiffFileError, OSError, ValueError, IndexError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as TIFF ({error}): is it complete?") from error


def _tiff_shape(path: Path) -> tuple[int, int, int]:
    """Pages, rows and columns."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            pages, shape = len(file.pages), tuple(file.pages[0].shape)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: check the path in [data].") from error
    except (tifffile.TiffFileError, OSError, ValueError, IndexError) as error:
        raise DataError(f"{path} cannot be read as TIFF ({error}): is it complete?") from error
    if len(shape) != 2:
        raise DataError(f"{path} holds pages of shape {shape}: frames must be grey images, (y, x).")
    return pages, shape[0], shape[1]
