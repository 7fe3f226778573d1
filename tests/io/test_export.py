"""Exports hold the result's numbers and its scale, in the words of the programs that open them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from adorym._core import DataError, JobError
from adorym.io import ImageResult, RunFolder, VolumeResult, _export, export_run, write_image, write_volume


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", "")


@pytest.fixture
def volume(run: RunFolder) -> VolumeResult:
    delta = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    result = VolumeResult(delta=delta, beta=delta / 10, voxel=2.5e-9, energy=1e3)
    write_volume(run.volume, result)
    return result


def test_tiff_stacks_hold_the_volume_and_its_voxel_size(run: RunFolder, volume: VolumeResult, tmp_path: Path) -> None:
    delta, beta = export_run(run.path, "tiff", tmp_path / "out")
    assert (delta.name, beta.name) == ("delta.tif", "beta.tif")
    np.testing.assert_array_equal(tifffile.imread(delta), volume.delta)
    np.testing.assert_array_equal(tifffile.imread(beta), volume.beta)
    with tifffile.TiffFile(delta) as file:
        facts = file.imagej_metadata
        assert file.is_imagej
        assert facts is not None
        assert (facts["unit"], facts["spacing"], facts["slices"]) == ("nm", 2.5, 5)
        resolution = file.pages.first.tags["XResolution"].value
        assert resolution[1] / resolution[0] == pytest.approx(2.5)


def test_an_image_without_energy_is_exported_in_pixels(run: RunFolder, tmp_path: Path) -> None:
    phase = np.random.default_rng(0).standard_normal((6, 7))
    write_image(run.image, ImageResult(phase=phase, amplitude=np.exp(phase), pixel=1.0, energy=None))
    files = export_run(run.path, "tiff", tmp_path / "out")
    assert [path.name for path in files] == ["phase.tif", "amplitude.tif"]
    np.testing.assert_array_equal(tifffile.imread(files[0]), phase.astype(np.float32))
    with tifffile.TiffFile(files[0]) as file:
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["unit"] == "pixel"


def test_a_volume_too_large_for_imagej_becomes_an_ome_tiff(
    run: RunFolder, volume: VolumeResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_export, "_IMAGEJ_LIMIT", 100)
    delta, _ = export_run(run.path, "tiff", tmp_path / "out")
    with tifffile.TiffFile(delta) as file:
        assert file.is_ome
        assert file.is_bigtiff
        assert file.series[0].axes == "ZYX"
        assert file.ome_metadata is not None
        assert 'PhysicalSizeZ="2.5" PhysicalSizeZUnit="nm"' in file.ome_metadata
        np.testing.assert_array_equal(file.asarray(), volume.delta)


def test_hdf5_is_a_nexus_plot_in_si_units(run: RunFolder, volume: VolumeResult, tmp_path: Path) -> None:
    (path,) = export_run(run.path, "hdf5", tmp_path / "out.h5")
    with h5py.File(path) as file:
        group = file[f"{file.attrs['default']}/{file[file.attrs['default']].attrs['default']}"]
        assert group.attrs["NX_class"] == "NXdata"
        assert list(group.attrs["axes"]) == ["z", "y", "x"]
        np.testing.assert_array_equal(group[group.attrs["signal"]][...], volume.delta)
        np.testing.assert_array_equal(group[group.attrs["auxiliary_signals"][0]][...], volume.beta)
        np.testing.assert_allclose(group["x"][...], (np.arange(7) - 3) * 2.5e-9)
        assert group["x"].attrs["units"] == "m"
        assert group["voxel_size"][()] == 2.5e-9
        assert file["entry/energy"][()] == 1000.0


@pytest.mark.parametrize("to", ["tiff", "hdf5"])
def test_an_existing_file_is_kept_unless_told_otherwise(
    run: RunFolder, volume: VolumeResult, tmp_path: Path, to: str
) -> None:
    first = export_run(run.path, to, tmp_path / "out")
    before = first[0].read_bytes()
    with pytest.raises(JobError, match="exists already"):
        export_run(run.path, to, tmp_path / "out")
    assert first[0].read_bytes() == before
    assert export_run(run.path, to, tmp_path / "out", overwrite=True) == first


def test_what_cannot_be_exported_is_said(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no result yet"):
        export_run(run.path, "tiff", tmp_path / "out")
    with pytest.raises(DataError, match="is not a run"):
        export_run(tmp_path, "tiff", tmp_path / "out")
    write_image(run.image, ImageResult(phase=np.zeros((4, 4)), amplitude=np.ones((4, 4)), pixel=1.0, energy=None))
    with pytest.raises(JobError, match='"tiff" or "hdf5"'):
        export_run(run.path, "png", tmp_path / "out")
    assert not (tmp_path / "out").exists()
