"""The programs that are compared, what was chosen for each, and how one of them is run."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from adorym.cli._huge_pages import HUGE_PAGES

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = Path(__file__).resolve().parent / "drivers"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
GRACE = 60.0
"""Seconds beyond its budget after which a program is given up."""


@dataclasses.dataclass(frozen=True)
class Program:
    """One way to reconstruct.

    Attributes:
        name: as on the page.
        driver: file in `drivers`.
        variant: what the driver is told.
        package: distribution whose version counts.
        chosen: what was chosen for it.
        tasks: what it is measured for, "speed" or "error".
    """

    name: str
    driver: str
    variant: str
    package: str
    chosen: str
    tasks: tuple[str, ...] = ("speed", "error")

    @property
    def own(self) -> bool:
        """Whether it is ours."""
        return self.driver == "run_adorym.py"


PROGRAMS = (
    Program(
        "adorym", "run_adorym.py", "first order", "adorym",
        'a stage of `solver = "first order"` on object and probe with batches of 10', ("speed",),
    ),
    Program(
        "adorym, default job", "run_adorym.py", "default", "adorym",
        "the job names the file, the modes, the slices and their spacing, and nothing else", ("error",),
    ),
    Program(
        "Pty-Chi autodiff", "run_ptychi.py", "autodiff", "ptychi",
        "as Pty-Chi's own multislice tests, batches of 10, Adam's steps 0.02 (object) and 0.03 (probe) for 10⁻³",
    ),
    Program(
        "Pty-Chi LSQML", "run_ptychi.py", "lsqml", "ptychi",
        "as Pty-Chi's own multislice tests (step sizes of 1), batches of 10",
    ),
    Program(
        "cdtools", "run_cdtools.py", "", "cdtools-py",
        "Multislice2DPtycho by Adam, batches of 10, a rate of 0.02 (probe 0.06) for the default 0.005, no doubled grid",
    ),
    Program(
        "phaser", "run_phaser.py", "", "phaserem",
        "gradient engine on JAX, Adam with steps of 0.02 (object) and 4 (probe), Anscombe noise model, groups of 10",
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Ended:
    """What a driver said.

    Attributes:
        ready: seconds after which it could begin; `None` if it never could.
        epochs: seconds at the end of each epoch, or of each step over all data.
        objects: seconds and file of each object that was kept.
        how: "finished", or why not.
    """

    ready: float | None
    epochs: list[float]
    objects: list[tuple[float, str]]
    how: str

    @property
    def intervals(self) -> list[float]:
        """Seconds of each epoch after the first, in which programs compile."""
        return [after - before for before, after in zip(self.epochs, self.epochs[1:], strict=False)]


def parsed(lines: list[str], how: str = "finished") -> Ended:
    """From what a driver printed; a last line that was cut off is left out."""
    ready, epochs, objects = None, [], []
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if told["event"] == "ready":
            ready = told["seconds"]
        elif told["event"] == "epoch":
            epochs.append(told["seconds"])
            if "object" in told:
                objects.append((told["seconds"], told["object"]))
    return Ended(ready, epochs, objects, how)


def environment(program: Program, threads: int) -> dict[str, str]:
    """Two threads for everybody, large pages as the adorym command asks for them, nothing compiled before."""
    paths = [DRIVERS, ROOT / "src" if program.own else DRIVERS / "standins"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PEERS_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "GLIBC_TUNABLES": HUGE_PAGES,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "agg",
        "PEERS_BEGAN": repr(time.time()),
    }


def run(
    program: Program, case: Path, *, budget: float, epochs: int | None = None, objects: Path | None = None,
    threads: int = 2,
) -> Ended:  # fmt: skip
    """Run a driver in a process of its own, on as many cores as it has threads."""
    python = Path(sys.executable) if program.own else PEERS
    words = [str(python), str(DRIVERS / program.driver), str(case), "--budget", str(budget)]
    words += ["--variant", program.variant] if program.variant else []
    words += ["--epochs", str(epochs)] if epochs is not None else []
    if objects is not None:
        shutil.rmtree(objects, ignore_errors=True)
        objects.mkdir(parents=True)
        words += ["--objects", str(objects), "--every", str(budget / 120)]
    if shutil.which("taskset") and (os.cpu_count() or 1) > threads:
        words = ["taskset", "-c", f"0-{threads - 1}", *words]
    log = case.parent / f"{Path(program.driver).stem}.log"
    with log.open("w", encoding="utf-8") as messages:
        began = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=messages, text=True, env=environment(program, threads)
        )
        try:
            said, _ = began.communicate(timeout=budget + GRACE)
            how = "finished"
        except subprocess.TimeoutExpired:
            began.kill()
            said, _ = began.communicate()
            how = "given up"
    if began.returncode and how == "finished":
        told = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
        how = f"failed: {told[-1]}"
    return parsed(said.splitlines(), how)


def versions() -> dict[str, str]:
    """Versions of what is compared, each told by its own environment."""
    names = sorted({program.package for program in PROGRAMS if not program.own} | {"torch", "jax"})
    ask = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    told = subprocess.run([str(PEERS), "-c", ask, *names], capture_output=True, text=True, check=True)
    return json.loads(told.stdout)
