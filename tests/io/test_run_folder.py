"""A run folder loses nothing of value, has one writer, and survives a kill at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adorym._core import AdorymError, DataError, JobError
from adorym.io import RunFolder, read_arrays, write_arrays

_HOLD = (
    "import sys, time; from adorym.io import RunFolder; run = RunFolder.{}; print('held', flush=True); time.sleep(60)"
)


def _holder(expression: str) -> subprocess.Popen[str]:
    """Another process that holds a run until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", _HOLD.format(expression)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_new_run_holds_its_job_and_names_its_files(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "deep" / "run", "seed = 1\n") as run:
        assert run.job.read_text() == "seed = 1\n"
        paths = [run.metrics, run.checkpoints, run.volume, run.image, run.probe, run.predicted, run.confidence]
        paths += [run.summary, run.report]
    assert [path.name for path in paths] == [
        "metrics.jsonl", "checkpoints", "volume.zarr", "image.zarr", "probe.h5", "predicted.h5", "confidence.h5",
        "summary.json", "report.html",
    ]  # fmt: skip
    assert {path.parent for path in paths} == {run.path}


def test_an_existing_run_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", "first") as run:
        run.append({"step": 1})
        run.checkpoints.mkdir()
    (run.path / "my notes.txt").write_text("mine")
    with pytest.raises(JobError, match=r"already holds a run.*resume"):
        RunFolder.create(run.path, "second")
    assert run.job.read_text() == "first"
    assert len(run.records()) == 1
    RunFolder.create(run.path, "second", replace=True).close()
    assert run.job.read_text() == "second"
    assert run.records() == []
    assert not run.checkpoints.exists()
    assert (run.path / "my notes.txt").read_text() == "mine"


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path: Path, replace: bool) -> None:
    (tmp_path / "volume.zarr").write_text("precious")
    with pytest.raises(JobError, match="not empty and not a run"):
        RunFolder.create(tmp_path, "", replace=replace)
    assert (tmp_path / "volume.zarr").read_text() == "precious"
    with pytest.raises(JobError, match="is a file"):
        RunFolder.create(tmp_path / "volume.zarr", "", replace=replace)


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_with_somebodys_job_is_no_run(tmp_path: Path, replace: bool) -> None:
    (tmp_path / "job.toml").write_text("mine")
    (tmp_path / "probe.h5").write_text("precious")
    with pytest.raises(JobError, match="not empty and not a run"):
        RunFolder.create(tmp_path, "", replace=replace)
    for verb in (RunFolder.open, RunFolder.resume):
        with pytest.raises(DataError, match=r"start the job with `adorym reconstruct .*job\.toml`"):
            verb(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"job.toml": "mine", "probe.h5": "precious"}


def test_a_run_is_known_by_any_of_its_traces(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run", "") as run:
        assert RunFolder.open(run.path).records() == []  # before its first step
        run.append({"step": 0})
    (run.path / ".lock").unlink()  # a copy without hidden files
    assert RunFolder.open(run.path).records() == [{"step": 0}]
    RunFolder.create(run.path, "again", replace=True).close()
    assert run.job.read_text() == "again"


def test_a_place_that_cannot_be_written_is_told_before_the_work() -> None:
    with pytest.raises(AdorymError, match=r"/proc cannot be written to .*: choose another place"):
        RunFolder.check_free("/proc/runs/new")


def test_what_a_kill_during_creation_leaves_can_be_used_again(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("process 1 on elsewhere")
    RunFolder.create(tmp_path, "seed = 1").close()


def test_a_folder_without_a_job_is_not_a_run(tmp_path: Path) -> None:
    for verb in (RunFolder.open, RunFolder.resume):
        with pytest.raises(DataError, match="is not a run"):
            verb(tmp_path)


def test_one_writer_at_a_time_even_within_a_process(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "")
    with pytest.raises(AdorymError, match=f"being written by process {os.getpid()}"):
        RunFolder.resume(run.path)
    with pytest.raises(AdorymError, match="being written"):
        RunFolder.create(run.path, "", replace=True)
    run.close()
    RunFolder.resume(run.path).close()


def test_another_process_is_kept_out_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", "").close()
    process = _holder(f"resume({str(tmp_path / 'run')!r})")
    try:
        with pytest.raises(AdorymError, match=f"process {process.pid} on .*wait for it"):
            RunFolder.resume(tmp_path / "run")
    finally:
        _kill(process)
    with RunFolder.resume(tmp_path / "run") as run:
        run.append({"step": 1})


def test_a_reader_may_not_write(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", "").close()
    run = RunFolder.open(tmp_path / "run")
    for write in (lambda: run.append({}), lambda: run.cut_metrics(0), lambda: run.write_summary({})):
        with pytest.raises(AdorymError, match="reading only"):
            write()


def test_metrics_are_plain_json_lines_visible_at_once(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "")
    run.append({"step": np.int32(1), "misfit": np.float32(0.25), "held_out": float("nan"), "rates": np.arange(2)})
    run.append({"step": 2, "place": Path("a/b"), "ok": np.bool_(True)})
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert lines[0] == {"step": 1, "misfit": 0.25, "held_out": None, "rates": [0, 1]}
    assert lines[1] == {"step": 2, "place": "a/b", "ok": True}


def test_metrics_are_cut_back_to_a_step_and_a_half_written_line_goes(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "")
    run.cut_metrics(3)
    assert not run.metrics.exists()
    for step in range(1, 6):
        run.append({"step": step, "misfit": 1 / step})
    first_three = "".join(run.metrics.read_text().splitlines(keepends=True)[:3])
    with run.metrics.open("a") as file:
        file.write('{"step": 6, "mis')
    assert [record["step"] for record in run.records()] == [1, 2, 3, 4, 5]
    run.cut_metrics(3)
    assert run.metrics.read_text() == first_three
    run.append({"step": 4})
    assert [record["step"] for record in run.records()] == [1, 2, 3, 4]


def test_a_last_line_that_is_whole_but_for_its_end_is_not_trusted(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "")
    run.metrics.write_text('{"step": 1}\n{"step": 2}')
    run.cut_metrics(2)
    run.append({"step": 2, "again": True})
    assert run.records() == [{"step": 1}, {"step": 2, "again": True}]


def test_a_failing_append_is_one_sentence(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "")
    run.metrics.mkdir()
    with pytest.raises(AdorymError, match=r"metrics\.jsonl could not be written"):
        run.append({"step": 1})


def test_the_summary_is_whole_and_plain(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "")
    with pytest.raises(DataError, match="resume"):
        run.read_summary()
    run.write_summary({"misfit": np.float64(0.1), "error": float("inf"), "shape": (4, 4)})
    assert run.read_summary() == {"misfit": 0.1, "error": None, "shape": [4, 4]}
    assert not list(run.path.glob("*.part"))


def test_arrays_come_back_with_their_attributes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    probe = rng.standard_normal((2, 80, 80)) + 1j * rng.standard_normal((2, 80, 80))
    path = write_arrays(
        tmp_path / "probe.h5", {"probe": probe, "scale": np.array(2.0)}, attributes={"unit": "m", "n": 3}
    )
    arrays, attributes = read_arrays(path)
    np.testing.assert_array_equal(arrays["probe"], probe)
    assert arrays["scale"].shape == ()
    assert attributes == {"unit": "m", "n": 3}
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        read_arrays(path)
