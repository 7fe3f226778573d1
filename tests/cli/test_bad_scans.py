"""Scans and kinds that contradict the data: refused before anything is written."""

from __future__ import annotations

import dataclasses
import shutil

import h5py
import numpy as np
import pytest

from adorym._core import DataError
from adorym.cli._checks import check_dataset, check_model
from adorym.experiment import GaussianProbe, Raster, plan_holography, plan_ptychography, plan_tomography, ptychography
from adorym.io import write_dataset
from adorym.simulate import simulate

from .conftest import sentence_of

MOVES = "entry/sample/transformations"


@pytest.fixture(scope="session")
def measured(tmp_path_factory, scan):
    """A file for every technique."""
    folder = tmp_path_factory.mktemp("measured")
    nothing = np.zeros((16, 16, 16))
    holograms = plan_holography((16, 16), pixel=8e-9, energy=1e3, distances=(3e-7,), views=3, photons=100.0)
    pattern = dataclasses.replace(holograms, technique="cdi", regime="far field", distances=np.zeros(0))
    projections = plan_tomography((16, 16), pixel=1e-6, energy=2e4, views=3)
    for name, plan in (("holography", holograms), ("cdi", pattern), ("tomography", projections)):
        write_dataset(folder / f"{name}.h5", simulate(plan, nothing, nothing))
    shutil.copy(scan, folder / "ptychography.h5")
    return folder


TECHNIQUES = ("holography", "ptychography", "tomography", "cdi")


@pytest.mark.parametrize("kind", TECHNIQUES)
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_kind_that_contradicts_the_data(command, measured, tmp_path, technique, kind):
    if kind == technique:
        return
    (tmp_path / "job.toml").write_text(
        f"version = 1\n[data]\nfile = '{measured / technique}.h5'\n[experiment]\nkind = '{kind}'"
    )
    sentence = sentence_of(command("reconstruct", "job.toml", "-o", "run"))
    assert f"holds {technique} " in sentence
    assert f"{kind} takes" in sentence
    assert "experiment.kind" in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"job.toml"}


SETTINGS = {
    "experiment.modes=0": "experiment.modes is 0: give 1",
    "experiment.modes=-1": "experiment.modes is -1: give 1",
    "experiment.object_size=-4": "experiment.object_size is -4: give 0",
    "experiment={kind='tomography', overhang=-20}": "experiment.overhang is -20",
    "experiment={kind='tomography', ratio=0}": "experiment.ratio is 0",
    "data.axis_column=1e9": "data.axis_column is 1e+09",
    "data.crop_size=0": "crop_size",
    "data.crop_size=[]": "crop_size",
    "data.crop_centre=[0, 8]": "data.crop_centre is [0.0, 8.0]",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_that_no_measurement_has(command, measured, tmp_path, setting):
    name = "tomography" if "tomography" in setting else "ptychography"
    (tmp_path / "job.toml").write_text(f"version = 1\n[data]\nfile = '{measured / name}.h5'")
    assert SETTINGS[setting] in sentence_of(command("reconstruct", "job.toml", "-o", "run", "--set", setting))
    assert {path.name for path in tmp_path.iterdir()} == {"job.toml"}


def moved(file, change):
    """Changes the scan's positions (y, x), in metres, in a file."""
    with h5py.File(file, "r+") as opened:
        for axis, name in enumerate(("translation_y", "translation_x")):
            opened[f"{MOVES}/{name}"][...] = change(opened[f"{MOVES}/{name}"][...], axis)


SCANS = {
    "off the object": (
        lambda values, axis: np.where(np.arange(36) < 20, values + 2e-6, values),
        {},
        "misses the object",
    ),
    "one place": (lambda values, axis: 0 * values, {}, "same scan position"),
    "metres for pixels": (lambda values, axis: values * 1e9, {}, "the unit of the positions"),
    "energy in keV": (None, {"energy": "8 eV"}, "finer than half the wavelength"),
    "a pixel in pm": (None, {"pixel": "40 pm"}, "finer than half the wavelength"),
}


@pytest.mark.parametrize("case", SCANS)
def test_a_bad_scan(command, scan, tmp_path, case):
    change, keys, word = SCANS[case]
    shutil.copy(scan, tmp_path / "scan.h5")
    if change is not None:
        moved(tmp_path / "scan.h5", change)
    lines = [f'{name} = "{value}"' for name, value in keys.items()]
    text = "\n".join(["version = 1", "[data]", 'file = "scan.h5"', *lines])
    if case == "off the object":  # an image is as large as its scan, a volume is as large as the job says
        with h5py.File(tmp_path / "scan.h5", "r+") as file:
            two_views(file)
        text += "\n[experiment]\nobject_size = 24"
    (tmp_path / "job.toml").write_text(text)
    sentence = sentence_of(command("reconstruct", "job.toml", "-o", "run"))
    assert word in sentence
    assert "scan.h5" in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"scan.h5", "job.toml"}


def two_views(file):
    """The scan of one view repeated at another angle."""
    detector = "entry/instrument/detector"
    for name in (f"{detector}/data", f"{detector}/frame_weight", f"{MOVES}/translation_y", f"{MOVES}/translation_x"):
        stored = file[name]
        values, facts = stored[...], dict(stored.attrs)
        del file[name]
        file[name] = np.concatenate([values, values])
        file[name].attrs.update(facts)
    del file[f"{MOVES}/rotation_angle"]
    file[f"{MOVES}/rotation_angle"] = np.array([0.0, 1.0])


def plan():
    return plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=GaussianProbe(16), raster=Raster(8.0), views=2)


def shifted(scan, pixels):
    return dataclasses.replace(scan, positions=scan.positions + np.asarray(pixels) * scan.pixel)


def test_a_probe_that_misses_the_object(capfd):
    check_model(ptychography(plan(), object_size=16), "scan.h5")
    assert capfd.readouterr().err == ""
    check_model(ptychography(shifted(plan(), 8), object_size=16), "scan.h5")
    assert "misses the object at" in capfd.readouterr().err
    with pytest.raises(DataError, match=r"scan.h5: the probe misses the object at 18 of 18 positions"):
        check_model(ptychography(shifted(plan(), 50), object_size=16), "scan.h5")


def test_positions_in_the_wrong_unit():
    check_dataset(plan())
    with pytest.raises(DataError, match="check the unit of the positions"):
        check_dataset(shifted(plan(), 1e6))


def test_positions_that_never_change():
    one = plan()
    with pytest.raises(DataError, match="all 9 frames of a view have the same scan position"):
        check_dataset(dataclasses.replace(one, positions=np.zeros_like(one.positions)))
