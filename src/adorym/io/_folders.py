"""Folders: made when needed, and written by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from pathlib import Path

from adorym._core import AdorymError

_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


def make_folder(folder: Path) -> None:
    """Make a folder and its parents; one that exists will do.

    Args:
        folder: the folder.

    Raises:
        AdorymError: it cannot be made.

    Example:
        >>> import tempfile
        >>> make_folder(Path(tempfile.mkdtemp()) / "a" / "b")
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AdorymError(f"Folder {folder} cannot be made: {error.strerror or error}.") from error


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to (for one that is not there yet: the nearest that is).

    Args:
        folder: the folder.

    Raises:
        AdorymError: nothing can be put there.

    Example:
        >>> check_writable(Path(tempfile.mkdtemp()) / "runs" / "new")
    """
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise AdorymError(f"{nearest} cannot be written to ({reason}): choose another place.") from error


class FolderLock:
    """An exclusive lock on a folder, held from construction to `release` or to the end of the process.

    The lock is the system's (`flock`), so a holder that was killed leaves none behind; the file's text only names
    the holder for the message.

    Args:
        path: the lock file.

    Raises:
        AdorymError: another process (or this one) holds it, or the file cannot be made.

    Example:
        >>> import tempfile
        >>> lock = FolderLock(Path(tempfile.mkdtemp()) / ".lock")
        >>> lock.release()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise AdorymError(f"Lock file {path} cannot be made: {error.strerror or error}.") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some cluster file systems have no locks: better a run without one than no run.
            if error.errno not in _UNSUPPORTED:
                holder = os.read(self._descriptor, 200).decode(errors="replace").strip() or "another process"
                os.close(self._descriptor)
                raise AdorymError(
                    f"{path.parent} is being written by {holder}: wait for it, stop it, or choose another folder."
                ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
