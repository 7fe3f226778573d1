"""Checkpoints: one file per step that is either whole and proven by its checksum, or not used.

Layout, all little-endian: the magic `ADORYMCK`, the format's version (uint32), the length of the header (uint64), the
header (JSON: step, the caller's header, and name, dtype, shape and offset of every array), the arrays' raw bytes, each
at a multiple of 64 bytes after the header, and the SHA-256 of all that precedes. Plain bytes keep every bit, NaN
payloads and 0-d arrays included, and need no library to be read again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np

from adorym._core import AdorymError, DataError
from adorym.io._atomic import atomic_path
from adorym.io._folders import make_folder

_MAGIC = b"ADORYMCK"
_VERSION = 1
_PREFIX = struct.Struct("<8sIQ")
_ALIGNMENT = 64
_BLOCK = 1 << 24
_DIGEST = hashlib.sha256().digest_size
_NAME = re.compile(r"step-(\d{8,})\.ckpt")
_KINDS = "biufc"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        step: the number of completed steps.
        header: the JSON values stored beside the arrays.
        arrays: name to array, in the order in which they were written; of a file each is read when it is asked for.
        path: the file.

    Example:
        >>> Checkpoint(3, {}, {"delta": np.zeros(2)}, Path("step-00000003.ckpt")).step
        3
    """

    step: int
    header: dict[str, Any]
    arrays: Mapping[str, np.ndarray]
    path: Path


@dataclasses.dataclass(frozen=True)
class LatestCheckpoint:
    """The newest checkpoint that can be trusted, and what had to be passed over to reach it.

    Attributes:
        checkpoint: the newest valid one, or `None`.
        skipped: one sentence for every newer file that is damaged.

    Example:
        >>> LatestCheckpoint(None, ()).checkpoint is None
        True
    """

    checkpoint: Checkpoint | None
    skipped: tuple[str, ...]


def write_checkpoint(
    folder: str | os.PathLike[str],
    step: int,
    arrays: Mapping[str, np.ndarray],
    *,
    header: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Write `step-%08d.ckpt` into `folder`, whole or not at all, then remove the files it makes superfluous.

    Files of later steps go too: they belong to a line of the run that was given up when it was resumed from before.

    Args:
        folder: the run's folder of checkpoints; created where missing.
        step: the number of completed steps.
        arrays: name to array of booleans, integers, floats or complex numbers, any shape; asked for one at a time.
        header: JSON values to store beside them.
        keep: how many checkpoints to leave in the folder, this one included (at least 1).

    Returns:
        the file.

    Raises:
        AdorymError: the file cannot be written, or a value cannot be stored exactly.

    Example:
        >>> import tempfile
        >>> path = write_checkpoint(tempfile.mkdtemp(), 7, {"delta": np.arange(3.0)}, header={"seed": 1})
        >>> path.name
        'step-00000007.ckpt'
    """
    target = Path(folder) / f"step-{step:08d}.ckpt"
    preamble = _preamble(step, arrays, header)
    make_folder(target.parent)
    with atomic_path(target) as part, part.open("wb") as file:
        _write_all(file, preamble, arrays)
    _prune(target.parent, step, max(keep, 1))
    return target


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and prove it by its checksum.

    Args:
        path: the file.

    Returns:
        its step, header and arrays, bit for bit as they were written.

    Raises:
        DataError: the file is missing, of another kind or version, truncated or altered.

    Example:
        >>> import tempfile
        >>> path = write_checkpoint(tempfile.mkdtemp(), 7, {"delta": np.arange(3.0)}, header={"seed": 1})
        >>> read_checkpoint(path).arrays["delta"]
        array([0., 1., 2.])
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            return _read_all(file, source)
    except OSError as error:
        raise DataError(f"Checkpoint {source} cannot be read: {error.strerror or error}.") from error


def latest_checkpoint(folder: str | os.PathLike[str]) -> LatestCheckpoint:
    """The newest valid checkpoint of a folder; damaged files are passed over and named.

    Args:
        folder: the run's folder of checkpoints; it may be missing or empty.

    Returns:
        the checkpoint, or `None` where no file is valid, and a sentence for each file passed over.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = write_checkpoint(folder, 7, {"delta": np.arange(3.0)}, header={})
        >>> _ = (folder / "step-00000008.ckpt").write_bytes(b"cut off")
        >>> found = latest_checkpoint(folder)
        >>> found.checkpoint.step, len(found.skipped)
        (7, 1)
    """
    skipped: list[str] = []
    for path in reversed(_files(Path(folder))):
        try:
            return LatestCheckpoint(read_checkpoint(path), tuple(skipped))
        except DataError as error:
            skipped.append(str(error))
    return LatestCheckpoint(None, tuple(skipped))


def _little_endian(name: str, array: np.ndarray) -> np.ndarray:
    """The array C-ordered and little-endian; 0-d arrays stay 0-d, so `ascontiguousarray` will not do."""
    if array.dtype.kind not in _KINDS:
        raise AdorymError(f"Checkpoint array '{name}' has type {array.dtype}: store numbers or booleans.")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _preamble(step: int, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> bytes:
    """Magic, version and header, padded so that the first array is aligned."""
    offset, table = 0, []
    for name, given in arrays.items():
        array = _little_endian(name, given)
        table.append({"name": name, "dtype": array.dtype.str, "shape": list(array.shape), "offset": offset})
        offset = _aligned(offset + array.nbytes)
    try:
        text = json.dumps({"step": step, "header": dict(header), "arrays": table})
    except (TypeError, ValueError) as error:
        raise AdorymError(f"The header of the checkpoint of step {step} cannot be stored as JSON: {error}.") from error
    encoded = text.encode()
    encoded += b" " * (_aligned(_PREFIX.size + len(encoded)) - _PREFIX.size - len(encoded))
    return _PREFIX.pack(_MAGIC, _VERSION, len(encoded)) + encoded


def _write_all(file: BufferedWriter, preamble: bytes, arrays: Mapping[str, np.ndarray]) -> None:
    digest = hashlib.sha256()

    def put(content: bytes | memoryview) -> None:
        digest.update(content)
        file.write(content)

    put(preamble)
    for name, given in arrays.items():
        array = _little_endian(name, given)
        put(_bytes_of(array))
        put(b"\0" * (_aligned(array.nbytes) - array.nbytes))
    file.write(digest.digest())


def _read_all(file: BufferedReader, source: Path) -> Checkpoint:
    """Proven in one pass that keeps nothing: a checkpoint may be as large as what refines it has room for."""
    digest = hashlib.sha256()
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
        raise DataError(f"{source} is not a checkpoint of adorym: delete it or use another.")
    _, version, length = _PREFIX.unpack(prefix)
    if version != _VERSION:
        raise DataError(f"Checkpoint {source} has format {version}, this program reads {_VERSION}: use its version.")
    size = os.fstat(file.fileno()).st_size
    text = file.read(min(length, size))
    digest.update(prefix + text)
    left = size - _PREFIX.size - length - _DIGEST
    content, arrays = _parse(text, left, source)
    while left > 0:
        block = file.read(min(left, _BLOCK))
        if not block:
            raise _damaged(source)
        digest.update(block)
        left -= len(block)
    if file.read(_DIGEST + 1) != digest.digest():
        raise _damaged(source)
    return Checkpoint(content["step"], content["header"], _Stored(source, _PREFIX.size + length, arrays), source)


class _Stored(Mapping[str, np.ndarray]):
    """The arrays of a file, each read when it is asked for.

    Args:
        source: the file.
        start: where its arrays begin.
        table: offset from there, dtype and shape of each.
    """

    def __init__(self, source: Path, start: int, table: Mapping[str, tuple[int, np.dtype, tuple[int, ...]]]) -> None:
        self._source, self._start, self._table = source, start, table

    def __getitem__(self, name: str) -> np.ndarray:
        offset, dtype, shape = self._table[name]
        array = np.empty(shape, dtype)
        try:
            with self._source.open("rb") as file:
                file.seek(self._start + offset)
                if file.readinto(_bytes_of(array)) != array.nbytes:
                    raise _damaged(self._source)
        except OSError as error:
            raise DataError(f"Checkpoint {self._source} cannot be read: {error.strerror or error}.") from error
        return array.astype(dtype.newbyteorder("="), copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _parse(
    text: bytes, space: int, source: Path
) -> tuple[dict[str, Any], dict[str, tuple[int, np.dtype, tuple[int, ...]]]]:
    """The header, and where the arrays are that it announces, with dtype and shape."""
    try:
        content = json.loads(text)
        end, table = 0, {}
        for entry in content["arrays"]:
            dtype, shape = np.dtype(entry["dtype"]), tuple(int(size) for size in entry["shape"])
            if entry["offset"] != end or min(shape, default=0) < 0:
                raise _damaged(source)
            table[entry["name"]] = end, dtype, shape
            end = _aligned(end + int(np.prod(shape, dtype=object)) * dtype.itemsize)
        if end != space or not {"step", "header"} <= content.keys():
            raise _damaged(source)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(source) from error
    return content, table


def _damaged(source: Path) -> DataError:
    return DataError(f"Checkpoint {source} is damaged (cut off or altered): use an earlier one.")


def _bytes_of(array: np.ndarray) -> memoryview:
    """The array's own memory, as bytes."""
    return array.reshape(-1).view(np.uint8).data


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def _files(folder: Path) -> list[Path]:
    """The folder's checkpoints by rising step."""
    found = [
        (int(match.group(1)), path) for path in folder.glob("step-*.ckpt") if (match := _NAME.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found)]


def _prune(folder: Path, step: int, keep: int) -> None:
    files = _files(folder)
    current = files.index(folder / f"step-{step:08d}.ckpt")
    for path in files[: max(current + 1 - keep, 0)] + files[current + 1 :]:
        path.unlink(missing_ok=True)
