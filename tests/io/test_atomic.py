"""A file or folder is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from adorym._core import AdorymError
from adorym.io import atomic_path, write_atomic
from adorym.io._hdf5_sink import create_hdf5

# Only in a process of its own can the size of files be limited.
FULL_DISK = """
import resource, sys, pathlib, numpy as np
from adorym.data import ArrayFrames, Dataset
from adorym.io import write_dataset
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
views = 40
data = Dataset(
    frames=ArrayFrames(np.random.default_rng(0).random((views, 1, 64, 64))), technique="tomography", regime="in focus",
    pixel=1.0, energy=None, angles=np.linspace(0, 3, views), distances=np.zeros(0), mask=np.ones((64, 64), bool),
    weights=np.ones((views, 1)),
)
try:
    write_dataset(pathlib.Path(sys.argv[1]) / "scan.h5", data)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as part:
        assert part.parent == tmp_path
        part.write_text("new")
        assert names(tmp_path) == ["a.txt.part"]
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as part:  # noqa: PT012
        part.write_text("half")
        1 / 0  # noqa: B018
    assert names(tmp_path) == ["a.txt"]
    assert target.read_text() == "old"


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "volume.zarr"
    target.mkdir()
    (target / "old").write_text("old")
    with atomic_path(target) as part:
        part.mkdir()
        (part / "new").write_text("new")
    assert names(tmp_path) == ["volume.zarr"]
    assert names(target) == ["new"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "volume.zarr"
    target.mkdir()
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as part:  # noqa: PT012
        part.mkdir()
        (part / "half").write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["volume.zarr"]
    assert names(target) == []


def test_a_leftover_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").mkdir()
    write_atomic(tmp_path / "a.bin", b"whole")
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission"), (errno.EIO, "the system says")]
)
def test_what_the_system_refuses_is_a_sentence(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(AdorymError, match=words) as caught, atomic_path(tmp_path / "a") as part:  # noqa: PT012
        part.write_text("half")
        raise OSError(number, os.strerror(number))
    assert str(tmp_path / "a") in str(caught.value)
    assert names(tmp_path) == []


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(AdorymError, match="its folder does not exist"):
        write_atomic(tmp_path / "absent" / "a", b"")


def test_a_full_disk_gives_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr  # HDF5 by itself crashes when the interpreter ends
    assert run.stderr == ""
    assert run.stdout.startswith("AdorymError: ")
    assert "scan.h5 could not be written" in run.stdout
    assert names(tmp_path) == []


def test_an_hdf5_file_is_whole(tmp_path: Path) -> None:
    values = np.arange(10_000.0).reshape(100, 100)
    with create_hdf5(tmp_path / "a.h5") as (file, check):
        file["values"] = values
        check()
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"][()], values)
