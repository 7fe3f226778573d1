"""Which settings are tried: the next one follows from what those before it reached.

A setting is a small dictionary: solver, rate and horizon of first-order steps (the part of the budget over which the
rate decays), weight of the total variation and the ratio of the second leaf's weight to the first's. When to stop needs
no sweep: a run's error is measured all along, and its best is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.quality.cases import Case

Setting = dict[str, Any]
Best = Callable[[Setting], float | None]

SWEEPS = ("adam", "oracle")
_FARTHER = 4
_HALF = 10**0.5
_FIRST, _SECOND = "first order", "gauss-newton"


def pending(case: Case, plan: dict[str, Any], rows: list[dict[str, Any]], purpose: str) -> Setting | None:
    """The next setting of a sweep that has no row yet, or `None` where the sweep is complete.

    Args:
        case: what is reconstructed.
        plan: budgets and grids.
        rows: the runs so far.
        purpose: "adam" or "oracle".
    """
    budget = budget_of(case, plan, purpose)

    def done(setting: Setting) -> dict[str, Any] | None:
        return next((r for r in rows if (r["sweep"], r["setting"], r["budget"]) == (purpose, setting, budget)), None)

    def best(setting: Setting) -> float | None:
        row = done(setting)
        return None if row is None or row["best"] is None else row["best"][1]

    rates = [(row["best"][1], row["setting"]["rate"]) for row in rows if row["sweep"] == "adam" and row["best"]]
    if purpose == "oracle" and not rates:
        return None  # the oracle's first-order runs take over Adam's best rate
    settings = _adam(plan, best) if purpose == "adam" else _oracle(case, plan, best, rate=min(rates)[1])
    return next((setting for setting in settings if done(setting) is None), None)


def complete(case: Case, plan: dict[str, Any], rows: list[dict[str, Any]], purpose: str) -> bool:
    """Whether a sweep has nothing left to try."""
    started = any(row["sweep"] == "adam" and row["best"] for row in rows)
    return started and pending(case, plan, rows, purpose) is None


def budget_of(case: Case, plan: dict[str, Any], purpose: str) -> float:
    """Seconds of one run."""
    return plan["quick" if case.quick else "full"][purpose]


def _adam(plan: dict[str, Any], best: Best) -> Iterator[Setting]:
    grid = plan["sweep"]
    found: list[Setting] = []
    for rate in _line(grid["rates"], lambda value: best(_first_order(value)), factor=_HALF):
        found.append(_first_order(rate))
        yield found[-1]
    chosen = _least(found, best)
    for horizon in grid["horizons"]:
        yield {**chosen, "horizon": horizon}


def _oracle(case: Case, plan: dict[str, Any], best: Best, *, rate: float) -> Iterator[Setting]:
    grid, found = plan["sweep"], []
    for solver in case.family["solvers"]:
        base = {"solver": _SECOND} if solver == _SECOND else _first_order(rate)
        own = []

        def weighted(weight: float, base: Setting = base) -> Setting:
            return {**base, "weight": _round(weight)}

        if not found:
            if solver == _SECOND:  # first-order steps without a weight are Adam's
                yield base
            for weight in _line(grid["weights"], lambda value, of=weighted: best(of(value)), factor=10.0):
                own.append(weighted(weight))
                yield own[-1]
            centre = _least(own, best)["weight"]
        else:
            centre = _least(found, best)["weight"]
            own.append(weighted(centre))
            yield own[-1]
        if _least([*found, *own], best) in own:
            for weight in (centre / _HALF, centre * _HALF):
                own.append(weighted(weight))
                yield own[-1]
        found += own
    if found:
        chosen = _least(found, best)
        for ratio in grid["ratios"]:
            yield {**chosen, "ratio": ratio}


def _line(values: list[float], best: Callable[[float], float | None], *, factor: float) -> Iterator[float]:
    """The values, then farther ones as long as the best lies at an end; the caller runs each before asking on."""
    tried = list(values)
    yield from tried
    for _ in range(_FARTHER):
        chosen = min(tried, key=lambda value: _or_infinite(best(value)))
        if chosen not in (min(tried), max(tried)):
            return
        tried.append(_round(chosen * factor if chosen == max(tried) else chosen / factor))
        yield tried[-1]


def _first_order(rate: float) -> Setting:
    return {"solver": _FIRST, "rate": _round(rate), "horizon": 1.0}


def _least(settings: list[Setting], best: Best) -> Setting:
    return min(settings, key=lambda setting: _or_infinite(best(setting)))


def _or_infinite(value: float | None) -> float:
    return float("inf") if value is None else value


def _round(value: float) -> float:
    """Two digits: what a person would write, and the same in a file and in memory."""
    return float(f"{value:.2g}")


def stage_tables(case: Case, setting: Setting, *, epochs: int) -> dict[str, Any]:
    """The tables of a job that a setting stands for."""
    stage = {"solver": setting["solver"], "free": case.family["free"], "epochs": epochs}
    if "rate" in setting:
        stage["rate"] = setting["rate"]
    weights = [setting["weight"], setting["weight"] * setting.get("ratio", 1.0)] if "weight" in setting else []
    leaves = case.family["leaves"]
    regularizers = [
        {"kind": "total variation", "where": leaf, "weight": weight}
        for leaf, weight in zip(leaves, weights or [0.0] * len(leaves), strict=True)
        if weight
    ]
    return {"regularizers": regularizers, "stages": [stage]}
