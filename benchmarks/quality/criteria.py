"""What the defaults have to show against the tables: no tuning, time to quality, below the stall."""

from __future__ import annotations

import dataclasses
from typing import Any

Rows = list[dict[str, Any]]

WITHIN = 1.15
PART = 1 / 3
_ALIKE = "on a machine like the default's"
_AS_GOOD = 1.01
"""Adam has reached its mark once it is this near: the flat end of its curve is not held against it."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One criterion of one case.

    Attributes:
        criterion: "no tuning", "time to quality" or "below the stall".
        value: of the ratio or error that is limited; infinite where the default never gets there, `None` where it was
            not measured.
        limit: what it may be.
        reference: what it is measured against: the oracle's error, Adam's seconds.
        told: what was found, or what is missing, in words.
    """

    criterion: str
    value: float | None
    limit: float
    reference: float | None = None
    told: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it is met; `None` where it was not measured."""
        return None if self.value is None else self.value <= self.limit


def oracle(rows: Rows, *, within: float | None = None) -> tuple[float, dict[str, Any]] | None:
    """The best error of all runs and the setting that gave it.

    Args:
        rows: of Adam's sweep and the oracle's.
        within: seconds that may have passed until then.
    """
    found = [
        (error, index)
        for index, row in enumerate(rows)
        for seconds, error in row["curve"]
        if within is None or seconds <= within
    ]
    if not found:
        return None
    error, index = min(found)
    return error, rows[index]["setting"]


def adams_mark(rows: Rows, result: dict[str, Any] | None = None) -> tuple[float, float | None] | None:
    """The lowest error of Adam's sweep, and the seconds after which the first of its runs was as good.

    Args:
        rows: of a table.
        result: of the default, if only seconds on a machine like its count; `None` where no run there was as good.
    """
    runs = [row for row in rows if row["sweep"] == "adam" and row["curve"]]
    if not runs:
        return None
    mark = min(error for row in runs for _, error in row["curve"])
    times = [first_at(row["curve"], _AS_GOOD * mark) for row in alike(runs, result) if _timed_alike(row, result)]
    return mark, min((time for time in times if time is not None), default=None)


def alike(rows: Rows, result: dict[str, Any] | None) -> Rows:
    """The runs on a machine like that of the default's result: only their seconds can be compared with its."""
    if result is None:
        return rows
    names = ("processor", "cores")
    return [row for row in rows if all(row["machine"][name] == result["machine"][name] for name in names)]


def _timed_alike(row: dict[str, Any], result: dict[str, Any] | None) -> bool:
    """Whether comparisons with the truth count in both or in none: once they did, and took two fifths of some."""
    return result is None or ("compared" in row) == ("compared" in result)


def first_at(curve: list[tuple[float, float]], error: float) -> float | None:
    """Seconds until a curve is at an error or below it."""
    return next((seconds for seconds, found in curve if found <= error), None)


def verdicts(rows: Rows, result: dict[str, Any] | None, *, noise_free: bool, below: float | None) -> list[Verdict]:
    """All criteria of one case.

    Args:
        rows: of its table.
        result: of its default job.
        noise_free: whether the oracle has only as much time as the default took.
        below: the error to pass, where the case is about that.
    """
    if below is not None:
        return [_below(result, below)]
    return [_no_tuning(rows, result, noise_free=noise_free), _time(rows, result)]


def _no_tuning(rows: Rows, result: dict[str, Any] | None, *, noise_free: bool) -> Verdict:
    name = "no tuning"
    if result is None or result["error"] is None:
        return Verdict(name, None, WITHIN, told="the default has not been run")
    best = oracle([row for row in rows if row["sweep"] == "oracle"])
    if best is None:
        return Verdict(name, None, WITHIN, told="the oracle has not been swept")
    if noise_free and not alike(rows, result):
        return Verdict(name, None, WITHIN, told=f"nothing has been swept {_ALIKE}")
    best = oracle(alike(rows, result), within=result["seconds"]) if noise_free else oracle(rows)
    if best is None:
        return Verdict(name, 0.0, WITHIN, told="no other setting got anywhere in that time")
    return Verdict(name, result["error"] / best[0], WITHIN, best[0], told=in_words(best[1]))


def _time(rows: Rows, result: dict[str, Any] | None) -> Verdict:
    name, mark = "time to quality", adams_mark(rows, result)
    if result is None or not result["curve"]:
        return Verdict(name, None, PART, told="the default has not been run")
    if mark is None:
        return Verdict(name, None, PART, told="Adam has not been swept")
    if mark[1] is None:
        return Verdict(name, None, PART, told=f"Adam was not at its mark {_ALIKE}")
    reached = first_at(result["curve"], mark[0])
    if reached is None:
        return Verdict(name, float("inf"), PART, mark[1], told=f"never at Adam's {mark[0]:.3g}")
    return Verdict(name, reached / mark[1], PART, mark[1], told=f"{reached:.0f} s to Adam's {mark[0]:.3g}")


def _below(result: dict[str, Any] | None, limit: float) -> Verdict:
    value = None if result is None else result["error"]
    told = "the default has not been run" if value is None else f"δ error {value:.3g}"
    return Verdict("below the stall", value, limit, told=told)


def in_words(setting: dict[str, Any]) -> str:
    """A setting for people."""
    words = [setting["solver"]]
    for name, text in (("rate", "rate {:g}"), ("weight", "weight {:g}"), ("apart", "leaves apart")):
        if name in setting:
            words.append(text.format(setting[name]))
    return ", ".join(words)
