"""What `adorym plan` foretells beside what `adorym reconstruct` then takes, side by side.

    python -m benchmarks.plan JOB [--set KEY=VALUE ...]

Each runs as a process of its own, which finds nothing compiled by another. Where the data decide the end, the forecast
is taken for as many steps as the run then had. The machine should have nothing else to do meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

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


def measured(job: Path, sets: list[str]) -> dict[str, Any]:
    """The summary of the run."""
    words = [word for one in sets for word in ("--set", one)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        subprocess.run(
            [sys.executable, "-m", "adorym", "reconstruct", str(job), "-o", str(run), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            env=ALONE,
        )
        return json.loads((run / "summary.json").read_text(encoding="utf-8"))


def at_steps(plan: dict[str, Any], steps: int) -> float:
    """Seconds foretold for a number of steps, between the usual number and the most."""
    told = plan["time"]
    if told["most_steps"] == told["usual_steps"]:
        return told["usual"]
    slope = (told["most"] - told["usual"]) / (told["most_steps"] - told["usual_steps"])
    return told["usual"] + (steps - told["usual_steps"]) * slope


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--set", metavar="KEY=VALUE", dest="sets", action="append", default=[])
    arguments = parser.parse_args()
    plan, summary = (one(arguments.job, arguments.sets) for one in (foretold, measured))
    seconds = at_steps(plan, summary["steps"])
    print(f"{arguments.job}: {summary['steps']} steps")
    for name, told, taken, unit in (
        ("peak memory", plan["memory"]["host"] / 1e6, summary["peak_memory"] / 1e6, "MB"),
        ("time", seconds, summary["seconds"], "s"),
    ):
        print(f"{name:12} foretold {told:8.1f} {unit}, taken {taken:8.1f} {unit}: {100 * (told / taken - 1):+.0f} %")


if __name__ == "__main__":
    main()
