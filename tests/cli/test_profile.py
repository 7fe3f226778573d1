"""`--profile`: where the time of a real run goes, and that nothing is lost when a profile fails."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import time

import jax
import numpy as np
import pytest

from adorym._core.words import MODEL, WORDS
from adorym.cli._run import _Session
from adorym.data import Dataset
from adorym.io import RunFolder, latest_checkpoint, read_image, read_volume

from .conftest import HOLOGRAPHY, SCAN

TWO_STAGES = HOLOGRAPHY.replace('solver = "gauss-newton"\nepochs = 3\niterations = 3', 'solver = "l-bfgs"\nepochs = 4')
TWO_STAGES = TWO_STAGES.replace("size = 16", "size = 12").replace("slab_voxels = 8", "slab_voxels = 6")
TWO_STAGES += '[[stages]]\nsolver = "first order"\nepochs = 3\nbinning = [2, 1]\n'


@pytest.fixture
def _named_programs():
    """Programs with the names of this version, whatever was kept by another: for shapes that no other test has."""
    name = "jax_compilation_cache_include_metadata_in_key"
    before = getattr(jax.config, name)
    jax.config.update(name, True)
    yield
    jax.config.update(name, before)


@pytest.fixture
def job(tmp_path):
    def write(text):
        (tmp_path / "job.toml").write_text(text, encoding="utf-8")
        return tmp_path / "job.toml"

    return write


def profile_of(run):
    return json.loads((run / "profile" / "profile.json").read_text())


@pytest.mark.usefixtures("_named_programs")
def test_several_stages(command, job, tmp_path, monkeypatch):
    reports = []
    monkeypatch.setattr("adorym.cli._run.write_report", lambda folder, content: reports.append(content))
    job(TWO_STAGES)
    ended = command("reconstruct", "job.toml", "-o", "run", "--profile")
    assert ended.code == 0, ended.err
    found, words = profile_of(tmp_path / "run"), profile_of(tmp_path / "run")["words"]
    assert words.keys() <= WORDS.keys()
    assert words.keys() >= {*MODEL, "accumulate", "regularise", "solve", "prepare", "look", "results"}
    assert math.fsum(one["share"] for one in words.values()) == pytest.approx(1)
    assert math.fsum(one["seconds"] for one in words.values()) == pytest.approx(found["seconds"])
    assert "untraced" not in words
    pieces = [(one["stage"], one["binning"], one["first"], one["last"], one["traced"]) for one in found["pieces"]]
    first = len(RunFolder.open(tmp_path / "run").records()) - 1  # of so many steps
    assert found["steps"] == first == pieces[-1][3]
    assert [piece[:2] for piece in pieces] == [(0, 1), (1, 2), (1, 1)]
    assert all(traced == [begin + 1, min(begin + 15, end)] for *_, begin, end, traced in pieces)
    for piece in found["pieces"]:
        assert math.fsum(piece["trace"]["words"].values()) == pytest.approx(piece["trace"]["seconds"])
        assert (tmp_path / "run" / "profile" / f"step-{piece['traced'][0]:06d}").is_dir()
    assert len(list((tmp_path / "run" / "profile").rglob("*.trace.json.gz"))) == 3

    assert re.search(r"^rotate +\d+\.\d % ", ended.out, re.MULTILINE)
    assert "Traced: steps 2 to 4, 6 to" in ended.out
    assert str(tmp_path.name) not in ended.out
    assert "TensorBoard" in ended.out
    (content,) = reports
    shown = dict(zip(content.run.time.words, content.run.time.seconds, strict=True))
    assert shown == {word: spent["seconds"] for word, spent in words.items()}
    assert "Traced" in content.run.time.remarks[0]


@pytest.mark.usefixtures("without_report")
def test_without_it_nothing_is_traced(command, job, tmp_path, monkeypatch, holography_run):
    def refused(*arguments, **keywords):
        raise AssertionError("nobody asked for a trace")

    monkeypatch.setattr(jax.profiler, "start_trace", refused)
    monkeypatch.setattr(jax.monitoring, "register_event_duration_secs_listener", refused)
    job(HOLOGRAPHY)
    ended = command("reconstruct", "job.toml", "-o", "run")
    assert ended.code == 0
    assert not (tmp_path / "run" / "profile").exists()
    assert "where the time went" not in ended.out
    assert "Where the time went" not in (holography_run / "report.html").read_text()


def fails_to_open(monkeypatch):
    def start(*arguments, **keywords):
        raise RuntimeError("no permission to look at the device")

    monkeypatch.setattr(jax.profiler, "start_trace", start)


def fails_to_close(monkeypatch):
    stop = jax.profiler.stop_trace

    def broken():
        stop()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jax.profiler, "stop_trace", broken)


def fails_to_be_read(monkeypatch):
    monkeypatch.setattr("adorym.profiling.read_trace", lambda folder: 1 / 0)


def fails_to_be_written(monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adorym.cli._profile.write_atomic", full)


@pytest.mark.usefixtures("without_report")
@pytest.mark.parametrize("fails", [fails_to_open, fails_to_close, fails_to_be_read, fails_to_be_written])
def test_a_profile_that_fails_costs_one_sentence(command, job, tmp_path, monkeypatch, holography_run, fails):
    fails(monkeypatch)
    job(HOLOGRAPHY)
    ended = command("reconstruct", "job.toml", "-o", "run", "--profile")
    assert ended.code == 0
    (told,) = [line for line in ended.err.splitlines() if "profile" in line]
    assert told.startswith("The profile is not complete (")
    assert told.endswith("; the run goes on.")
    run = tmp_path / "run"
    assert np.array_equal(read_volume(run / "volume.zarr").delta, read_volume(holography_run / "volume.zarr").delta)
    assert "misfit" in json.loads((run / "summary.json").read_text())


@pytest.mark.usefixtures("without_report")
def test_a_run_that_is_stopped_and_resumed(command, job, tmp_path, monkeypatch, scan):
    job(SCAN.format(file=scan))
    assert command("reconstruct", "job.toml", "-o", "whole").code == 0
    record = _Session._record

    def struck(self, progress):
        if progress.step == 30:
            os.kill(os.getpid(), signal.SIGINT)
        return record(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(_Session, "_record", struck)
        ended = command("reconstruct", "job.toml", "-o", "run", "--profile")
    assert ended.code == 130
    run = tmp_path / "run"
    assert profile_of(run)["steps"] == 30
    assert "where the time went" in ended.out

    ended = command("resume", "run", "--profile")
    assert ended.code == 0, ended.err
    found = profile_of(run)
    assert found["pieces"][0]["first"] == 31
    assert found["pieces"][0]["traced"][0] == 32
    assert found["steps"] == latest_checkpoint(run / "checkpoints").checkpoint.step - 30
    assert np.array_equal(read_image(run / "image.zarr").phase, read_image(tmp_path / "whole" / "image.zarr").phase)
    assert command("reconstruct", "job.toml", "-o", "run", "--overwrite").code == 0
    assert not (run / "profile").exists()


@pytest.mark.usefixtures("without_report")
def test_reading_is_seen(command, job, tmp_path, monkeypatch, scan):
    read = Dataset.read

    def slow(self, view, frames):
        time.sleep(0.02)
        return read(self, view, frames)

    monkeypatch.setattr(Dataset, "read", slow)
    monkeypatch.setattr("adorym.data.Feed.cached_bytes", 0)
    monkeypatch.setattr("adorym.data.Feed._read", lambda self, view, frames: self.dataset.read(view, frames))
    job(SCAN.format(file=scan))
    assert command("reconstruct", "job.toml", "-o", "run", "--profile").code == 0
    found = profile_of(tmp_path / "run")
    assert found["words"]["read"]["per_step"] > 0.015


@pytest.mark.parametrize("name", ["reconstruct", "resume"])
def test_the_help_shows_it(command, name):
    out = command(name, "--help").out
    assert "--profile" in out.partition("examples:")[0]
    assert re.search(rf"adorym {name} \S+ --profile", out.partition("examples:")[2])
