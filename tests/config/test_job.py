"""Reading jobs: syntax, versions, settings of the command line, folders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adorym._core import JobError
from adorym.config import VERSION, apply_sets, load_job, parse_job

TABLES = {
    "seed": 1,
    "stages": [{"steps": 1, "rates": {"object.delta": 0.1}}, {"steps": 2}],
    "experiment": {"voxel": 1e-9},
}


@pytest.mark.parametrize(
    ("setting", "where", "value"),
    [
        ("seed=7", ["seed"], 7),
        ("stages.1.steps=20", ["stages", 1, "steps"], 20),
        ("stages[0].steps = 20", ["stages", 0, "steps"], 20),
        ("experiment.voxel=2 nm", ["experiment", "voxel"], "2 nm"),
        ('experiment.voxel="2 nm"', ["experiment", "voxel"], "2 nm"),
        ("experiment.voxel=3e-9", ["experiment", "voxel"], 3e-9),
        ("output.keep=[1, 2]", ["output", "keep"], [1, 2]),
        ("data.path=a=b.h5", ["data", "path"], "a=b.h5"),
        ("data.path=", ["data", "path"], ""),
        ("seed=1\nother = 2", ["seed"], "1\nother = 2"),
        ("seed=" + "[" * 5000, ["seed"], "[" * 5000),
        ('regularizers=[{kind="tv"}]', ["regularizers"], [{"kind": "tv"}]),
        ("regularizers.0.kind=tv", ["regularizers"], [{"kind": "tv"}]),
    ],
)
def test_settings_override(setting, where, value):
    node = apply_sets(TABLES, [setting])
    for step in where:
        node = node[step]
    assert node == value
    assert TABLES["seed"] == 1
    assert TABLES["stages"][1] == {"steps": 2}


def test_later_settings_win():
    assert apply_sets({}, ["a.b=1", "a.b=2"]) == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed", "write it as key=value"),
        ("=3", "write it as key=value"),
        ("stages.2.steps=1", r'stages\.2\.steps: "2" is no entry of the list; it has 2, counted from 0'),
        ("regularizers.1.kind=tv", r'regularizers\.1\.kind: "1" '),
        ("stages.-1.steps=1", "is no entry of the list"),
        ("stages.first.steps=1", "is no entry of the list"),
        ("seed.a=1", r'seed\.a: "a" has no table to stand in'),
        ("data..a=1", r'data\.\.a: "" has no table to stand in'),
    ],
)
def test_settings_that_point_nowhere(setting, message):
    with pytest.raises(JobError, match=message):
        apply_sets(TABLES, [setting])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1\nseed = = 2", r"^job: not valid TOML: .*line 2"),
        ("version = 1\nversion = 1\n", r"not valid TOML: .*line 2"),
        ("a = " + "[" * 5000, r"not valid TOML"),
        ("seed = 2", r"^job: version: missing; begin the job with version = 1$"),
        ("version = 2", r"^job: version: this job is of version 2, .* up to version 1; update adorym"),
        ("version = 0", r"version: expected a whole number from 1 to 1, got 0"),
        ("version = true", r"got true"),
        ('version = "1"', r'got "1"'),
    ],
)
def test_jobs_that_cannot_be_read(text, message):
    with pytest.raises(JobError, match=message):
        parse_job(text)


def test_older_jobs_are_brought_up():
    def second(tables):
        return {"seed": tables["sead"]}

    job = parse_job("version = 1\nsead = 4", ["seed=5"], migrations={1: second})
    assert job.tables == {"version": 2, "seed": 5}
    assert parse_job("version = 2\nseed = 4", migrations={1: second}).tables["seed"] == 4
    assert VERSION == 1


def test_files(tmp_path, monkeypatch):
    (tmp_path / "jobs").mkdir()
    file = tmp_path / "jobs" / "job.toml"
    file.write_text('version = 1\nname = "π"', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    job = load_job("jobs/job.toml", ["a.b=2"])
    assert job.tables == {"version": 1, "name": "π", "a": {"b": 2}}
    assert job.folder == tmp_path.resolve() / "jobs"
    assert Path(job.source) == Path("jobs/job.toml")
    assert load_job(file, ["folder=../scans"]).folder == tmp_path.resolve() / "jobs" / "../scans"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(JobError, match=r"job\.toml: not a text file in UTF-8"):
        load_job(file)
    with pytest.raises(JobError, match=r"none\.toml: cannot read the job \(No such file"):
        load_job(tmp_path / "none.toml")
    with pytest.raises(JobError, match="cannot read the job"):
        load_job(tmp_path)


def test_reading_jobs_waits_for_no_compiler():
    code = "import sys, adorym.config; sys.exit(bool({'jax', 'equinox', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_version_cannot_be_set() -> None:
    with pytest.raises(JobError, match=r"job: version: .* cannot be set"):
        parse_job("version = 1", ["version=2"])
    assert parse_job("version = 1", ["version=1"]).tables == {"version": 1}
