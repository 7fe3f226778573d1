"""The report of one run."""

from __future__ import annotations

import os
from pathlib import Path

from adorym.io import write_atomic
from adorym.report import _curves, _figures, _page, _time, _trust, _views, _words
from adorym.report._content import Quantity, ReportContent, RunResult, Settings

_MEANINGS = {
    "δ and β": (
        "The refractive index of matter for x-rays is n = 1 − δ + iβ. δ says how much the phase of the wave is "
        "shifted, β how strongly the wave is absorbed; both are tiny and grow with density."
    ),
    "Misfit": (
        "Σ(√predicted − √measured)² / Σ measured, over all pixels of all frames: 0 is a perfect match. A weak sample "
        "has a small misfit even before anything is found, so the misfit relative to an empty sample's is given too."
    ),
    "Error": (
        "The length of the difference between result and truth, divided by the length of the truth, over the region "
        "that the measurement reached: 0 is perfect, 1 is as wrong as an empty sample."
    ),
    "Fourier shell correlation": (
        "How well the result agrees with the reference detail by detail, from coarse (left) to fine (right): 1 is full "
        "agreement, 0 is none. Where the curve falls below the half-bit threshold, detail can no longer be trusted."
    ),
    "Depth of focus": (
        "The distance along the beam, 2 r² / (0.61² λ) with r of two voxels, over which a sharp detail stays sharp. "
        "A sample thicker than that cannot be treated as a flat sheet without loss."
    ),
}


def write_report(run_folder: str | os.PathLike[str], content: ReportContent) -> Path:
    """Write `report.html` into a RUN folder: one file, with all its pictures, that loads nothing from elsewhere.

    Args:
        run_folder: the folder; it must exist.
        content: what to show.

    Returns:
        the file.

    Raises:
        AdorymError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from adorym.report import Numbers, Quantity, ReportContent, RunResult, Settings
        >>> settings = Settings(technique="cdi", model="projection", energy=None, voxel=1.0, shape=(8, 8), views=1,
        ...     frames=1, frame_shape=(8, 8), likelihood="Poisson")
        >>> phase = Quantity(symbol="phase", values=np.eye(8), unit="rad")
        >>> run = RunResult(name="CDI", settings=settings, numbers=Numbers(misfit=0.1), quantities=(phase,))
        >>> write_report(tempfile.mkdtemp(), ReportContent(title="A line", run=run)).name
        'report.html'
    """
    run, settings = content.run, content.run.settings
    kind = settings.technique + (f" · {settings.model} reconstruction" if settings.dimensions == 3 else "")
    header = _page.heading(kind, content.title, [content.introduction, _words.verdict(run)])
    sections = [
        _page.cards(_words.key_numbers(run)),
        _page.section("What was done", _page.paragraphs(_words.description(settings))),
        _object_section(run),
        _frames_section(run),
        _detail_section(run),
        _trust.section(run),
        _probe_section(run),
        _time.section(run),
        _page.section("All settings", _page.table(_page.Table((), tuple(_words.table_rows(settings))))),
        _page.section("What the words mean", _page.definitions(meanings(settings))),
    ]
    path = Path(run_folder) / "report.html"
    write_atomic(path, _page.page(content.title, header, sections, provenance=content.provenance).encode())
    return path


def meanings(settings: Settings) -> list[tuple[str, str]]:
    """The terms of a report in words; those about volumes only where there is one."""
    if settings.dimensions == 3:
        return list(_MEANINGS.items())
    return [
        (term.replace("shell", "ring"), text) for term, text in _MEANINGS.items() if not term.startswith(("δ", "Depth"))
    ]


def _object_section(run: RunResult) -> str:
    figures = []
    for quantity in run.quantities:
        caption = _object_caption(quantity, run.settings)
        figures.append(_page.figure(_figures.object_picture(quantity, run.settings), caption))
    alone = run.settings.dimensions == 2 and all(quantity.truth is None for quantity in run.quantities)
    title = "The reconstructed volume" if run.settings.dimensions == 3 else "The reconstructed image"
    return _page.section(title, _page.pair(*figures) if alone else "".join(figures))


def _object_caption(quantity: Quantity, settings: Settings) -> str:
    symbol = quantity.symbol
    if settings.dimensions == 2:
        where = f"The {symbol} of the sample's transmission."
    else:
        where = f"{symbol} in three cuts through the centre of the volume; y points down and the beam runs along z."
    scale = ""
    if settings.energy is not None:
        grain = "voxel" if settings.dimensions == 3 else "pixel"
        scale = f" The bar at the lower left gives the scale; one {grain} is {_words.length(settings.voxel, settings)}."
    ratio = settings.focal_ratio
    stretched = any(cut.stretch > 1 for cut in _views.cuts_of(quantity.values))
    if symbol == "δ" and ratio is not None and ratio >= 1 and not stretched:
        scale += " The depth of focus is drawn to scale in the view from the side."
    if quantity.truth is None:
        return where + scale
    return (
        f"{where} The reconstruction and the truth share one colour scale; in their difference red is too much, "
        f"blue too little, and white is right.{scale}"
    )


def _frames_section(run: RunResult) -> str:
    if run.frames is None:
        return ""
    scale = " Brightness is on a logarithmic scale." if run.frames.logarithmic else ""
    hidden = " Grey pixels were not measured." if run.frames.mask is not None and not run.frames.mask.all() else ""
    caption = (
        "A few measured frames, what the reconstruction predicts for them, and the difference in units of the noise's "
        f"standard deviation σ: where only noise is left there is no structure, and few pixels pass ±3.{scale}{hidden}"
    )
    return _page.section("Does it explain the data?", _page.figure(_figures.frames_picture(run.frames), caption))


def _detail_section(run: RunResult) -> str:
    parts = []
    if run.correlation is not None:
        name = "shell" if run.settings.dimensions == 3 else "ring"
        found = run.numbers.resolution
        picture = _curves.correlation_picture(run.correlation, run.settings, resolution=found)
        caption = (
            f"The Fourier {name} correlation (blue) compares result and reference from coarse detail on the left to "
            "fine detail on the right. Its crossing with the half-bit threshold (dashed) is the resolution; the fixed "
            "threshold 1/7 (dotted) is shown beside it."
        )
        parts.append(_page.figure(picture, caption))
    if run.history is not None and len(run.history.step) > 1:
        error = ", below it the error against the truth" if run.history.error is not None else ""
        kept = (
            " The red curve is of frames that were kept back from the fit." if run.history.held_out is not None else ""
        )
        caption = f"How the fit went: the misfit over the solver's steps, with the time on the upper edge{error}.{kept}"
        parts.append(_page.figure(_curves.history_picture(run.history, _words.symbol_of_error(run.settings)), caption))
    title = "How fine the detail, and how the fit went" if run.correlation is not None else "How the fit went"
    return _page.section(title, _page.pair(*parts))


def _probe_section(run: RunResult) -> str:
    if run.probe is None:
        return ""
    pixel = run.settings.voxel if run.probe_pixel is None else run.probe_pixel
    caption = (
        "The illumination as it was refined together with the sample: amplitude above, phase below, faded where "
        "there is hardly any light. Several modes are incoherent parts of one beam; each is named with its share of "
        "the photons."
    )
    return _page.section("The probe", _page.figure(_figures.probe_picture(run.probe, pixel, run.settings), caption))
