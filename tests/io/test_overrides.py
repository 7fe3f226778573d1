"""What [data] adds to or replaces in any file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import DataError, JobError
from adorym.data import ArrayFrames, Dataset
from adorym.io import read_dataset, write_dataset
from adorym.io._overrides import select


@pytest.fixture
def scan(make_dataset: Any, tmp_path: Path) -> Path:
    """Three views, two frames, 6 x 8; every value says where it comes from."""
    view, frame, row, column = np.indices((3, 2, 6, 8))
    values = 1000.0 * view + 100 * frame + 10 * row + column + 1
    mask = np.ones((6, 8), bool)
    mask[1, 7] = False
    flat = np.arange(48.0, dtype=np.float32).reshape(6, 8) + 9
    return write_dataset(
        tmp_path / "scan.h5", make_dataset(frames=ArrayFrames(values), mask=mask, flat=flat, axis_offset=1.5)
    )


def read(scan: Path, **options: Any) -> Dataset:
    return read_dataset(scan, options=options)


def frame(dataset: Dataset, view: int = 0, number: int = 0) -> np.ndarray:
    return dataset.frames.read(view, np.array([number]))[0]


@pytest.mark.parametrize(
    ("options", "turn"),
    [
        ({"flips": ["x"]}, lambda image: image[:, ::-1]),
        ({"flips": ["y"]}, lambda image: image[::-1]),
        ({"flips": ["x", "y"]}, lambda image: image[::-1, ::-1]),
        ({"crop_size": 4}, lambda image: image[1:5, 2:6]),
        ({"crop_size": [2, 3], "crop_centre": [2, 5]}, lambda image: image[1:3, 4:7]),
        ({"crop_centre": [2.2, 2.9]}, lambda image: image[0:4, 1:5]),
        ({"flips": ["x"], "crop_size": 2, "crop_centre": [1, 1]}, lambda image: image[:, ::-1][:2, :2]),
    ],
)
def test_images_turn_together(scan: Path, options: dict[str, Any], turn: Any) -> None:
    plain, turned = read(scan), read(scan, **options)
    np.testing.assert_array_equal(turned.mask, turn(plain.mask))
    np.testing.assert_array_equal(turned.flat, turn(plain.flat))
    np.testing.assert_array_equal(frame(turned, 2, 1), turn(frame(plain, 2, 1)))


def test_the_axis_follows_the_pixels(scan: Path) -> None:
    assert read(scan).axis_offset == 1.5  # column 5 of 8
    assert read(scan, flips=["x"]).axis_offset == -1.5
    assert read(scan, crop_size=[6, 4], crop_centre=[3, 5]).axis_offset == 5 - 3 - 1.5
    assert read(scan, axis_column=3.0).axis_offset == -0.5
    with pytest.raises(DataError, match="lies along rows here: give axis_column"):
        read(scan, transpose=True)
    turned = read(scan, transpose=True, axis_column=2.5)
    assert turned.axis_offset == 0
    np.testing.assert_array_equal(turned.mask, read(scan).mask.T)


@pytest.mark.parametrize("options", [{"crop_size": 10}, {"crop_size": 4, "crop_centre": [0, 0]}])
def test_a_crop_beyond_the_frames(scan: Path, options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="reaches beyond the frames of 6 x 8"):
        read(scan, **options)


def test_views_and_frames(scan: Path) -> None:
    data = read(scan, views="::2", frames=[1])
    assert data.frames.shape == (2, 1, 6, 8)
    np.testing.assert_array_equal(data.angles, [0.0, 1.25])
    np.testing.assert_array_equal(data.distances, [2e-6])
    assert data.weights.shape == (2, 1)
    assert frame(data, 1)[0, 0] == 2101


@given(st.integers(1, 20), st.integers(-25, 25), st.integers(-25, 25), st.integers(1, 4))
def test_slices_are_those_of_python(count: int, first: int, last: int, step: int) -> None:
    expected = list(range(count))[first:last:step]
    text = f"{first}:{last}:{step}"
    if expected:
        assert select(text, count, "views").tolist() == expected
    else:
        with pytest.raises(JobError, match="does not fit"):
            select(text, count, "views")


def test_single_numbers_and_negative_ones() -> None:
    assert select("4", 5, "views").tolist() == [4]
    assert select((-1, 0), 5, "views").tolist() == [4, 0]
    assert select(None, 3, "views").tolist() == [0, 1, 2]


def test_a_mask_of_the_users(scan: Path, tmp_path: Path) -> None:
    bad = np.zeros((6, 8), np.uint8)
    bad[4, 4] = 1
    np.save(tmp_path / "bad.npy", bad)
    tifffile.imwrite(tmp_path / "bad.tif", bad)
    for name in ("bad.npy", "bad.tif"):
        data = read(scan, mask=name, flips=["x"])  # relative: found beside the data
        assert (~data.mask).sum() == 2
        assert not data.mask[4, 3]
        assert frame(data)[4, 3] == 0
    np.save(tmp_path / "all.npy", np.ones((6, 8)))
    with pytest.raises(DataError, match=r"All pixels of .*scan.h5 are masked"):
        read(scan, mask="all.npy")
    np.save(tmp_path / "small.npy", np.ones((2, 2)))
    with pytest.raises(DataError, match=r"mask of .* has shape \(2, 2\)"):
        read(scan, mask="small.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(DataError, match=r"data\.mask needs an image"):
        read(scan, mask="text.npy")
    with pytest.raises(DataError, match=r"does not exist: correct data\.mask"):
        read(scan, mask="absent.npy")


def test_a_range_masks_what_leaves_it_anywhere(scan: Path) -> None:
    data = read(scan, mask_outside=[11, 2150])
    stored = np.indices((6, 8))[0] * 10 + np.indices((6, 8))[1] + 1
    expected = (stored >= 11) & (stored + 2100 <= 2150)
    expected[1, 7] = False
    np.testing.assert_array_equal(data.mask, expected)


def test_angles_from_a_file(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "angles.txt").write_text("0, 0, 10; 20 # comment\n30")
    options = {"angles": "angles.txt", "angle_unit": "deg", "angle_selection": "1:4"}
    np.testing.assert_allclose(np.rad2deg(read(scan, **options).angles), [0, 10, 20])
    np.testing.assert_allclose(np.rad2deg(read(scan, **options, angle_sign=-1).angles), [0, -10, -20])
    np.save(tmp_path / "angles.npy", np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(read(scan, angles="angles.npy").angles, [0, 1, 2])
    (tmp_path / "angles.txt").write_text("0 nan 1")
    with pytest.raises(DataError, match="angles that are not finite"):
        read(scan, angles="angles.txt")


def test_weights(scan: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(scan, weights=[1, 0, 1]).weights, [[1, 1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(read(scan, weights=[1, 0]).weights, [[1, 0]] * 3)
    np.save(tmp_path / "weights.npy", np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(read(scan, weights="weights.npy").weights, np.arange(6).reshape(3, 2))
    with pytest.raises(DataError, match="have weight 0"):
        read(scan, weights=[0, 0, 0])
    with pytest.raises(DataError, match="negative weights"):
        read(scan, weights=[1, -1, 1])


def test_photons_follow_the_flat_field(scan: Path) -> None:
    plain, scaled = read(scan), read(scan, photons=1e4)
    factor = 1e4 / np.median(plain.flat[plain.mask])
    np.testing.assert_allclose(frame(scaled), factor * frame(plain), rtol=1e-6)
    np.testing.assert_allclose(scaled.flat, factor * plain.flat, rtol=1e-6)
    assert (scaled.photons, plain.photons) == (1e4, pytest.approx(1e4 / factor))


def test_sampling_of_near_field_data(scan: Path) -> None:
    data = read(scan, distances=["3 um", "4 um"], pixel="5 nm", energy="1 keV")
    assert (data.pixel, data.energy, data.distances.tolist()) == (5e-9, 1000.0, [3e-6, 4e-6])
    cone = read(scan, focus_distance="1 mm", detector_distance="99 mm", detector_pixel="10 um")
    assert cone.pixel == pytest.approx(1e-7)
    np.testing.assert_allclose(cone.distances, [99e-3 / 100])
    with pytest.raises(DataError, match="does not say the detector_distance"):
        read(scan, focus_distance="1 mm")
    with pytest.raises(DataError, match="does not say the detector_pixel"):
        read(scan, focus_distance="1 mm", detector_distance="99 mm")
    with pytest.raises(DataError, match=r"2 frames a view but 3 \(finite\) distances"):
        read(scan, distances=[1e-6, 2e-6, 3e-6])


def test_an_in_focus_regime_with_a_distance_contradicts_itself(scan: Path) -> None:
    with pytest.raises(JobError, match=r'data\.regime is "in focus", but a distance is given'):
        read(scan, regime="in focus", distances=1e-6)


def test_axes_of_positions(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", frames=np.ones((2, 4, 4)), positions=np.array([[0.0, 0.0], [2.0, 6.0]]))
    data = read_dataset(tmp_path / "a.npz", options={"position_axes": ["-x", "y"]})
    np.testing.assert_array_equal(data.positions[0], [[3, -1], [-3, 1]])
