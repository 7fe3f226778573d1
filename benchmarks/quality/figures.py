"""Error against wall time: the default, Adam at every rate, the runs that knew the truth."""

from __future__ import annotations

from typing import Any

from benchmarks.quality.cases import Case
from benchmarks.quality.criteria import adams_mark, oracle
from benchmarks.quality.tables import Site, load_results, load_table, result_of

from adorym.report._style import BLUE, GREEN, MUTED, ORANGE, RED, picture


def draw_all(cases: list[Case], site: Site) -> None:
    """A picture for each case of which there is a curve."""
    site.images.mkdir(parents=True, exist_ok=True)
    results = load_results(site)
    for case in cases:
        rows, result = load_table(site, case)["rows"], result_of(results, case)
        if any(row["curve"] for row in rows) or (result is not None and result["curve"]):
            png = curves(case, rows, result)
            (site.images / f"quality-{case.name}.png").write_bytes(png)


def curves(case: Case, rows: list[dict[str, Any]], result: dict[str, Any] | None) -> bytes:
    """The picture of one case as PNG."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        first = dict.fromkeys(("adam", "oracle"), True)
        looks = {"adam": (ORANGE, "Adam, each rate"), "oracle": (GREEN, "knowing the truth")}
        for row in rows:
            color, label = looks[row["sweep"]]
            if row["curve"]:
                name = label if first[row["sweep"]] else None
                axes.plot(*zip(*row["curve"], strict=True), color=color, linewidth=0.9, alpha=0.6, label=name)
                first[row["sweep"]] = False
        best, mark = oracle(rows), adams_mark(rows)
        for error, color in ((best and best[0], GREEN), (mark and mark[0], ORANGE), (case.family.get("below"), RED)):
            if error is not None:
                axes.axhline(error, color=color, linewidth=0.8, linestyle=":")
        if result is not None and result["curve"]:
            axes.plot(*zip(*result["curve"], strict=True), color=BLUE, marker="o", markersize=3, label="default")
        axes.set(xscale="log", yscale="log", xlabel="seconds since the command", ylabel="error", title=case.name)
        axes.grid(visible=True, which="both", alpha=0.5)
        axes.tick_params(which="both", labelsize=8, colors=MUTED)
        axes.legend(fontsize=8)

    return picture((4.8, 3.2), f"{case.name}: error against wall time", draw).png
