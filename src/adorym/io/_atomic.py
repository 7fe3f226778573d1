"""Files appear whole or not at all: write a temporary sibling, force it to the disk, rename it into place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from adorym._core import AdorymError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space or choose another place",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another place",
    errno.EACCES: "permission is denied; choose a place you may write to",
    errno.EROFS: "the file system is read-only; choose a place you may write to",
    errno.ENOENT: "its folder does not exist; create it first",
    errno.EFBIG: "the file would be larger than the file system allows; choose another place",
}


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling of `path` to write to, put in its place when the block ends well.

    The temporary may become a file or a folder; on any failure it is removed and what was at `path` is left as it
    was. A folder replaces an existing folder only at the last moment, by two renames.

    Args:
        path: where the file or folder is to be.

    Yields:
        the path to write to: `path` with ".part" appended, in the same folder.

    Raises:
        AdorymError: the operating system could not write (disk full, no permission, no such folder).

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_path(folder / "a.txt") as part:
        ...     _ = part.write_text("whole")
        >>> [entry.name for entry in folder.iterdir()]
        ['a.txt']
    """
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        _remove(part)
        yield part
        _flush(part)
        _replace(part, target)
        _flush_folder(target.parent)
    except OSError as error:
        _remove(part)
        raise AdorymError(f"{target} could not be written: {_reason(error)}.") from error
    except BaseException:
        _remove(part)
        raise


def write_atomic(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes to a file that appears whole or not at all.

    Args:
        path: the file.
        content: what it shall hold.

    Raises:
        AdorymError: the operating system could not write it.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "b.txt"
        >>> write_atomic(target, b"whole")
        >>> target.read_bytes()
        b'whole'
    """
    with atomic_path(path) as part:
        part.write_bytes(content)


def _reason(error: OSError) -> str:
    """Why the system refused, in words; HDF5 hides the number in its text."""
    number = error.errno
    if number is None:
        number = next((code for code in _ADVICE if f"errno = {code}," in str(error)), None)
    if number in _ADVICE:
        return _ADVICE[number]
    return f"the system says '{error.strerror or error}'"


def _flush(path: Path) -> None:
    """Force a file, or all files of a folder, to the disk."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(part: Path, target: Path) -> None:
    """Rename, moving an existing folder out of the way first (`os.replace` takes only an empty one)."""
    if not target.is_dir() or not part.is_dir():
        os.replace(part, target)
        return
    old = target.with_name(target.name + ".old")
    _remove(old)
    os.replace(target, old)
    try:
        os.replace(part, target)
    except OSError:
        os.replace(old, target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
