"""Tiny jobs and the runs that several tests look at; commands run in this process, as a user would type them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest

from adorym.cli import main
from adorym.cli._run import Outcome, start_run
from adorym.config import load_job

HOLOGRAPHY = """
version = 1
seed = 3
[phantom]
kind = "cone"
size = 16
voxel = "8 nm"
[scan]
kind = "holography"
distances = ["300 nm"]
views = 6
photons = 1e6
[simulate]
refine = 2
slab_voxels = 4
[experiment]
slab_voxels = 8
[[regularizers]]
kind = "tikhonov"
where = "object.delta"
weight = 1e-3
[[stages]]
solver = "gauss-newton"
epochs = 3
iterations = 3
[output]
held_out = 3
"""

PTYCHOGRAPHY = """
version = 1
[phantom]
kind = "siemens_star"
size = 24
voxel = "40 nm"
spokes = 6
[scan]
kind = "ptychography"
probe = { pixels = 16, sigma = 3.0 }
raster = { step = 5.0 }
photons = 1e6
[simulate]
refine = 2
[[stages]]
solver = "first order"
free = ["object"]
epochs = 2
[[stages]]
solver = "first order"
free = ["object", "probe"]
epochs = 6
"""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def sentence_of(ended: Ended) -> str:
    """The one sentence of an error; fails on anything else."""
    assert ended.code == 2, (ended.code, ended.err)
    assert "Traceback" not in ended.err
    assert ended.out == ""
    *notes, last = ended.err.rstrip("\n").split("\n")
    assert last.startswith("adorym: ")
    assert all(line.startswith(("simulating", "run:", "run goes on")) for line in notes), ended.err
    return last


SCAN = """
version = 1
devices = 1
[data]
file = "{file}"
[[stages]]
solver = "first order"
epochs = 3
[[stages]]
solver = "first order"
free = ["object", "probe"]
epochs = 7
[output]
truth = "{file}"
evaluations = 4
"""

Command = Callable[..., Ended]


@pytest.fixture(scope="session", autouse=True)
def _one_device() -> None:
    """JAX is started before a command can choose its devices: the other tests have one."""
    jax.local_devices()


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs `adorym ...` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return run


def spawn(*words: object, folder: Path, cache: Path | None = None) -> subprocess.Popen[str]:
    """Starts `adorym ...` as a process of its own; compiled code is kept in `cache`, to start faster the next time."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if cache is not None:
        environment |= {
            "PYTHONPYCACHEPREFIX": str(cache / "python"),
            "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return subprocess.Popen(
        [sys.executable, "-m", "adorym", *map(str, words)],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def made(folder: Path, text: str, *words: str) -> Path:
    """A job that was reconstructed once, for many tests to look at."""
    job = folder / "job.toml"
    job.write_text(text, encoding="utf-8")
    assert main(["reconstruct", str(job), "-o", str(folder / "run"), "--debug", *words]) == 0
    return folder / "run"


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs whose report nobody will look at save the time to draw it."""
    monkeypatch.setattr("adorym.cli._run.write_report", lambda folder, content: folder)


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated scan in a file, with its truth."""
    folder = tmp_path_factory.mktemp("scan")
    (folder / "scan.toml").write_text(PTYCHOGRAPHY, encoding="utf-8")
    assert main(["simulate", str(folder / "scan.toml"), "-o", str(folder / "scan.h5")]) == 0
    return folder / "scan.h5"


@pytest.fixture(scope="session")
def holography_outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A volume from simulated holograms, in its RUN folder and as the report has it."""
    folder = tmp_path_factory.mktemp("holography")
    (folder / "job.toml").write_text(HOLOGRAPHY, encoding="utf-8")
    return folder / "run", start_run(load_job(folder / "job.toml"), folder / "run")


@pytest.fixture(scope="session")
def holography_run(holography_outcome: tuple[Path, Outcome]) -> Path:
    """The RUN folder of a volume from simulated holograms."""
    return holography_outcome[0]


@pytest.fixture(scope="session")
def ptychography_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image and its probe from a simulated scan."""
    return made(tmp_path_factory.mktemp("ptychography"), PTYCHOGRAPHY)
