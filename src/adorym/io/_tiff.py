"""TIFF stacks: a folder, a glob pattern or one file of many pages; angles, flat and dark fields beside it."""

from __future__ import annotations

import glob
import re
from pathlib import Path

import numpy as np

from adorym._core import DataError
from adorym.io._overrides import Overrides, beside, read_image
from adorym.io._recording import Recording
from adorym.io._sources import TiffFrames

_ENDINGS = (".tif", ".tiff")


def is_tiff(path: Path) -> bool:
    """Whether a path is a TIFF file, a folder with some, or a pattern that finds some."""
    if path.is_file():
        return path.suffix.lower() in _ENDINGS
    return any(file.suffix.lower() in _ENDINGS for file in _files(path))


def read_tiff_stack(
    path: Path, overrides: Overrides, *, flat: Path | None = None, dark: Path | None = None
) -> Recording:
    """Projections in TIFF files, in the natural order of their names (2 before 10).

    With several distances in [data] the files are taken view by view, one frame per distance.

    Args:
        path: folder, glob pattern, or one file of many pages.
        overrides: the rest of [data].
        flat: image, or stack to average, of the beam without a sample; a file, folder or pattern.
        dark: the same without a beam.

    Raises:
        DataError: no files, damaged files, or a number of files that does not fit.
    """
    files = _files(path)
    if not files:
        raise DataError(f"{path} holds no TIFF files (.tif, .tiff): check the path in [data].")
    frames = TiffFrames(files)
    given = overrides.distances
    per_view = len(given) if isinstance(given, tuple) else 1
    images = frames.shape[0]
    if images % per_view:
        raise DataError(
            f"{path} holds {images} images, no multiple of the {per_view} distances: check distances in [data]."
        )
    if per_view > 1:
        frames = TiffFrames(files, index=np.arange(images).reshape(-1, per_view))
    return Recording(
        path=path,
        frames=frames,
        technique="tomography",
        regime="in focus",
        flat=_average(flat, path, "flat"),
        dark=_average(dark, path, "dark"),
    )


def _files(path: Path) -> list[Path]:
    """The files meant, in natural order."""
    if path.is_file():
        return [path]
    found = path.iterdir() if path.is_dir() else (Path(name) for name in glob.glob(str(path)))
    return sorted((file for file in found if file.is_file() and file.suffix.lower() in _ENDINGS), key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _average(image: Path | None, path: Path, key: str) -> np.ndarray | None:
    """One image, or the mean of a folder or pattern of them."""
    if image is None:
        return None
    place = beside(image, path)
    if place.is_file():
        return read_image(place, key)
    files = _files(place)
    if not files:
        raise DataError(f"{place} does not exist or holds no TIFF files: correct data.{key}.")
    return np.mean([read_image(file, key) for file in files], axis=0)
