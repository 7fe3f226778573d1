"""`simulate`, `inspect`, `formats` and `export`: files in, words and files out."""

from __future__ import annotations

import h5py
import numpy as np
import tifffile

from adorym.cli._inspect import drawn
from adorym.io import FORMATS, read_dataset, read_truth, read_volume

from .conftest import HOLOGRAPHY


def test_a_simulated_file_is_a_data_set_with_its_truth(command, tmp_path):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    ended = command("simulate", "job.toml", "-o", "cone.h5", "--set", "scan.photons=100")
    assert ended.code == 0, ended.err
    assert ended.out == "cone.h5\n"
    data = read_dataset(tmp_path / "cone.h5")
    assert data.frames.shape == (6, 1, 16, 16)
    assert data.technique == "holography"
    assert data.photons == 100
    assert data.pixel == 8e-9
    counts = data.frames.read(0, np.array([0]))
    assert np.array_equal(counts, counts.round())
    assert 60 < counts.mean() < 110
    truth = read_truth(tmp_path / "cone.h5")
    assert truth.delta.shape == (16, 16, 16)
    assert truth.voxel == 8e-9
    before = (tmp_path / "cone.h5").read_bytes()
    assert command("simulate", "job.toml", "-o", "cone.h5", "--overwrite").code == 0
    assert (tmp_path / "cone.h5").read_bytes() != before


def test_inspect_speaks_physics(command, scan, tmp_path):
    ended = command("inspect", scan, "--frame", "0,12", "-o", "frame.png")
    assert ended.code == 0, ended.err
    for word in (
        "ptychography, far field",
        "8 keV",
        "40 nm",
        "36 per view, 16 x 16",
        "depth of focus",
        "1e+06 per frame",
    ):
        assert word in ended.out
    picture = ended.out.partition("view 0, frame 12:\n")[2].splitlines()
    assert "@" in "".join(picture)
    assert (tmp_path / "frame.png").read_bytes().startswith(b"\x89PNG")


def test_inspect_takes_keys_of_the_data(command, tmp_path):
    np.savez(tmp_path / "frames.npz", frames=np.ones((3, 8, 8)), angles=np.linspace(0, 3, 3))
    ended = command("inspect", "frames.npz", "--set", "energy=5 keV", "--set", "pixel=2 nm", "--set", "distances=1 um")
    assert ended.code == 0, ended.err
    assert "holography" in ended.out
    assert "5 keV" in ended.out
    assert "Fresnel number" in ended.out


def test_a_job_is_inspected_at_its_data(command, tmp_path):
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "frames.npz", frames=np.ones((3, 8, 8)))
    np.savetxt(tmp_path / "data" / "angles.txt", [0, 60, 120])
    keys = 'file = "data/frames.npz"\nangles = "data/angles.txt"\nangle_unit = "deg"\nenergy = "5 keV"\npixel = "2 nm"'
    (tmp_path / "job.toml").write_text(f"version = 1\n[data]\n{keys}\n[experiment]\nkind = 'holography'\n")
    ended = command("inspect", "job.toml", "--set", "distances=1 um")
    assert ended.code == 0, ended.err
    assert "3, from 0 to 120 deg" in ended.out


def test_a_frame_in_characters():
    image = np.zeros((8, 16))
    image[:, 8:] = 100.0
    lines = drawn(image, np.ones(image.shape, bool), logarithmic=False)
    assert lines == [" " * 8 + "@" * 8] * 4
    masked = np.ones(image.shape, bool)
    masked[:, 8:] = False
    assert drawn(image, masked, logarithmic=False) == [""] * 4
    assert drawn(image, masked & False, logarithmic=True) == [""] * 4
    wide = drawn(np.random.default_rng(0).random((300, 300)), np.ones((300, 300), bool), logarithmic=True)
    assert len(wide) == 32
    assert max(map(len, wide)) == 64


def test_formats_lists_them_and_their_keys(command):
    ended = command("formats")
    assert [line.split("  ")[0] for line in ended.out.splitlines()] == list(FORMATS)
    ended = command("formats", "cxi")
    for key in ("entry", "focus_distance", "energy", "mask_outside"):
        assert f"  {key} " in ended.out


def test_export_to_tiff_and_hdf5(command, holography_run, tmp_path):
    ended = command("export", holography_run, "--to", "tiff", "-o", "stacks")
    assert ended.out == "stacks/delta.tif\nstacks/beta.tif\n"
    delta = read_volume(holography_run / "volume.zarr").delta
    assert np.array_equal(tifffile.imread(tmp_path / "stacks" / "delta.tif"), delta)
    assert command("export", holography_run, "--to", "tiff", "-o", "stacks").code == 2
    assert command("export", holography_run, "--to", "tiff", "-o", "stacks", "--overwrite").code == 0
    assert command("export", holography_run, "--to", "hdf5", "-o", "cone.h5").code == 0
    with h5py.File(tmp_path / "cone.h5") as file:
        assert np.array_equal(file["entry/result/delta"][...], delta)
