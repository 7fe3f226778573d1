"""Files that cannot be used, through every reader: one sentence with the file's name, whatever is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adorym._core import AdorymError, DataError, JobError
from adorym.io import read_dataset

CORNERS = np.array([[-2.0, -2.0], [-2.0, 6.0], [6.0, -2.0], [6.0, 6.0]])
FRAMES = np.ones((2, 4, 8, 8))


def spoilt(place: tuple[int, ...], value: float, shape: tuple[int, ...] = (3, 1, 8, 8)) -> np.ndarray:
    frames = np.ones(shape)
    frames[place] = value
    return frames


SCAN = {
    "exchange__data": FRAMES, "metadata__probe_pos_px": CORNERS, "metadata__free_prop_cm": None,
    "metadata__theta": np.array([0.0, 1.0]), "probe__real": np.ones((8, 8)), "probe__imag": np.zeros((8, 8)),
}  # fmt: skip

EXCHANGE: dict[str, tuple[dict[str, Any], str]] = {
    "no pixel size": ({"metadata__psize_cm": 0.0}, "has pixel = 0"),
    "negative pixel size": ({"metadata__psize_cm": -1e-7}, "has pixel = -1e-09"),
    "no energy": ({"metadata__energy_ev": 0.0}, "has energy = 0"),
    "no views": ({"exchange__data": np.ones((0, 1, 8, 8)), "metadata__theta": np.zeros(0)}, "holds no frames"),
    "a negative magnitude": ({"exchange__data": spoilt((1, 0, 3, 4), -3.0)}, r"view 1, frame 0, pixel \(3, 4\) .*neg"),
    "a NaN": ({"exchange__data": spoilt((1, 0, 3, 4), np.nan)}, r"view 1, frame 0, pixel \(3, 4\) .*not finite"),
    "an infinite square": ({"exchange__data": spoilt((1, 0, 3, 4), 1e30)}, r"pixel \(3, 4\) holds inf"),
    "a pixel size of zero with a probe": ({**SCAN, "metadata__psize_cm": 0.0}, "has pixel = 0"),
    "no views with a probe": ({**SCAN, "exchange__data": np.ones((0, 4, 8, 8))}, "holds no frames"),
    "halves of a probe": ({**SCAN, "probe__imag": np.zeros((4, 4))}, r"probe/real .*\(8, 8\) .*probe/imag .*\(4, 4\)"),
    "a dark probe": ({**SCAN, "probe__real": np.zeros((8, 8))}, "probe .* is zero"),
    "a probe with NaN": ({**SCAN, "probe__real": np.full((8, 8), np.nan)}, "probe .* not finite"),
}


@pytest.mark.parametrize("case", EXCHANGE)
def test_the_earlier_layout(write_exchange: Any, case: str) -> None:
    changes, words = EXCHANGE[case]
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(write_exchange(**changes))
    assert "scan.h5" in str(caught.value)


def test_a_wrong_number_of_the_file_can_be_replaced(write_exchange: Any) -> None:
    assert read_dataset(write_exchange(metadata__psize_cm=0.0), options={"pixel": "2 nm"}).pixel == 2e-9


@pytest.mark.parametrize("size", [[1, 2, 3], [0], [-4, 4], -4])
def test_an_object_of_no_size(write_exchange: Any, size: Any) -> None:
    with pytest.raises(JobError, match=r"data\.object_size is .*: give one or two positive"):
        read_dataset(write_exchange(), options={"object_size": size})


CXI: dict[str, tuple[dict[str, Any], str]] = {
    "no distance": ({"distance": 0.0}, "has detector_distance = 0"),
    "no pixel size": ({"x_pixel_size": 0.0, "y_pixel_size": 0.0}, "has detector_pixel = 0"),
    "negative energy": ({"entry_1__instrument_1__source_1__energy": -1.0}, "has energy = -6"),
    "no frames": ({"entry_1__data_1__data": np.ones((0, 6, 6))}, "holds no frames"),
    "a NaN": ({"entry_1__data_1__data": spoilt((2, 3, 4), np.nan, (4, 6, 6))}, "frame 2, .* not finite"),
    "negative counts": ({"entry_1__data_1__data": spoilt((2, 3, 4), -1, (4, 6, 6))}, "frame 2, .* negative counts"),
    "all masked": ({"mask": np.ones((6, 6), np.uint32)}, "All pixels of .* are masked"),
}


@pytest.mark.parametrize("case", CXI)
def test_cxi(write_cxi: Any, case: str) -> None:
    changes, words = CXI[case]
    changes = {key.replace("__", "/") if "__" in key else key: value for key, value in changes.items()}
    with pytest.raises(DataError, match=words):
        read_dataset(write_cxi(**changes))


ARCHIVES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no frames": ({"frames": np.ones((0, 8, 8))}, {}, "holds no frames"),
    "no scan": ({"frames": np.ones((1, 0, 8, 8)), "positions": np.ones((0, 2))}, {}, "holds no frames|positions"),
    "a NaN": ({"frames": spoilt((0, 0, 3, 4), np.nan)[:1]}, {}, r"pixel \(3, 4\) .*not finite"),
    "negative counts": ({"frames": spoilt((0, 0, 3, 4), -2.0)[:1]}, {}, r"pixel \(3, 4\) .*negative counts"),
    "a negative magnitude": ({"frames": spoilt((0, 0, 3, 4), -2.0)[:1]}, {"values": "magnitude"}, "negative counts"),
    "all masked": ({"frames": np.ones((1, 1, 8, 8)), "mask": np.ones((8, 8))}, {}, "All pixels of .* are masked"),
    "no energy": ({"frames": np.ones((1, 1, 8, 8)), "energy": 0.0, "pixel": 1e-9}, {}, "has energy = 0"),
    "a dark probe": (
        {"frames": np.ones((4, 8, 8)), "positions": CORNERS, "probe": np.zeros((8, 8), complex)}, {}, "zero"
    ),
    "words": ({"frames": np.array([["a", None]], dtype=object)}, {}, "arrays of numbers are needed"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARCHIVES)
def test_numpy_archives(tmp_path: Path, case: str) -> None:
    arrays, options, words = ARCHIVES[case]
    np.savez(tmp_path / "scan.npz", **arrays)
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(tmp_path / "scan.npz", options=options)
    assert "scan.npz" in str(caught.value)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_in_a_file_is_a_sentence_or_harmless(write_exchange: Any, seed: int) -> None:
    """Bytes overwritten at random, mostly where HDF5 keeps its structures."""
    file = write_exchange(**SCAN)
    content = bytearray(file.read_bytes())
    rng = np.random.default_rng(seed)
    start, length = int(rng.integers(len(content) - 64)), int(rng.integers(1, 64))
    content[start : start + length] = rng.bytes(length)
    file.write_bytes(content)
    with contextlib.suppress(AdorymError):
        read_dataset(file)


def test_structures_of_hdf5_that_are_none_are_told(write_exchange: Any) -> None:
    file = write_exchange()
    content = file.read_bytes()
    assert b"HEAP" in content
    file.write_bytes(content.replace(b"HEAP", b"HEAR"))
    with pytest.raises(DataError, match=r"scan\.h5 .*(damaged|cannot be read)"):
        read_dataset(file)
