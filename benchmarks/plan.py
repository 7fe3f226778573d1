"""What `adorym plan` foretells beside what `adorym reconstruct` then takes, side by side.

    python -m benchmarks.plan JOB [--set KEY=VALUE ...]

Each runs as a process of its own, which finds nothing compiled by another. Where the data decide the end, the forecast
is taken for as many steps as the run then had, at each binning of each stage and on each part of the views. The machine
should have nothing else to do meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

Steps = Counter[tuple[int, int, int]]
"""How many there were, by stage, binning and every how many-th view they saw."""

ALONE = {**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"}  # compiling takes memory as well as time


def foretold(job: Path, sets: list[str]) -> dict[str, Any]:
    """The plan, as JSON tells it."""
    words = [word for one in sets for word in ("--set", one)]
    run = subprocess.run(
        [sys.executable, "-m", "adorym", "plan", str(job), "--json", *words],
        check=True,
        stdout=subprocess.PIPE,
        env=ALONE,
    )
    return json.loads(run.stdout)


def measured(job: Path, sets: list[str]) -> tuple[dict[str, Any], Steps]:
    """The summary of the run, and its steps."""
    words = [word for one in sets for word in ("--set", one)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        subprocess.run(
            [sys.executable, "-m", "adorym", "reconstruct", str(job), "-o", str(run), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            env=ALONE,
        )
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        records = [record for record in map(json.loads, lines) if record["step"]]
        steps = Counter((one["stage"], one.get("binning", 1), one.get("every", 1)) for one in records)
        return json.loads((run / "summary.json").read_text(encoding="utf-8")), steps


def at_steps(plan: dict[str, Any], steps: Steps) -> float:
    """Seconds foretold for so many steps of each kind, and as many looks, from those that are usual."""
    usual, looks = plan["time"]["usual_steps"], plan["time"]["looks"]
    seconds = plan["time"]["usual"] + looks * (steps.total() / usual - 1)
    for leg in plan["legs"]:
        for part in leg["parts"]:
            more = steps[leg["stage"], leg["binning"], part["every"]] - part["usual_steps"]
            seconds += more * part["seconds_per_step"]
    return seconds


def compared(job: Path, sets: list[str]) -> dict[str, Any]:
    """Memory in bytes and time in seconds, foretold and taken, and the steps in words."""
    plan = foretold(job, sets)
    summary, steps = measured(job, sets)
    kinds = (f"{count} at {factor}, every {every}" for (_, factor, every), count in steps.items())
    return {
        "steps": "; ".join(kinds),
        "memory": [plan["memory"]["host"], summary["peak_memory"]],
        "time": [at_steps(plan, steps), summary["seconds"]],
    }


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--set", metavar="KEY=VALUE", dest="sets", action="append", default=[])
    arguments = parser.parse_args()
    try:
        found = compared(arguments.job, arguments.sets)
    except subprocess.CalledProcessError as error:  # which has said why
        raise SystemExit(error.returncode) from None
    print(f"{arguments.job}: steps (at a binning, on every how many-th view): {found['steps']}")
    for name, scale, unit in (("memory", 1e6, "MB"), ("time", 1, "s")):
        told, taken = (one / scale for one in found[name])
        print(f"{name:8} foretold {told:8.1f} {unit}, taken {taken:8.1f} {unit}: {100 * (told / taken - 1):+.0f} %")


if __name__ == "__main__":
    main()
