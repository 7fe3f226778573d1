"""The page of results, made from the tables: what is met, what is not, and what nobody has measured yet."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from benchmarks.quality.cases import Case
from benchmarks.quality.criteria import Verdict, adams_mark, alike, verdicts
from benchmarks.quality.runs import busy
from benchmarks.quality.sweeps import SWEEPS, complete
from benchmarks.quality.tables import Site, load_results, load_table, result_of

_INTRODUCTION = """\
# Quality without tuning

The jobs in `benchmarks/quality/cases/` say what is measured and nothing about how to reconstruct it: no weights, no
steps, no iteration counts. `make quality` reconstructs each with the defaults and compares the result with tables that
`make quality-oracle` made knowing the truth: Adam over a sweep of rates, and L-BFGS and first-order steps over
weights of total variation, each run stopped at its best moment. `make quality-quick` does the same with smaller cases.

- **No tuning**: the default's error is at most 1.15 times the best of the table; without noise, of the best that any
  run reached in the time that the default took.
- **Time to quality**: the default is at Adam's mark, the lowest error of Adam's sweep, in at most a third of the time
  after which the first of Adam's runs was within 1 % of it. Only runs on machines alike are compared. Holograms have a
  start that is found from the frames, and counts as soon as it is there; Adam begins with vacuum.
- **Below the stall**: the 256 nm cone on 64 voxels without noise, on which first-order steps stall, has a δ error under
  0.12.

The error is ||x − truth|| / ||truth|| over the region that the measurement reached: of δ, or of an image's complex
transmission, whose phase, ramp, shift and scale are removed first. Times are wall time since the command was given:
start, automatic decisions and compilation are included; comparing with the truth, which only a benchmark does, is not
(sixty times in a run of a star: 13 s beside 17 s). Where Adam was timed before 2026-11-29 it counts in both.
"""

_MARKS = {True: "met", False: "**not met**", None: "*not measured*"}


@dataclasses.dataclass(frozen=True)
class Shown:
    """All that is known of one case: its table's rows, the default's result, and what follows."""

    case: Case
    rows: list[dict[str, Any]]
    result: dict[str, Any] | None

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By criterion."""
        below = self.case.family.get("below")
        found = verdicts(self.rows, self.result, noise_free=self.case.noise_free, below=below)
        return {one.criterion: one for one in found}


def page(cases: list[Case], plan: dict[str, Any], site: Site) -> str:
    """The page as Markdown."""
    results = load_results(site)
    shown = [Shown(case, load_table(site, case)["rows"], result_of(results, case)) for case in cases]
    parts = [_INTRODUCTION, _summary(shown), _circumstances(shown, plan)]
    for title, quick in (("The cases", False), ("The quick cases", True)):
        chosen = [one for one in shown if one.case.quick is quick]
        curves = [_curves(one.case, site) for one in chosen]
        parts += [f"## {title}\n", _tuning(chosen), _times(chosen), *_stalls(chosen), *curves]
    return "\n".join(part for part in parts if part)


def _summary(shown: list[Shown]) -> str:
    """What is met and what is not, first of all."""
    lines = []
    for met, title in ((True, "Met"), (False, "Not met"), (None, "Not measured yet")):
        found: dict[str, list[str]] = {}
        for one in shown:
            for verdict in one.verdicts.values():
                if verdict.met is met:
                    found.setdefault(verdict.criterion, []).append(one.case.name)
        lines.append(f"- **{title}**{':' if found else ': nothing.'}")
        lines += [f"    - {criterion}: {_listed(names)}" for criterion, names in found.items()]
    return "\n".join([*lines, ""])


def _circumstances(shown: list[Shown], plan: dict[str, Any]) -> str:
    """On which machines, and which sweeps have not come to their end."""
    machines = [row["machine"] for one in shown for row in one.rows]
    machines += [one.result["machine"] for one in shown if one.result is not None]
    lines = []
    if machines:
        kinds = {f"{one['processor']}, {one['cores']} cores, JAX {one['versions']['jax']}" for one in machines}
        dates = sorted(one["date"] for one in machines)
        lines.append(f"Measured from {dates[0]} to {dates[-1]} on: {'; '.join(sorted(kinds))}. Every row of the tables")
        lines.append("in `benchmarks/quality/tables/` names its setting, budget, versions, load and date.")
    crowded = sum(busy(one) for one in machines)
    if crowded:
        lines.append(f"During {crowded} of {len(machines)} runs (†) other programs kept the machine busy.")
    for sweep in SWEEPS:
        open_ones = [one.case.name for one in shown if not complete(one.case, plan, one.rows, sweep)]
        if open_ones:
            whose = {"adam": "Adam's sweep", "oracle": "The sweep that knows the truth"}[sweep]
            lines.append(
                f"\n{whose} has not come to its end, so that what is met may still change: {_listed(open_ones)}."
            )
    return "\n".join([*lines, ""])


def _head(title: str, *columns: str) -> list[str]:
    return [f"### {title}\n", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _tuning(shown: list[Shown]) -> str:
    lines = [
        "### No tuning\n",
        "| case | default's error | seconds | best known | its setting | ratio | |",
        "|" + "---|" * 7,
    ]
    for one in shown:
        verdict = one.verdicts.get("no tuning")
        if verdict is not None:
            error, seconds = ("–", "–") if one.result is None else (_number(one.result["error"]), _seconds(one.result))
            cells = [_number(verdict.reference), verdict.told, _number(verdict.value), _MARKS[verdict.met]]
            lines.append(f"| `{one.case.name}` | {error} | {seconds} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _times(shown: list[Shown]) -> str:
    lines = [
        "### Time to quality\n",
        "| case | Adam's mark | Adam's seconds | the default | ratio | |",
        "|" + "---|" * 6,
    ]
    for one in shown:
        verdict = one.verdicts.get("time to quality")
        if verdict is not None:
            rows = alike(one.rows, one.result)
            mark, seconds = adams_mark(one.rows, one.result) or (None, None)
            crowded = any(busy(row["machine"]) for row in rows if seconds in [at for at, _ in row["curve"]])
            adams = "–" if seconds is None else f"{seconds:.0f}{' †' if crowded else ''}"
            cells = [_number(mark), adams, verdict.told, _number(verdict.value)]
            lines.append(f"| `{one.case.name}` | {' | '.join(cells)} | {_MARKS[verdict.met]} |")
    return "\n".join([*lines, ""])


def _stalls(shown: list[Shown]) -> list[str]:
    parts = []
    for one in shown:
        verdict = one.verdicts.get("below the stall")
        if verdict is not None:
            mark = adams_mark(one.rows)
            adam = "Adam has not been swept" if mark is None else f"Adam's lowest error is {mark[0]:.3g}"
            told = f"{verdict.told}, limit {verdict.limit:g}: {_MARKS[verdict.met]}; {adam}"
            parts.append(f"### Below the stall\n\n`{one.case.name}`: {told}.\n")
    return parts


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if math.isfinite(value) else "never"


def _seconds(result: dict[str, Any]) -> str:
    mark = "" if result["ended"] == "finished" else f" ({result['ended']})"
    return f"{result['seconds']:.0f}{mark}{' †' if busy(result['machine']) else ''}"


def _curves(case: Case, site: Site) -> str:
    if not (site.images / f"quality-{case.name}.png").exists():
        return ""
    return f"![{case.name}: error against wall time](images/quality-{case.name}.png)\n"
