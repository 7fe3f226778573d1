"""Our own data sets: what is written is what is read, and it follows NeXus."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adorym._core import DataError
from adorym.data import ArrayFrames, Dataset, FrameSource
from adorym.io import Truth, read_dataset, read_truth, write_dataset

MOVES = "entry/sample/transformations"


def everything(dataset: Dataset) -> np.ndarray:
    views, frames = dataset.frames.shape[:2]
    return np.stack([dataset.frames.read(view, np.arange(frames)) for view in range(views)])


def assert_same(got: Dataset, expected: Dataset) -> None:
    for field in dataclasses.fields(Dataset):
        one, other = getattr(got, field.name), getattr(expected, field.name)
        if field.name == "frames":
            np.testing.assert_array_equal(everything(got), everything(expected))
        elif isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        elif field.name != "source":
            assert one == other, field.name


def test_holography_round_trip(make_dataset: Any, tmp_path: Path) -> None:
    mask = np.ones((6, 8), dtype=bool)
    mask[2, 3] = False
    weights = np.ones((3, 2), np.float32)
    weights[1, 0] = 0.5
    data = make_dataset(
        mask=mask, weights=weights, photons=100.0, axis_offset=-1.25, notes={"beam time": "0815", "δ": "small"},
        probe=np.full((2, 6, 8), 1 + 2j, np.complex64), flat=np.full((6, 8), 101.0, np.float32),
        dark=np.full((6, 8), 1.0, np.float32),
    )  # fmt: skip
    data = dataclasses.replace(data, frames=ArrayFrames(everything(data) * mask))
    assert_same(read_dataset(write_dataset(tmp_path / "a.h5", data)), data)


def test_ptychography_round_trip(make_dataset: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    data = make_dataset(
        frames=ArrayFrames(rng.random((3, 2, 6, 6)).astype(np.float32)), technique="ptychography", regime="far field",
        positions=rng.normal(0, 1e-6, (3, 2, 2)), distances=np.zeros(0), mask=np.ones((6, 6), bool),
        probe=rng.random((1, 6, 6)).astype(np.complex64),
    )  # fmt: skip
    assert_same(read_dataset(write_dataset(tmp_path / "a.h5", data)), data)


def test_pixel_units_round_trip(make_dataset: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    data = make_dataset(
        frames=ArrayFrames(rng.random((1, 2, 6, 6)).astype(np.float32)), technique="ptychography", regime="far field",
        positions=rng.normal(0, 9, (1, 2, 2)), distances=np.zeros(0), mask=np.ones((6, 6), bool), energy=None,
        pixel=1.0, angles=np.zeros(1), weights=np.ones((1, 2), np.float32),
    )  # fmt: skip
    got = read_dataset(write_dataset(tmp_path / "a.h5", data))
    assert got.pixel_units
    np.testing.assert_array_equal(got.positions, data.positions)


def test_frames_are_chunked_compressed_and_lazy(make_dataset: Any, tmp_path: Path) -> None:
    with h5py.File(write_dataset(tmp_path / "a.h5", make_dataset())) as file:
        frames = file["entry/instrument/detector/data"]
        assert frames.chunks == (1, 1, 6, 8)
        assert (frames.compression, frames.shuffle) == ("gzip", True)
        assert frames.attrs["units"] == "counts"
        assert file["entry/data/data"] == frames


def test_writing_holds_one_view_at_a_time(make_dataset: Any, tmp_path: Path) -> None:
    class Watched(FrameSource):
        shape = (3, 2, 6, 8)

        def __init__(self) -> None:
            self.views: list[int] = []

        def read(self, view: int, frames: np.ndarray) -> np.ndarray:
            self.views.append(view)
            return np.ones((len(frames), 6, 8), np.float32)

    source = Watched()
    write_dataset(tmp_path / "a.h5", make_dataset(frames=source))
    assert source.views == [0, 1, 2]


def test_units_and_classes(make_dataset: Any, tmp_path: Path) -> None:
    with h5py.File(write_dataset(tmp_path / "a.h5", make_dataset())) as file:
        assert file["entry/instrument/beam/incident_energy"].attrs["units"] == "eV"
        for name in ("x_pixel_size", "y_pixel_size", "distance"):
            assert file[f"entry/instrument/detector/{name}"].attrs["units"] == "m"
        assert file[f"{MOVES}/rotation_angle"].attrs["units"] == "rad"
        classes = {name: file[name].attrs["NX_class"] for name in ("entry", "entry/instrument/detector", MOVES)}
    assert list(classes.values()) == ["NXentry", "NXdetector", "NXtransformations"]


def test_directions_are_those_of_nexus(make_dataset: Any, tmp_path: Path) -> None:
    """x_N = -x, y_N = -y: a turn about +y is one about -y_N; a probe at +x is a sample moved by -x = +x_N."""
    positions = np.array([[[1e-6, 2e-6]]])
    data = make_dataset(
        frames=ArrayFrames(np.ones((1, 1, 6, 6))), technique="ptychography", regime="far field", positions=positions,
        distances=np.zeros(0), mask=np.ones((6, 6), bool), angles=np.array([0.3]), weights=np.ones((1, 1)),
    )  # fmt: skip
    path = write_dataset(tmp_path / "a.h5", data)
    with h5py.File(path, "r+") as file:
        turn, x, y = (file[f"{MOVES}/{name}"] for name in ("rotation_angle", "translation_x", "translation_y"))
        rotation, sample_x, sample_y = (one[()] * one.attrs["vector"] for one in (turn, x, y))
        ours = np.diag([-1.0, -1.0, 1.0])  # from NeXus' axes to ours
        np.testing.assert_allclose(ours @ rotation.ravel(), [0, 0.3, 0])
        np.testing.assert_allclose(ours @ (sample_x + sample_y).ravel(), [-2e-6, -1e-6, 0])
        # Another writer may choose the opposite vectors and values: the same measurement.
        for one in (turn, x, y):
            one.attrs["vector"] = -one.attrs["vector"]
            one[...] = -one[()]
    assert_same(read_dataset(path), data)


def test_a_tilted_axis_is_refused(make_dataset: Any, tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    with h5py.File(path, "r+") as file:
        file[f"{MOVES}/rotation_angle"].attrs["vector"] = [0.1, 1.0, 0.0]
    with pytest.raises(DataError, match=r"rotation_angle in .*a.h5 moves along"):
        read_dataset(path)


def test_a_newer_layout_is_refused(make_dataset: Any, tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    with h5py.File(path, "r+") as file:
        file["entry"].attrs["adorym_version"] = 99
    with pytest.raises(DataError, match="newer adorym"):
        read_dataset(path)


def test_truth_round_trip(make_dataset: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    truth = Truth(rng.random((3, 4, 5)).astype(np.float32), np.zeros((3, 4, 5), np.float32), 2e-9)
    got = read_truth(write_dataset(tmp_path / "a.h5", make_dataset(), truth=truth))
    np.testing.assert_array_equal(got.delta, truth.delta)
    np.testing.assert_array_equal(got.beta, truth.beta)
    assert got.voxel == 2e-9


def test_truth_of_the_earlier_layout(shared_data: Path) -> None:
    truth = read_truth(shared_data / "cone128_holography_adorym_truth.h5")
    assert truth.delta.shape == truth.beta.shape == (128, 128, 128)
    assert truth.delta.dtype == np.float32
    assert truth.voxel is None
    assert 0 < truth.beta.max() < truth.delta.max() < 1e-3


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"delta": np.ones((2, 2, 2))}, "holds no true object"),
        ({"delta": np.ones((2, 2, 2)), "beta": np.ones((2, 2, 3))}, "both need one shape"),
        ({"delta": np.ones((2, 2)), "beta": np.ones((2, 2))}, "both need one shape"),
        ({"delta": np.full((2, 2, 2), np.nan), "beta": np.ones((2, 2, 2))}, "not finite"),
    ],
)
def test_no_truth_is_a_sentence(write_hdf5: Any, contents: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_truth(write_hdf5(contents))


def test_a_contradictory_data_set_is_not_written(make_dataset: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"angles of shape \(2,\)"):
        write_dataset(tmp_path / "a.h5", make_dataset(angles=np.zeros(2)))
    assert not list(tmp_path.iterdir())
