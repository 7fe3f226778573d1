"""Bad input to every command: one sentence that says what, where and what to do, the exit code 2, and no file left."""

from __future__ import annotations

import resource
import shutil

import h5py
import jax
import numpy as np
import pytest

from adorym.experiment import plan_holography
from adorym.io import RunFolder

from .conftest import HOLOGRAPHY, SCAN, sentence_of, spawn

DETECTOR = "entry/instrument/detector"


@pytest.fixture(scope="session")
def holograms(tmp_path_factory):
    """A file of holograms without noise worth the name: three views of vacuum."""
    from adorym.io import write_dataset
    from adorym.simulate import simulate

    plan = plan_holography((16, 16), pixel=8e-9, energy=1e3, distances=(3e-7,), views=3, photons=100.0)
    vacuum = np.zeros((16, 16, 16))
    return write_dataset(tmp_path_factory.mktemp("holograms") / "scan.h5", simulate(plan, vacuum, vacuum))


def put(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def drop(name):
    return lambda file: file.__delitem__(name)


def one_count(value):
    return lambda file: file[f"{DETECTOR}/data"].__setitem__((1, 0, 3, 4), value)


# what is done to the file, what the job says, and what the sentence has to say
FILES = {
    "NaN": (one_count(np.nan), {}, "not finite"),
    "negative counts": (one_count(-1), {}, "negative counts"),
    "all masked": (put(f"{DETECTOR}/pixel_mask", np.ones((16, 16), np.uint32)), {}, "masked"),
    "all rejected": (put(f"{DETECTOR}/frame_weight", np.zeros((3, 1))), {}, "weight 0"),
    "mask of another shape": (put(f"{DETECTOR}/pixel_mask", np.zeros((8, 16), np.uint32)), {}, "shape"),
    "too few angles": (put("entry/sample/transformations/rotation_angle", np.zeros(2)), {}, "angles"),
    "degrees taken for radians": (None, {"angles": "[0, 60, 120]"}, "60 deg"),
    "no energy": (drop("entry/instrument/beam/incident_energy"), {}, "energy"),
    "no distance": (drop(f"{DETECTOR}/distance"), {}, "distance"),
    "no frames": (drop(f"{DETECTOR}/data"), {}, ""),
    "a pixel finer than the wave": (None, {"energy": "10 eV"}, "finer than half the wavelength"),
    "a pixel that undersamples the wave": (None, {"distances": "1 m"}, "undersamples"),
    "a contradiction": (None, {"regime": '"in focus"', "distances": '"1 um"'}, "distance"),
    "views that are not there": (None, {"views": "[0, 7]"}, "7"),
    "a unit of the wrong kind": (None, {"energy": '"5 nm"'}, "energy"),
    "a mask that is not there": (None, {"mask": '"mask.npy"'}, "mask.npy"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_measurement(command, holograms, tmp_path, case):
    change, keys, word = FILES[case]
    shutil.copy(holograms, tmp_path / "scan.h5")
    if change is not None:
        with h5py.File(tmp_path / "scan.h5", "r+") as file:
            change(file)
    lines = [f"{name} = {value if value[0] in chr(34) + '[' else repr(value)}" for name, value in keys.items()]
    (tmp_path / "job.toml").write_text("\n".join(["version = 1", "[data]", 'file = "scan.h5"', *lines]))
    sentence = sentence_of(command("reconstruct", "job.toml", "-o", "run"))
    assert word in sentence
    assert "scan.h5" in sentence or "data" in sentence or "pixel" in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"scan.h5", "job.toml"}
    ended = command("inspect", "job.toml")
    if case in ("a pixel finer than the wave", "a pixel that undersamples the wave"):  # they can be looked at
        assert ended.code == 0
        assert word in ended.out.partition("propagation")[2].splitlines()[0]
    else:
        assert word in sentence_of(ended)


@pytest.mark.parametrize(
    "words", [("inspect", "scan.h5"), ("reconstruct", "job.toml", "-o", "run"), ("compare", "x", "scan.h5")]
)
@pytest.mark.parametrize("kind", ["missing", "truncated", "foreign", "empty"])
def test_a_file_that_is_none(command, holograms, tmp_path, words, kind):
    (tmp_path / "job.toml").write_text('version = 1\n[data]\nfile = "scan.h5"\n')
    content = holograms.read_bytes()
    contents = {"truncated": content[: len(content) // 2], "foreign": b"a poem, not a scan" * 100, "empty": b""}
    if kind in contents:
        (tmp_path / "scan.h5").write_bytes(contents[kind])
    if words[0] == "compare":
        (tmp_path / "x").mkdir()
    sentence_of(command(*words))
    assert not (tmp_path / "run").exists()


# settings of a job that is right, and what the sentence has to say
SETTINGS = {
    "experiment.slab_voxel=3": "did you mean slab_voxels",
    "experimnt.kind=x": "did you mean experiment",
    "experiment.kind=holografy": "did you mean holography",
    "experiment.slab_voxels=-1": "slab",
    "experiment.ratio=much": "expected a number",
    "likelihood.kind=poison": "did you mean poisson",
    "phantom.size=0": "size",
    "phantom.wall=cheese": "cheese",
    "scan.views=0": "views",
    "scan.distances=[]": "distance",
    "simulate.refine=0": "refine",
    "stages=[{free=['objekt'], epochs=1}]": "did you mean object",
    "stages=[{free=[], epochs=1}]": "at least one path",
    "stages=[{epochs=0}]": "epochs",
    "stages=[{solver='magic', epochs=1}]": "magic",
    "stages=[]": "stage",
    "constraints=[{kind='bounds', where='object.delta', lower=1, upper=0}]": "above upper",
    "constraints=[{kind='non-negative', where='object'}]": "object.delta",
    "regularizers=[{kind='l1', where='object.gamma', weight=1}]": "gamma",
    "regularizers=[{kind='l1', where='object.delta', weight='strong'}]": "weight",
    "regularizers=[{kind='l1', where='object.delta', weight=-3}]": "weight -3",
    "regularizers=[{kind='l1', where='object.delta', weight=1, scale=0}]": "scale 0",
    "stages=[{solver='first order'}]": "epochs",
    "output.held_out=1": "held_out",
    "output.held_out=50": "held_out",
    "output.evaluations=0": "evaluations",
    "output.checkpoint_seconds=-1": "checkpoint_seconds is -1",
    "output.truth=nothing.h5": "nothing.h5",
    "precision=16": "precision",
    "devices=7": "devices",
    "data.file=scan.h5": "not both",
    "scan.distances=['1 m']": "undersamples",
    "scan.photons=-1": "scan.photons is -1",
    "scan.photons=1e30": "scan.photons is 1e+30",
    "simulate.seed=-1": "simulate: expected non-negative",
    "=3": "key=value",
    "scan..views=3": "no table to stand in",
    "scan={kind='ptychography', raster={step=0}, probe={pixels=8}}": "scan.raster.step is 0",
    "scan={kind='ptychography', raster={step=4}, probe={pixels=0}}": "scan.probe.pixels is 0",
    "scan={kind='ptychography', raster={step=4}, probe={pixels=8, sigma=0}}": "scan.probe.sigma is 0",
    "seed=-1": "seed: expected zero or",
    "devices=-1": "devices: expected zero or",
    "version=2": "version: it is that of the job",
    "experiment.ratio=-1": "experiment.ratio is -1",
    "likelihood.dark_counts=-5": "likelihood.dark_counts is -5",
    "likelihood={kind='gaussian', deviation=0}": "likelihood.deviation is 0",
    "stages=[{views_per_batch=-1, epochs=1}]": "views_per_batch is -1",
    "stages=[{frames_per_batch=-3, epochs=1}]": "frames_per_batch -3",
    "seed": "key=value",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_bad_job(command, tmp_path, setting):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    assert SETTINGS[setting] in sentence_of(command("reconstruct", "job.toml", "-o", "run", "--set", setting))
    assert {path.name for path in tmp_path.iterdir()} == {"job.toml"}


@pytest.mark.parametrize(
    ("other", "words"),
    [("stages=[{solver='first order', epochs=1}]", "weight"), ("output.held_out=0", "held_out is 0")],
)
def test_a_weight_that_nothing_can_find(tmp_path, command, other, words):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    settings = ("--set", "regularizers=[{kind='l1'}]", "--set", other)
    assert words in sentence_of(command("reconstruct", "job.toml", "-o", "run", *settings))
    assert {path.name for path in tmp_path.iterdir()} == {"job.toml"}


def test_a_truth_that_does_not_fit(command, tmp_path):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    with h5py.File(tmp_path / "truth.h5", "w") as file:
        file["delta"], file["beta"] = np.ones((2, 15, 15, 15))
    ended = command("reconstruct", "job.toml", "-o", "run", "--set", "output.truth=truth.h5")
    assert "even numbers" in sentence_of(ended)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "cannot read"),
        ("version = ", "not valid TOML"),
        ("[data]", "version"),
        ("version = 99", "update adorym"),
        ("version = 1", "give [data]"),
        ("version = 1\n[phantom]\nkind = 'cone'", "[scan]"),
        ("version = 1\n[data]\n", "file"),
    ],
)
@pytest.mark.parametrize("name", ["reconstruct", "simulate"])
def test_a_job_that_is_none(command, tmp_path, text, word, name):
    if text is not None:
        (tmp_path / "job.toml").write_text(text)
    sentence = sentence_of(command(name, "job.toml", "-o", "out"))
    assert word in sentence or (name == "simulate" and "[phantom]" in sentence)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("simulate", "job.toml", "-o", "there.h5"), "--overwrite"),
        (("simulate", "job.toml", "-o", "no/such/folder.h5"), "no folder"),
        (("resume", "nowhere"), "not a run"),
        (("export", "nowhere", "--to", "tiff"), "not a run"),
        (("compare", "nowhere", "there.h5"), "not a run"),
        (("compare", "nowhere.zarr", "there.h5"), "nowhere.zarr"),
        (("formats", "jpeg"), "jpeg"),
        (("demo", "--size", "7"), "even number"),
        (("demo", "-o", "."), "not empty"),
        (("inspect", "job.toml"), "no [data]"),
        (("inspect", "gone.h5", "--set", "format=nexus"), "gone.h5 does not exist"),
        (("simulate", "job.toml", "-o", "job.toml", "--overwrite"), "what the command reads"),
        (("simulate", "job.toml", "-o", "."), "is a folder"),
        (("simulate", "job.toml", "-o", "/proc/scan.h5"), "/proc cannot be written to"),
        (("inspect", "there.h5", "-o", "there.h5"), "ends in .png"),
        (("inspect", "there.h5", "-o", "folder/frame.png"), "no folder"),
        (("demo", "-o", "new", "--picture", "there.h5"), "ends in .png"),
    ],
)
def test_other_commands(command, tmp_path, words, word):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    (tmp_path / "there.h5").write_bytes(b"")
    assert word in sentence_of(command(*words))
    assert {path.name for path in tmp_path.iterdir()} == {"job.toml", "there.h5"}


def test_a_picture_replaces_nothing_unless_told(command, tmp_path, scan):
    shutil.copy(scan, tmp_path / "scan.png")  # no name makes a measurement a picture
    before = (tmp_path / "scan.png").read_bytes()
    assert "what the command reads" in sentence_of(command("inspect", "scan.png", "-o", "scan.png", "--overwrite"))
    (tmp_path / "frame.png").write_bytes(b"mine")
    assert "--overwrite" in sentence_of(command("inspect", scan, "-o", "frame.png"))
    assert (tmp_path / "frame.png").read_bytes() == b"mine"
    assert command("inspect", scan, "-o", "frame.png", "--overwrite").code == 0
    assert (tmp_path / "frame.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "scan.png").read_bytes() == before


def test_what_libraries_log_is_not_said_twice(tmp_path):
    (tmp_path / "bad.tif").write_bytes(b"II*\x00" + b"\xff" * 60)
    ended = spawn("inspect", "bad.tif", folder=tmp_path)
    _, said = ended.communicate(timeout=60)
    assert ended.returncode == 2
    assert len(said.splitlines()) == 1, said


def test_a_frame_that_is_not_there(command, scan):
    assert "write it as key=value" in sentence_of(command("inspect", scan, "--set", "=3"))
    assert "write two numbers" in command("inspect", scan, "--frame", "a,b").err
    assert "--frame is 9,0" in sentence_of(command("inspect", scan, "--frame", "9,0"))


def test_a_run_whose_data_are_gone(command, tmp_path, scan):
    shutil.copy(scan, tmp_path / "scan.h5")
    (tmp_path / "job.toml").write_text(SCAN.format(file="scan.h5"))
    RunFolder.create(tmp_path / "run", f'folder = "{tmp_path}"\n' + SCAN.format(file="gone.h5")).close()
    assert "gone.h5" in sentence_of(command("resume", "run"))


@pytest.fixture
def full_disk():
    """Files may grow to 30 kB and no further; nothing compiled is kept meanwhile, which would be cut off, too."""
    limits, least = resource.getrlimit(resource.RLIMIT_FSIZE), jax.config.jax_persistent_cache_min_compile_time_secs  # pyright: ignore
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1e9)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)


def test_a_full_disk_leaves_no_damaged_data_file(command, tmp_path, full_disk):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    sentence = sentence_of(command("simulate", "job.toml", "-o", "scan.h5"))
    assert "scan.h5 could not be written" in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"job.toml"}


@pytest.mark.usefixtures("without_report")
def test_a_full_disk_stops_a_run_that_can_go_on(command, tmp_path, scan, full_disk):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan))
    assert "could not be written" in sentence_of(command("reconstruct", "job.toml", "-o", "run"))
    assert not list((tmp_path / "run").rglob("*.part"))
    full_disk()
    assert command("resume", "run").code == 0
