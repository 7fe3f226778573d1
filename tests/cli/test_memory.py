"""One memory budget: where it comes from, what is decided by it, and that it holds."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib

import h5py
import jax
import numpy as np
import pytest

from adorym._core import DataError
from adorym.cli import _memory, _run
from adorym.cli._evaluate import Evaluator
from adorym.cli._memory import Budget, free_memory, held_memory, rounded
from adorym.data import Feed
from adorym.io import latest_checkpoint, read_image, read_volume
from adorym.io._hdf5 import Hdf5Frames

from .conftest import SCAN, made, sentence_of, spawn

pytestmark = pytest.mark.usefixtures("without_report")

DEEP = """
version = 1
devices = 1
[phantom]
kind = "cone"
size = 40
voxel = "4 nm"
[scan]
kind = "holography"
distances = ["600 nm"]
views = 2
photons = 1e6
[experiment]
slab_voxels = 1
[[stages]]
solver = "gauss-newton"
epochs = 1
iterations = 1
[output]
held_out = 0
"""


@pytest.fixture
def bare(monkeypatch):
    """Memory is for arrays alone: whatever this process holds and compiled code takes is not counted."""
    monkeypatch.setattr(_memory, "held_memory", lambda: 0)
    monkeypatch.setattr(_memory, "PROGRAM", 0)


@pytest.fixture
def prepared(monkeypatch):
    """Every job that is prepared."""
    found, prepare = [], _run.prepare

    def kept(*arguments, **settings):
        found.append(prepare(*arguments, **settings))
        return found[-1]

    monkeypatch.setattr(_run, "prepare", kept)
    return found


# --- where it comes from ----------------------------------------------------------------------------------------------


def test_what_is_free_less_a_tenth(monkeypatch):
    monkeypatch.setattr(_memory, "free_memory", lambda: 10e9)
    monkeypatch.setattr(_memory, "held_memory", lambda: 10**9)
    found = Budget.of(None)
    assert found.total == 10e9
    assert found.room == found.frames == 9e9 - _memory.PROGRAM
    told = Budget.of(4e9)
    assert (told.total, told.given) == (4e9, True)
    assert told.room == 3e9 - _memory.PROGRAM
    assert Budget.of(1e6).room == 0


def test_a_device_with_a_memory_of_its_own(monkeypatch):
    monkeypatch.setattr(_memory, "free_memory", lambda: 10e9)
    monkeypatch.setattr(_memory, "device_memory", lambda: 80e9)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found = Budget.of(None)
    assert found.total == found.room == 72e9
    assert 8e9 < found.frames < 9e9
    assert Budget.of(5e9).room == 5e9


def test_nothing_is_known(monkeypatch):
    monkeypatch.setattr(_memory, "free_memory", lambda: math.inf)
    assert Budget.of(None).total == math.inf


def test_a_group_has_a_share(tmp_path, monkeypatch):
    new, old = tmp_path / "new", tmp_path / "old"
    for folder, names in ((new, ("memory.max", "memory.current")), (old, ("limit_in_bytes", "usage_in_bytes"))):
        folder.mkdir()
        for name, number in zip(names, (3_000, 1_000), strict=True):
            (folder / (name if "." in name else f"memory.{name}")).write_text(f"{number}\n")
    (new / "memory.stat").write_text("anon 600\ninactive_file 400\n")
    assert _memory._left(new) == 2_400  # files are given up when needed
    assert _memory._left(old) == 2_000
    (new / "memory.max").write_text("max\n")
    assert _memory._left(new) == math.inf
    monkeypatch.setattr(_memory, "_groups", lambda: iter((new, old)))
    assert free_memory() == 2_000


def test_of_this_machine():
    assert 1e6 < free_memory() < 1e15
    assert held_memory() > 1e7
    assert _memory.device_memory() > 1e6
    assert all(folder.is_relative_to("/sys/fs/cgroup") for folder in _memory._groups())


def test_rounded_sizes_are_on_the_safe_side():
    assert rounded(11_312_345_678) == "11.3 GB"
    assert rounded(11_312_345_678, up=True) == "11.4 GB"
    assert rounded(12.0) == "12 B"


# --- what is decided --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_a_small_budget_gives_the_same_result(command, tmp_path, prepared):
    (tmp_path / "job.toml").write_text(DEEP, encoding="utf-8")
    assert command("reconstruct", "job.toml", "-o", "large").code == 0
    (large,) = prepared
    room = int(0.7 * large.allotment.need)
    ended = command("reconstruct", "job.toml", "-o", "small", "--set", f"memory={room}")
    assert ended.code == 0, ended.err
    small = prepared[-1]
    assert large.task.model.backward == "stored"
    assert small.task.model.backward == "reversible"
    assert small.allotment.need <= room < large.allotment.need
    one, other = (read_volume(tmp_path / name / "volume.zarr").delta for name in ("large", "small"))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(one).max())
    assert np.abs(one).max() > 0

    job = tomllib.loads((tmp_path / "small" / "job.toml").read_text())
    assert job["experiment"]["backward"] == "reversible"
    found = latest_checkpoint(tmp_path / "small" / "checkpoints").checkpoint
    assert found.header["memory"]["backward"] == "reversible"
    assert found.header["memory"]["batches"] == [
        [stage["views_per_batch"], stage["frames_per_batch"]] for stage in job["stages"]
    ]


@pytest.mark.usefixtures("bare")
def test_a_resumed_run_decides_nothing_again(command, tmp_path, prepared, monkeypatch):
    (tmp_path / "job.toml").write_text(DEEP, encoding="utf-8")
    assert command("reconstruct", "job.toml", "-o", "large").code == 0
    (large,) = prepared
    free = 0.7 * large.allotment.need / 0.9  # of what is free nine tenths are taken
    monkeypatch.setattr(_memory, "free_memory", lambda: free)
    ended = command("reconstruct", "job.toml", "-o", "run")
    assert ended.code == 0, ended.err
    first = prepared[-1]
    assert first.task.model.backward == "reversible"
    for free in (10e9, 1e3):  # neither more nor less changes it
        monkeypatch.setattr(_memory, "free_memory", lambda free=free: free)
        (tmp_path / "run" / "summary.json").unlink()
        ended = command("resume", "run")
        assert ended.code == 0, ended.err
        again = prepared[-1]
        assert again.memory == first.memory | {"frames": again.memory["frames"]}
        assert again.job.tables == first.job.tables


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("words", [(), ("--precision", "64")])
def test_what_cannot_fit_is_refused_with_what_to_change(command, tmp_path, words):
    text = DEEP.replace('solver = "gauss-newton"', 'solver = "l-bfgs"').replace("iterations = 1", "")
    (tmp_path / "job.toml").write_text(text, encoding="utf-8")
    said = sentence_of(command("reconstruct", "job.toml", "-o", "run", "--set", "memory=20 kB", *words))
    assert "at least, however it is cut, and memory is 20 kB: set " in said
    assert ("precision = 32" in said) == ("--precision" in words)
    assert "stages.0.memory = 3" in said
    assert not (tmp_path / "run").exists()
    least = said.partition("takes ")[2].partition(" at least")[0]
    ended = command("reconstruct", "job.toml", "-o", "run", "--set", f"memory={least}", *words)
    assert ended.code == 0, ended.err


def test_the_plan_tells_it(command, tmp_path):
    (tmp_path / "job.toml").write_text(DEEP, encoding="utf-8")
    told = json.loads(command("plan", "job.toml", "--json").out)["memory"]
    assert (told["backward"], told["frames"], told["fits"]) == ("stored", "cached", True)
    assert told["cached"] == 4 * 2 * 40 * 40
    assert told["budget"] > 1e8
    ended = command("plan", "job.toml", "--set", "memory=1 MB")
    assert ended.code == 0, ended.err
    shown = ended.out
    assert "up to 1 MB may be taken: NOT ENOUGH" in " ".join(shown.split())
    assert "the exit wave is kept" in " ".join(shown.split())
    assert "read ahead" in shown
    assert "however the work is cut" in shown


# --- frames -----------------------------------------------------------------------------------------------------------


def test_streamed_frames_give_the_same_bits(tmp_path, scan, monkeypatch):
    runs = []
    for name, cache in (("cached", 1 << 30), ("streamed", 0)):
        folder = tmp_path / name
        folder.mkdir()
        prepare = _run.prepare

        def changed(*arguments, cache=cache, prepare=prepare, **settings):
            found = prepare(*arguments, **settings)
            return dataclasses.replace(found, task=dataclasses.replace(found.task, cache=cache))

        with monkeypatch.context() as patch:
            patch.setattr(_run, "prepare", changed)
            runs.append(made(folder, SCAN.format(file=scan)))
    one, other = (latest_checkpoint(run / "checkpoints").checkpoint.arrays for run in runs)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    assert np.array_equal(*(read_image(run / "image.zarr").phase for run in runs))


@pytest.mark.parametrize(("more", "frames"), [(0, "cached"), (-1, "streamed")])
def test_frames_are_kept_while_they_fit(tmp_path, scan, monkeypatch, prepared, more, frames):
    size = 4 * 36 * 16 * 16
    given = Budget(1e9, 1e9, float(size + more), True)
    monkeypatch.setattr(Budget, "of", classmethod(lambda cls, memory: given))
    made(tmp_path, SCAN.format(file=scan))
    (found,) = prepared
    assert 4 * math.prod(found.task.dataset.frames.shape) == size
    assert found.allotment.cached == size * (frames == "cached")
    assert found.memory["frames"] == frames
    assert Evaluator(found.task, 4, None).kept_bytes <= max(0, size + more - found.allotment.cached)


def test_what_cannot_be_read_ends_a_run_with_its_sentence(command, tmp_path, scan, monkeypatch):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan), encoding="utf-8")
    read, count = Hdf5Frames.read, []

    def failing(self, view, frames):
        count.append(view)
        if len(count) > 12:
            raise DataError("scan.h5 cannot be read at view 0: the file is damaged.")
        return read(self, view, frames)

    monkeypatch.setattr(Hdf5Frames, "read", failing)
    init = Feed.__init__
    monkeypatch.setattr(Feed, "__init__", lambda self, *a, **k: init(self, *a, **(k | {"memory": 0})))
    ended = command("reconstruct", "job.toml", "-o", "run")
    assert ended.code == 2
    assert ended.err.rstrip().endswith("adorym: scan.h5 cannot be read at view 0: the file is damaged.")
    assert (tmp_path / "run" / "job.toml").exists()


# --- that it holds ----------------------------------------------------------------------------------------------------


LONG = """
version = 1
devices = 1
[data]
file = "scan.cxi"
[[stages]]
solver = "first order"
epochs = 1
frames_per_batch = 8
[output]
evaluations = 1
frames = 1
"""


def long_scan(file, side):
    """A CXI file of side² frames of 128 x 128, of a byte a pixel."""
    squared = ((np.arange(128) - 64) / 12.0) ** 2
    mean = 200 * np.exp(-np.add.outer(squared, squared))
    few = np.random.default_rng(0).poisson(mean, (8, 128, 128)).astype(np.uint8)
    y, x = np.meshgrid(*[np.arange(side) * 1.5e-7] * 2, indexing="ij")
    with h5py.File(file, "w") as made:
        made["cxi_version"] = 160
        made["entry_1/data_1/data"] = np.tile(few, (side**2 // 8, 1, 1))
        for name, value in (("distance", 1.0), ("x_pixel_size", 5e-5), ("y_pixel_size", 5e-5)):
            made[f"entry_1/instrument_1/detector_1/{name}"] = value
        made["entry_1/instrument_1/source_1/energy"] = 1.602176634e-19 * 8000.0
        made["entry_1/sample_1/geometry_1/translation"] = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3)


def test_memory_does_not_grow_with_the_data(tmp_path, tmp_path_factory):
    """Processes of their own, by their own account: 200 MB of frames where there is room for less."""
    cache = tmp_path_factory.mktemp("cache")
    (tmp_path / "job.toml").write_text(LONG, encoding="utf-8")

    def peak(side, memory):
        long_scan(tmp_path / "scan.cxi", side)
        words = ("--set", f"memory={memory}", "--overwrite")
        process = spawn("reconstruct", "job.toml", "-o", "run", *words, folder=tmp_path, cache=cache)
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, (out, err)
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        return summary["peak_memory"], summary["memory"]["frames"]

    peak(8, "auto")  # to compile, which takes memory as well
    small, frames = peak(8, "auto")
    assert frames == "cached"
    budget = small + 260_000_000
    large, frames = peak(56, budget)
    assert frames == "streamed", (small, large)
    assert large < budget  # all that it takes, with kernels compiled anew
