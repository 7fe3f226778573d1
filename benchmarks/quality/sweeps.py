"""Which settings are tried: the next one follows from what those before it reached.

A setting is a small dictionary: solver, rate and horizon of first-order steps (the part of the budget over which the
rate decays), weight of the total variation and whether it acts on the object's leaves apart. When to stop needs no
sweep: a run's error is measured all along, and its best is what counts.
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
_FIRST, _SWEEPING = "first order", "l-bfgs"


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
    """Rates over the shortest horizon, then the best of them over longer ones while that helps."""
    rates, (shortest, *longer) = plan["sweep"]["rates"], plan["sweep"]["horizons"]
    found: list[Setting] = []
    for rate in _line(rates, lambda value: best(_first_order(value, shortest))):
        found.append(_first_order(rate, shortest))
        yield found[-1]
    chosen = _least(found, best)
    for horizon in longer:
        trial = {**chosen, "horizon": horizon}
        yield trial
        if _least([chosen, trial], best) != trial:
            return
        chosen = trial


def _oracle(case: Case, plan: dict[str, Any], best: Best, *, rate: float) -> Iterator[Setting]:
    """Weights of joint total variation, then at the best one the leaves apart, and first-order steps."""
    base: Setting = {"solver": _SWEEPING}
    if not case.family["weights"]:
        return
    found = [base] if case.noise_free else []
    yield from found
    for weight in _line(case.family["weights"], lambda value: best({**base, "weight": _round(value)})):
        found.append({**base, "weight": _round(weight)})
        yield found[-1]
    chosen = _least([one for one in found if "weight" in one], best)
    yield {**chosen, "apart": True}
    yield {**_first_order(rate, plan["sweep"]["horizons"][-2]), "weight": chosen["weight"]}


def _line(values: list[float], best: Callable[[float], float | None]) -> Iterator[float]:
    """The values, then farther ones as long as the best lies at an end; the caller runs each before asking on."""
    tried = [_round(value) for value in values]
    yield from tried
    for _ in range(_FARTHER):
        chosen = min(tried, key=lambda value: _or_infinite(best(value)))
        if chosen not in (min(tried), max(tried)):
            return
        tried.append(_round(chosen * _HALF if chosen == max(tried) else chosen / _HALF))
        yield tried[-1]


def _first_order(rate: float, horizon: float) -> Setting:
    return {"solver": _FIRST, "rate": _round(rate), "horizon": horizon}


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
    places = case.family["leaves"] if setting.get("apart") else ["object"]
    weighted = [{"kind": "total variation", "where": place, "weight": setting.get("weight")} for place in places]
    tables: dict[str, Any] = {"regularizers": weighted if "weight" in setting else [], "stages": [stage]}
    if "rate" in setting and "first_order_start" in case.family:
        tables["experiment"] = {**case.tables.get("experiment", {}), "start": case.family["first_order_start"]}
    return tables
