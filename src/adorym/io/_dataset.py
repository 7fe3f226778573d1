"""From what a reader found in a file, and what the job says, to a `Dataset` that follows the conventions."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal

import numpy as np

from adorym._core import DataError, JobError
from adorym.data import Dataset, FrameSource, Regime, Technique
from adorym.io._overrides import Overrides, beside, read_image, read_numbers, select
from adorym.io._recording import Recording, check_frames, check_positive, check_probe
from adorym.io._sampling import Sampling, either, find_sampling, needed
from adorym.io._sources import (
    ConvertedFrames,
    Crop,
    SelectedFrames,
    Step,
    apply,
    centre_zero_frequency,
    flip_x,
    flip_y,
    transpose,
)

MAXIMUM_SPAN = 4 * np.pi
"""Angles (radians) that span more than two turns are taken for degrees."""


def make_dataset(recording: Recording, overrides: Overrides) -> Dataset:
    """The measurement under the conventions, with what the job adds.

    Raises:
        DataError: something needed is missing, or facts contradict each other.
        JobError: an override that does not fit.
    """
    _check(recording, overrides)
    technique, regime = _kind(recording, overrides)
    steps = _steps(recording, overrides)
    stored = ConvertedFrames(recording.frames, steps)
    views, count, y, x = stored.shape
    if regime == "far field" and y != x:
        raise DataError(
            f"{recording.path} has far-field frames of {y} x {x} pixels: cut them square with crop_size in [data]."
        )
    sampling = find_sampling(recording, overrides, regime=regime, shape=stored.shape)
    mask, flat, dark = _images(recording, overrides, stored)
    scale, photons = _scale(recording, overrides, _bright(flat, dark, mask))
    chosen = select(overrides.views, views, "views"), select(overrides.frames, count, "frames")
    positions, notes = _positions(recording, overrides, sampling=sampling, shape=stored.shape), dict(recording.notes)
    distances, angles = sampling.distances, _angles(recording, overrides, views)
    if sampling.energy is None:
        notes["pixel units"] = "energy or pixel size is not known: lengths are in pixels"
    return Dataset(
        frames=SelectedFrames(ConvertedFrames(recording.frames, steps, scale=scale, mask=mask), *chosen),
        technique=technique,
        regime=regime,
        pixel=1.0 if sampling.pixel is None else sampling.pixel,
        energy=sampling.energy,
        angles=angles[chosen[0]],
        distances=distances[chosen[1]] if len(distances) == count > 1 else distances,
        positions=None if positions is None else positions[np.ix_(*chosen)],
        mask=mask,
        weights=_weights(recording, overrides, (views, count))[np.ix_(*chosen)],
        probe=_probe(recording, scale),
        flat=None if flat is None else flat * np.float32(scale),
        dark=None if dark is None else dark * np.float32(scale),
        photons=photons,
        axis_offset=_axis_offset(recording, overrides, stored),
        source=str(recording.path),
        notes=notes,
    )


def _check(recording: Recording, overrides: Overrides) -> None:
    """What nothing can be computed from, refused with the file's name."""
    check_frames(recording.path, recording.frames.shape)
    names = ("energy", "pixel", "detector_pixel", "detector_distance", "photons")
    check_positive(recording.path, {name: either(getattr(overrides, name), getattr(recording, name)) for name in names})
    check_probe(recording.path, recording.probe)


def _kind(recording: Recording, overrides: Overrides) -> tuple[Technique, Regime]:
    """Technique and regime; a distance makes in-focus projections near-field holograms."""
    technique = overrides.technique or recording.technique
    regime = overrides.regime or recording.regime
    distance_given = overrides.distances is not None or overrides.detector_distance is not None
    if distance_given and regime == "in focus":
        if overrides.regime == "in focus":
            raise JobError('data.regime is "in focus", but a distance is given: remove one of them.')
        regime = "near field"
        technique = overrides.technique or ("holography" if technique == "tomography" else technique)
    return technique, regime


def _steps(recording: Recording, overrides: Overrides) -> tuple[Step, ...]:
    steps = list(recording.steps)
    steps += [transpose] if overrides.transpose else []
    steps += [{"x": flip_x, "y": flip_y}[axis] for axis in overrides.flips]
    if overrides.zero_frequency == "corner":
        steps.append(centre_zero_frequency)
    if overrides.crop_centre is not None or overrides.crop_size is not None:
        y, x = apply(steps, np.empty((1, *recording.frames.shape[2:]), np.bool_)).shape[1:]
        centre = overrides.crop_centre or (y // 2, x // 2)
        row, column = round(centre[0]), round(centre[1])
        size = overrides.crop_size
        if size is None:
            size = 2 * min(row, y - row, column, x - column)
            if size < 1:
                raise JobError(
                    f"data.crop_centre is {list(overrides.crop_centre or ())}: give a row from 1 to {y - 1} and a "
                    f"column from 1 to {x - 1}, or say crop_size."
                )
        sizes = (size,) if isinstance(size, int) else size
        if len(sizes) not in (1, 2) or min(sizes) < 1:
            raise JobError("data.crop_size needs one or two positive whole numbers.")
        rows, columns = sizes[0], sizes[-1]
        steps.append(Crop(row - rows // 2, column - columns // 2, rows, columns))
    return tuple(steps)


def _images(
    recording: Recording, overrides: Overrides, stored: ConvertedFrames
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Mask, flat and dark field, oriented as the frames; pixels that saw no beam are masked."""
    shape = recording.frames.shape[2:]

    def oriented(image: np.ndarray | None, name: str) -> np.ndarray | None:
        if image is None:
            return None
        if image.shape != shape:
            raise DataError(
                f"The {name} of {recording.path} has shape {image.shape} but frames have {shape}: they must agree."
            )
        return np.array(apply(stored.steps, image[None])[0])

    mask = oriented(recording.mask, "mask")
    mask = np.ones(stored.shape[2:], dtype=bool) if mask is None else mask.astype(bool)
    if overrides.mask is not None:
        mask &= oriented(read_image(beside(overrides.mask, recording.path), "mask"), "mask") == 0
    if overrides.mask_outside is not None:
        mask &= _within(stored, *overrides.mask_outside)
    flat, dark = oriented(recording.flat, "flat field"), oriented(recording.dark, "dark field")
    if flat is not None:
        mask &= flat - (0 if dark is None else dark) > 0  # also drops NaN
        flat = np.where(np.isfinite(flat), flat, 0).astype(np.float32)
    if dark is not None:
        mask &= np.isfinite(dark)
        dark = np.where(np.isfinite(dark), dark, 0).astype(np.float32)
    return mask, flat, dark


def _within(frames: FrameSource, low: float, high: float) -> np.ndarray:
    """Pixels that stay in a range in all frames; one pass, part by part."""
    everywhere = np.ones(frames.shape[2:], dtype=bool)
    for view, part in itertools.product(range(frames.shape[0]), frames.parts):
        images = frames.read(view, part)
        everywhere &= ((images >= low) & (images <= high)).all(axis=0)
    return everywhere


def _bright(flat: np.ndarray | None, dark: np.ndarray | None, mask: np.ndarray) -> float | None:
    """Incident intensity per pixel that a flat field shows."""
    if flat is None or not mask.any():
        return None
    return float(np.median((flat if dark is None else flat - dark)[mask]))


def _scale(recording: Recording, overrides: Overrides, bright: float | None) -> tuple[float, float | None]:
    """Photons per stored unit, and photons of the incident beam."""
    stored = either(recording.photons, bright)
    scale = overrides.scale
    if scale is None:
        scale = 1.0 if overrides.photons is None or stored is None else overrides.photons / stored
    return scale, either(overrides.photons, None if stored is None else stored * scale)


def _probe(recording: Recording, scale: float) -> np.ndarray | None:
    if recording.probe is None:
        return None
    return np.asarray(recording.probe * np.sqrt(scale), dtype=np.complex64)


def _angles(recording: Recording, overrides: Overrides, views: int) -> np.ndarray:
    """Radians, one per view; degrees taken for radians are refused."""
    given = overrides.angles
    unit = overrides.angle_unit
    if given is None:
        values, place = recording.angles, str(recording.path)
        unit = unit or recording.angle_unit
    elif isinstance(given, Path):
        file = beside(given, recording.path)
        values, place = read_numbers(file, "angles"), str(file)
    else:
        values, place, unit = np.asarray(given, dtype=np.float64), "data.angles", "rad"
    if values is None:
        if views == 1:
            return np.zeros(1)
        raise DataError(f"{recording.path} has {views} views but no angles: add angles = [...] or a file to [data].")
    values = np.asarray(values, dtype=np.float64)
    values = values[select(overrides.angle_selection, len(values), "angle_selection")]
    if len(values) != views:
        raise DataError(
            f"{place} has {len(values)} angles, but {recording.path} has {views} views: choose those that belong to "
            'them with angle_selection = "first:last" in [data].'
        )
    if not np.isfinite(values).all():
        raise DataError(f"{place} has angles that are not finite: correct them, or give angles in [data].")
    return overrides.angle_sign * _radians(values, unit, place)


def _radians(values: np.ndarray, unit: Literal["rad", "deg"] | None, place: str) -> np.ndarray:
    if unit == "deg":
        return np.deg2rad(values)
    if unit is None and np.ptp(values) > MAXIMUM_SPAN:
        raise DataError(
            f"The angles in {place} span {np.ptp(values):.4g} radians, more than two turns, and look like degrees: "
            'add angle_unit = "deg" (or "rad" if they really are radians) to [data].'
        )
    # Several turns that are said to be radians are whole turns and a rest.
    return values % (2 * np.pi) if np.ptp(values) > MAXIMUM_SPAN else values


def _positions(
    recording: Recording, overrides: Overrides, *, sampling: Sampling, shape: tuple[int, int, int, int]
) -> np.ndarray | None:
    """Probe positions `(view, frame, 2)` in metres, or in pixels in pixel units."""
    if recording.positions is None:
        return None
    stored = np.asarray(recording.positions, dtype=np.float64)
    if stored.shape[-1:] != (2,) or stored.shape[:-1] not in (shape[:2], shape[1:2]):
        raise DataError(
            f"{recording.path} has positions of shape {stored.shape} for {shape[0]} views of {shape[1]} frames: one "
            "(y, x) per frame is needed."
        )
    if not np.isfinite(stored).all():
        raise DataError(f"{recording.path} has positions that are not finite: correct the file, or leave frames out.")
    columns = [(-1 if axis[0] == "-" else 1) * stored[..., "yx".index(axis[-1])] for axis in overrides.position_axes]
    positions = np.broadcast_to(np.stack(columns, axis=-1), (*shape[:2], 2))
    pixel = 1.0 if sampling.pixel is None else sampling.pixel
    if recording.position_unit == "pixel":
        return positions * pixel
    if sampling.pixel is not None:
        return np.array(positions)
    # Pixel units, but positions in metres: any pixel size at hand turns one into the other.
    known = either(overrides.pixel, recording.pixel)
    return positions / needed(known, "pixel", recording)


def _weights(recording: Recording, overrides: Overrides, shape: tuple[int, int]) -> np.ndarray:
    given = overrides.weights
    if given is None:
        return np.ones(shape, np.float32) if recording.weights is None else recording.weights.astype(np.float32)
    values = read_numbers(beside(given, recording.path), "weights") if isinstance(given, Path) else np.asarray(given)
    fits = {shape[0] * shape[1]: shape, shape[0]: (shape[0], 1), shape[1]: (1, shape[1])}
    if values.size not in fits:
        raise JobError(
            f"data.weights has {values.size} numbers for {shape[0]} views of {shape[1]} frames: give one each."
        )
    # One number per view wins over one per frame where there are as many of both.
    form = (shape[0], 1) if values.size == shape[0] else fits[values.size]
    return np.array(np.broadcast_to(values.reshape(form), shape), dtype=np.float32)


def _axis_offset(recording: Recording, overrides: Overrides, stored: ConvertedFrames) -> float:
    """Column of the axis from the middle; a stored column follows the steps as the pixels do."""
    columns = stored.shape[3]
    if overrides.axis_column is not None:
        if not -columns <= overrides.axis_column <= 2 * columns:
            raise JobError(
                f"data.axis_column is {overrides.axis_column:g}: the frames have columns 0 to {columns - 1}, and the "
                "axis cannot lie farther from them than they are wide."
            )
        return overrides.axis_column - (columns - 1) / 2
    if recording.axis_column is None:
        return 0.0
    y, x = recording.frames.shape[2:]
    numbers = apply(stored.steps, np.broadcast_to(np.arange(x, dtype=float), (1, y, x)))[0, 0]
    if numbers[0] == numbers[-1]:
        raise DataError(f"The rotation axis of {recording.path} lies along rows here: give axis_column in [data].")
    return (recording.axis_column - numbers[0]) / (numbers[1] - numbers[0]) - (columns - 1) / 2
