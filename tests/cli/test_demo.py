"""`adorym demo`, at a size that shows nothing but that it runs."""

from __future__ import annotations

import json

import pytest

from adorym.cli import _demonstration
from adorym.cli._demonstration import job_for, scaled_job
from adorym.config import registries, resolve


@pytest.mark.parametrize("technique", ["holography", "ptychography"])
def test_the_jobs_are_jobs(technique, tmp_path):
    job = scaled_job(technique, 64)
    resolve(job, registries())
    fit = job_for(job, tmp_path / "data.h5", 64)
    assert "phantom" not in fit.tables
    assert fit.tables["experiment"]["slab_voxels"] == 64
    assert job.tables["experiment"]["slab_voxels"] < 64
    assert fit.tables["data"]["file"] == str(tmp_path / "data.h5")


def test_lengths_follow_the_size():
    small, large = scaled_job("holography", 32).tables, scaled_job("holography", 128).tables
    assert (small["phantom"]["size"], large["phantom"]["size"]) == (32, 128)
    assert small["phantom"]["voxel"] == large["phantom"]["voxel"]
    lengths = [float(one["scan"]["distances"][0].removesuffix(" nm")) for one in (small, large)]
    assert lengths[1] == pytest.approx(4 * lengths[0])
    small, large = scaled_job("ptychography", 32).tables, scaled_job("ptychography", 128).tables
    assert large["scan"]["probe"]["pixels"] == 4 * small["scan"]["probe"]["pixels"]
    assert large["scan"]["raster"]["step"] == 4 * small["scan"]["raster"]["step"]
    assert small["experiment"]["object_size"] == 32


@pytest.mark.usefixtures("without_report")
def test_the_demonstration(command, tmp_path, monkeypatch):
    def quick(technique, size):
        job = scaled_job(technique, size)
        job.tables["scan"]["views"] = 2
        job.tables["simulate"]["slab_voxels"] = 32
        job.tables["stages"][0]["epochs"] = 1
        return job

    monkeypatch.setattr(_demonstration, "scaled_job", quick)
    monkeypatch.setattr(_demonstration, "TECHNIQUES", ("ptychography",))
    ended = command("demo", "--size", 16, "-o", "demo", "--picture", "demo.png")
    assert ended.code == 0, ended.err
    assert ended.out == "demo/report.html\n"
    runs = ["ptychography-multislice", "ptychography-projection"]
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {*runs, "report.html", "ptychography.h5"}
    report = (tmp_path / "demo" / "report.html").read_text()
    assert all(f'href="{run}/report.html"' in report for run in runs)
    slabs = []
    for run in runs:
        summary = json.loads((tmp_path / "demo" / run / "summary.json").read_text())
        assert summary["error"] > 0
        slabs.append(summary["decided"]["experiment"]["slab_voxels"])
    assert slabs[0] < slabs[1] == 16
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert "--overwrite" in command("demo", "--size", 16, "-o", "demo").err
