"""What is asked of the benchmarks, and whether they give it."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.speed.laws import LIMIT

FLOOR = {(8, 128, 16): 2.5, (16, 256, 16): 2.5, (2, 512, 32): 2.5, (1, 1024, 256): 3.5}
"""Waves, pixels along an edge and slabs, to the most that a chain may take of its FFTs' time."""

GROWTH = 0.05
COPIES = 4.0
VIEW, VIEW_MS = 2.5, 3.0
CONE_MINUTES, CONE_BYTES = 40.0, 4e9
FORETOLD = {"memory": 0.2, "time": 0.4}
"""Part of what a run takes by which a forecast may be off."""

FRACTION, SCANNED_US, GPU_CONE_SECONDS = 0.6, 100.0, 60.0

Results = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One thing that is asked.

    Attributes:
        what: in words.
        value: what was measured, `None` if nothing was.
        limit: the most, or with `least` the least.
        told: the value with its unit.
    """

    what: str
    value: float | None
    limit: float
    told: str = ""
    least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it is given; `None` if nobody knows."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.least else self.value <= self.limit


def shape_told(shape: list[int] | tuple[int, ...]) -> str:
    """A chain in words."""
    return f"{shape[0]} x {shape[1]}² x {shape[2]} slabs"


def verdicts(results: Results) -> list[Verdict]:
    """All of them, in the order of the page."""
    parts = _of_floor, _of_kernels, _of_scaling, _of_forecasts, _of_paper, _of_gpu
    return [verdict for part in parts for verdict in part(results)]


def _of_floor(results: Results) -> list[Verdict]:
    rows = {tuple(row["shape"]): row["ratio"] for row in results.get("floor", {}).get("rows", [])}
    return [
        _times(f"{shape_told(shape)}: time of its FFTs", rows.get(shape), limit, "times")
        for shape, limit in FLOOR.items()
    ]


def _times(what: str, value: float | None, limit: float, unit: str) -> Verdict:
    return Verdict(what, value, limit, "" if value is None else f"{value:.3g} {unit}, limit {limit:g}")


def _of_kernels(results: Results) -> list[Verdict]:
    lean = {
        row["by"]: row["growth"] for row in results.get("memory", {}).get("rows", []) if row["slabs"] == [64, 512]
    }.get("reversible")
    view, turned = (_of_size(results, name, size) for name, size in (("tomography", 64), ("rotation", 256)))
    chosen = view.get("ms a view", {}).get("chosen slabs, vacuum around the frame")
    grown = "" if lean is None else f"{100 * lean:.2g} %, limit {100 * GROWTH:g} %"
    return [
        Verdict("growth of memory from 64 to 512 slabs, the wave walked back", lean, GROWTH, grown),
        _times("rotation and adjoint of 256³", turned.get("ratio"), COPIES, "copies"),
        _times("a view of 64³ through 64 slabs: time of its FFTs", view.get("ratio"), VIEW, "times"),
        _times("a view of 64³ through chosen slabs", chosen, VIEW_MS, "ms"),
    ]


def _of_size(results: Results, name: str, size: int) -> dict[str, Any]:
    """The result of a benchmark, unless it was of another size, for a trial."""
    found = results.get(name, {})
    return found if found.get("size") == size else {}


def _of_scaling(results: Results) -> list[Verdict]:
    found = []
    for row in results.get("scaling", {}).get("rows", []):
        for what in ("time", "memory"):
            if what in row:
                off = row[what]["deviation"]
                told = f"{100 * off:.2g} % from {row[what]['law']}, limit {100 * LIMIT:g} %"
                found.append(Verdict(f"{what} against {row['curve']}", off, LIMIT, told))
    return found


def _of_forecasts(results: Results) -> list[Verdict]:
    found = []
    for row in results.get("forecasts", {}).get("rows", []):
        for what, limit in FORETOLD.items():
            off = row[what][0] / row[what][1] - 1
            told = f"off by {100 * off:+.0f} %, limit {100 * limit:.0f} %"
            found.append(Verdict(f"{what} of `{row['job']}` foretold", abs(off), limit, told))
    return found or [Verdict("time and memory foretold", None, FORETOLD["time"])]


def _of_paper(results: Results) -> list[Verdict]:
    cone = results.get("cone", {})
    minutes = None if "seconds" not in cone else cone["seconds"] / 60
    memory = cone.get("peak_memory")
    return [
        _times("the 256³ cone, default job", minutes, CONE_MINUTES, "min"),
        Verdict(
            "memory of the 256³ cone",
            memory,
            CONE_BYTES,
            "" if memory is None else f"{memory / 1e9:.3g} GB, limit {CONE_BYTES / 1e9:g} GB",
        ),
    ]


def _of_gpu(results: Results) -> list[Verdict]:
    rows = {row["kernel"]: row for row in results.get("gpu", {}).get("rows", [])}
    bulk = max((row["fraction"] for name, row in rows.items() if "x 256²" in name), default=None)
    scanned = next((row["µs each"] for name, row in rows.items() if "frames of 364²" in name), None)
    cone = results.get("cone on a GPU", {}).get("seconds")
    told = "" if bulk is None else f"{100 * bulk:.2g} %, at least {100 * FRACTION:g} %"
    return [
        Verdict("256² waves in bulk on a GPU: part of the bandwidth", bulk, FRACTION, told, least=True),
        _times("364² frames through 4 slices on a GPU", scanned, SCANNED_US, "µs a position"),
        _times("the 256³ cone on a GPU", cone, GPU_CONE_SECONDS, "s"),
    ]
