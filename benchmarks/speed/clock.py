"""Times taken side by side: what is compared runs in turn, A B A B, so that a machine that slows down slows all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Run = Callable[[], float]
"""Does its work and returns the seconds it took."""

Times = dict[str, list[float]]
"""Seconds of every round, by name."""


def timed(function: Callable[..., Any], *arguments: Any) -> Run:
    """A run of a JAX function, from the call until its result is there."""
    import jax

    def run() -> float:
        begun = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        return time.perf_counter() - begun

    return run


def alternate(runs: Mapping[str, Run], rounds: int, *, patience: float = 120.0) -> Times:
    """Every run once to warm up, then in turn; of fewer rounds, but two, where they take longer than the patience."""
    found: Times = {name: [] for name in runs}
    for run in runs.values():
        run()
    begun = time.monotonic()
    for done in range(rounds):
        if done >= 2 and time.monotonic() - begun > patience:
            break
        for name, run in runs.items():
            found[name].append(run())
    return found


def quickest(times: Times, names: Sequence[str] | None = None) -> str:
    """The name of the least time of all."""
    return min(times if names is None else names, key=lambda name: min(times[name]))


def ratio(times: Times, name: str, other: str, *, times_other: float = 1.0) -> dict[str, float]:
    """How much longer one takes than some of the other: of the least times, and the median of the rounds' own ratios.

    Args:
        times: of all.
        name: the one.
        other: the other.
        times_other: how many of the other the one is compared with.
    """
    pairs = [one / (times_other * two) for one, two in zip(times[name], times[other], strict=True)]
    least = min(times[name]) / (times_other * min(times[other]))
    return {"ratio": rounded(least), "median": rounded(statistics.median(pairs))}


def rounded(value: float, digits: int = 4) -> float:
    """To a few digits: what more would say is noise."""
    return float(f"{value:.{digits}g}")
