"""Holes between what is still in use go back to the system."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from adorym._core.allocator import Returning


def held() -> int:
    """Bytes of this process in memory."""
    return 4096 * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no holes that can be asked for")
def test_holes_are_given_back():
    blocks = [np.ones(12_000) for _ in range(2000)]  # of 96 kB: not mapped by themselves
    kept = blocks[::50]
    del blocks
    before = held()
    assert Returning(every=0.0).look()
    assert held() < before - 100e6
    assert all(block.sum() == 12_000 for block in kept)


def test_it_waits_between_two_looks():
    returning = Returning(every=60.0)
    assert not returning.look()
