"""NumPy archives: the key map, the zero frequency, positions in pixels."""

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adorym._core import DataError, JobError
from adorym.io import read_dataset

SCAN = np.array([[10.0, 20.0], [10.0, 26.0], [14.0, 20.0]])


@pytest.fixture
def arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "data": rng.random((1, 3, 6, 6)) + 0.1,
        "scan": SCAN[None],
        "illumination": rng.random((1, 1, 2, 6, 6)) + 0j,
    }


KEYS = {"frames": "data", "positions": "scan", "probe": "illumination"}


def save(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path


def test_ptychography_in_pixel_units(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    data = read_dataset(save(tmp_path / "a.npz", arrays), options={"keys": KEYS})
    assert (data.technique, data.regime, data.pixel_units) == ("ptychography", "far field", True)
    np.testing.assert_allclose(data.positions[0], SCAN - [12, 23])
    assert data.wavelength == pytest.approx(2 * np.pi)
    assert data.probe.shape == (2, 6, 6)
    sums = arrays["data"].sum(axis=(2, 3))
    assert np.sum(np.abs(data.probe) ** 2) == pytest.approx(np.quantile(sums, 0.95), rel=1e-5)
    assert data.photons == pytest.approx(np.quantile(sums, 0.95))


def test_with_energy_and_pixel_positions_are_in_metres(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    options = {"keys": KEYS, "energy": "8 keV", "pixel": "10 nm"}
    data = read_dataset(save(tmp_path / "a.npz", arrays), options=options)
    np.testing.assert_allclose(data.positions[0], (SCAN - [12, 23]) * 1e-8)


def test_the_zero_frequency_moves_from_the_corner(tmp_path: Path) -> None:
    frames = np.ones((1, 6, 6))
    frames[0, 0, 0] = 9
    path = save(tmp_path / "a.npz", {"frames": frames, "positions": np.zeros((1, 2))})
    data = read_dataset(path, options={"zero_frequency": "corner"})
    assert data.frames.read(0, np.array([0]))[0, 3, 3] == 9


def test_holograms_with_all_metadata_inside(tmp_path: Path) -> None:
    bad = np.zeros((5, 6), int)
    bad[0, 0] = 1
    contents = {
        "frames": np.full((4, 5, 6), 2.0), "angles": np.linspace(0, 3, 4), "energy": 5000.0, "pixel": 2e-9,
        "distances": 1e-6, "mask": bad, "weights": np.array([1, 1, 0, 1]), "flat": np.full((2, 5, 6), 2.0),
    }  # fmt: skip
    data = read_dataset(save(tmp_path / "a.npz", contents), options={"values": "magnitude"})
    assert (data.technique, data.frames.shape) == ("holography", (4, 1, 5, 6))
    assert data.frames.read(0, np.array([0]))[0, 1, 1] == 4
    assert (data.energy, data.pixel, data.distances.tolist()) == (5000.0, 2e-9, [1e-6])
    assert not data.mask[0, 0]
    assert data.weights[:, 0].tolist() == [1, 1, 0, 1]
    assert data.flat.shape == (5, 6)


def test_a_bare_array(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((3, 5, 6)))
    assert read_dataset(tmp_path / "a.npy", options={"angles": [0, 1, 2]}).technique == "tomography"
    np.save(tmp_path / "b.npy", np.ones((6, 6)))
    assert read_dataset(tmp_path / "b.npy", options={"technique": "cdi"}).regime == "far field"


def test_a_packed_archive(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    plain = save(tmp_path / "a.npz", arrays)
    (tmp_path / "b.npz.bz2").write_bytes(bz2.compress(plain.read_bytes()))
    packed = read_dataset(tmp_path / "b.npz.bz2", options={"keys": KEYS})
    np.testing.assert_allclose(packed.frames.read(0, np.arange(3)), arrays["data"][0], rtol=1e-6)


@pytest.mark.parametrize("name", ["a.npz", "b.npz.bz2"])
def test_a_truncated_archive_is_a_sentence(tmp_path: Path, arrays: dict[str, np.ndarray], name: str) -> None:
    content = save(tmp_path / "a.npz", arrays).read_bytes()
    content = bz2.compress(content) if name.endswith("bz2") else content
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"{name} cannot be read as a NumPy archive"):
        read_dataset(tmp_path / name, options={"keys": KEYS})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": None}, "has no array 'data' for the frames; it holds scan, illumination"),
        ({"scan": np.zeros((1, 4, 2))}, "positions of shape"),
        ({"scan": np.zeros((1, 3, 3))}, "positions of shape"),
        ({"data": np.ones((2, 1, 3, 6, 6))}, r"shape \(2, 1, 3, 6, 6\)"),
        ({"data": np.array(["a"])}, "not numbers"),
        ({"data": np.array([None])}, "holds Python objects where arrays of numbers are needed"),
        ({"illumination": np.zeros((6, 6))}, "probe .* is zero"),
        ({"illumination": np.ones((4, 4))}, r"probe of shape \(1, 4, 4\)"),
    ],
)
def test_bad_archives_are_sentences(
    tmp_path: Path, arrays: dict[str, np.ndarray], changes: dict[str, Any], words: str
) -> None:
    contents = {name: value for name, value in {**arrays, **changes}.items() if value is not None}
    with pytest.raises(DataError, match=words):
        read_dataset(save(tmp_path / "a.npz", contents), options={"keys": KEYS})


def test_an_unknown_name_in_the_key_map(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(JobError, match=r"data.keys.position is nothing .* did you mean 'positions'"):
        read_dataset(save(tmp_path / "a.npz", arrays), options={"keys": {"position": "scan"}})


def test_several_views_of_far_field_frames_need_an_energy(tmp_path: Path) -> None:
    contents = {"frames": np.ones((2, 3, 6, 6)), "positions": np.zeros((2, 3, 2)), "angles": np.array([0.0, 1.0])}
    path = save(tmp_path / "a.npz", contents)
    with pytest.raises(DataError, match="does not say the energy"):
        read_dataset(path)
    with pytest.raises(DataError, match="does not say the pixel"):
        read_dataset(path, options={"energy": "8 keV"})


def test_the_siemens_star_of_the_aps(shared_data: Path) -> None:
    path = shared_data / "aps_siemens_star_ptycho" / "siemens-star-small.npz.bz2"
    keys = {"frames": "data", "positions": "scan"}
    data = read_dataset(path, options={"keys": keys, "zero_frequency": "corner"})
    assert data.frames.shape == (1, 516, 128, 128)
    assert data.probe.shape == (1, 128, 128)
    np.testing.assert_allclose(data.positions.min(axis=(0, 1)), -data.positions.max(axis=(0, 1)))
    mean = data.frames.read(0, np.arange(0, 516, 10)).mean(axis=0)
    centre = (np.indices(mean.shape) * mean).sum(axis=(1, 2)) / mean.sum()
    np.testing.assert_allclose(centre, [64, 64], atol=3)
