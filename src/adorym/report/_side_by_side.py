"""The pictures of a comparison: the same cuts of every run, their correlations on one axes, their errors as bars."""

from __future__ import annotations

from typing import Any

from adorym.report import _curves, _style, _views, _words
from adorym.report._content import Comparison, Quantity, RunResult
from adorym.report._figures import show_frame, show_residual, size_of
from adorym.report._style import Figure, Picture, picture

_DASHES = ("-", "--", "-.", ":")


def objects_picture(runs: tuple[RunResult, ...]) -> Picture:
    """The first quantity of every run: truth, results, and their differences from the truth, one cut per row."""
    settings = runs[0].settings
    quantities = [_views.flat(run.quantities[0]) for run in runs]
    cuts = _views.cuts_of(quantities[0].values)
    look = _views.look_of(quantities)
    panels = _panels(runs, quantities)
    planes = [cut.plane(quantities[0].values) for cut in cuts]
    width = max(plane.shape[1] for plane in planes)
    heights = [plane.shape[0] for plane in planes]

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, heights, [width] * len(panels))
        images: dict[Any, Any] = {}
        for row, cut in enumerate(cuts):
            for column, (name, values, shower) in enumerate(panels):
                place = axes[row, column]
                images[shower] = shower(place, cut.plane(values), look)
                place.set_title(name if row == 0 else "")
            axes[row, 0].set_ylabel(cut.name, fontsize=9)
            _views.add_marks(axes[row, 0], panels[0][1], cut=cut, settings=settings, look=look)
        for shower, image in images.items():
            last = max(column for column, panel in enumerate(panels) if panel[2] is shower)
            kind = "" if shower is _views.show else "difference, "
            _style.color_bar(figure, image, list(axes[:, last]), label=kind + look.label)

    size = size_of(width * len(panels), sum(heights), widest=9.9)
    alt = f"{quantities[0].symbol}: {', '.join(name for name, _, _ in panels)}".replace("\n", " ")
    return picture(size, alt, draw, layout="compressed")


def _panels(runs: tuple[RunResult, ...], quantities: list[Quantity]) -> list[tuple[str, Any, Any]]:
    """Columns from left to right: (title, values, how they are shown)."""
    results = [(run.name, one.values, _views.show) for run, one in zip(runs, quantities, strict=True)]
    truth = quantities[0].truth
    if truth is None:
        return results
    differences = [
        (f"{run.name}\nminus truth", one.values - truth, _views.show_difference)
        for run, one in zip(runs, quantities, strict=True)
    ]
    return [("truth", truth, _views.show), *results, *differences]


def residuals_picture(runs: tuple[RunResult, ...]) -> Picture:
    """A measured frame, and what every run leaves unexplained of it."""
    frames = [run.frames for run in runs if run.frames is not None]
    height, width = frames[0].measured.shape[1:]

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height], [width] * (len(frames) + 1))[0]
        shown = show_frame(axes[0], frames[0].measured[0], frames[0], row=0)
        axes[0].set_title(f"measured, {frames[0].labels[0]}")
        _style.color_bar(figure, shown, axes[0], label="photons per pixel")
        images = [show_residual(place, one, row=0) for place, one in zip(axes[1:], frames, strict=True)]
        for place, run in zip(axes[1:], runs, strict=True):
            place.set_title(f"measured − {run.name}")
        _style.color_bar(figure, images[-1], axes[-1], label="difference / σ")

    size = size_of(width * (len(frames) + 1), height, widest=9.6)
    return picture(size, "What each run leaves unexplained of a measured frame", draw, layout="compressed")


def correlations_picture(comparisons: tuple[Comparison, ...]) -> Picture:
    """All correlations on one axes: a colour for each data set, a dash for each run, one pair of thresholds."""
    settings = comparisons[0].runs[0].settings

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        last = None
        for comparison, color in zip(comparisons, _style.LINES, strict=False):
            for run, dash in zip(comparison.runs, _DASHES, strict=False):
                if run.correlation is None:
                    continue
                last = run.correlation
                name = f"{comparison.name}, {run.name}" if len(comparisons) > 1 else run.name
                axes.plot(last.frequency, last.correlation, color=color, linestyle=dash, label=name)
        if last is not None:
            _curves.thresholds(axes, last)
        _curves.dress(axes, settings)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)

    return picture((4.9, 4.2), "Fourier correlation of all runs", draw)


def errors_picture(comparisons: tuple[Comparison, ...]) -> Picture:
    """The error of every run as a bar; the first run of each data set in full colour."""
    bars = [
        (comparison.name, run, color, index)
        for comparison, color in zip(comparisons, _style.LINES, strict=False)
        for index, run in enumerate(comparison.runs)
        if _words.known(run.numbers.error)
    ]
    symbol = _words.symbol_of_error(comparisons[0].runs[0].settings)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        highest = max(run.numbers.error or 0.0 for _, run, _, _ in bars)
        for place, (_, run, color, index) in enumerate(bars):
            error = run.numbers.error or 0.0
            axes.barh(place, error, color=color, alpha=1.0 if index == 0 else 0.45, height=0.62)
            axes.text(error + 0.015 * highest, place, _words.number(error), va="center", fontsize=9)
        axes.set_yticks(range(len(bars)), labels=[f"{name}\n{run.name}" for name, run, _, _ in bars])
        axes.set(xlim=(0, 1.16 * highest), xlabel=f"{symbol} (0 is perfect)", ylim=(len(bars) - 0.5, -0.5))
        axes.tick_params(axis="y", length=0)

    return picture((4.9, 4.2), f"{symbol} of all runs", draw)
