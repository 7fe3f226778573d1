"""One run of `adorym reconstruct` in a process of its own, its error against wall time, and the machine it ran on.

Time counts from the start of the process, so that the start of Python, reading, automatic decisions and compilation
are part of it, whatever the job. So is the time that a run takes to look at itself, about a twentieth by the library's
own rule.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.quality.cases import COMMAND, ROOT, write_job

POLL = 2.0
GRACE = 30.0
POINTS = 60

Curve = list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        curve: seconds since the start of the process, and error.
        how: "finished", "out of time", "no longer better", or "failed" with the reason.
        summary: what the run says of itself; empty unless it finished.
        seconds: until the reconstruction was done, or until the run was told to end.
        records: all lines of its metrics, `seconds` as in the curve.
    """

    curve: Curve
    how: str
    summary: dict[str, Any]
    seconds: float
    records: list[dict[str, Any]]

    @property
    def error(self) -> float | None:
        """The error of the result, or where it has none the last one on the way."""
        last = self.curve[-1][1] if self.curve else None
        return self.summary.get("error", last)


def run_job(tables: dict[str, Any], folder: Path, *, budget: float, patience: float = 0.0) -> Ended:
    """Reconstruct, for a limited time.

    Args:
        tables: the job.
        folder: the RUN folder; what it holds is replaced.
        budget: seconds after which the run is told to end.
        patience: end the run once it is this many times older than when it was first within 1 % of its best error; 0
            waits.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    job, log = write_job(tables, folder.with_suffix(".toml")), folder.with_suffix(".log")
    words = [*COMMAND, "reconstruct", str(job), "-o", str(folder), "--overwrite"]
    (folder / "metrics.jsonl").unlink(missing_ok=True)
    began, how = time.time(), "finished"
    alone = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}  # no run gains from what another compiled
    with (
        log.open("w", encoding="utf-8") as messages,
        subprocess.Popen(words, stdout=messages, stderr=messages, env=alone) as run,
    ):
        try:
            while run.poll() is None and how == "finished":
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(min(POLL, max(0.1, began + budget - time.time())))
                how = _verdict(folder, began, budget, patience=patience)
            if run.poll() is None:
                _end(run)
            elif how != "finished" and run.returncode == 0:
                how = "finished"
        except BaseException:
            _end(run)
            raise
    if how == "finished" and run.returncode:
        told = log.read_text(encoding="utf-8").strip().splitlines() or [f"exit code {run.returncode}"]
        if run.returncode == 2:  # the job is wrong, and so is every other of this sweep
            raise SystemExit(told[-1])
        how = f"failed: {told[-1]}"
    return _ended(folder, began, how, limit=budget)


def _verdict(folder: Path, began: float, budget: float, *, patience: float) -> str:
    now = time.time() - began
    if now > budget:
        return "out of time"
    if patience:
        curve = curve_of(_records(folder, began))
        least = min((error for _, error in curve), default=0.0)
        if curve and now > patience * next(at for at, error in curve if error <= 1.01 * least) + GRACE:
            return "no longer better"
    return "finished"


def _end(run: subprocess.Popen[Any]) -> None:
    """SIGTERM, which leaves a run whole, then SIGKILL."""
    run.send_signal(signal.SIGTERM)
    try:
        run.wait(GRACE)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()


def _ended(folder: Path, began: float, how: str, *, limit: float) -> Ended:
    records = [record for record in _records(folder, began) if record["seconds"] <= limit]
    summary, file = {}, folder / "summary.json"
    seconds = min(limit, time.time() - began)
    if how == "finished":
        summary = json.loads(file.read_text(encoding="utf-8"))
        seconds = _startup(folder, began) + summary["seconds"] - (records[-1]["compared"] if records else 0)
    return Ended(curve_of(records), how, summary, seconds, records)


def _startup(folder: Path, began: float) -> float:
    """Seconds before the run's own clock: the resolved job is written when it starts."""
    with contextlib.suppress(OSError):
        return max(0.0, (folder / "job.toml").stat().st_mtime - began)
    return 0.0


def _records(folder: Path, began: float) -> list[dict[str, Any]]:
    startup, found, compared = _startup(folder, began), [], 0.0
    with contextlib.suppress(OSError):
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                compared += record.get("compared_seconds", 0.0)
                seconds = startup + record["seconds"] - compared
                found.append({**record, "seconds": seconds, "compared": compared})
    return found


def curve_of(records: list[dict[str, Any]]) -> Curve:
    """Seconds and error of the start, which is there before anything is compiled, and of steps that were looked at."""
    return [(one["seconds"], one["error"]) for one in records if one.get("error") is not None]


def thinned(curve: Curve, points: int = POINTS) -> Curve:
    """Few points, evenly chosen, with the last and the best among them; to four digits."""
    if not curve:
        return []
    best = min(range(len(curve)), key=lambda i: curve[i][1])
    step = max(1.0, (len(curve) - 1) / max(points - 2, 1))
    chosen = {round(i * step) for i in range(points) if round(i * step) < len(curve)} | {best, len(curve) - 1}
    return [(float(f"{curve[i][0]:.4g}"), float(f"{curve[i][1]:.4g}")) for i in sorted(chosen)]


@contextlib.contextmanager
def observed() -> Iterator[dict[str, Any]]:
    """What a result has to be read with: processor, cores, load before and after, versions, date."""
    told: dict[str, Any] = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [_load()],
        "versions": {name: version(name) for name in ("adorym", "jax", "numpy")} | {"commit": _commit()},
        "date": time.strftime("%Y-%m-%d"),
    }
    yield told
    told["load"].append(_load())


def busy(machine: dict[str, Any]) -> bool:
    """Whether other programs kept the machine busy: a run by itself loads no more than the cores there are."""
    return max(machine.get("load", [0])) > 1.5 * (machine.get("cores") or 1)


def _load() -> float:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None
