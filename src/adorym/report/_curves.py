"""Curves: how the fit went, and down to which detail the result can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from adorym.metrics import FourierCorrelation
from adorym.report import _style, _words
from adorym.report._content import History, Settings
from adorym.report._style import Axes, Figure, Picture, picture


def history_picture(history: History, symbol: str) -> Picture:
    """Misfit over steps, with the time above; below it the error where the truth is known."""
    known = history.error is not None and bool(np.isfinite(history.error).any())

    def draw(figure: Figure) -> None:
        panels = figure.subplots(2 if known else 1, 1, sharex=True, squeeze=False)[:, 0]
        _line(panels[0], history.step, history.misfit, color=_style.BLUE, label="fitted frames")
        if history.held_out is not None:
            _line(panels[0], history.step, history.held_out, color=_style.RED, label="frames kept back")
            panels[0].legend(fontsize=8)
        panels[0].set_ylabel("misfit")
        if known and history.error is not None:
            _line(panels[1], history.step, history.error, color=_style.GREEN, label=symbol)
            panels[1].set_ylabel(symbol)
        for row, axes in enumerate(panels):
            _scale_up(axes, row == 0)
            axes.grid(axis="y")
        panels[-1].set_xlim(0, float(history.step[-1]))
        panels[-1].set_xlabel("step")
        _time_above(panels[0], history)

    return picture((4.8, 3.5), "Misfit and error as the fit went on", draw)


def _time_above(axes: Axes, history: History) -> None:
    """The time at which the steps were done, on the upper edge."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(5).tick_values(0, float(history.seconds[-1]))
    ticks = ticks[(ticks >= history.seconds[0]) & (ticks <= history.seconds[-1])]
    above = axes.secondary_xaxis("top")
    above.set_xticks(
        np.interp(ticks, history.seconds, history.step), labels=[f"{tick:g}" for tick in ticks], fontsize=8
    )
    above.set_xlabel("time (s)", fontsize=8)
    above.spines["top"].set_visible(True)


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, *, color: str, label: str) -> None:
    """A line through the values that exist, with marks where they are few."""
    exists = np.isfinite(y)
    marker = "o" if exists.sum() < 15 else None
    axes.plot(x[exists], y[exists], color=color, label=label, marker=marker, markersize=3.5)


def _scale_up(axes: Axes, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    values = (
        np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]) if axes.lines else np.ones(1)
    )
    if logarithmic and values.size and values.min() > 0:
        axes.set_yscale("log")
        if values.max() / values.min() < 30:
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _words.number(value, 2)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(min(low, 0.0), high * 1.05)


def correlation_picture(correlation: FourierCorrelation, settings: Settings, *, resolution: float | None) -> Picture:
    """One correlation with its thresholds and the resolution they give."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(correlation.frequency, correlation.correlation, color=_style.BLUE, label="correlation")
        thresholds(axes, correlation)
        dress(axes, settings)
        if _words.known(resolution):
            _mark(axes, settings.voxel / (2 * resolution), _words.length(resolution, settings))
        axes.legend(loc="best", fontsize=8)

    return picture((4.8, 3.5), "Fourier correlation over spatial frequency", draw)


def thresholds(axes: Axes, correlation: FourierCorrelation) -> None:
    """The half-bit curve and the line at 1/7."""
    axes.plot(
        correlation.frequency, correlation.half_bit, color=_style.INK, linewidth=1, linestyle="--", label="half-bit"
    )
    axes.plot(
        correlation.frequency, correlation.one_seventh, color=_style.MUTED, linewidth=1, linestyle=":", label="1/7"
    )


def dress(axes: Axes, settings: Settings) -> None:
    """Axes of a correlation plot: frequency below, the detail it stands for above."""
    grain = "voxel" if settings.dimensions == 3 else "pixel"
    axes.set(xlim=(0, 0.5), ylim=(-0.08, 1.05), xlabel=f"spatial frequency (cycles per {grain})", ylabel="correlation")
    axes.axhline(0, color=_style.RULE, linewidth=0.8, zorder=0)
    axes.grid(axis="y")
    above: Any = axes.secondary_xaxis("top")
    ticks = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    labels = [_words.length(settings.voxel / (2 * tick), settings, 2).removesuffix(" pixels") for tick in ticks]
    above.set_xticks(ticks, labels=labels, fontsize=8)
    above.set_xlabel("detail, half a period" + (" (pixels)" if settings.energy is None else ""), fontsize=8)
    above.spines["top"].set_visible(True)


def _mark(axes: Axes, frequency: float, text: str) -> None:
    axes.axvline(frequency, color=_style.ORANGE, linewidth=1.4, zorder=0)
    side: dict[str, Any] = {"ha": "right", "xytext": (-4, 0)} if frequency > 0.25 else {"ha": "left", "xytext": (4, 0)}
    axes.annotate(
        f"resolution {text}",
        (frequency, 0.97),
        textcoords="offset points",
        va="top",
        color=_style.INK,
        fontsize=8.5,
        **side,
    )
