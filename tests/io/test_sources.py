"""Lazy frames: what is read, in which order, and how it is turned."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import DataError
from adorym.data import ArrayFrames, FrameSource
from adorym.io._hdf5 import Hdf5Frames, _rows, open_hdf5, squared_magnitude
from adorym.io._sources import (
    ConvertedFrames,
    Crop,
    SelectedFrames,
    TiffFrames,
    centre_zero_frequency,
    flip_x,
    flip_y,
    transpose,
)


@pytest.fixture
def stack(tmp_path: Path) -> tuple[Path, np.ndarray]:
    values = np.random.default_rng(0).random((4, 5, 6, 7)).astype(np.float32)
    path = tmp_path / "frames.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, chunks=(2, 2, 3, 7), compression="gzip")
        file["images"] = values.reshape(20, 6, 7)
        file["waves"] = (values * np.exp(1j * values)).astype(np.complex64)
        file["text"] = "no frames"
    return path, values


def everything(source: FrameSource) -> np.ndarray:
    views, frames = source.shape[:2]
    return np.stack([source.read(view, np.arange(frames)) for view in range(views)])


def test_hdf5_frames_in_any_order_and_repeated(stack: tuple[Path, np.ndarray]) -> None:
    path, values = stack
    source = Hdf5Frames(path, "data")
    assert source.shape == values.shape
    wanted = np.array([4, 0, 0, 3])
    got = source.read(2, wanted)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, values[2, wanted])
    assert source.read(0, np.array([], int)).shape == (0, 6, 7)


@given(st.lists(st.integers(0, 19), max_size=12))
def test_rows_are_those_of_numpy(wanted: list[int]) -> None:
    values = np.arange(120.0).reshape(20, 2, 3)
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        file["values"] = values
        got = _rows(file["values"], (), np.array(wanted, dtype=int))
    np.testing.assert_array_equal(got, values[np.array(wanted, dtype=int)])


def test_images_under_an_index(stack: tuple[Path, np.ndarray]) -> None:
    path, values = stack
    index = np.array([[3, 1], [0, 19]])
    source = Hdf5Frames(path, "images", index=index)
    assert source.shape == (2, 2, 6, 7)
    np.testing.assert_array_equal(everything(source), values.reshape(20, 6, 7)[index])


def test_waves_become_intensities(stack: tuple[Path, np.ndarray]) -> None:
    path, values = stack
    source = Hdf5Frames(path, "waves", decode=squared_magnitude)
    np.testing.assert_allclose(everything(source), values**2, rtol=1e-6)


def test_only_what_is_asked_for_is_read(stack: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = stack
    source = Hdf5Frames(path, "data")
    keys: list[object] = []
    read = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key, **_: (keys.append(key), read(self, key))[1])
    source.read(1, np.array([2, 3]))
    assert keys == [(1, slice(2, 4))]


def test_a_source_outlives_its_process(stack: tuple[Path, np.ndarray]) -> None:
    path, values = stack
    source = Hdf5Frames(path, "data")
    source.read(0, np.array([0]))
    copy = pickle.loads(pickle.dumps(ConvertedFrames(source, [flip_x])))
    np.testing.assert_array_equal(copy.read(1, np.array([1])), values[1, [1], :, ::-1])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(source.read, (3, np.array([0]))), values[3, [0]])


@pytest.mark.parametrize(
    ("name", "words"), [("images", "four axes"), ("text", "not numbers"), ("absent", "no dataset")]
)
def test_no_frames_is_a_sentence(stack: tuple[Path, np.ndarray], name: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Hdf5Frames(stack[0], name)


def test_a_damaged_chunk_is_a_sentence(stack: tuple[Path, np.ndarray]) -> None:
    path, _ = stack
    with h5py.File(path) as file:
        chunk = file["data"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data in .*frames.h5 cannot be read at view 0"):
        Hdf5Frames(path, "data").read(0, np.arange(5))


def test_a_missing_filter_is_a_sentence(stack: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda _: False)
    monkeypatch.setattr("importlib.import_module", _absent)
    with pytest.raises(DataError, match=r"HDF5 filter 1, which is not installed: .*adorym\[plugins\]"):
        Hdf5Frames(stack[0], "data")


def _absent(name: str) -> None:
    raise ImportError(name)


def test_an_absent_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"), open_hdf5(tmp_path / "absent.h5"):
        pass


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([transpose], [[0, 3], [1, 4], [2, 5]]),
        ([flip_x], [[2, 1, 0], [5, 4, 3]]),
        ([flip_y], [[3, 4, 5], [0, 1, 2]]),
        ([transpose, flip_x], [[3, 0], [4, 1], [5, 2]]),
        ([centre_zero_frequency], [[5, 3, 4], [2, 0, 1]]),
        ([Crop(0, 1, 2, 2)], [[1, 2], [4, 5]]),
        ([flip_x, Crop(1, 0, 1, 2)], [[5, 4]]),
    ],
)
def test_steps(steps: list, expected: list[list[int]]) -> None:
    source = ConvertedFrames(ArrayFrames(np.arange(6.0).reshape(1, 1, 2, 3)), steps)
    got = source.read(0, np.array([0]))[0]
    assert source.shape[2:] == got.shape
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, expected)


def test_the_zero_frequency_ends_at_half_the_size() -> None:
    for size in (6, 7):
        corner = np.zeros((1, 1, size, size))
        corner[..., 0, 0] = 1
        got = ConvertedFrames(ArrayFrames(corner), [centre_zero_frequency]).read(0, np.array([0]))[0]
        assert got[size // 2, size // 2] == 1


def test_masked_pixels_are_zero_and_the_rest_is_scaled() -> None:
    frames = np.array([[np.nan, 2.0], [3.0, -1.0]])[None, None]
    mask = np.array([[False, True], [True, False]])
    got = ConvertedFrames(ArrayFrames(frames), scale=10.0, mask=mask).read(0, np.array([0]))
    np.testing.assert_array_equal(got, [[[0, 20], [30, 0]]])
    assert frames[0, 0, 0, 1] == 2  # the source's own array is left alone


def test_selected_views_and_frames() -> None:
    values = np.arange(3 * 4 * 2 * 2.0).reshape(3, 4, 2, 2)
    source = SelectedFrames(ArrayFrames(values), np.array([2, 0]), np.array([3, 1]))
    np.testing.assert_array_equal(everything(source), values[[2, 0]][:, [3, 1]])


def test_tiff_files_and_pages(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65535, (6, 4, 5)).astype(np.uint16)
    files = [tmp_path / f"image_{number}.tif" for number in range(6)]
    for file, image in zip(files, values, strict=True):
        tifffile.imwrite(file, image)
    np.testing.assert_array_equal(everything(TiffFrames(files))[:, 0], values)
    tifffile.imwrite(tmp_path / "all.tif", values)
    pages = TiffFrames([tmp_path / "all.tif"], index=np.arange(6).reshape(3, 2))
    np.testing.assert_array_equal(everything(pages), values.reshape(3, 2, 4, 5))


def test_a_tiff_of_another_size_is_a_sentence(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint16))
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((4, 6), np.uint16))
    with pytest.raises(DataError, match=r"b.tif has shape \(4, 6\)"):
        TiffFrames([tmp_path / "a.tif", tmp_path / "b.tif"]).read(1, np.array([0]))


@pytest.mark.parametrize("content", [b"", b"no TIFF at all", b"II*\x00\xff\xff\xff\x00"])
def test_no_tiff_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"a.tif cannot be read as TIFF"):
        TiffFrames([tmp_path / "a.tif"])
