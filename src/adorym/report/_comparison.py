"""The report that sets several runs side by side."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from adorym.io import write_atomic
from adorym.report import _page, _side_by_side, _words
from adorym.report._content import Comparison, ComparisonContent, RunResult
from adorym.report._report import meanings
from adorym.report._words import number


@dataclasses.dataclass(frozen=True)
class _Row:
    """A row of the table of results; `ranked` rows have a best number, the smallest."""

    name: str
    value: Callable[[RunResult], float | None]
    text: Callable[[RunResult], str]
    ranked: bool = False


_ROWS = (
    _Row("Slabs", lambda run: float(run.settings.slabs), lambda run: str(run.settings.slabs)),
    _Row("{error}", lambda run: run.numbers.error, lambda run: number(run.numbers.error), ranked=True),
    _Row(
        "{error}, whole volume",
        lambda run: run.numbers.error_whole,
        lambda run: number(run.numbers.error_whole),
        ranked=True,
    ),
    _Row(
        "Resolution",
        lambda run: run.numbers.resolution,
        lambda run: _words.length(run.numbers.resolution, run.settings, 2),
        ranked=True,
    ),
    _Row("Misfit", lambda run: run.numbers.misfit, lambda run: number(run.numbers.misfit), ranked=True),
    _Row(
        "Misfit / empty sample's",
        lambda run: run.numbers.relative_misfit,
        lambda run: number(run.numbers.relative_misfit),
        ranked=True,
    ),
    _Row("Reduced χ²", lambda run: run.numbers.reduced_chi2, lambda run: number(run.numbers.reduced_chi2)),
    _Row("Time", lambda run: run.numbers.seconds, lambda run: _words.duration(run.numbers.seconds)),
    _Row("Peak memory", lambda run: run.numbers.peak_memory, lambda run: _words.memory(run.numbers.peak_memory)),
)


def write_comparison_report(folder: str | os.PathLike[str], content: ComparisonContent) -> Path:
    """Write `report.html` with several runs side by side: pictures, errors, correlations on one axes, a table, words.

    Args:
        folder: where to; it must exist.
        content: what to show: at least one comparison, each with at least one run.

    Returns:
        the file, which loads nothing from elsewhere.

    Raises:
        AdorymError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from adorym.report import Comparison, ComparisonContent, Numbers, Quantity, RunResult, Settings
        >>> settings = Settings(technique="cdi", model="projection", energy=None, voxel=1.0, shape=(8, 8), views=1,
        ...     frames=1, frame_shape=(8, 8), likelihood="Poisson")
        >>> phase = Quantity(symbol="phase", values=np.eye(8), unit="rad")
        >>> run = RunResult(name="CDI", settings=settings, numbers=Numbers(misfit=0.1), quantities=(phase,))
        >>> content = ComparisonContent(title="Two", comparisons=(Comparison(name="CDI", runs=(run, run)),))
        >>> write_comparison_report(tempfile.mkdtemp(), content).name
        'report.html'
    """
    settings = content.comparisons[0].runs[0].settings
    findings = [sentence for comparison in content.comparisons for sentence in finding(comparison)]
    sections = [
        _page.cards(_ratio_cards(content.comparisons)),
        _page.section(
            "What it shows",
            _page.paragraphs(findings, "finding"),
            _page.paragraphs([_words.thickness(settings), *content.remarks]),
            _curves(content),
        ),
        *(_comparison_section(comparison) for comparison in content.comparisons),
        _page.section("What the words mean", _page.definitions(meanings(settings))),
    ]
    header = _page.heading("comparison of reconstructions", content.title, [content.introduction])
    path = Path(folder) / "report.html"
    write_atomic(path, _page.page(content.title, header, sections, provenance=content.provenance).encode())
    return path


def write_comparison_picture(path: str | os.PathLike[str], runs: tuple[RunResult, ...]) -> Path:
    """Write the picture of a comparison, truth, results and differences, as a PNG.

    Args:
        path: the file.
        runs: of the same shape and with the same truth.

    Returns:
        the file.

    Raises:
        AdorymError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from adorym.report import Numbers, Quantity, RunResult, Settings
        >>> settings = Settings(technique="cdi", model="projection", energy=None, voxel=1.0, shape=(8, 8), views=1,
        ...     frames=1, frame_shape=(8, 8), likelihood="Poisson")
        >>> phase = Quantity(symbol="phase", values=np.eye(8), unit="rad")
        >>> run = RunResult(name="CDI", settings=settings, numbers=Numbers(misfit=0.1), quantities=(phase,))
        >>> write_comparison_picture(tempfile.mkdtemp() + "/two.png", (run, run)).name
        'two.png'
    """
    write_atomic(path, _side_by_side.objects_picture(runs).png)
    return Path(path)


def finding(comparison: Comparison) -> list[str]:
    """What the numbers of one comparison say, in sentences; empty where the truth is not known."""
    first, *others = comparison.runs
    sentences = []
    for other in others:
        ratio = _ratio(first, other)
        if ratio is None:
            continue
        symbol = _words.symbol_of_error(first.settings)
        values = f"{number(other.numbers.error)} against {number(first.numbers.error)}"
        text = f"{comparison.name}: the {symbol} of {other.name} is {_in_words(ratio)} that of {first.name} ({values})"
        sentences.append(f"{text}{_fit_in_words(first, other)}.")
    return sentences


def _ratio(first: RunResult, other: RunResult) -> float | None:
    a, b = first.numbers.error, other.numbers.error
    return b / a if _words.known(a) and _words.known(b) and a > 0 else None


def _in_words(ratio: float) -> str:
    if 0.98 < ratio < 1.02:
        return "the same as"
    return f"{ratio:.2f} times"


def _fit_in_words(first: RunResult, other: RunResult) -> str:
    """How the two fit the same frames."""
    a, b = first.numbers.misfit, other.numbers.misfit
    numbers = f"misfit {number(b)} against {number(a)}"
    if b > 1.02 * a:
        return f", and it explains the measured frames less well ({numbers})"
    if b < 0.98 * a:
        return f", although it fits the measured frames more closely ({numbers})"
    return f", while both fit the measured frames alike ({numbers})"


def _ratio_cards(comparisons: tuple[Comparison, ...]) -> list[tuple[str, str, str]]:
    """The ratio of errors for every run but the first, and how thick the sample is."""
    cards = []
    for comparison in comparisons:
        first, *others = comparison.runs
        for other in others:
            ratio = _ratio(first, other)
            if ratio is not None:
                name = f"{_words.symbol_of_error(first.settings)} of {other.name} relative to {first.name}"
                values = f"{number(other.numbers.error)} / {number(first.numbers.error)}"
                cards.append((f"{ratio:.2f} ×", name, f"{comparison.name}: {values}"))
    thick = comparisons[0].runs[0].settings.focal_ratio
    if thick is not None:
        cards.append((number(thick, 2), "thickness / depth of focus", "above 1 the sample is thick"))
    seconds = [
        run.numbers.seconds
        for comparison in comparisons
        for run in comparison.runs
        if _words.known(run.numbers.seconds)
    ]
    if seconds:
        cards.append((_words.duration(sum(seconds)), "computing time", f"{len(seconds)} reconstructions together"))
    return cards


def _curves(content: ComparisonContent) -> str:
    """Correlations and errors of all runs, as far as they are known."""
    runs = [run for comparison in content.comparisons for run in comparison.runs]
    parts = []
    if any(run.correlation is not None for run in runs):
        caption = (
            "Agreement with the reference, from coarse detail on the left to fine detail on the right, for all runs. "
            "Where a curve falls below the half-bit threshold (dashed, thin), detail can no longer be trusted."
        )
        parts.append(_page.figure(_side_by_side.correlations_picture(content.comparisons), caption))
    if any(_words.known(run.numbers.error) for run in runs):
        caption = "The error of every run against the known truth, over the region that the measurement reached."
        parts.append(_page.figure(_side_by_side.errors_picture(content.comparisons), caption))
    return _page.pair(*parts)


def _comparison_section(comparison: Comparison) -> str:
    first = comparison.runs[0]
    quantity = first.quantities[0]
    caption = quantity.symbol + (" in central cuts: " if first.settings.dimensions == 3 else ": ")
    if quantity.truth is None:
        caption += "every reconstruction on the same colour scale."
    else:
        caption += (
            "the truth and every reconstruction on the same colour scale, and the differences from the truth: red "
        )
        caption += "is too much, blue too little, white is right."
    ratio = first.settings.focal_ratio
    if ratio is not None and ratio >= 1:
        caption += " From the side, the beam runs from left to right, and the depth of focus is drawn to scale."
    return _page.section(
        comparison.name,
        _page.paragraphs([comparison.text, *_words.description(first.settings)[:1]]),
        _page.figure(_side_by_side.objects_picture(comparison.runs), caption),
        _residuals(comparison),
        _page.table(_results(comparison)),
    )


def _residuals(comparison: Comparison) -> str:
    """What every run leaves unexplained of one measured frame, where all runs have one."""
    if any(run.frames is None for run in comparison.runs):
        return ""
    caption = (
        "One measured frame, and what each reconstruction leaves unexplained of it, in units of the noise's standard "
        "deviation σ. A model that is right leaves noise only; structure is what it cannot explain."
    )
    return _page.figure(_side_by_side.residuals_picture(comparison.runs), caption)


def _results(comparison: Comparison) -> _page.Table:
    """Runs as columns, numbers as rows; the best number of a row is stressed, unknown rows are left out."""
    rows, best = [], set()
    symbol = _words.symbol_of_error(comparison.runs[0].settings)
    for row in _ROWS:
        values = [row.value(run) for run in comparison.runs]
        known = [one for one in values if _words.known(one)]
        if not known:
            continue
        if row.ranked and len(set(known)) > 1:
            best.add((len(rows), values.index(min(known))))
        rows.append((row.name.format(error=symbol), *(row.text(run) for run in comparison.runs)))
    names = tuple(run.name for run in comparison.runs)
    links = tuple(run.link for run in comparison.runs)
    return _page.Table(("", *names), tuple(rows), frozenset(best), links)
