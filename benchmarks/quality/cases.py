"""The cases: jobs that say what is measured and nothing about how it is to be reconstructed.

Each is simulated once, into `runs/quality/`, and every run of the case reads that file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adorym.config import ResolvedJob, dumps, load_job

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RUNS = ROOT / "runs" / "quality"
MEASURED = ("phantom", "scan", "simulate")
COMMAND = (sys.executable, "-m", "adorym")


@dataclasses.dataclass(frozen=True)
class Case:
    """A job without settings, and what the plan says of its kind.

    Attributes:
        name: of its file.
        tables: the job.
        family: the plan's entry for cases of its kind.
    """

    name: str
    tables: dict[str, Any]
    family: dict[str, Any]

    @property
    def quick(self) -> bool:
        """Whether it is one of the small ones."""
        return self.name.startswith("quick-")

    @property
    def noise_free(self) -> bool:
        """Whether the data are expected counts."""
        return self.tables.get("simulate", {}).get("noise") is False

    @property
    def data(self) -> str:
        """What tells its data from others: results of other data cannot be compared."""
        told = json.dumps({name: self.tables.get(name, {}) for name in MEASURED}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:10]

    @property
    def seeds(self) -> dict[str, int]:
        """Seeds of the sample, of the noise, and of the order in which data are served."""
        tables = {"sample": self.tables["phantom"], "noise": self.tables.get("simulate", {}), "order": self.tables}
        return {name: table.get("seed", 0) for name, table in tables.items()}

    @property
    def folder(self) -> Path:
        """Where its data and runs are kept."""
        return RUNS / self.name

    def simulated(self) -> Path:
        """The data file, simulated if it is not there yet."""
        file = self.folder / f"data-{self.data}.h5"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            job = write_job(self.tables, self.folder / "simulate.toml")
            subprocess.run([*COMMAND, "simulate", job, "-o", file], check=True)
        return file

    def reconstruction(self, data: Path) -> dict[str, Any]:
        """The job of a reconstruction from the data file."""
        rest = {name: table for name, table in self.tables.items() if name not in MEASURED}
        return {**rest, "data": {"file": str(data)}}


def load_plan() -> dict[str, Any]:
    """What is swept, and for how long."""
    return tomllib.loads((HERE / "plan.toml").read_text(encoding="utf-8"))


def load_cases(*, quick: bool | None = None, only: Iterable[str] = (), sets: Iterable[str] = ()) -> list[Case]:
    """The cases by name, the small ones first.

    Args:
        quick: only the small ones, or only the others.
        only: names of those wanted; all if empty.
        sets: changes "dotted.key=value", for a trial at another size.
    """
    plan, wanted = load_plan(), set(only)
    files = {file.stem: file for file in sorted((HERE / "cases").glob("*.toml"))}
    if wanted - files.keys():
        raise SystemExit(f"No case {', '.join(sorted(wanted - files.keys()))}; there are {', '.join(files)}.")
    cases = []
    for name, file in files.items():
        family = plan["families"][name.removeprefix("quick-").partition("-")[0]]
        cases.append(Case(name, load_job(file, sets).tables, family))
    chosen = [one for one in cases if (not wanted or one.name in wanted) and quick in (None, one.quick)]
    return sorted(chosen, key=lambda one: not one.quick)


def write_job(tables: dict[str, Any], file: Path) -> Path:
    """Tables as a job file."""
    file.write_text(dumps(ResolvedJob(tables)), encoding="utf-8")
    return file
