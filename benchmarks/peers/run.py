"""Runs the comparison with other programs and writes its page: `make bench-peers`.

Every program gets the same measurement, the same probe to start from and two threads, and runs as a process of its own
in its own environment. Each result is written down as soon as it is there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers.case import CASES, QUICK, Case, region, simulate
from benchmarks.peers.error import centred, object_error
from benchmarks.peers.page import draw_all, page
from benchmarks.peers.programs import PROGRAMS, ROOT, Ended, Program, run, versions
from benchmarks.peers.verdicts import BUDGET, of_error, of_speed
from benchmarks.quality.runs import observed
from rich.console import Console

from adorym.io._atomic import write_atomic

CONSOLE = Console(highlight=False)
RESULTS = ROOT / "benchmarks" / "peers" / "results.json"
PAGE = ROOT / "docs" / "speed-peers.md"
IMAGES = ROOT / "docs" / "images"
EPOCHS, LIMIT = 12, 40.0
"""Epochs of a run for speed, and the seconds after which it ends even so."""


def load(path: Path = RESULTS) -> dict[str, Any]:
    """What was measured before: `speed` and `error` by case and program."""
    if not path.exists():
        return {"speed": {}, "error": {}}
    return json.loads(path.read_text(encoding="utf-8"))


def save(results: dict[str, Any], path: Path = RESULTS) -> None:
    """Write the results, whole or not at all."""
    write_atomic(path, (json.dumps(results, indent=1, sort_keys=True) + "\n").encode())


def speed(case: Case, folder: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Seconds per epoch: the median over processes that alternate."""
    intervals: dict[str, list[float]] = {}
    told: dict[str, dict[str, Any]] = {}
    chosen = [program for program in PROGRAMS if "speed" in program.tasks]
    for _ in range(rounds):
        for program in chosen:
            ended = run(program, folder, budget=LIMIT, epochs=EPOCHS)
            intervals.setdefault(program.name, []).extend(ended.intervals)
            told[program.name] = {"ready": ended.ready, "how": ended.how}
    for name, found in intervals.items():
        median = float(f"{statistics.median(found):.4g}") if found else None
        told[name] |= {"seconds_per_epoch": median, "epochs": len(found)}
        CONSOLE.print(f"{case.name}, {name}: {median} s an epoch ({told[name]['how']})")
    return told


def error(case: Case, folder: Path, program: Program) -> dict[str, Any]:
    """Error against wall time for a minute."""
    with tempfile.TemporaryDirectory() as kept:
        ended = run(program, folder, budget=BUDGET, objects=Path(kept) / "objects")
        curve = curve_of(ended, Path(kept) / "objects", folder)
    CONSOLE.print(f"{case.name}, {program.name}: {curve[-1] if curve else None} ({ended.how})")
    return {"curve": curve, "ready": ended.ready, "epochs": len(ended.epochs), "how": ended.how}


def errors(case: Case, folder: Path, results: dict[str, Any]) -> None:
    """The curve of every program, each written down as soon as it is there."""
    rows: dict[str, Any] = {}
    with observed() as machine:
        for program in PROGRAMS:
            if "error" in program.tasks:
                rows[program.name] = error(case, folder, program)
                results["error"][case.slug] = {"programs": rows, "machine": machine}
                save(results)
    save(results)


def curve_of(ended: Ended, objects: Path, folder: Path) -> list[tuple[float, float]]:
    """Seconds since the command was given, and the error of the object that was kept then."""
    with np.load(folder / "case.npz") as case:
        truth = case["truth"]
    curve = []
    for seconds, name in ended.objects:
        estimate = centred(np.load(objects / name), truth.shape[-1])
        curve.append((float(f"{seconds:.4g}"), float(f"{object_error(estimate, truth, region()):.4g}")))
    return curve


def write_page(results: dict[str, Any]) -> None:
    """The page and its pictures, from the results."""
    draw_all(results, IMAGES)
    write_atomic(PAGE, page(results).encode())


def asked() -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=["all", "speed", "error", "page"])
    parser.add_argument("--quick", action="store_true", help="2 slices, 1 mode only")
    parser.add_argument("--case", choices=[case.slug for case in CASES], action="append", help="these cases only")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each program for its speed")
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for, case by case."""
    options, results = asked(), load()
    cases = QUICK if options.quick else CASES
    cases = tuple(case for case in CASES if case.slug in options.case) if options.case else cases
    for case in cases if options.what != "page" else ():
        folder = simulate(case, ROOT / "runs" / "peers")
        results["versions"] = versions()
        if options.what in ("all", "speed"):
            with observed() as machine:
                rows = speed(case, folder, options.rounds)
            results["speed"][case.slug] = {"programs": rows, "machine": machine}
            save(results)
        if options.what in ("all", "error"):
            errors(case, folder, results)
        for verdict in of_speed(results["speed"].get(case.slug, {}).get("programs", {})):
            CONSOLE.print(f"{case.name}: {verdict.what}: {verdict.value:.2f} (limit {verdict.limit})")
        for name, verdict in of_error(results["error"].get(case.slug, {}).get("programs", {})).items():
            CONSOLE.print(f"{case.name}: {name}: {verdict.value:.2f} times sooner; {verdict.why}")
    write_page(load())  # in the order of the file, in which it is made anew


if __name__ == "__main__":
    main()
