"""HDF5 files that appear whole or not at all, also where the disk fills up while they are written."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py

from adorym.io._atomic import atomic_path


@contextlib.contextmanager
def create_hdf5(path: str | os.PathLike[str]) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """A new HDF5 file, put in its place when the block ends well.

    Args:
        path: the file; replaced where it exists.

    Yields:
        the open file, and a function that raises if writing has failed so far: call it now and then in a long loop, to
        stop early. It is called once more at the end.

    Raises:
        AdorymError: the file could not be written (disk full, no permission).
    """
    with atomic_path(path) as part, _Sink(part) as sink:
        with h5py.File(sink, "w") as file:
            yield file, sink.check
        sink.check()


class _Sink(io.RawIOBase):
    """A file whose failures wait until they are asked for.

    HDF5 cannot close a file whose last bytes it cannot write: it leaves it open, and the interpreter crashes when it
    ends. So the library is told that all is well, what it writes from then on is dropped, and `check` says the rest.
    Buffers are HDF5's own, of a type that only behaves like `memoryview`.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """Write all of the data, or remember why not."""
        start, size = self._file.tell(), len(data)
        written = 0
        while self._error is None and written < size:
            try:
                written += self._file.write(data[written:])
            except OSError as error:
                self._error = error
        if self._error is not None:
            self._file.seek(start + size)
        return size

    def readinto(self, buffer: Any) -> int:
        """Read; what was lost reads as zeros."""
        got = self._file.readinto(buffer) or 0
        if self._error is not None:
            buffer[got:] = bytes(len(buffer) - got)
            got = len(buffer)
        return got

    def truncate(self, size: int | None = None) -> int:
        """Set the length, or remember why not."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `io.IOBase.seek`."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """See `io.IOBase.tell`."""
        return self._file.tell()

    def readable(self) -> bool:
        """HDF5 reads what it wrote."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()
