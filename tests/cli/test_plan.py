"""`adorym plan`: what a run will take, told before it and without a trace of it."""

from __future__ import annotations

import json
import math

import pytest
from tests.cli.conftest import HOLOGRAPHY, PTYCHOGRAPHY, SCAN

from adorym.cli import _measure, _memory
from adorym.cli._plan import _bytes, _seconds

THICK = (
    HOLOGRAPHY.replace("size = 16", "size = 24")
    .replace('"8 nm"', '"1 nm"')
    .replace('"300 nm"', '"20 nm"')
    .replace("[experiment]\nslab_voxels = 8\n", "")
)


@pytest.fixture
def plan(command, tmp_path, monkeypatch):
    """The plan of a job as `--json` tells it; nothing may be simulated for it, and nothing written."""

    def forbidden(*arguments):
        raise AssertionError("the frames were simulated")

    monkeypatch.setattr(_measure, "_simulated", forbidden)

    def run(text, *words):
        (tmp_path / "job.toml").write_text(text, encoding="utf-8")
        ended = command("plan", "job.toml", "--json", "--debug", *words)
        assert ended.code == 0, ended.err
        assert [file.name for file in tmp_path.iterdir()] == ["job.toml"]
        return json.loads(ended.out)

    return run


def advised(told):
    return {one["key"]: one["value"] for one in told["advice"]}


def test_a_thin_sample_needs_one_slab(plan):
    told = plan(HOLOGRAPHY)
    assert told["simulated"]
    assert told["frames"] == [6, 1, 16, 16]
    assert told["unknowns"] == 2 * 16**3
    sample = told["sample"]
    assert (sample["slabs"], sample["slab_voxels"], sample["multislice_needed"]) == (2, 8, False)
    assert math.isclose(sample["thickness"], 128e-9)
    assert sample["thickness"] < sample["depth_of_focus"]
    assert advised(told)["experiment.slab_voxels"] == "16"
    assert "one slab is enough" in told["advice"][0]["why"]
    assert "experiment.slab_voxels" not in advised(plan(HOLOGRAPHY, "--set", "experiment.slab_voxels=16"))


def test_a_thick_sample_needs_slabs(plan):
    told = plan(THICK)
    sample = told["sample"]
    assert sample["multislice_needed"]
    assert sample["slabs"] == 24
    assert "experiment.slab_voxels" not in advised(told)
    flat = plan(THICK, "--set", "experiment.slab_voxels=24")
    assert flat["sample"]["slabs"] == 1
    assert advised(flat)["experiment.slab_voxels"] == "1"


def test_memory_time_and_disk_are_those_of_a_small_job(plan):
    told = plan(HOLOGRAPHY)
    (leg,) = told["legs"]
    assert 50e6 < told["memory"]["host"] < _memory.held_memory() + 2e9  # on top of what this process holds already
    assert told["memory"]["device"] is None
    assert (told["time"]["usual_steps"], told["time"]["most_steps"], told["time"]["open"]) == (3, 3, False)
    assert 0 < leg["seconds_per_pass"] < leg["seconds_per_step"]  # a Gauss-Newton step is many passes
    assert 3 * leg["seconds_per_step"] <= told["time"]["usual"] < 120
    assert leg["batches_per_pass"] == 1  # six views without the two kept back
    assert leg["model_bytes"] > 2 * 16**3 * 4
    assert 2 * leg["model_bytes"] < told["disk"] < 1e7
    assert all(size > 0 for size in leg["kernel_bytes"].values())
    assert "transfer function" in told["sampling"]


def test_a_scan_is_planned_stage_by_stage(plan):
    told = plan(PTYCHOGRAPHY)
    assert told["sample"] is None
    first, second = told["legs"]
    frames = told["frames"][1]
    assert first["batches_per_pass"] == math.ceil(frames / first["frames_per_batch"])
    assert [first["most_steps"], second["most_steps"]] == [n * first["batches_per_pass"] for n in (2, 6)]
    assert second["state_bytes"] > first["state_bytes"]  # the probe is free, too


def test_data_from_a_file(command, scan, tmp_path):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan), encoding="utf-8")
    ended = command("plan", "job.toml")
    assert ended.code == 0, ended.err
    names = [line.split("  ")[0] for line in ended.out.splitlines()]
    for name in ("data", "unknowns", "memory", "time", "disk", "sampling", "stage 0", "stage 1"):
        assert name in names
    assert "not simulated" not in ended.out
    assert "compiling" in ended.err
    assert [file.name for file in tmp_path.iterdir()] == ["job.toml"]


def test_the_data_may_decide_the_end(plan):
    text = HOLOGRAPHY.partition("[[regularizers]]")[0].replace("views = 6", "views = 12")
    told = plan(text)
    times = told["time"]
    assert times["open"]
    assert (times["usual_steps"], times["most_steps"]) == (60, 300)
    assert times["usual"] < times["most"]


def test_too_little_memory_is_told_and_nothing_tried(plan):
    told = plan(THICK, "--set", "memory=100 kB")
    assert told["time"]["usual"] is None
    assert told["legs"][0]["seconds_per_step"] is None
    assert told["memory"]["host"] > told["memory"]["budget"] == 1e5
    assert not told["memory"]["fits"]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["experiment.slab_voxel=2"], "experiment.slab_voxel"),
        (["stages.0.free=['object.gamma']"], "stages[0].free"),
        (["scan.distances=['1 m']"], "undersamples"),
    ],
)
def test_a_bad_job_is_refused(command, tmp_path, words, wrong):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY, encoding="utf-8")
    ended = command("plan", "job.toml", *(word for one in words for word in ("--set", one)))
    assert ended.code == 2
    assert ended.out == ""
    *notes, last = ended.err.rstrip("\n").split("\n")
    assert last.startswith("adorym: ")
    assert wrong in last
    assert notes in ([], ["reading the data"])


def test_words():
    assert [_bytes(count) for count in (12, 1.5e3, 2.34e9, 5e15)] == ["12 bytes", "1.5 kB", "2.34 GB", "5e+03 TB"]
    assert [_seconds(value) for value in (0.031, 61, 600, 36000)] == ["0.031 s", "61 s", "10 min", "10 h"]


def test_memory_of_this_machine():
    assert _memory.free_memory() > 1e6
    assert _memory.held_memory() >= 0


def test_the_truth_beside_the_data_is_compared(command, scan, tmp_path):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan), encoding="utf-8")
    looks = []
    for words in ((), ("--set", f'output.truth="{tmp_path / "none.h5"}"')):
        ended = command("plan", "job.toml", "--json", *words)
        looks.append(json.loads(ended.out)["time"]["looks"] if ended.code == 0 else ended.code)
    assert looks[0] > 0
    assert looks[1] == 2  # a truth that is not there is refused, as the run would
