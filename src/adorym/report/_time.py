"""Where the time of a run went: a bar for each word."""

from __future__ import annotations

import math

from adorym.report import _page, _style, _words
from adorym.report._content import RunResult, TimeSpent
from adorym.report._style import Figure, Picture, picture

_INSIDE, _BESIDE = _style.BLUE, _style.ORANGE


def section(run: RunResult) -> str:
    """The section, for a run that was profiled."""
    time = run.time
    if time is None or not time.words:
        return ""
    caption = (
        "The run's time, up to the drawing of this report, by what it was spent on. Blue belongs to the steps of the "
        "solver, orange is spent besides them. Every moment counts once: where several devices compute, each has its "
        "part of it, and what the host does meanwhile costs nothing."
    )
    total = math.fsum(time.seconds)
    rows = tuple(
        (
            word,
            _words.percent(time.seconds[i] / total),
            _words.duration(time.seconds[i]),
            _words.duration(time.per_step[i]) if time.per_step[i] > 0 else "",
            time.meanings[i],
        )
        for i, word in enumerate(time.words)
    )
    table = _page.table(_page.Table(("", "share", "time", "in a step", "what it is"), rows))
    return _page.section(
        "Where the time went", _page.figure(time_picture(time), caption), table, _page.paragraphs(time.remarks)
    )


def time_picture(time: TimeSpent) -> Picture:
    """A bar for each word, the longest above."""
    total = math.fsum(time.seconds)
    order = sorted(range(len(time.words)), key=lambda i: time.seconds[i])
    shares = [100 * time.seconds[i] / total for i in order]
    colors = [_INSIDE if time.per_step[i] > 0 else _BESIDE for i in order]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        bars = axes.barh([time.words[i] for i in order], shares, color=colors, height=0.72)
        labels = [_words.duration(time.seconds[i]) for i in order]
        axes.bar_label(bars, labels=labels, padding=3, fontsize=8, color=_style.MUTED)
        axes.set(xlabel="share of the time (%)", xlim=(0, 1.12 * max(shares)))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)

    return picture((6.4, 0.8 + 0.27 * len(order)), "Share of the time that went into each part of the work", draw)
