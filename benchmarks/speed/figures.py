"""Time and memory against what grows, with the laws beside them."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.laws import Fit

from adorym.report._style import BLUE, MUTED, ORANGE, picture


def curves(rows: list[dict[str, Any]], what: str, *, unit: str, scale: float) -> bytes:
    """All curves of time or of memory as PNG: dots measured, lines the law."""
    shown = [row for row in rows if what in row]
    columns = min(4, max(1, len(shown)))
    lines = -(-len(shown) // columns)

    def draw(figure: Any) -> None:
        for axes, row in zip(figure.subplots(lines, columns, squeeze=False).flat, shown, strict=False):
            _one(axes, row["sizes"], row[what], scale=scale)
            axes.set_title(row["curve"], fontsize=7)
            axes.set_ylabel(f"{what}, {unit}", fontsize=7)
        for axes in figure.axes[len(shown) :]:
            axes.set_visible(False)

    return picture((2.4 * columns, 2.1 * lines), f"{what} against what grows", draw).png


def _one(axes: Any, sizes: list[int], told: dict[str, Any], *, scale: float) -> None:
    law = Fit(told["law"], told["fixed"], told["slope"], told["deviation"])
    line = [sizes[0] * (sizes[-1] / sizes[0]) ** (i / 60) for i in range(61)]
    axes.plot(line, [scale * law(n) for n in line], color=ORANGE, linewidth=1.2, label=law.law)
    axes.plot(sizes, [scale * value for value in told["values"]], "o", color=BLUE, markersize=3.5)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    if law.law == "constant":
        axes.set_ylim(scale * min(told["values"]) / 3, scale * max(told["values"]) * 3)
    axes.tick_params(labelsize=6, colors=MUTED)
    axes.legend(fontsize=7)
