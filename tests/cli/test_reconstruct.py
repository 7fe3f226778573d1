"""`adorym reconstruct`: what a run leaves behind, and what is decided for it."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from adorym._core import parse_quantity
from adorym.config import load_job, registries, resolve
from adorym.io import RunFolder, latest_checkpoint, read_arrays, read_image, read_volume

from .conftest import HOLOGRAPHY, SCAN


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


def test_a_run_of_a_volume_leaves_everything(holography_run):
    names = {path.name for path in holography_run.iterdir()} - {".lock"}
    assert names == {
        "job.toml", "metrics.jsonl", "checkpoints", "volume.zarr", "predicted.h5", "confidence.h5", "summary.json",
        "report.html",
    }  # fmt: skip
    volume = read_volume(holography_run / "volume.zarr")
    assert volume.delta.shape == (16, 16, 16)
    assert volume.voxel == 8e-9
    assert volume.energy == 1000.0
    assert volume.delta.min() >= 0
    assert volume.beta.min() >= 0
    assert volume.reached is not None
    assert 0 < volume.reached.mean() < 1
    report = (holography_run / "report.html").read_text()
    assert "δ error" in report
    assert "total variation" not in report
    assert "tikhonov of δ" in report


def test_the_numbers_of_a_run(holography_run):
    summary = summary_of(holography_run)
    assert 0 < summary["misfit"] < 1e-3
    assert summary["relative_misfit"] == pytest.approx(summary["misfit"] / summary["misfit_of_empty_object"])
    assert summary["relative_misfit"] < 0.5
    assert 0 < summary["error"] < 1
    assert summary["error"] != summary["error_whole"]
    assert summary["held_out_misfit"] > 0
    assert summary["resolution_half_bit"] >= 8e-9
    assert summary["steps"] == 3
    assert summary["seed"] == 3
    assert summary["peak_memory"] > 1e7
    assert summary["seconds"] > 0
    assert {"adorym", "jax", "python", "device"} <= summary["versions"].keys()


def test_the_metrics_have_every_step_and_its_evaluation(holography_run):
    records = RunFolder.open(holography_run).records()
    assert [record["step"] for record in records] == [0, 1, 2, 3]
    assert all(record["misfit"] > 0 and 0 < record["error"] <= 1.5 for record in records)
    assert records[-1]["misfit"] < records[0]["misfit"]
    assert records[-1]["misfit"] == summary_of(holography_run)["misfit"]
    assert records[0]["step"] == 0
    assert records[0]["misfit"] > 2 * records[-1]["misfit"]  # what it starts from
    assert [record["epoch"] for record in records[1:]] == [1.0, 2.0, 3.0]


def test_every_decision_is_in_the_job(holography_run):
    tables = tomllib.loads((holography_run / "job.toml").read_text())
    (stage,) = tables["stages"]
    assert stage["views_per_batch"] > 0
    assert stage["frames_per_batch"] == 1
    assert tables["devices"] >= 1
    assert parse_quantity(tables["memory"], "memory") > 1e8
    assert tables["regularizers"][0]["scale"][0] > 0
    assert tables["regularizers"][0]["where"] == ["object.delta"]
    assert tables["experiment"] == {
        "kind": "holography", "slab_voxels": 8, "parametrization": "delta beta", "ratio": 0.1, "boundary": "vacuum",
        "start": "auto", "backward": "stored", "frames_together": 0,
    }  # fmt: skip
    assert [one["where"] for one in tables["constraints"]] == ["object.delta", "object.beta"]
    assert tables["likelihood"]["kind"] == "poisson"


def test_a_resolved_job_has_nothing_left_to_resolve(holography_run, ptychography_run):
    known = registries()
    for run in (holography_run, ptychography_run):
        job = load_job(run / "job.toml")
        assert resolve(job, known).tables == job.tables


def test_a_run_of_an_image_leaves_the_probe_too(ptychography_run):
    image = read_image(ptychography_run / "image.zarr")
    assert image.phase.shape == image.amplitude.shape
    arrays, facts = read_arrays(ptychography_run / "probe.h5")
    assert arrays["probe"].shape == (1, 16, 16)
    assert facts["pixel"] == pytest.approx(40e-9)
    assert np.sum(np.abs(arrays["probe"]) ** 2) == pytest.approx(1e6, rel=0.05)
    shown, _ = read_arrays(ptychography_run / "predicted.h5")
    assert shown["measured"].shape == shown["predicted"].shape == (3, 16, 16)
    summary = summary_of(ptychography_run)
    assert summary["error"] < 0.5
    assert not (ptychography_run / "volume.zarr").exists()
    tables = tomllib.loads((ptychography_run / "job.toml").read_text())
    assert tables["likelihood"]["kind"] == "amplitude"
    assert tables["experiment"]["kind"] == "ptychography"
    assert "constraints" not in tables


def test_the_last_checkpoint_is_the_result(ptychography_run):
    found = latest_checkpoint(ptychography_run / "checkpoints").checkpoint
    assert found is not None
    assert found.step == summary_of(ptychography_run)["steps"]
    phase = found.arrays["model.object.parametrization.phase"]
    assert np.array_equal(phase.astype(np.float32), read_image(ptychography_run / "image.zarr").phase)


@pytest.mark.usefixtures("without_report")
def test_settings_of_the_command_line_and_64_bits(command, tmp_path, scan):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan))
    words = ("--set", "stages=[{epochs=1}]", "--set", "output.evaluations=1", "--set", "stages.0.free=['object']")
    ended = command("reconstruct", "job.toml", "--precision", 64, *words)
    assert ended.code == 0, ended.err
    assert "report" in ended.out
    run = tmp_path / "runs" / "job"
    tables = tomllib.loads((run / "job.toml").read_text())
    assert tables["precision"] == 64
    assert [stage["epochs"] for stage in tables["stages"]] == [1]
    found = latest_checkpoint(run / "checkpoints").checkpoint
    assert found is not None
    assert found.arrays["model.probe.real"].dtype == np.float64
    looked = [record["step"] for record in RunFolder.open(run).records() if "misfit" in record]
    assert looked == [0, summary_of(run)["steps"]]


def test_a_run_is_not_written_over(command, tmp_path, ptychography_run):
    (tmp_path / "job.toml").write_text(HOLOGRAPHY)
    before = sorted((path, path.stat().st_mtime_ns) for path in ptychography_run.rglob("*"))
    ended = command("reconstruct", "job.toml", "-o", ptychography_run)
    assert ended.code == 2
    assert "already holds a run" in ended.err
    assert "--overwrite" in ended.err
    assert sorted((path, path.stat().st_mtime_ns) for path in ptychography_run.rglob("*")) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    ended = command("reconstruct", "job.toml", "-o", "mine", "--overwrite")
    assert ended.code == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()
