"""Runs of the quality benchmark: when they end, and what their times are."""

import json
import sys

import pytest
from benchmarks.quality import runs
from benchmarks.quality.run import written
from benchmarks.quality.runs import Ended, run_job

STAND_IN = """
import json, pathlib, sys, time
time.sleep(0.1)  # what a run takes to start; a file's time may be a few milliseconds early
folder = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
folder.mkdir(exist_ok=True)
(folder / "job.toml").write_text("")
with (folder / "metrics.jsonl").open("w") as file:
    for step, error in enumerate([1.0, 0.5, 0.4, 0.6]):
        record = dict(step=step, seconds=0.01 * step, epoch=float(step), error=None if step == 3 else error)
        print(json.dumps(record), file=file, flush=True)
{rest}
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A command that reconstructs nothing."""

    def make(rest):
        (tmp_path / "stand_in.py").write_text(STAND_IN.replace("{rest}", rest), encoding="utf-8")
        monkeypatch.setattr(runs, "COMMAND", (sys.executable, "-S", str(tmp_path / "stand_in.py")))
        return tmp_path / "run"

    return make


def test_a_run_that_ends(stand_in):
    folder = stand_in('(folder / "summary.json").write_text(json.dumps({"error": 0.41, "seconds": 0.05}))')
    ended = run_job({"version": 1}, folder, budget=30)
    assert ended.how == "finished"
    assert ended.error == 0.41
    assert [error for _, error in ended.curve] == [1.0, 0.5, 0.4]  # the start, and no step that was not looked at
    assert 0.1 < ended.seconds < 10
    assert all(seconds >= 0.05 for seconds, _ in ended.curve)
    found = written(ended)
    assert (found["best"][1], found["steps"], found["ended"]) == (0.4, 3, "finished")


def test_a_run_that_has_no_more_time(stand_in):
    ended = run_job({"version": 1}, stand_in("time.sleep(60)"), budget=1.0)
    assert (ended.how, ended.error, ended.seconds) == ("out of time", 0.4, 1.0)


def test_a_run_that_gets_no_better(stand_in, monkeypatch):
    monkeypatch.setattr(runs, "GRACE", 0.3)
    monkeypatch.setattr(runs, "POLL", 0.1)
    ended = run_job({"version": 1}, stand_in("time.sleep(60)"), budget=30, patience=1.5)
    assert ended.how == "no longer better"
    assert ended.seconds < 10


def test_a_run_that_fails_and_a_job_that_is_wrong(stand_in):
    ended = run_job({"version": 1}, stand_in('sys.exit("out of memory")'), budget=30)
    assert (ended.how, ended.error) == ("failed: out of memory", 0.4)
    with pytest.raises(SystemExit, match="weight: unknown key"):
        run_job({"version": 1}, stand_in('print("weight: unknown key"); sys.exit(2)'), budget=30)


def test_an_empty_run_is_written_too():
    found = written(Ended([], "out of time", {}, 5.0, []))
    assert found == {"best": None, "curve": [], "steps": 0, "compared": 0.0, "ended": "out of time"}


def test_seconds_of_comparing_are_left_out(tmp_path):
    lines = [
        {"step": 1, "seconds": 2.0},
        {"step": 2, "seconds": 4.0, "error": 0.5, "compared_seconds": 1.5},
        {"step": 3, "seconds": 5.0},
        {"step": 4, "seconds": 9.0, "error": 0.25, "compared_seconds": 1.5},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = runs._records(tmp_path, 0.0)
    assert [one["seconds"] for one in found] == [2.0, 2.5, 3.5, 6.0]
    assert runs.curve_of(found) == [(2.5, 0.5), (6.0, 0.25)]
