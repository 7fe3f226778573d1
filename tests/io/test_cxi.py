"""CXI: units, axes, the cone beam, and what makes a file unusable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adorym._core import DataError
from adorym.io import read_dataset
from adorym.physics import HC

ALL = np.arange(4)
PIXEL = 50e-6


def stored_frames(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["entry_1/data_1/data"][()]


def test_far_field(write_cxi: Any) -> None:
    path = write_cxi()
    data = read_dataset(path)
    assert (data.technique, data.regime, data.distances.size) == ("ptychography", "far field", 0)
    assert data.energy == pytest.approx(8000.0, rel=1e-6)
    assert data.pixel == pytest.approx(HC / 8000 * 1.0 / (6 * PIXEL), rel=1e-6)
    np.testing.assert_array_equal(data.frames.read(0, ALL), stored_frames(path))


def test_the_probe_is_where_the_sample_is_not(write_cxi: Any) -> None:
    """The sample at s in CXI's axes (x left, y up) puts the probe at (+s_y, +s_x) of it, from the scan's middle."""
    data = read_dataset(write_cxi())
    np.testing.assert_allclose(
        data.positions[0], [[-1.5e-6, -5e-7], [-1.5e-6, 5e-7], [1.5e-6, -5e-7], [1.5e-6, 5e-7]], atol=1e-15
    )


def test_a_cone_beam(write_cxi: Any) -> None:
    data = read_dataset(write_cxi(), options={"focus_distance": "10 mm"})
    assert data.regime == "near field"
    assert data.pixel == pytest.approx(PIXEL / 101)
    np.testing.assert_allclose(data.distances, [1.0 / 101])


def test_a_parallel_near_field(write_cxi: Any) -> None:
    data = read_dataset(write_cxi(), options={"regime": "near field"})
    assert data.pixel == pytest.approx(PIXEL)
    np.testing.assert_allclose(data.distances, [1.0])


@pytest.mark.parametrize(
    ("slow", "fast", "turn"),
    [
        ([0, -1, 0], [-1, 0, 0], lambda images: images),  # rows down, columns right: as stored
        ([0, 1, 0], [-1, 0, 0], lambda images: images[:, ::-1]),
        ([0, -1, 0], [1, 0, 0], lambda images: images[:, :, ::-1]),
        ([-1, 0, 0], [0, -1, 0], lambda images: images.swapaxes(1, 2)),
        ([1, 0, 0], [0, -1, 0], lambda images: images.swapaxes(1, 2)[:, :, ::-1]),
        ([-1, 0, 0], [0, 1, 0], lambda images: images.swapaxes(1, 2)[:, ::-1]),
    ],
)
def test_frames_follow_the_basis_vectors(write_cxi: Any, slow: list, fast: list, turn: Any) -> None:
    bad = np.zeros((6, 6), int)
    bad[1, 4] = 2
    path = write_cxi(basis_vectors=PIXEL * np.array([slow, fast]).T, mask=bad)
    data = read_dataset(path)
    stored = np.where(bad, 0, stored_frames(path))
    np.testing.assert_array_equal(data.frames.read(0, ALL), turn(stored))
    np.testing.assert_array_equal(data.mask, turn(bad[None] == 0)[0])


def test_a_pixel_size_may_come_from_the_basis_vectors(write_cxi: Any) -> None:
    basis = PIXEL * np.array([[0, -1, 0], [-1, 0, 0]])
    data = read_dataset(write_cxi(x_pixel_size=None, y_pixel_size=None, basis_vectors=basis))
    assert data.pixel == pytest.approx(HC / 8000 / (6 * PIXEL), rel=1e-6)


def test_a_mask_per_frame_keeps_what_is_good_in_all(write_cxi: Any) -> None:
    bad = np.zeros((4, 6, 6), int)
    bad[2, 0, 0] = bad[3, 5, 5] = 1
    assert (~read_dataset(write_cxi(mask=bad)).mask).sum() == 2


def test_the_energy_may_be_in_ev_or_come_from_the_wavelength(write_cxi: Any) -> None:
    energy = "entry_1__instrument_1__source_1__energy"
    wavelength = "entry_1__instrument_1__source_1__wavelength"
    assert read_dataset(write_cxi(**{energy: 9000.0})).energy == 9000.0
    data = read_dataset(write_cxi(**{energy: None, wavelength: HC / 7000}))
    assert data.energy == pytest.approx(7000.0)


def test_a_given_pixel_does_without_a_distance(write_cxi: Any) -> None:
    data = read_dataset(write_cxi(distance=None), options={"pixel": "10 nm", "energy": "8 keV"})
    assert (data.energy, data.pixel) == (8000.0, 1e-8)


def test_without_an_energy_the_data_are_in_pixel_units(write_cxi: Any) -> None:
    pixels = read_dataset(write_cxi(entry_1__instrument_1__source_1__energy=None), options={"pixel": "100 nm"})
    assert pixels.pixel_units
    np.testing.assert_allclose(pixels.positions[0, 0], [-15, -5])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entry_1__instrument_1__source_1__wavelength": 1e-10}, "contradicts itself"),
        ({"y_pixel_size": 60e-6}, "only square pixels"),
        ({"entry_1__sample_1__geometry_1__translation": np.zeros((3, 3))}, r"shape \(3, 3\) for 4 frames"),
        ({"entry_1__sample_1__geometry_1__translation": np.full((4, 3), np.nan)}, "positions that are not finite"),
        ({"entry_1__sample_1__geometry_1__translation": None}, "4 frames but no entry_1/sample_1/geometry_1"),
        ({"basis_vectors": PIXEL * np.array([[0.6, 0.8, 0], [0.8, -0.6, 0]])}, "not along x and y"),
        ({"basis_vectors": np.ones(4)}, "two vectors"),
        ({"mask": np.ones((6, 6), int)}, "All pixels of .* are masked"),
        ({"mask": np.ones((5, 6), int)}, "they must agree"),
        ({"entry_1__data_1__data": np.ones((4, 6, 8))}, "far-field frames of 6 x 8"),
        ({"entry_1__data_1__data": np.ones((2, 4, 6, 6))}, r"shape \(2, 4, 6, 6\)"),
        ({"entry_1__data_1__data": -np.ones((4, 6, 6))}, "view 0, frame 0, pixel .0, 0. holds -1: .* negative counts"),
        ({"distance": None}, "does not say the pixel"),  # positions in metres have no meaning in pixels of no size
    ],
)
def test_bad_files_are_sentences(write_cxi: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_dataset(write_cxi(**changes))


def test_the_wrong_entry_is_a_sentence(write_cxi: Any) -> None:
    with pytest.raises(DataError, match="has no entry_2/data_1/data: set entry"):
        read_dataset(write_cxi(), options={"entry": 2})


def test_the_siemens_star_of_p25(shared_data: Path) -> None:
    path = shared_data / "p25_nearfield_ptycho" / "PETRAIII_P25_Near_Field_Ptycho.cxi"
    data = read_dataset(path, options={"focus_distance": "3.65 mm"})
    assert data.frames.shape == (1, 200, 100, 100)
    assert data.energy == pytest.approx(12658, rel=1e-4)
    assert data.pixel == pytest.approx(178.66e-9, rel=1e-4)
    np.testing.assert_allclose(data.distances, [3.638e-3], rtol=1e-4)
    assert (~data.mask).sum() == 5
    with h5py.File(path) as file:
        stored = file["entry_1/sample_1/geometry_1/translation"][()].astype(float)
    moved = data.positions[0] - data.positions[0, 0]
    np.testing.assert_allclose(moved, (stored - stored[0])[:, 1::-1], atol=1e-12)


@pytest.mark.parametrize("name", ["minimal.cxi", "typical_raw.cxi"])
def test_single_patterns(shared_data: Path, name: str) -> None:
    path = shared_data / "format_zoo" / name
    with pytest.raises(DataError, match="50 x 100 pixels: cut them square"):
        read_dataset(path)
    data = read_dataset(path, options={"crop_size": 50, "mask_outside": [0, 1e9], "pixel": "10 nm", "energy": "1 keV"})
    assert (data.technique, data.frames.shape) == ("cdi", (1, 1, 50, 50))
