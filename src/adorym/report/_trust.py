"""How far to trust a result: its fit view by view and pixel by pixel, agreement of halves, standard deviations."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from adorym.report import _curves, _figures, _page, _style, _views, _words
from adorym.report._content import Confidence, Deviations, Quantity, RunResult, Settings, ViewFits
from adorym.report._style import Figure, Picture, picture

_FEWEST = 5
"""Views among which one can be said to be bad."""

_SHOWN = 12
"""Bad views that are named; of more the number is told."""

_POSTERIOR = (
    "This is a posterior deviation: how far the truth may lie from the result. It takes the regularisers as knowledge "
    "of what samples there are, and so is only as good as they are; where the frames say little it is what the "
    "regularisers allow."
)
_SCATTER = (
    "This is a scatter: by how much the result would change if the same measurement were made again, with other noise. "
    "It does not contain what the regularisers, or a model that is wrong, change in the same way every time; the truth "
    "may lie further off."
)


def section(run: RunResult) -> str:
    """The section, with what is known."""
    found = run.confidence
    if found is None:
        return ""
    figures = [_views_figure(found), _residual_figure(found, run.settings), _half_sets_figure(found, run.settings)]
    texts = [_views_text(found.views), *_deviation_texts(found.deviations, run)]
    return _page.section(
        "How far to trust it", _page.paragraphs(texts), _page.pair(*figures, _deviation_figure(found, run.settings))
    )


def _views_text(views: ViewFits | None) -> str:
    """Which views are bad; nothing where there are too few to know what is usual."""
    if views is None or views.index.size < _FEWEST:
        return ""
    usual = f"the usual reduced χ² is {_words.number(float(np.median(views.reduced_chi2)))}, and 1 is noise alone"
    if not views.bad:
        return f"Every {views.unit} is explained about as well as the others ({usual})."
    names = list(views.bad[:_SHOWN])
    more = len(views.bad) - len(names)
    who = _words.joined([*(f"“{name}”" for name in names), *([f"{more} more"] if more else [])])
    many = len(views.bad) > 1
    worst = _words.number(float(views.reduced_chi2[views.outlier].max()))
    return (
        f"{len(views.bad)} {views.unit}{'s' if many else ''} of {np.unique(views.index).size} "
        f"{'are' if many else 'is'} explained much less well than the others: {who}, with a reduced χ² of up to "
        f"{worst}; {usual}. Look at {'their' if many else 'its'} frames: something may have moved, drifted or flashed. "
        f"A weight of 0 leaves {'them' if many else 'it'} out."
    )


def _views_figure(found: Confidence) -> str:
    views = found.views
    if views is None or views.index.size < 2:
        return ""
    kept = " Red marks were kept back from the fit: the result had to predict them." if views.held_out.any() else ""
    bad = " Circles mark those that stand out." if views.bad else ""
    caption = (
        f"How well each {views.unit} is explained: its reduced χ², 1 (dashed) where only noise is left.{kept}{bad}"
    )
    return _page.figure(views_picture(views), caption)


def views_picture(views: ViewFits) -> Picture:
    """Reduced χ² of every view, those kept back in their own colour, outliers in a circle with their number."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        sorts = ((~views.held_out, _style.BLUE, "fitted"), (views.held_out, _style.RED, "kept back"))
        for chosen, color, label in sorts:
            axes.plot(
                views.index[chosen], views.reduced_chi2[chosen], "o", color=color, label=label, markersize=3.5,
                markeredgewidth=0,
            )  # fmt: skip
        _circle(axes, views)
        axes.axhline(1, color=_style.INK, linewidth=1, linestyle="--", zorder=0)
        values = views.reduced_chi2[views.reduced_chi2 > 0]
        if values.size and values.max() > 10 * max(1.0, values.min()):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set(xlabel=views.unit, ylabel="reduced χ²")
        axes.grid(axis="y")
        if views.held_out.any():
            axes.legend(fontsize=8)

    return picture((4.8, 3.5), f"Reduced chi squared of every {views.unit}", draw)


def _circle(axes: Any, views: ViewFits) -> None:
    for entry in np.flatnonzero(views.outlier):
        place = (views.index[entry], views.reduced_chi2[entry])
        axes.plot(*place, "o", color=_style.ORANGE, markersize=9, markerfacecolor="none", markeredgewidth=1.4)
        if np.count_nonzero(views.outlier) <= _SHOWN:
            axes.annotate(str(views.index[entry]), place, xytext=(6, 4), textcoords="offset points", fontsize=8)


def _residual_figure(found: Confidence, settings: Settings) -> str:
    if found.residual is None or found.residual_square is None:
        return ""
    hidden = " Grey pixels were not measured." if np.isnan(found.residual).any() else ""
    caption = (
        "What is left unexplained at each pixel of the detector, in units of the noise's standard deviation σ. Left: "
        "measured minus predicted, averaged over all frames; a pattern is what the model gets wrong in the same way "
        "every time, such as a bad flat field or an unknown background. Right: its root mean square, 1 where only "
        f"noise is left.{hidden}"
    )
    return _page.figure(residual_picture(found.residual, found.residual_square, settings.frames), caption)


def residual_picture(mean: np.ndarray, mean_square: np.ndarray, frames: int) -> Picture:
    """Mean residual and its root mean square over the detector."""
    height, width = mean.shape
    spread = max(_style.limits(np.abs(mean), floor=0.0)[1], 4 / math.sqrt(max(frames, 1)))
    root = np.sqrt(mean_square)

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height], [width] * 2)[0]
        low, high = _style.limits(root, floor=0.0)
        ranges = ((-spread, spread, _style.DIFFERENCE), (min(low, 0.0), max(high, 1.5), _style.COUNTS))
        titles = ("mean of the difference / σ", "root mean square")
        for place, values, title, (bottom, top, colors) in zip(axes, (mean, root), titles, ranges, strict=True):
            shown = place.imshow(np.ma.masked_invalid(values), cmap=colors, vmin=bottom, vmax=top)
            _style.bare(place)
            place.set_facecolor("#9aa5b1")
            place.set_title(title)
            _style.color_bar(figure, shown, place, label="")

    size = _figures.size_of(width * 2, height, widest=5.6)
    return picture(size, "Mean and root mean square of the residual on the detector", draw, layout="compressed")


def _half_sets_figure(found: Confidence, settings: Settings) -> str:
    if found.half_sets is None:
        return ""
    size = found.half_sets.resolution("half bit") * settings.voxel
    shown = _words.length(size, settings, 2) if math.isfinite(size) else ""
    name = "shell" if settings.dimensions == 3 else "ring"
    verdict = f"They agree down to details of {shown}." if shown else "They agree on nothing."
    caption = (
        f"Two reconstructions, each from half of the data, compared detail by detail by the Fourier {name} "
        "correlation, coarse on the left, fine on the right; scaled to what all data together give, 2F / (1 + F), the "
        f"thresholds too. No truth is needed for this. {verdict} What both halves get wrong in the same way it does "
        "not show."
    )
    resolution = size if math.isfinite(size) else None
    return _page.figure(_curves.correlation_picture(found.half_sets, settings, resolution=resolution), caption)


def _deviation_texts(found: Deviations | None, run: RunResult) -> list[str]:
    """The deviation of the mean in numbers, and what kind of deviation it is."""
    if found is None:
        return []
    unit = f" {found.unit}" if found.unit else ""
    least = "" if found.settled else "at least "
    if math.isfinite(found.of_mean):
        value = f"{_words.number(found.mean)} ± {least}{_words.number(found.of_mean, 2)}{unit}"
    else:
        value = f"{_words.number(found.mean)}{unit}, but nothing in the measurement fixes it"
    fact = (
        f"Averaged over the region that the measurement reached, {_named(found)} is {value} (one standard deviation)."
    )
    kind = _POSTERIOR if found.kind == "posterior" else _SCATTER
    if not run.settings.regularizers:
        kind += " Without a regulariser, posterior and scatter are the same."
    if not found.settled:
        kind += " The computation was stopped before it came to rest, so the deviations are lower bounds."
    chi2 = run.numbers.reduced_chi2
    if _words.known(chi2) and chi2 > 1.2:
        kind += (
            f" It assumes that only the noise is left; the reduced χ² of {_words.number(chi2)} says that more is, and "
            f"the deviations are to be taken {_words.number(math.sqrt(chi2), 2)} times as large at the least."
        )
    return [f"{fact} {kind}"]


def _named(found: Deviations) -> str:
    return found.symbol if found.symbol in {"δ", "β"} else f"the {found.symbol}"


def _deviation_figure(found: Confidence, settings: Settings) -> str:
    one = found.deviations
    if one is None:
        return ""
    where = "in the central cut as the beam sees it" if settings.dimensions == 3 else "of each pixel"
    caption = (
        f"The {one.kind} standard deviation of {_named(one)} {where}, found with random vectors, hence its grain. Grey "
        "is outside the region that the measurement reached, or is not determined at all; at 0 a constraint holds the "
        "result at its bound."
    )
    return _page.figure(deviation_picture(one, settings), caption)


def deviation_picture(found: Deviations, settings: Settings) -> Picture:
    """The map of deviations."""
    shown = np.where(np.isfinite(found.cut), found.cut, np.nan)
    quantity = Quantity(symbol=f"{found.kind} deviation of {found.symbol}", values=shown, unit=found.unit)
    look = dataclasses.replace(_views.look_of([quantity]), low=0.0, map=_style.MAGNITUDE)
    height, width = shown.shape

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height], [width])[0, 0]
        image = _views.show(axes, np.ma.masked_invalid(shown), look)
        axes.set_facecolor("#9aa5b1")
        _style.color_bar(figure, image, axes, label=look.label)
        _views.add_scale(axes, shown, settings, look=look)

    size = _figures.size_of(width, height, widest=4.2)
    return picture(size, f"Map of the {found.kind} deviation of {found.symbol}", draw, layout="compressed")
