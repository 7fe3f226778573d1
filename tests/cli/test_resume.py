"""`adorym resume`: whatever stopped a run, the result is the one of a run that nothing stopped, bit for bit."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from adorym.cli._run import _Session
from adorym.io import RunFolder, latest_checkpoint, read_image

from .conftest import SCAN, made, spawn

pytestmark = pytest.mark.usefixtures("without_report")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, scan):
    """The run that all others have to agree with, and its job."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adorym.cli._run.write_report", lambda folder, content: folder)
        return made(tmp_path_factory.mktemp("uninterrupted"), SCAN.format(file=scan))


@pytest.fixture
def stopped(command, monkeypatch, uninterrupted, tmp_path):
    """Runs the job and sends this process a signal in the midst of a step."""

    def run(step, number=signal.SIGINT):
        record = _Session._record

        def struck(self, progress):
            if progress.step == step:
                os.kill(os.getpid(), number)
            return record(self, progress)

        with monkeypatch.context() as patch:
            patch.setattr(_Session, "_record", struck)
            return command("reconstruct", uninterrupted.parent / "job.toml", "-o", "run"), tmp_path / "run"

    return run


def arrays_of(run):
    found = latest_checkpoint(run / "checkpoints").checkpoint
    return found.step, found.arrays


def assert_same(run, other):
    (step, arrays), (wanted, expected) = arrays_of(run), arrays_of(other)
    assert step == wanted
    assert arrays.keys() == expected.keys()
    assert all(arrays[name].tobytes() == expected[name].tobytes() for name in arrays)
    assert np.array_equal(read_image(run / "image.zarr").phase, read_image(other / "image.zarr").phase)
    told, meant = (
        [
            {name: value for name, value in record.items() if "seconds" not in name}
            for record in RunFolder.open(one).records()
        ]
        for one in (run, other)
    )
    assert told == meant
    assert RunFolder.open(run).read_summary()["misfit"] == RunFolder.open(other).read_summary()["misfit"]


@pytest.mark.parametrize(("number", "code", "step"), [(signal.SIGINT, 130, 4), (signal.SIGTERM, 143, 17)])
def test_a_signal_stops_with_a_checkpoint(command, stopped, uninterrupted, number, code, step):
    ended, run = stopped(step, number)
    assert ended.code == code
    assert "adorym resume run" in ended.err
    assert arrays_of(run)[0] == step
    assert not (run / "summary.json").exists()
    ended = command("resume", "run")
    assert ended.code == 0, ended.err
    assert f"goes on after step {step}" in ended.err
    assert_same(run, uninterrupted)


def test_a_damaged_checkpoint_is_passed_over(command, stopped, uninterrupted, monkeypatch):
    monkeypatch.setattr("adorym.config.Output.checkpoint_seconds", 0.0)
    ended, run = stopped(20)
    newest, before = sorted((run / "checkpoints").glob("*.ckpt"), reverse=True)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    ended = command("resume", run)
    assert ended.code == 0, ended.err
    assert f"{newest} is damaged" in ended.err
    assert f"goes on after step {int(before.stem.removeprefix('step-'))}" in ended.err
    assert_same(run, uninterrupted)


def test_a_finished_run_is_only_written_again(command, uninterrupted):
    before = arrays_of(uninterrupted)[0]
    (uninterrupted / "summary.json").unlink()
    ended = command("resume", uninterrupted)
    assert ended.code == 0, ended.err
    assert arrays_of(uninterrupted)[0] == before
    assert RunFolder.open(uninterrupted).read_summary()["steps"] == before


def test_the_time_of_all_sittings_is_added_up(command, stopped):
    _, run = stopped(4)
    first = RunFolder.open(run).records()[-1]["seconds"]
    command("resume", run)
    seconds = [record["seconds"] for record in RunFolder.open(run).records()]
    assert seconds == sorted(seconds)
    assert RunFolder.open(run).read_summary()["seconds"] > first


def test_another_job_in_the_folder_is_noticed(command, stopped):
    _, run = stopped(4)
    job = run / "job.toml"
    job.write_text(job.read_text().replace("modes = 1", "modes = 2"))
    ended = command("resume", run)
    assert ended.code == 2
    assert "resume with the job the run was started with" in ended.err


def lines(run):
    metrics = run / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def killed(process, run, count):
    """Waits for as many lines of metrics, then SIGKILL; whether the process was still at work."""
    try:
        while lines(run) < count and process.poll() is None:
            time.sleep(0.002)
    finally:
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


def test_killed_again_and_again(uninterrupted, tmp_path, tmp_path_factory):
    """SIGKILL before the first checkpoint, and later at a moment that nothing chose.

    Every process shares its work over two devices, as users' do.
    """
    cache, run, whole = tmp_path_factory.mktemp("cache"), tmp_path / "run", tmp_path / "whole"
    job = uninterrupted.parent / "job.toml"
    words = ("--set", "output.checkpoint_seconds=0.02", "--set", "devices=2")

    def start(*words):
        return spawn(*words, folder=tmp_path, cache=cache)

    finish(start("reconstruct", job, "-o", whole, *words))
    assert killed(start("reconstruct", job, "-o", run, *words), run, 1)
    assert latest_checkpoint(run / "checkpoints").checkpoint is None
    assert killed(start("resume", run), run, int(np.random.default_rng().integers(5, 45)))
    finish(start("resume", run))
    assert_same(run, whole)
    assert (run / "report.html").exists()


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "report.html" in out
