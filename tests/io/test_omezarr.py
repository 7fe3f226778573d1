"""Results read back exactly, and their metadata follow the rules of OME-NGFF 0.5."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from adorym._core import AdorymError, DataError
from adorym.io import ImageResult, VolumeResult, read_image, read_volume, write_image, write_volume


def _volume(
    shape: tuple[int, int, int] = (20, 130, 96), *, voxel: float = 3e-9, energy: float | None = 1e3
) -> VolumeResult:
    rng = np.random.default_rng(0)
    delta = rng.random(shape).astype(np.float32) * 1e-5
    return VolumeResult(delta=delta, beta=delta * np.float32(0.1), voxel=voxel, energy=energy, reached=delta > 5e-6)


def _attributes(path: Path) -> dict[str, Any]:
    content = json.loads((path / "zarr.json").read_text())
    assert content["zarr_format"] == 3
    assert content["node_type"] == "group"
    return content["attributes"]


def _check_rules(path: Path, space: str) -> list[dict[str, Any]]:
    """The MUSTs of OME-NGFF 0.5 for multiscales; gives back the datasets."""
    ome = _attributes(path)["ome"]
    assert ome["version"] == "0.5"
    assert len(ome["multiscales"]) == 1
    axes = ome["multiscales"][0]["axes"]
    assert [axis["name"] for axis in axes] == ["c", *space]
    assert [axis["type"] for axis in axes] == ["channel", *["space"] * len(space)]
    assert len({axis["name"] for axis in axes}) == len(axes)
    datasets = ome["multiscales"][0]["datasets"]
    root = zarr.open_group(path, mode="r")
    sizes = []
    for dataset in datasets:
        array = root[dataset["path"]]
        assert isinstance(array, zarr.Array)
        assert array.metadata.dimension_names == ("c", *space)
        assert array.ndim == len(axes)
        sizes.append(array.size)
        kinds = [transformation["type"] for transformation in dataset["coordinateTransformations"]]
        assert kinds == ["scale", "translation"]
        for kind, transformation in zip(kinds, dataset["coordinateTransformations"], strict=True):
            assert len(transformation[kind]) == len(axes)
    assert sizes == sorted(sizes, reverse=True)
    for channel in ome["omero"]["channels"]:
        assert len(channel["color"]) == 6
        assert int(channel["color"], 16) >= 0
        window = channel["window"]
        assert window["min"] <= window["start"] < window["end"] <= window["max"]
    assert len(ome["omero"]["channels"]) == array.shape[0]
    return datasets


def test_a_volume_reads_back_bit_for_bit(tmp_path: Path) -> None:
    given = _volume()
    found = read_volume(write_volume(tmp_path / "volume.zarr", given))
    assert (found.voxel, found.energy) == (given.voxel, given.energy)
    for name in ("delta", "beta", "reached"):
        first, second = getattr(found, name), getattr(given, name)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


def test_an_image_reads_back_bit_for_bit_in_64_bits_too(tmp_path: Path) -> None:
    phase = np.random.default_rng(0).standard_normal((37, 300))
    given = ImageResult(phase=phase, amplitude=np.exp(phase), pixel=1.0, energy=None)
    found = read_image(write_image(tmp_path / "image.zarr", given))
    np.testing.assert_array_equal(found.phase, given.phase)
    np.testing.assert_array_equal(found.amplitude, given.amplitude)
    assert found.energy is None
    assert found.reached is None
    assert found.phase.dtype == np.float64


def test_a_volume_follows_the_rules(tmp_path: Path) -> None:
    path = write_volume(tmp_path / "volume.zarr", _volume())
    datasets = _check_rules(path, "zyx")
    assert len(datasets) == 3
    axes = _attributes(path)["ome"]["multiscales"][0]["axes"]
    assert [axis.get("unit") for axis in axes] == [None, *["nanometer"] * 3]
    labels = [channel["label"] for channel in _attributes(path)["ome"]["omero"]["channels"]]
    assert labels == ["delta", "beta"]


def test_an_image_follows_the_rules_and_pixel_units_name_no_unit(tmp_path: Path) -> None:
    image = ImageResult(phase=np.zeros((200, 30)), amplitude=np.ones((200, 30)), pixel=1.0, energy=None)
    path = write_image(tmp_path / "image.zarr", image)
    datasets = _check_rules(path, "yx")
    assert all("unit" not in axis for axis in _attributes(path)["ome"]["multiscales"][0]["axes"])
    assert datasets[0]["coordinateTransformations"][0]["scale"] == [1.0, 1.0, 1.0]


def test_every_level_lies_where_the_finest_lies(tmp_path: Path) -> None:
    """A ramp along x, y and z: the value at any voxel of any level is the place its transformations give it."""
    shape, voxel = (6, 132, 256), 2e-9
    places = [(np.arange(size) - (size - 1) / 2) * 2.0 for size in shape]  # nm
    z, y, x = np.meshgrid(*places, indexing="ij")
    for axis, ramp in enumerate((z, y, x), start=1):
        result = VolumeResult(delta=ramp, beta=ramp, voxel=voxel, energy=1e3)
        path = write_volume(tmp_path / f"{axis}.zarr", result)
        for dataset in _check_rules(path, "zyx"):
            scale, translation = (
                np.array(dataset["coordinateTransformations"][index][kind])
                for index, kind in enumerate(("scale", "translation"))
            )
            level = np.moveaxis(np.asarray(zarr.open_group(path, mode="r")[dataset["path"]][0]), axis - 1, 0)
            expected = np.arange(level.shape[0]) * scale[axis] + translation[axis]
            np.testing.assert_allclose(level[:, 0, 0], expected, atol=1e-9)


def test_a_thin_axis_is_left_alone_by_the_pyramid(tmp_path: Path) -> None:
    path = write_volume(tmp_path / "volume.zarr", _volume((1, 128, 128)))
    datasets = _check_rules(path, "zyx")
    assert datasets[1]["coordinateTransformations"][0]["scale"] == [1.0, 3.0, 6.0, 6.0]


def test_a_constant_or_unfinished_channel_still_has_a_window(tmp_path: Path) -> None:
    delta = np.zeros((4, 4, 4))
    delta[0, 0, 0] = np.nan
    result = VolumeResult(delta=delta, beta=np.full((4, 4, 4), np.nan), voxel=1e-9, energy=1e3)
    _check_rules(write_volume(tmp_path / "volume.zarr", result), "zyx")


def test_a_result_is_replaced_whole(tmp_path: Path) -> None:
    path = write_volume(tmp_path / "volume.zarr", _volume((4, 130, 130)))
    write_volume(path, _volume((4, 5, 6)))
    assert read_volume(path).delta.shape == (4, 5, 6)
    assert sorted(entry.name for entry in path.iterdir()) == ["0", "reached", "zarr.json"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["volume.zarr"]


def test_a_failed_write_leaves_the_previous_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_volume(tmp_path / "volume.zarr", _volume((4, 4, 4)))

    def full_disk(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Group, "create_array", full_disk)
    with pytest.raises(AdorymError, match="disk is full"):
        write_volume(path, _volume((4, 5, 6)))
    assert read_volume(path).delta.shape == (4, 4, 4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["volume.zarr"]


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    cube = np.zeros((4, 4, 4))
    for delta, reached in ((np.zeros((4, 4)), None), (np.zeros((4, 4, 5)), None), (cube, np.ones((2, 2, 2), bool))):
        with pytest.raises(DataError, match="arrays of one shape"):
            write_volume(
                tmp_path / "v.zarr", VolumeResult(delta=delta, beta=cube, voxel=1.0, energy=None, reached=reached)
            )
    assert not list(tmp_path.iterdir())


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    image = write_image(
        tmp_path / "i.zarr", ImageResult(phase=np.zeros((4, 4)), amplitude=np.ones((4, 4)), pixel=1.0, energy=None)
    )
    zarr.open_group(tmp_path / "foreign.zarr", mode="w")
    (tmp_path / "file").write_text("text")
    for path in (image, tmp_path / "foreign.zarr", tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(DataError, match="delta and beta"):
            read_volume(path)
    (image / "zarr.json").write_text("{")
    with pytest.raises(DataError, match="phase and amplitude"):
        read_image(image)
