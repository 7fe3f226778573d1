"""`adorym demo`, at a size that shows nothing but that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from adorym.cli import _demonstration
from adorym.cli._demonstration import job_for, scaled_job
from adorym.cli._run import Outcome
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


@pytest.fixture
def rehearsed(monkeypatch, holography_outcome):
    """The demonstration without its work: what it would do is noted, and one small run stands for all."""
    asked = []

    def simulate(job, output, *, overwrite):
        asked.append(("simulate", output.name))
        return output

    def reconstruct(job, folder, *, overwrite):
        asked.append((folder.name, Path(job.tables["data"]["file"]).name, job.tables["experiment"]["slab_voxels"]))
        return holography_outcome[1]

    monkeypatch.setattr(_demonstration, "simulate_file", simulate)
    monkeypatch.setattr(_demonstration, "start_run", reconstruct)
    return asked


def test_the_demonstration(command, tmp_path, rehearsed):
    ended = command("demo", "--size", 16, "-o", "demo", "--picture", "demo.png")
    assert ended.code == 0, ended.err
    assert ended.out == "demo/report.html\n"
    assert rehearsed == [
        ("simulate", "holography.h5"),
        ("holography-multislice", "holography.h5", 4),
        ("holography-projection", "holography.h5", 16),
        ("simulate", "ptychography.h5"),
        ("ptychography-multislice", "ptychography.h5", 4),
        ("ptychography-projection", "ptychography.h5", 16),
    ]
    report = (tmp_path / "demo" / "report.html").read_text()
    for name in (
        "holography-multislice",
        "holography-projection",
        "ptychography-multislice",
        "ptychography-projection",
    ):
        assert f'href="{name}/report.html"' in report
    assert "Holography" in report
    assert "seconds, simulation included" in report
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert "--overwrite" in command("demo", "--size", 16, "-o", "demo").err


def test_a_stopped_demonstration_ends_as_its_run_did(command, monkeypatch, rehearsed):
    monkeypatch.setattr(_demonstration, "start_run", lambda job, folder, *, overwrite: Outcome(130))
    ended = command("demo", "--size", 16, "-o", "demo")
    assert ended.code == 130
    assert ended.out == ""
