"""HDF5 files opened, looked into and read a frame at a time, with sentences where the library gives codes."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from adorym._core import DataError
from adorym.data import FrameSource

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# A chunk that spans views is inflated once, not once for every view.
_CACHE_BYTES, _CACHE_SLOTS = 64 * 2**20, 100_003


def is_hdf5(path: Path) -> bool:
    """Whether a file starts as HDF5 files do, whole or truncated."""
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return handle.read(len(SIGNATURE)) == SIGNATURE


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading.

    Raises:
        DataError: it is missing, truncated, damaged, or no HDF5 file.
    """
    with _open(path) as file:
        try:
            yield file
        except (OSError, RuntimeError) as error:  # what HDF5 makes of structures that are none
            raise DataError(f"{path} is damaged ({_first_line(error)}): copy or export it again.") from error


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES, rdcc_nslots=_CACHE_SLOTS)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: check the path in [data].") from error
    except OSError as error:
        if "truncated" in str(error):
            raise DataError(
                f"{path} is truncated (shorter than its own header says): copy or export it again."
            ) from error
        raise DataError(
            f"{path} cannot be opened as HDF5 ({_first_line(error)}): is it complete, and of this format?"
        ) from error


def find(file: h5py.File, *names: str) -> h5py.Dataset | None:
    """The first of several datasets that a file has.

    Raises:
        DataError: the dataset is a link to a file that is not there.
    """
    for name in names:
        try:
            found = file.get(name)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{name} in {file.filename} cannot be read ({_first_line(error)}): is the file complete?"
            ) from error
        if isinstance(found, h5py.Dataset):
            return found
        link = _dangling(file, name) if found is None else None
        if link is not None:
            raise DataError(f"{name} in {file.filename} points to {link}, which is missing: put that file beside it.")
    return None


def scalar(file: h5py.File, *names: str) -> float | None:
    """The number in the first of several datasets that a file has.

    Raises:
        DataError: it is no single finite number.
    """
    found = find(file, *names)
    if found is None:
        return None
    values = np.ravel(array(found))
    if values.size != 1 or values.dtype.kind not in "fiu" or not np.isfinite(values[0]):
        raise DataError(
            f"{found.name} in {file.filename} should be one finite number: correct the file, or give it in [data]."
        )
    return float(values[0])


def array(dataset: h5py.Dataset) -> np.ndarray:
    """All of a (small) dataset.

    Raises:
        DataError: it cannot be read.
    """
    with _reading(dataset):
        return np.asarray(dataset[()])


def units(dataset: h5py.Dataset) -> str:
    """The dataset's `units` attribute in lower case, or nothing."""
    value = dataset.attrs.get("units", "")
    return (value.decode() if isinstance(value, bytes) else str(value)).strip().lower()


def as_float32(raw: np.ndarray) -> np.ndarray:
    """Numbers as they stand; those beyond 32 bits become infinite, and are refused with their place."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(raw, dtype=np.float32)


def squared_magnitude(raw: np.ndarray) -> np.ndarray:
    """Intensities from magnitudes or complex waves; what is below zero stays so, to be refused with its place."""
    with np.errstate(over="ignore", invalid="ignore"):
        squared = as_float32(np.abs(raw)) ** 2
    return squared if raw.dtype.kind in "cub" else np.where(raw < 0, -squared, squared)


class Hdf5Frames(FrameSource):
    """Frames in one HDF5 dataset, read when they are asked for.

    The file is opened at the first read and kept open, in each process anew (forked and unpickled copies open their
    own).

    Args:
        path: the file.
        name: the dataset: `(view, frame, y, x)`, or `(n, y, x)` or `(y, x)` with an `index`.
        index: `(view, frame)`, which of the n images each frame is.
        decode: from what is stored to intensities, float32.

    Raises:
        DataError: the dataset has another number of axes, does not hold numbers, or needs a missing filter.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        index: np.ndarray | None = None,
        decode: Callable[[np.ndarray], np.ndarray] = as_float32,
    ) -> None:
        self.path, self.name, self.index, self.decode = path, name, index, decode
        self._file: h5py.File | None = None
        self._process = 0
        dataset = self._dataset()
        if dataset.dtype.kind not in "fiucb":
            raise DataError(f"{name} in {path} holds {dataset.dtype}, not numbers: it is no array of frames.")
        if index is None and dataset.ndim != 4:
            raise DataError(f"{name} in {path} has shape {dataset.shape}: four axes, (view, frame, y, x), are needed.")
        leading = dataset.shape[:2] if index is None else index.shape
        _require_filters(dataset)
        self.shape = (int(leading[0]), int(leading[1]), int(dataset.shape[-2]), int(dataset.shape[-1]))

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        dataset = self._dataset()
        with _reading(dataset, f" at view {view}"):
            if self.index is None:
                return self.decode(_rows(dataset, (view,), np.asarray(frames)))
            if dataset.ndim == 2:
                return self.decode(np.repeat(dataset[()][None], len(frames), axis=0))
            return self.decode(_rows(dataset, (), self.index[view, frames]))

    def _dataset(self) -> h5py.Dataset:
        if self._file is None or self._process != os.getpid():
            self._file, self._process = _open(self.path), os.getpid()
        found = find(self._file, self.name)
        if found is None:
            raise DataError(f"{self.path} has no dataset {self.name}: give another format or key in [data].")
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def _rows(dataset: h5py.Dataset, prefix: tuple[int, ...], wanted: np.ndarray) -> np.ndarray:
    """Images in any order, with repetitions, read in runs of neighbours: HDF5 is slow at lists of indices."""
    unique, inverse = np.unique(wanted, return_inverse=True)
    runs = np.split(unique, np.flatnonzero(np.diff(unique) > 1) + 1)
    parts = [dataset[(*prefix, slice(int(run[0]), int(run[-1]) + 1))] for run in runs if run.size]
    if not parts:
        return np.empty((0, *dataset.shape[-2:]), dataset.dtype)
    return np.concatenate(parts)[inverse]


@contextlib.contextmanager
def _reading(dataset: h5py.Dataset, where: str = "") -> Iterator[None]:
    """Failures of HDF5 inside a dataset as a sentence."""
    name, path = dataset.name, dataset.file.filename
    try:
        _require_filters(dataset)
        yield
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} in {path} cannot be read{where} ({_first_line(error)}): the file is damaged; copy or export it "
            "again."
        ) from error


def _require_filters(dataset: h5py.Dataset) -> None:
    """Load the compression filters a dataset needs beyond those built in."""
    layout = dataset.id.get_create_plist()
    codes = [layout.get_filter(number)[0] for number in range(layout.get_nfilters())]
    if all(h5py.h5z.filter_avail(code) for code in codes):
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("hdf5plugin")  # an extra of 194 MB; importing it registers its filters
    missing = [code for code in codes if not h5py.h5z.filter_avail(code)]
    if missing:
        raise DataError(
            f"{dataset.name} in {dataset.file.filename} is compressed with HDF5 filter {missing[0]}, which is not "
            "installed: add the extra with pip install 'adorym[plugins]'."
        )


def _dangling(file: h5py.File, name: str) -> str | None:
    """Where a broken link on the way to a name points to, if that is why there is nothing there."""
    parts = name.strip("/").split("/")
    for depth in range(1, len(parts) + 1):
        here = "/".join(parts[:depth])
        if file.get(here) is None:
            link = file.get(here, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                return link.filename
            return link.path if isinstance(link, h5py.SoftLink) else None
    return None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
