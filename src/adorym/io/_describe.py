"""What a data set holds, in physical terms and in words."""

from __future__ import annotations

import numpy as np

from adorym._core import format_quantity
from adorym.data import Dataset
from adorym.physics import depth_of_focus, fresnel_number

_SAMPLED_VIEWS = 8


def describe(dataset: Dataset) -> dict[str, str]:
    """A data set in physical terms, name to text, for people; counts are taken from a few views.

    Args:
        dataset: the data set.

    Raises:
        DataError: its frames cannot be read.

    Example:
        >>> import numpy as np
        >>> from adorym.data import ArrayFrames
        >>> data = Dataset(
        ...     frames=ArrayFrames(np.ones((3, 1, 64, 64))), technique="holography", regime="near field", pixel=2e-9,
        ...     energy=1000.0, angles=np.linspace(0, 3, 3), distances=np.array([1e-6]), mask=np.ones((64, 64), bool),
        ...     weights=np.ones((3, 1)),
        ... )
        >>> facts = describe(data)
        >>> facts["energy"], facts["thickness over depth of focus"][:4]
        ('1 keV', '1.85')
    """
    views, count, y, x = dataset.frames.shape
    facts = {
        "source": dataset.source,
        "technique": f"{dataset.technique}, {dataset.regime}",
        "views": f"{views}" if views == 1 else f"{views}, {_span(dataset.angles)}",
        "frames": f"{count} per view, {y} x {x} pixels",
    }
    facts |= _sampling(dataset)
    if dataset.distances.size:
        facts["distance"] = ", ".join(_length(distance) for distance in dataset.distances)
    facts |= _diffraction(dataset)
    if dataset.positions is not None:
        low, high = dataset.positions.min(axis=(0, 1)), dataset.positions.max(axis=(0, 1))
        unit = (lambda value: f"{value:.4g} pixels") if dataset.pixel_units else _length
        facts["scan"] = f"{unit(high[0] - low[0])} high, {unit(high[1] - low[1])} wide"
    facts |= _counts(dataset)
    facts["masked"] = f"{100 * (1 - dataset.mask.mean()):.3g} % of the pixels"
    rejected = int(np.sum(dataset.weights == 0))
    if rejected:
        facts["rejected"] = f"{rejected} of {dataset.weights.size} frames"
    held = [name for name in ("probe", "flat", "dark") if getattr(dataset, name) is not None]
    facts["also holds"] = ", ".join(held) or "nothing else"
    if dataset.axis_offset:
        facts["rotation axis"] = f"column {dataset.axis_offset + (x - 1) / 2:.6g}"
    return facts | dataset.notes


def _sampling(dataset: Dataset) -> dict[str, str]:
    if dataset.energy is None:
        return {"pixel": "1 (pixel units: no energy or pixel size is known)"}
    return {
        "energy": str(format_quantity(float(f"{dataset.energy:.6g}"), "energy")),
        "wavelength": _length(dataset.wavelength),
        "pixel": _length(dataset.pixel),
        "field of view": f"{_length(dataset.pixel * dataset.frames.shape[2])} high, "
        f"{_length(dataset.pixel * dataset.frames.shape[3])} wide",
    }


def _diffraction(dataset: Dataset) -> dict[str, str]:
    """Fresnel numbers, and the depth of focus against the thickest object the data can hold."""
    if dataset.energy is None:
        return {}
    facts = {}
    if dataset.distances.size:
        numbers = [fresnel_number(dataset.pixel, dataset.wavelength, distance) for distance in dataset.distances]
        facts["Fresnel number of a pixel"] = ", ".join(f"{number:.3g}" for number in numbers)
    depth = depth_of_focus(2 * dataset.pixel, dataset.wavelength)
    facts["depth of focus"] = f"{_length(depth)} (resolution of two pixels)"
    if len(dataset.angles) > 1:
        width = _width(dataset)
        ratio = width / depth
        verdict = "the projection approximation fails" if ratio > 1 else "projections may do"
        facts["thickness over depth of focus"] = (
            f"{ratio:.3g} for an object as thick as the field is wide, {_length(width)}; {verdict}"
        )
    return facts


def _width(dataset: Dataset) -> float:
    """What the measurement can see across, metres: a turned object is about as thick."""
    x = dataset.frames.shape[3] * dataset.pixel
    if dataset.positions is None:
        return x
    # Scanned: from the outermost probe centre to the other, and half a probe's array on either side.
    return float(np.ptp(dataset.positions[..., 1])) + x


def _counts(dataset: Dataset) -> dict[str, str]:
    views, count = dataset.frames.shape[:2]
    chosen = np.unique(np.linspace(0, views - 1, min(views, _SAMPLED_VIEWS)).astype(int))
    frames = np.concatenate([dataset.frames.read(int(view), np.arange(count))[:, dataset.mask] for view in chosen])
    sums = frames.sum(axis=1, dtype=np.float64)
    facts = {
        "counts per frame": f"{sums.mean():.4g} (from {sums.min():.4g} to {sums.max():.4g})",
        "brightest pixel": f"{frames.max():.4g}",
    }
    if dataset.positions is None and dataset.regime != "far field":
        facts["counts per pixel"] = f"{frames.mean():.4g}"
    if dataset.photons is not None:
        per = "frame" if dataset.positions is not None or dataset.regime == "far field" else "pixel"
        facts["incident photons"] = f"{dataset.photons:.4g} per {per}"
    return facts


def _span(angles: np.ndarray) -> str:
    low, high = np.rad2deg(angles.min()), np.rad2deg(angles.max())
    return f"from {low:.4g} to {high:.4g} deg"


def _length(value: float) -> str:
    return str(format_quantity(float(f"{value:.4g}"), "length"))
