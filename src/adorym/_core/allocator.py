"""What the C library's allocator does with memory that is no longer used."""

from __future__ import annotations

import contextlib
import ctypes


def return_freed_memory() -> None:
    """Gives back to the system what was freed, where the C library keeps it (glibc): compiling leaves much behind.

    Example:
        >>> return_freed_memory()
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
