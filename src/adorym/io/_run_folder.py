"""The RUN folder: everything one reconstruction reads back or leaves behind, and who may write it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from adorym._core import AdorymError, DataError, JobError
from adorym.io._atomic import write_atomic
from adorym.io._folders import FolderLock, check_writable, make_folder

_LOCK = ".lock"
_TRACES = (_LOCK, "metrics.jsonl")
"""What a run has and a folder with somebody's own job.toml has not; the first is there before the job is."""

_OWNED = (
    "metrics.jsonl",
    "checkpoints",
    "volume.zarr",
    "image.zarr",
    "slices.h5",
    "probe.h5",
    "predicted.h5",
    "confidence.h5",
    "summary.json",
    "report.html",
    "profile",
    "job.toml",
)


class RunFolder:
    """A RUN folder. `create` and `resume` take the right to write it, `open` only reads.

    Attributes:
        path: the folder.

    Example:
        >>> import tempfile
        >>> with RunFolder.create(Path(tempfile.mkdtemp()) / "run", "seed = 1") as run:
        ...     run.append({"step": 1, "misfit": 0.5})
        >>> RunFolder.open(run.path).records()
        [{'step': 1, 'misfit': 0.5}]
    """

    def __init__(self, path: Path, lock: FolderLock | None) -> None:
        self.path = path
        self._lock = lock

    @staticmethod
    def check_free(path: str | os.PathLike[str], *, replace: bool = False) -> None:
        """Refuse a place where something of value would be lost or mixed, before any work is done for it.

        Args:
            path: where a run is to be created.
            replace: whether a previous run may be replaced.

        Raises:
            JobError: as `create`.

        Example:
            >>> import tempfile
            >>> RunFolder.check_free(tempfile.mkdtemp())
        """
        _check_free(Path(path), replace)

    @classmethod
    def create(cls, path: str | os.PathLike[str], job: str, *, replace: bool = False) -> RunFolder:
        """A new run, its lock taken and its resolved job written.

        Args:
            path: the folder; made with its parents where missing.
            job: the text of the resolved job.
            replace: empty the folder first where it holds a previous run (other files in it stay).

        Raises:
            JobError: the folder exists and is not empty, or it may not be replaced because it is not a run.
            AdorymError: another process writes it, or it cannot be written.

        Example:
            >>> import tempfile
            >>> RunFolder.create(Path(tempfile.mkdtemp()) / "run", "seed = 1").job.read_text()
            'seed = 1'
        """
        folder = Path(path)
        _check_free(folder, replace)
        make_folder(folder)
        lock = FolderLock(folder / _LOCK)
        try:
            _check_free(folder, replace)  # again: another process may have come first
            _clear(folder)
            write_atomic(folder / "job.toml", job.encode())
        except BaseException:
            lock.release()
            raise
        return cls(folder, lock)

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> RunFolder:
        """An existing run, its lock taken, to be continued.

        Args:
            path: the folder.

        Raises:
            DataError: it is not a run.
            AdorymError: another process writes it.

        Example:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp()) / "run"
            >>> RunFolder.create(folder, "").close()
            >>> with RunFolder.resume(folder) as run:
            ...     run.append({"step": 1})
        """
        folder = cls.open(path).path
        return cls(folder, FolderLock(folder / _LOCK))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """An existing run, to be read only.

        Args:
            path: the folder.

        Raises:
            DataError: it is not a run.

        Example:
            >>> RunFolder.open("no-such-folder")
            Traceback (most recent call last):
            adorym._core.errors.DataError: no-such-folder is not a run: it holds no job.toml; give the folder of a run.
        """
        folder = Path(path)
        if not (folder / "job.toml").is_file():
            raise DataError(f"{folder} is not a run: it holds no job.toml; give the folder of a run.")
        if not _is_run(folder):
            raise DataError(
                f"{folder} is not a run, only a folder with a job: start the job with `adorym reconstruct "
                f"{folder / 'job.toml'}`."
            )
        return cls(folder, None)

    @property
    def job(self) -> Path:
        """The resolved job."""
        return self.path / "job.toml"

    @property
    def metrics(self) -> Path:
        """One JSON object per step."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def volume(self) -> Path:
        """The reconstructed volume (OME-Zarr)."""
        return self.path / "volume.zarr"

    @property
    def image(self) -> Path:
        """The reconstructed image, of a run in two dimensions (OME-Zarr)."""
        return self.path / "image.zarr"

    @property
    def slices(self) -> Path:
        """Phase and amplitude of every slice `(slice, y, x)`, of multislice ptychography (HDF5)."""
        return self.path / "slices.h5"

    @property
    def probe(self) -> Path:
        """The refined probe (HDF5)."""
        return self.path / "probe.h5"

    @property
    def predicted(self) -> Path:
        """A few measured frames and their predictions (HDF5)."""
        return self.path / "predicted.h5"

    @property
    def confidence(self) -> Path:
        """How far to trust the result: fit of every view, residual map, and what else was asked for (HDF5)."""
        return self.path / "confidence.h5"

    @property
    def summary(self) -> Path:
        """The result in numbers (JSON)."""
        return self.path / "summary.json"

    @property
    def profile(self) -> Path:
        """Where the time went: `profile.json`, and the traces it was read from."""
        return self.path / "profile"

    @property
    def report(self) -> Path:
        """The report (HTML)."""
        return self.path / "report.html"

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one line to `metrics.jsonl`, visible to other processes at once.

        Args:
            record: JSON values and NumPy scalars; `step` is needed for `cut_metrics`. Not-a-number becomes null.

        Raises:
            AdorymError: the run is open for reading only, or the file cannot be written.

        Example:
            >>> import tempfile
            >>> run = RunFolder.create(Path(tempfile.mkdtemp()) / "run", "")
            >>> run.append({"step": np.int64(1), "misfit": np.float32(0.5)})
            >>> run.records()
            [{'step': 1, 'misfit': 0.5}]
        """
        self._check_writable()
        line = json.dumps(plain(record), allow_nan=False) + "\n"
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise AdorymError(f"{self.metrics} could not be written: {error.strerror or error}.") from error

    def records(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; one that a kill cut short is left out.

        Returns:
            one dictionary per step, empty where nothing was written yet.

        Example:
            >>> import tempfile
            >>> RunFolder.create(Path(tempfile.mkdtemp()) / "run", "").records()
            []
        """
        return [record for _, record in self._lines()]

    def cut_metrics(self, step: int) -> None:
        """Cut `metrics.jsonl` back to the lines of steps up to `step`, and drop what a kill left half written.

        Args:
            step: the checkpoint's number of completed steps.

        Raises:
            AdorymError: the run is open for reading only, or the file cannot be written.

        Example:
            >>> import tempfile
            >>> run = RunFolder.create(Path(tempfile.mkdtemp()) / "run", "")
            >>> for number in (1, 2, 3):
            ...     run.append({"step": number})
            >>> run.cut_metrics(2)
            >>> run.records()
            [{'step': 1}, {'step': 2}]
        """
        self._check_writable()
        if self.metrics.exists():
            kept = [line for line, record in self._lines() if record.get("step", 0) <= step]
            write_atomic(self.metrics, "".join(kept).encode())

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json`, whole or not at all.

        Args:
            summary: JSON values, NumPy scalars and arrays; not-a-number becomes null.

        Raises:
            AdorymError: the run is open for reading only, or the file cannot be written.

        Example:
            >>> import tempfile
            >>> run = RunFolder.create(Path(tempfile.mkdtemp()) / "run", "")
            >>> run.write_summary({"misfit": np.float32(0.5)})
            >>> run.read_summary()
            {'misfit': 0.5}
        """
        self._check_writable()
        write_atomic(self.summary, (json.dumps(plain(summary), indent=2, allow_nan=False) + "\n").encode())

    def read_summary(self) -> dict[str, Any]:
        """The contents of `summary.json`.

        Raises:
            DataError: the run has none yet, or it is damaged.

        Example:
            >>> import tempfile
            >>> run = RunFolder.create(Path(tempfile.mkdtemp()) / "run", "")
            >>> run.write_summary({"seed": 3})
            >>> run.read_summary()["seed"]
            3
        """
        try:
            return json.loads(self.summary.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.summary} cannot be read: finish the run with `adorym resume {self.path}`."
            ) from error

    def close(self) -> None:
        """Give up the right to write; a second call does nothing."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_writable(self) -> None:
        if self._lock is None:
            raise AdorymError(f"{self.path} is open for reading only: take it with RunFolder.resume to write it.")

    def _lines(self) -> list[tuple[str, dict[str, Any]]]:
        """Whole lines of the metrics with their contents."""
        if not self.metrics.exists():
            return []
        found = []
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if line.endswith("\n") and isinstance(record, dict):
                    found.append((line, record))
        return found


def plain(value: Any) -> Any:
    """A value in JSON's own types: NumPy scalars and arrays as numbers and lists, paths as text, NaN as null.

    Args:
        value: dictionaries, lists, numbers, text, paths and arrays, nested.

    Returns:
        the same in dictionaries, lists, numbers, text, booleans and `None`.

    Example:
        >>> plain({"a": np.arange(2), "b": float("nan")})
        {'a': [0, 1], 'b': None}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _check_free(folder: Path, replace: bool) -> None:
    """Refuse a place where something of value would be lost or mixed."""
    if folder.exists() and not folder.is_dir():
        raise JobError(f"{folder} is a file: give the run another folder with -o.")
    check_writable(folder)
    if not folder.is_dir() or not any(entry.name != _LOCK for entry in folder.iterdir()):
        return
    if not _is_run(folder):
        raise JobError(f"{folder} is not empty and not a run: give the run another folder with -o.")
    if not replace:
        raise JobError(
            f"{folder} already holds a run: continue it with `adorym resume {folder}`, replace it with --overwrite, "
            "or give the new run another folder with -o."
        )


def _is_run(folder: Path) -> bool:
    """Whether a run was begun in a folder."""
    return (folder / "job.toml").is_file() and any((folder / name).is_file() for name in _TRACES)


def _clear(folder: Path) -> None:
    """Remove what a previous run left; job.toml last, so that a kill half-way leaves what is still known as a run."""
    for name in _OWNED:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
