"""Runs the sweeps that know the truth, or the defaults against them: `make quality-oracle`, `make quality`.

Every run is written down as soon as it is done: a sweep that was stopped goes on where it stood.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import time
from pathlib import Path
from typing import Any

from benchmarks.quality.cases import Case, load_cases, load_plan
from benchmarks.quality.criteria import verdicts
from benchmarks.quality.figures import draw_all
from benchmarks.quality.page import page
from benchmarks.quality.runs import Ended, observed, run_job, thinned
from benchmarks.quality.sweeps import SWEEPS, Setting, budget_of, pending, stage_tables
from benchmarks.quality.tables import Site, load_results, load_table, result_of, save_result, save_table
from rich.console import Console
from rich.table import Table

from adorym.io._atomic import write_atomic

CONSOLE = Console(highlight=False)
_ENDLESS = 10**6
_PATIENCE = 1.5
_SPARE = 0.92
"""Part of the budget that the steps of a first-order run are planned for; looking at itself takes the rest."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """All that a command needs: the cases that were asked for, the plan, where results go."""

    cases: list[Case]
    plan: dict[str, Any]
    site: Site


def sweep(bench: Bench, case: Case, purpose: str) -> None:
    """Go on with a sweep until nothing is pending."""
    table, budget = load_table(bench.site, case), budget_of(case, bench.plan, purpose)
    while (setting := pending(case, bench.plan, table["rows"], purpose)) is not None:
        if "rate" in setting and table["pace"] is None:
            table["pace"] = pace(case, budget=budget)
            save_table(bench.site, case, table)
        table["rows"].append(swept(bench, case, purpose, setting, pace=table["pace"]))
        save_table(bench.site, case, table)


def swept(bench: Bench, case: Case, purpose: str, setting: Setting, *, pace: dict[str, float] | None) -> dict[str, Any]:
    """One run of a sweep."""
    budget = budget_of(case, bench.plan, purpose)
    tables = swept_job(case, setting, pace, budget=budget, looks=bench.plan["looks"])
    with observed() as machine:
        patience = 0.0 if "rate" in setting else _PATIENCE  # a rate that decays finds its best at the end
        ended = run_job(tables, case.folder / "sweep", budget=budget, patience=patience)
    CONSOLE.print(f"{case.name}, {purpose}: {setting}: {told(ended)}", soft_wrap=True)
    row = {"sweep": purpose, "setting": setting, "budget": budget}
    return {**row, **written(ended), "machine": machine}


def again(bench: Bench, case: Case) -> None:
    """The run of Adam's that set the mark once more, by the same steps, for its seconds on this machine; a row more."""
    table = load_table(bench.site, case)
    rows = [row for row in table["rows"] if row["sweep"] == "adam" and row["best"]]
    if not rows:
        raise SystemExit(f"{case.name}: Adam has not been swept; leave --again out.")
    best = min(rows, key=lambda row: row["best"][1])
    table["rows"].append(swept(bench, case, "adam", best["setting"], pace=table["pace"]))
    save_table(bench.site, case, table)


def swept_job(
    case: Case, setting: Setting, speed: dict[str, float] | None, *, budget: float, looks: int
) -> dict[str, Any]:
    """The job of one run of a sweep: first-order steps as many as the time allows, others without an end."""
    epochs = _ENDLESS // 1000
    if speed is not None and "rate" in setting:
        left = max(0.0, budget - speed["start"]) * _SPARE
        epochs = max(1, round(setting["horizon"] * left / speed["epoch"]))
    else:
        looks = epochs  # at every step
    tables = case.reconstruction(case.simulated())
    output = {**tables.get("output", {}), "held_out": 0, "evaluations": looks}
    return {**tables, **stage_tables(case, setting, epochs=epochs), "output": output}


def pace(case: Case, *, budget: float) -> dict[str, float]:
    """Seconds until the first first-order step is done, and seconds of an epoch after that."""
    setting = {"solver": "first order", "rate": 1e-6}
    tables = case.reconstruction(case.simulated())
    tables |= {**stage_tables(case, setting, epochs=_ENDLESS), "output": {"held_out": 0, "evaluations": 1}}
    ended = run_job(tables, case.folder / "sweep", budget=min(45.0, max(20.0, budget / 3)))
    steps = [record for record in ended.records if record.get("step")]
    if len(steps) < 2:
        raise SystemExit(f"{case.name}: too slow to measure its pace in {ended.seconds:.0f} s ({ended.how}).")
    first, middle, last = steps[0], steps[(len(steps) - 1) // 2], steps[-1]
    epoch = (last["seconds"] - middle["seconds"]) / (last["epoch"] - middle["epoch"])
    return {"start": round(first["seconds"], 2), "epoch": float(f"{epoch:.4g}")}


def defaults(bench: Bench) -> None:
    """The default job of every case, in the time that there is for all of them."""
    kind = "quick" if all(case.quick for case in bench.cases) else "full"
    end = time.monotonic() + bench.plan[kind]["defaults"]
    for place, case in enumerate(bench.cases):
        tables = case.reconstruction(case.simulated())
        tables["output"] = {**tables.get("output", {}), "evaluations": bench.plan["looks"]}
        allowed = max(30.0, (end - time.monotonic()) / (len(bench.cases) - place))
        with observed() as machine:
            ended = run_job(tables, case.folder / "default", budget=allowed)
        chosen = {name: ended.summary.get(name) for name in ("steps", "reduced_chi2", "decided")}
        result = {"error": ended.error, "seconds": round(ended.seconds, 1), "budget": round(allowed), **chosen}
        save_result(bench.site, case, {**result, **written(ended), "machine": machine})
        CONSOLE.print(f"{case.name}, default: {told(ended)}", soft_wrap=True)


def written(ended: Ended) -> dict[str, Any]:
    """A run as it goes into a table."""
    best = min(ended.curve, key=lambda point: point[1], default=None)
    points = {"best": best and thinned([best])[0], "curve": thinned(ended.curve)}
    compared = ended.records[-1]["compared"] if ended.records else 0.0
    steps = max((one.get("step", 0) for one in ended.records), default=0)
    return {**points, "steps": steps, "compared": round(compared, 1), "ended": ended.how}


def told(ended: Ended) -> str:
    """A run in a few words."""
    if not ended.curve:
        return ended.how
    seconds, error = min(ended.curve, key=lambda point: point[1])
    return f"{ended.how}, best error {error:.4g} after {seconds:.0f} s, last {ended.error:.4g}"


def show(bench: Bench) -> None:
    """All criteria of the cases, as a table."""
    table, results = Table("case", "criterion", "value", "limit", "", "against"), load_results(bench.site)
    marks = {True: "[green]met", False: "[red]not met", None: "not measured"}
    for case in bench.cases:
        rows, result = load_table(bench.site, case)["rows"], result_of(results, case)
        for one in verdicts(rows, result, noise_free=case.noise_free, below=case.family.get("below")):
            value = "" if one.value is None else f"{one.value:.3g}"
            table.add_row(case.name, one.criterion, value, f"{one.limit:.3g}", marks[one.met], one.told)
    CONSOLE.print(table)


def write_page(bench: Bench, sets: list[str]) -> None:
    """The page with its pictures, of all cases whichever were asked for."""
    cases = load_cases(sets=sets)
    bench.site.page.parent.mkdir(parents=True, exist_ok=True)
    draw_all(cases, bench.site)
    write_atomic(bench.site.page, page(cases, bench.plan, bench.site).encode())
    CONSOLE.print(str(bench.site.page))


def asked(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=("oracle", "adam", "default", "page"), help="oracle: Adam's sweep, then all")
    parser.add_argument("--only", metavar="CASE", action="append", default=[], help="this case (repeat)")
    parser.add_argument("--quick", action="store_true", help="the small cases; left out, default takes the others")
    parser.add_argument("--again", action="store_true", help="with adam: only its best run, on this machine")
    parser.add_argument("--set", metavar="KEY=VALUE", dest="sets", action="append", default=[], help="change the cases")
    parser.add_argument(
        "--plan", metavar="KEY=SECONDS", action="append", default=[], help="change a budget: full.adam=9"
    )
    parser.add_argument("--results", metavar="FOLDER", type=Path, help="keep all results there, for a trial")
    arguments = parser.parse_args(words)
    if arguments.again and arguments.command != "adam":
        parser.error("--again is for adam")
    if (arguments.sets or arguments.plan) and arguments.results is None:
        parser.error("--set and --plan are for trials: give --results FOLDER, so that the tables stay as they are")
    return arguments


def main(words: list[str] | None = None) -> None:
    """Do what the command line asks for."""
    signal.signal(signal.SIGTERM, lambda number, frame: (_ for _ in ()).throw(SystemExit(128 + number)))
    arguments = asked(words)
    plan = load_plan()
    for change in arguments.plan:
        (kind, _, name), seconds = change.partition("=")[0].partition("."), float(change.partition("=")[2])
        plan[kind][name] = seconds
    defaults_asked = arguments.command == "default" and not arguments.only
    quick = True if arguments.quick else (False if defaults_asked else None)
    cases = load_cases(quick=quick, only=arguments.only, sets=arguments.sets)
    bench = Bench(cases, plan, Site.of(arguments.results))
    try:
        if arguments.command == "default":
            defaults(bench)
        elif arguments.command != "page":
            for case in cases:
                if arguments.again:
                    again(bench, case)
                    continue
                for purpose in SWEEPS if arguments.command == "oracle" else SWEEPS[:1]:
                    sweep(bench, case, purpose)
    except KeyboardInterrupt:
        raise SystemExit("Stopped; the same command goes on from here.") from None
    finally:
        write_page(bench, arguments.sets)
    show(bench)


if __name__ == "__main__":
    main()
