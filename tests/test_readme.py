"""The README's example and its job run as they stand, only smaller."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import adorym
from adorym.cli import main
from adorym.io import read_volume, write_dataset
from adorym.simulate import simulate

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")

SMALLER = {
    "size=64, voxel=2e-9": "size=32, voxel=4e-9",
    "(32, 32), pixel=4e-9": "(16, 16), pixel=8e-9",
    "views=40": "views=16",
}


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return found


def replaced(text: str, changes: dict[str, str]) -> str:
    """The text with every change made; each has to find its place."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_the_example_finds_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in block("python").splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 10, "the README promises ten lines"
    with jax.numpy_dtype_promotion("standard"):  # as users have it
        exec(compile(replaced(block("python"), SMALLER), "README.md", "exec"), {"__name__": "readme"})
    assert float(capsys.readouterr().out) < 0.5


def test_the_job_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sample = adorym.phantoms.cone(size=16, voxel=4e-8, energy=5e3)
    plan = adorym.plan_holography((16, 16), pixel=4e-8, energy=5e3, distances=(2e-5,), views=6, photons=1e6)
    write_dataset("scan.h5", simulate(plan, sample.delta, sample.beta))
    Path("job.toml").write_text(block("toml"))
    assert main(["reconstruct", "job.toml", "-o", "runs/scan", "--debug"]) == 0
    assert read_volume(Path("runs/scan/volume.zarr")).delta.max() > 0.1 * np.max(sample.delta)
    assert main(["inspect", "scan.h5"]) == 0
    assert main(["export", "runs/scan", "--to", "tiff"]) == 0
