"""TIFF stacks: order, angles, flat and dark fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from adorym._core import DataError
from adorym.io import read_dataset

ANGLES = "\n".join(f"{angle:.1f}" for angle in np.arange(0, 180, 15))


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Twelve projections, numbered without leading zeros, with angles, flat and dark beside them."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(12):
        tifffile.imwrite(images / f"raw_{number}.tif", np.full((5, 6), 100 + number, np.uint16))
    (images / "readme.txt").write_text("not an image")
    (tmp_path / "angles.txt").write_text(f"# degrees\n{ANGLES}\n")
    flat = np.full((5, 6), 500.0, np.float32)
    dark = np.full((5, 6), 10.0, np.float32)
    flat[2, 3] = dark[2, 3]  # a dead pixel
    tifffile.imwrite(tmp_path / "flat.tif", flat)
    tifffile.imwrite(tmp_path / "dark.tif", np.stack([dark - 1, dark + 1]))
    return images


OPTIONS: dict[str, Any] = {"angles": "../angles.txt", "angle_unit": "deg"}


@pytest.mark.parametrize("pattern", ["", "raw_*.tif"])
def test_files_come_in_natural_order(folder: Path, pattern: str) -> None:
    data = read_dataset(folder / pattern, options=OPTIONS)
    first = [data.frames.read(view, np.array([0]))[0, 0, 0] for view in range(12)]
    assert first == list(range(100, 112))
    assert (data.technique, data.regime, data.pixel_units) == ("tomography", "in focus", True)
    np.testing.assert_allclose(data.angles, np.deg2rad(np.arange(0, 180, 15)))


def test_flat_dark_and_dead_pixels(folder: Path) -> None:
    data = read_dataset(folder, options={**OPTIONS, "flat": "../flat.tif", "dark": "../dark.tif"})
    assert not data.mask[2, 3]
    assert data.mask.sum() == 29
    np.testing.assert_array_equal(data.dark, np.full((5, 6), 10))
    assert data.photons == 490
    assert data.frames.read(0, np.array([0]))[0, 2, 3] == 0
    scaled = read_dataset(folder, options={**OPTIONS, "flat": "../flat.tif", "dark": "../dark.tif", "photons": 4900})
    np.testing.assert_allclose(scaled.frames.read(0, np.array([0]))[0, 0, 0], 1000)
    np.testing.assert_allclose([scaled.flat[0, 0], scaled.dark[0, 0]], [5000, 100])


def test_a_pattern_of_flats_is_averaged(folder: Path) -> None:
    for number, value in enumerate((300, 500)):
        tifffile.imwrite(folder.parent / f"white_{number}.tif", np.full((5, 6), value, np.uint16))
    data = read_dataset(folder, options={**OPTIONS, "flat": "../white_*.tif"})
    assert data.flat[0, 0] == 400


def test_distances_make_frames_of_views(folder: Path) -> None:
    options = {"distances": ["10 mm", "20 mm", "40 mm"], "energy": "10 keV", "pixel": "1 um", "angles": [0, 1, 2, 3]}
    data = read_dataset(folder, options=options)
    assert (data.technique, data.regime, data.frames.shape) == ("holography", "near field", (4, 3, 5, 6))
    np.testing.assert_array_equal(data.distances, [0.01, 0.02, 0.04])
    assert data.frames.read(1, np.array([2]))[0, 0, 0] == 105


def test_one_file_of_many_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "all.tiff", np.ones((3, 5, 6), np.float32), photometric="minisblack")
    assert read_dataset(tmp_path / "all.tiff", options={"angles": [0, 1, 2]}).frames.shape == (3, 1, 5, 6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "12 views but no angles"),
        ({"angles": "../angles.txt"}, r"angles.txt span 165 radians, .* look like degrees"),
        ({"angles": "../absent.txt"}, "does not exist: correct data.angles"),
        ({"angles": "readme.txt"}, "holds something else than numbers"),
        ({"angles": [0, 1]}, "data.angles has 2 angles, but .* has 12 views"),
        ({**OPTIONS, "flat": "../absent.tif"}, "correct data.flat"),
        ({**OPTIONS, "distances": [0.1] * 5, "energy": 1e4, "pixel": 1e-6}, "12 images, no multiple of the 5"),
        ({**OPTIONS, "distances": 0.1, "pixel": 1e-6}, "does not say the energy"),
        ({**OPTIONS, "distances": 0.1, "energy": 1e4}, "does not say the pixel"),
    ],
)
def test_what_is_missing_is_a_sentence(folder: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_dataset(folder, options=options)


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no TIFF files"):
        read_dataset(tmp_path, format="tiff")


def test_a_flat_of_another_size_is_a_sentence(folder: Path) -> None:
    tifffile.imwrite(folder.parent / "flat.tif", np.ones((4, 4), np.float32))
    with pytest.raises(DataError, match=r"flat field of .* has shape \(4, 4\)"):
        read_dataset(folder, options={**OPTIONS, "flat": "../flat.tif"})


def test_real_projections(shared_data: Path) -> None:
    folder = shared_data / "tomo_savu_tiff"
    options = {
        "angles": "../angles.txt", "angle_unit": "deg", "angle_selection": "10:-10", "flat": "../flat_00001.tiff",
        "dark": "../dark_00001.tiff", "axis_column": 86.25,
    }  # fmt: skip
    data = read_dataset(folder / "tiffs", options=options)
    assert data.frames.shape == (91, 1, 135, 160)
    np.testing.assert_allclose(np.rad2deg(data.angles[[0, -1]]), [-88.2, 91.8], atol=0.01)
    assert data.axis_offset == 86.25 - 79.5
    assert 0 < (~data.mask).sum() < 10
    with pytest.raises(DataError, match=r"111 angles, but .* 91 views: .*angle_selection"):
        read_dataset(folder / "tiffs", options={**options, "angle_selection": ":"})
