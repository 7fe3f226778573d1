"""What a data set must be to be used, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adorym._core import DataError
from adorym.data import ArrayFrames, Dataset
from adorym.io import describe, validate
from adorym.physics import depth_of_focus


def with_value(value: float, where: tuple[int, int, int, int] = (1, 1, 2, 3)) -> ArrayFrames:
    frames = np.ones((3, 2, 6, 8), np.float32)
    frames[where] = value
    return ArrayFrames(frames)


def test_a_good_data_set(make_dataset: Any) -> None:
    validate(make_dataset())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": with_value(np.nan)}, r"scan.h5, view 1, frame 1, pixel \(2, 3\) holds nan: .* not finite"),
        ({"frames": with_value(np.inf)}, "holds inf"),
        ({"frames": with_value(-2)}, "holds -2: .* negative counts; mask them"),
        ({"frames": ArrayFrames(np.zeros((3, 2, 6, 8)))}, "nothing but zeros"),
        ({"frames": ArrayFrames(np.zeros((3, 0, 6, 8)))}, "holds no frames"),
        ({"angles": np.zeros(2)}, r"angles of shape \(2,\)"),
        ({"angles": np.array([0, 90, 180.0])}, "span 180 radians: these look like degrees"),
        ({"angles": np.array([0, np.nan, 1])}, "angles that are not finite"),
        ({"mask": np.ones((8, 6), bool)}, r"mask of shape \(8, 6\)"),
        ({"mask": np.zeros((6, 8), bool)}, "All pixels of scan.h5 are masked"),
        ({"weights": np.zeros((3, 2))}, "weight 0"),
        ({"weights": np.ones(3)}, "weights of shape"),
        ({"flat": np.ones((2, 2))}, "flat of shape"),
        ({"dark": np.full((6, 8), np.nan)}, "dark that are not finite"),
        ({"positions": np.zeros((2, 2))}, "positions of shape"),
        ({"distances": np.zeros(3)}, "3 distances for 2 frames"),
        ({"distances": np.zeros(0)}, "lacks the distances that near-field data need"),
        ({"energy": None}, "lacks the energy"),
        ({"energy": -1.0}, "energy = -1.0: a positive number"),
        ({"pixel": 0.0}, "pixel = 0.0"),
        ({"photons": np.inf}, "photons = inf"),
        ({"probe": np.ones((6, 8), complex)}, "probe of shape"),
        ({"probe": np.full((1, 6, 8), np.nan + 0j)}, "probe that are not finite"),
    ],
)
def test_what_is_wrong_is_a_sentence(make_dataset: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        validate(make_dataset(**changes))
    assert "scan.h5" in str(caught.value)


def test_masked_pixels_may_hold_anything(make_dataset: Any) -> None:
    mask = np.ones((6, 8), bool)
    mask[2, 3] = False
    validate(make_dataset(frames=with_value(np.nan), mask=mask))


def test_rejected_frames_may_hold_anything(make_dataset: Any) -> None:
    weights = np.ones((3, 2))
    weights[1, 1] = 0
    validate(make_dataset(frames=with_value(np.nan), weights=weights))


def test_a_far_field_probe_has_the_size_of_the_frames(make_dataset: Any) -> None:
    probe = np.ones((1, 4, 4), complex)
    validate(make_dataset(probe=probe))
    with pytest.raises(DataError, match=r"probe of shape \(1, 4, 4\): \(mode, 6, 8\) is needed"):
        validate(make_dataset(probe=probe, regime="far field", distances=np.zeros(0)))


def test_description_of_holograms(make_dataset: Any) -> None:
    data = make_dataset(photons=100.0, notes={"beam time": "0815"})
    facts = describe(data)
    assert facts["energy"] == "5 keV"
    assert facts["wavelength"] == "248 pm"
    assert facts["pixel"] == "2 nm"
    assert facts["views"] == "3, from 0 to 71.62 deg"
    assert facts["frames"] == "2 per view, 6 x 8 pixels"
    assert facts["distance"] == "1 um, 2 um"
    assert (
        facts["Fresnel number of a pixel"]
        == f"{4e-18 / (data.wavelength * 1e-6):.3g}, {2e-18 / (data.wavelength * 1e-6):.3g}"
    )
    ratio = 16e-9 / depth_of_focus(4e-9, data.wavelength)
    assert facts["thickness over depth of focus"].startswith(f"{ratio:.3g} for")
    assert facts["incident photons"] == "100 per pixel"
    assert facts["counts per pixel"] == f"{data.frames.array.mean():.4g}"
    assert facts["masked"] == "0 % of the pixels"
    assert facts["beam time"] == "0815"


def test_description_of_a_scan_in_pixel_units(make_dataset: Any) -> None:
    positions = np.zeros((1, 2, 2))
    positions[0, 1] = [3, 4]
    mask = np.ones((6, 6), bool)
    mask[:, 0] = False
    data: Dataset = make_dataset(
        frames=ArrayFrames(np.full((1, 2, 6, 6), 10.0)), technique="ptychography", regime="far field", energy=None,
        pixel=1.0, positions=positions, angles=np.zeros(1), distances=np.zeros(0), mask=mask,
        weights=np.array([[1, 0]]), probe=np.ones((1, 6, 6), complex),
    )  # fmt: skip
    facts = describe(data)
    assert facts["scan"] == "3 pixels high, 4 pixels wide"
    assert facts["counts per frame"] == "300 (from 300 to 300)"
    assert facts["masked"] == "16.7 % of the pixels"
    assert facts["rejected"] == "1 of 2 frames"
    assert facts["also holds"] == "probe"
    assert "pixel units" in facts["pixel"]
    assert "depth of focus" not in facts
