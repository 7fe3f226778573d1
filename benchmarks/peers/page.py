"""The page of the comparison and its pictures, from the results."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.peers.case import CASES, Case
from benchmarks.peers.programs import PROGRAMS
from benchmarks.peers.verdicts import BUDGET, FASTEST, PTYCHI, SOONER, of_error, of_speed, reached, until
from benchmarks.quality.runs import busy

from adorym.report._style import BLUE, GREEN, MUTED, ORANGE, RED, picture

COLORS = (BLUE, BLUE, ORANGE, RED, GREEN, MUTED)

INTRODUCTION = f"""\
# Speed beside other programs

Multislice ptychography by adorym and by three other programs: the same measurement, the same probe to start from, two
threads each, on one machine, one after the other. `make bench-peers` makes the others' environment and measures this
page anew. It asks for

- at least {PTYCHI} times Pty-Chi's speed per epoch,
- at least {FASTEST} times the speed per epoch of the fastest of all,
- and the default job to be {SOONER:.0f} times sooner at the error that each program reaches in {BUDGET:.0f} s.

The measurement is simulated: layers of beads 10 µm apart at 8 keV, seen by a probe of 128 × 128 pixels of 10 nm at 100
positions, without noise. Everybody starts from empty slices and from the probe at 0.8 of its true defocus, refines
both, and takes the frames in batches of 10; the default job of adorym decides by itself. The error is
‖x − t‖ / ‖t‖ of the slices' complex transmissions between the outermost positions, once a factor, a phase ramp and a
shift of every slice are removed. It is measured afterwards, for all by the same function, on objects that were kept on
the way; the time for keeping them is not counted. Time counts since the command was given: start, imports and
compilation are part of it, and nobody finds anything compiled. Everybody's memory comes in large pages, which the
adorym command asks for by itself.
"""

_SECONDS = (4, 6, 10, 20, 40, 60)
"""Marked in the pictures."""

BEFORE = """\
On an Intel Xeon (2026-11-28, MKL) the six were 3.13, 3.17, 4.3, 2.55, 2.77 and 2.78 times as fast as Pty-Chi and 1.66,
1.8, 2.5, 2.23, 2.61 and 2.42 times as fast as the fastest; then everybody's memory was handed back to the system more
often.
"""
"""Of another machine, by an earlier state."""

MARKS = {True: "met", False: "**not met**", None: "*not measured*"}


def number(value: float | None, digits: int = 3) -> str:
    """Of few digits."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}g}"


def page(results: dict[str, Any]) -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION, _circumstances(results), _speed(results["speed"]), _error(results["error"]), _chosen()]
    return "\n".join(part for part in parts if part)


def _circumstances(results: dict[str, Any]) -> str:
    """Machine, load, versions and dates."""
    machines = [row["machine"] for table in ("speed", "error") for row in results[table].values()]
    if not machines:
        return "Nothing was measured yet.\n"
    first, places = machines[0], dict.fromkeys(f"{one['processor']}, {one['cores']} cores" for one in machines)
    dates, loads = sorted({one["date"] for one in machines}), [load for one in machines for load in one["load"]]
    lines = [
        f"{', then '.join(places)}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; "
        f"load {min(loads):.1f} to {max(loads):.1f}.",
        "Versions: "
        + ", ".join(f"{name} {number}" for name, number in sorted(results.get("versions", {}).items()))
        + f"; adorym {first['versions']['adorym']} on jax {first['versions']['jax']}.",
    ]
    if any(busy(one) for one in machines):
        lines.append("**The machine was busy with other programs while some of this was measured.**")
    return "\n".join([*lines, ""])


def _shown(table: dict[str, Any]) -> list[Case]:
    return [case for case in CASES if case.slug in table]


def _speed(table: dict[str, Any]) -> str:
    """Seconds per epoch."""
    cases = _shown(table)
    if not cases:
        return ""
    names = [program.name for program in PROGRAMS if "speed" in program.tasks]
    lines = ["## Seconds per epoch\n", "| | " + " | ".join(case.name for case in cases) + " |"]
    lines.append("|---" * (len(cases) + 1) + "|")
    for name in names:
        cells = (table[case.slug]["programs"].get(name, {}).get("seconds_per_epoch") for case in cases)
        lines.append(f"| {name} | " + " | ".join(map(number, cells)) + " |")
    verdicts = [of_speed(table[case.slug]["programs"]) for case in cases]
    for index in range(2):
        one = verdicts[0][index]
        cells = (f"{number(each[index].value)}, {MARKS[each[index].met]}" for each in verdicts)
        lines.append(f"| {one.what} (at least {one.limit}) | " + " | ".join(cells) + " |")
    lines.append("\nMedians over the epochs of processes that alternate, the first epoch of each left out.\n")
    lines.append(BEFORE)
    return "\n".join(lines)


def _error(table: dict[str, Any]) -> str:
    """What each program reaches, and when the default job has it."""
    lines = ["## Seconds to an error\n"] if _shown(table) else []
    for case in _shown(table):
        rows = table[case.slug]["programs"]
        ours = next((row["curve"] for name, row in rows.items() if name.startswith("adorym")), [])
        lines += [
            f"### {case.name}\n",
            f"![Error against wall time, {case.name}](images/peers-{case.slug}.png)\n",
            f"| | ready after, s | error after {BUDGET:.0f} s | adorym has it after, s | times sooner (at least 5) |",
            "|---|---|---|---|---|",
        ]
        verdicts = of_error(rows)
        for name, row in rows.items():
            least = reached(row["curve"], BUDGET)
            cells = ["–", "–"]
            if name in verdicts:
                at = until(ours, least)
                value = verdicts[name]
                cells = [number(at) if math.isfinite(at) else "never", f"{number(value.value)}, {MARKS[value.met]}"]
            note = "" if row["how"] == "finished" else f" ({row['how']})"
            lines.append(f"| {name}{note} | {number(row['ready'])} | {number(least)} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _chosen() -> str:
    """The settings of each program."""
    lines = ["## What was chosen\n"]
    lines += [f"- **{program.name}**: {program.chosen}." for program in PROGRAMS]
    lines.append(
        "\nPty-Chi needs torchvision for a blur that is not used here; where there is no build of it, a class of a few "
        "lines stands in. No position lies more than 0.45 pixels above a whole one, since cdtools would take a wrong "
        "pixel of all slices but the first. The drivers are in `benchmarks/peers/drivers/`.\n"
    )
    return "\n".join(lines)


def draw_all(results: dict[str, Any], folder: Path) -> None:
    """A picture of the errors of each case."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in _shown(results["error"]):
        png = curves(case, results["error"][case.slug]["programs"])
        (folder / f"peers-{case.slug}.png").write_bytes(png)


def curves(case: Case, rows: dict[str, dict[str, Any]]) -> bytes:
    """Error against wall time as PNG."""
    colors = {program.name: color for program, color in zip(PROGRAMS, COLORS, strict=True)}

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for name, row in rows.items():
            if row["curve"]:
                wide = 2.0 if name.startswith("adorym") else 1.2
                axes.plot(*zip(*row["curve"], strict=True), color=colors.get(name, MUTED), linewidth=wide, label=name)
        axes.set(xscale="log", yscale="log", xlabel="seconds since the command", ylabel="error", title=case.name)
        axes.set_xticks(_SECONDS, labels=map(str, _SECONDS))
        axes.set_xticks([], minor=True)
        axes.grid(visible=True, which="both", alpha=0.5)
        axes.tick_params(which="both", labelsize=8, colors=MUTED)
        axes.legend(fontsize=8, loc="lower left")

    return picture((4.8, 3.2), f"{case.name}: error against wall time", draw).png
