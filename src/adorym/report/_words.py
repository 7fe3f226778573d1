"""Numbers with their units and settings in plain sentences."""

from __future__ import annotations

import math
from typing import TypeGuard

from adorym.physics import wavelength
from adorym.report._content import RunResult, Settings

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ABSENT = "–"
_LENGTHS = ((1.0, "m"), (1e-3, "mm"), (1e-6, "µm"), (1e-9, "nm"), (1e-12, "pm"))
_ENERGIES = ((1e3, "keV"), (1.0, "eV"))


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is a number, and a finite one."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 3) -> str:
    """A pure number to some significant digits; powers of ten are written as such."""
    if not known(value):
        return _ABSENT
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        rounded = float(f"{value:.{digits}g}")
        return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if mantissa == "1" else f"{mantissa} × {power}"


def length(value: float | None, settings: Settings, digits: int = 3) -> str:
    """A length in its own unit, or in pixels where the data have no scale."""
    if not known(value):
        return _ABSENT
    if settings.energy is None:
        return f"{value:.{digits}g} pixel" + ("" if value == 1 else "s")
    return _prefixed(value, digits, _LENGTHS)


def energy(value: float | None) -> str:
    """An energy in eV or keV."""
    return "not known (pixel units)" if value is None else _prefixed(value, 5, _ENERGIES)


def _prefixed(value: float, digits: int, units: tuple[tuple[float, str], ...]) -> str:
    """A quantity in the largest unit that leaves a number of at least one."""
    rounded = float(f"{value:.{digits}g}")
    factor, unit = next(((one, name) for one, name in units if abs(rounded) >= one * (1 - 1e-9)), units[-1])
    return f"{value / factor:.{digits}g} {unit}"


def duration(seconds: float | None) -> str:
    """A time span as people say it."""
    if not known(seconds):
        return _ABSENT
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def memory(size: float | None) -> str:
    """Bytes as MB or GB."""
    if not known(size):
        return _ABSENT
    return f"{size / 1e9:.2g} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def extent(shape: tuple[int, ...]) -> str:
    """A shape as "64 × 64 × 64"."""
    return " × ".join(str(size) for size in shape)


def plural(count: int, noun: str) -> str:
    """A count and its noun: "1 view", "60 views"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def joined(items: tuple[str, ...] | list[str]) -> str:
    """Items as people list them: "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def symbol_of_error(settings: Settings) -> str:
    """What the error is an error of: the first quantity, or the image as a whole."""
    return "δ error" if settings.dimensions == 3 else "image error"


def description(settings: Settings) -> list[str]:
    """The settings as paragraphs a stranger can follow."""
    return [
        " ".join(sentence for sentence in paragraph if sentence)
        for paragraph in (
            (_illumination(settings), _photons(settings), _unknowns(settings)),
            (thickness(settings),),
            (_fit(settings),),
        )
        if any(paragraph)
    ]


def verdict(run: RunResult) -> str:
    """The result in one or two sentences."""
    numbers, settings = run.numbers, run.settings
    fit = f"The result explains the measured frames to a misfit of {number(numbers.misfit)}"
    if known(numbers.relative_misfit):
        fit += f", {percent(numbers.relative_misfit)} of what an empty sample would leave"
    if known(numbers.reduced_chi2):
        fit += f" (reduced χ² {number(numbers.reduced_chi2)}; 1 is shot noise alone)"
    sentences = [fit + "."]
    found = []
    if known(numbers.error):
        found.append(f"it differs from the truth by {percent(numbers.error)} ({symbol_of_error(run.settings)})")
    if known(numbers.resolution):
        found.append(f"details down to {length(numbers.resolution, settings, 2)} are resolved")
    if found:
        text = " and ".join(found)
        sentences.append(text[0].upper() + text[1:] + ".")
    return " ".join(sentences)


def percent(fraction: float) -> str:
    """A fraction in per cent, to two digits."""
    value = 100 * fraction
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def table_rows(settings: Settings) -> list[tuple[str, str]]:
    """All settings as rows of a table; what is unknown or does not apply is left out."""
    ratio = settings.focal_ratio
    volume, physical = settings.dimensions == 3, settings.energy is not None
    rows = [
        ("Technique", settings.technique),
        ("Model of the sample", settings.model if volume else "one thin sheet"),
        ("Data", settings.source),
        ("Photon energy", energy(settings.energy)),
        ("Wavelength", length(wavelength(settings.energy), settings) if settings.energy else ""),
        ("Voxel" if volume else "Pixel", length(settings.voxel, settings) if physical else ""),
        (
            "Volume" if volume else "Image",
            f"{extent(settings.shape)} {_field(settings) if physical else _grain(settings)}",
        ),
        ("Views (rotation angles)", f"{settings.views:,}"),
        ("Frames", f"{settings.frames:,} of {extent(settings.frame_shape)} pixels"),
        (f"Photons per {settings.photons_per}", number(settings.photons) if settings.photons else ""),
        ("Distance to the detector", joined([length(one, settings) for one in settings.distances])),
        ("Thickness along the beam", length(settings.thickness, settings) if settings.thickness else ""),
        ("Depth of focus", length(settings.depth_of_focus, settings) if settings.depth_of_focus else ""),
        ("Thickness over depth of focus", number(ratio, 2) if ratio else ""),
        ("Slabs", _slabs(settings) if volume else ""),
        ("Likelihood", settings.likelihood),
        ("Regularisers", "; ".join(settings.regularizers) or "none"),
        ("Constraints", "; ".join(settings.constraints) or "none"),
        ("Refined", "; ".join(settings.refined)),
        ("Stages", "; ".join(settings.stages)),
        *settings.more,
    ]
    return [(name, text) for name, text in rows if text]


def key_numbers(run: RunResult) -> list[tuple[str, str, str]]:
    """The cards at the top: (value, name, what it means); unknown ones are left out."""
    numbers, settings = run.numbers, run.settings
    relative = "" if not known(numbers.relative_misfit) else f"{percent(numbers.relative_misfit)} of an empty sample's"
    whole = "" if not known(numbers.error_whole) else f"{number(numbers.error_whole)} over the whole volume"
    pixels = (
        "" if not known(numbers.resolution) else f"{numbers.resolution / settings.voxel:.1f} voxels, half-bit criterion"
    )
    chi = "" if not known(numbers.reduced_chi2) else f"reduced χ² {number(numbers.reduced_chi2)}"
    cards = [
        (number(numbers.misfit), "misfit to the data", relative or chi),
        (number(numbers.error), symbol_of_error(run.settings), whole or "0 is perfect, 1 is nothing found"),
        (length(numbers.resolution, settings, 2), "resolution", pixels.replace("voxels", _grain(settings))),
        (number(settings.focal_ratio, 2), "thickness / depth of focus", "above 1 the sample is thick"),
        (duration(numbers.seconds), "computing time", "" if numbers.steps is None else plural(numbers.steps, "step")),
        (memory(numbers.peak_memory), "peak memory", ""),
    ]
    return [card for card in cards if card[0] != _ABSENT]


def _grain(settings: Settings) -> str:
    return "voxels" if settings.dimensions == 3 else "pixels"


def _field(settings: Settings) -> str:
    return f"({' × '.join(length(size * settings.voxel, settings) for size in settings.shape)})"


def _slabs(settings: Settings) -> str:
    if settings.slabs == 1:
        return "1 (the whole thickness at once)"
    thick = "" if not settings.thickness else f" of {length(settings.thickness / settings.slabs, settings)}"
    return f"{settings.slabs} slabs{thick}"


def _illumination(settings: Settings) -> str:
    beam = "X-rays" if settings.energy is None else f"X-rays of {energy(settings.energy)}"
    if settings.energy is not None:
        beam += f" (wavelength {length(wavelength(settings.energy), settings)})"
    many, one_each = settings.views > 1, settings.frames == settings.views
    turned = f"{', one' if one_each else ','} at each of {settings.views:,} angles of the sample" if many else ""
    if settings.technique == "ptychography":
        spots = plural(settings.frames // max(settings.views, 1), "overlapping position")
        turned = f" at each of {settings.views:,} angles of the sample" if many else ""
        return f"{beam} lit one part of the sample after another, {spots}{turned}; a detector recorded a frame at each."
    if settings.technique == "holography":
        where = f"{joined([length(one, settings) for one in settings.distances])} behind it"
        seen = f"{settings.frames:,} holograms" if settings.frames > 1 else "one hologram"
        place = where if settings.distances else "behind it"
        return f"{beam} lit the whole sample at once; a detector {place} recorded {seen}{turned}."
    if settings.technique == "tomography":
        seen = f"{settings.frames:,} shadows" if settings.frames > 1 else "its shadow"
        return f"{beam} passed straight through the sample; a detector recorded {seen}{turned}."
    pattern = "diffraction patterns" if many else "a diffraction pattern"
    return f"Coherent {beam[0].lower()}{beam[1:]} lit the sample; a distant detector recorded {pattern}{turned}."


def _photons(settings: Settings) -> str:
    if not settings.photons:
        return ""
    return f"Without a sample, {number(settings.photons)} photons would have reached each {settings.photons_per}."


def _unknowns(settings: Settings) -> str:
    frames = f"{settings.frames:,} frames" if settings.frames > 1 else "this one frame"
    given = f"From {frames} of {extent(settings.frame_shape)} pixels"
    size = f"{extent(settings.shape)} {_grain(settings)}"
    if settings.energy is not None:
        size += f" of {length(settings.voxel, settings)}"
    if settings.dimensions == 3:
        sought = "δ (how strongly matter shifts the wave's phase) and β (how strongly it absorbs) in"
    else:
        sought = "by how much the sample shifts the wave's phase and weakens its amplitude, on"
    return f"{given} the program sought {sought} {size}."


def thickness(settings: Settings) -> str:
    """How thick the volume is against the depth of focus, and what the model makes of it; empty if unknown."""
    ratio = settings.focal_ratio
    if ratio is None:
        return ""
    size = f"{length(settings.thickness, settings)} thick, {number(ratio, 2)} times"
    focus = f"the depth of focus of {length(settings.depth_of_focus, settings)}"
    if ratio >= 1:
        fact = f"The volume is {size} {focus}: the wave spreads noticeably while it is still inside."
    else:
        fact = f"The volume is {size} {focus}: the wave hardly spreads inside it."
    if settings.model == "multislice" and settings.slabs > 1:
        return f"{fact} It was cut into {_slabs(settings)}, and the wave carried from each to the next (multislice)."
    flat = "each view sees the volume as one thin sheet (projection approximation)"
    return f"{fact} This reconstruction ignores that: {flat}." if ratio >= 1 else f"{fact} So {flat}."


def _fit(settings: Settings) -> str:
    text = "The unknowns were changed step by step until the predicted frames matched the measured ones"
    text += f" (likelihood: {settings.likelihood})."
    if settings.refined:
        text += f" Refined: {joined(settings.refined)}."
    if settings.regularizers:
        text += f" Among results that fit alike, some are preferred: {joined(settings.regularizers)}."
    if settings.constraints:
        text += f" Always kept: {joined(settings.constraints)}."
    return text
