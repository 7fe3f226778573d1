"""What a job's [data] may say about any measurement, whatever the file: metadata it lacks, selection, orientation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from adorym._core import Angle, DataError, Energy, JobError, Length
from adorym.data import Regime, Technique
from adorym.io._sources import read_tiff

Axis = Literal["y", "-y", "x", "-x"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Overrides:
    """Keys of [data] that every format takes; each adds to or replaces what the file says.

    Attributes:
        technique: "holography", "ptychography", "tomography" or "cdi".
        regime: "in focus", "near field" or "far field".
        energy: photon energy.
        pixel: sampling of the wave at the sample (the effective pixel).
        distances: effective propagation distances from the rotation axis, one for all frames or one per frame.
        detector_pixel: pixel of the detector itself.
        detector_distance: from the rotation axis to the detector.
        focus_distance: from the focus of a cone beam to the rotation axis; gives pixel and distance with the two above.
        angles: rotation of the sample about +y, one per view, or a file of them (text or .npy).
        angle_unit: unit of the angles in a file, where it does not say so or is wrong, "rad" or "deg".
        angle_selection: which of the angles belong to the views: "10:-10" or a list of numbers.
        angle_sign: -1 where the sample turns the other way round.
        axis_column: column of the rotation axis in the frames (after flips, transposition and crop), from 0.
        photons: photons per pixel without a sample (full field) or per frame (scanned); where the file says what this
            is in its own units, the frames are scaled to match.
        scale: photons per unit of the stored intensities.
        views: which views to use: "::2" or a list of numbers.
        frames: which frames of each view to use.
        weights: weight of each view or frame (0 rejects it), or a file of them.
        flips: axes to reverse in the stored frames: "x" (left and right), "y" (top and bottom).
        transpose: exchange rows and columns of the stored frames, before any flip.
        zero_frequency: where stored far-field frames have it: "centre" (index N//2) or "corner" (index 0).
        crop_centre: row and column (after transposition and flips) that become the middle, index N//2.
        crop_size: rows and columns, or one number for both, to keep.
        mask: image (.npy or TIFF), stored as the frames are, not zero where a pixel is bad.
        mask_outside: two numbers; a pixel that leaves this range of stored intensities in any frame is masked.
        position_axes: which stored coordinate, with which sign, is the probe's laboratory y and which its x.

    Example:
        >>> Overrides(energy=5000.0, flips=("x",)).flips
        ('x',)
    """

    technique: Technique | None = None
    regime: Regime | None = None
    energy: Energy | None = None
    pixel: Length | None = None
    distances: tuple[Length, ...] | Length | None = None
    detector_pixel: Length | None = None
    detector_distance: Length | None = None
    focus_distance: Length | None = None
    angles: tuple[Angle, ...] | Path | None = None
    angle_unit: Literal["rad", "deg"] | None = None
    angle_selection: tuple[int, ...] | str | None = None
    angle_sign: Literal[1, -1] = 1
    axis_column: float | None = None
    photons: float | None = None
    scale: float | None = None
    views: tuple[int, ...] | str | None = None
    frames: tuple[int, ...] | str | None = None
    weights: tuple[float, ...] | Path | None = None
    flips: tuple[Literal["x", "y"], ...] = ()
    transpose: bool = False
    zero_frequency: Literal["centre", "corner"] | None = None
    crop_centre: tuple[float, ...] | None = None
    crop_size: tuple[int, ...] | int | None = None
    mask: Path | None = None
    mask_outside: tuple[float, ...] | None = None
    position_axes: tuple[Axis, ...] = ("y", "x")

    def __post_init__(self) -> None:
        for name in ("energy", "pixel", "detector_pixel", "detector_distance", "photons", "scale"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise JobError(f"data.{name} is {value}: give a positive number.")
        for name in ("crop_centre", "mask_outside"):
            value = getattr(self, name)
            if value is not None and len(value) != 2:
                raise JobError(f"data.{name} has {len(value)} numbers: give two.")
        if isinstance(self.angles, tuple) and self.angle_unit is not None:
            raise JobError('data.angle_unit is for files of angles: write data.angles = ["3 deg", ...] with units.')
        if sorted(axis.strip("-") for axis in self.position_axes) != ["x", "y"]:
            raise JobError(f'data.position_axes is {list(self.position_axes)}: name y and x once each, as ["-x", "y"].')


def select(spec: tuple[int, ...] | str | None, count: int, key: str) -> np.ndarray:
    """Indices that a selection means among `count` things.

    Args:
        spec: "10:-10" or "::2" as Python slices are written, a list of numbers (negative from the end), or all.
        count: how many there are.
        key: the selection's key, for messages.

    Raises:
        JobError: it cannot be read, reaches beyond what there is, or selects nothing.
    """
    if spec is None:
        return np.arange(count)
    if isinstance(spec, str):
        parts = spec.split(":")
        try:
            numbers = [int(part) if part.strip() else None for part in parts]
            chosen = np.arange(count)[slice(*numbers)] if len(parts) > 1 else np.array(numbers, dtype=int)
        except (ValueError, TypeError) as error:
            raise JobError(f'data.{key} is "{spec}": write a slice such as "10:-10" or "::2", or a list.') from error
    else:
        chosen = np.array(spec, dtype=int)
    if chosen.size == 0 or chosen.min() < -count or chosen.max() >= count:
        raise JobError(f"data.{key} = {spec!r} does not fit the {count} there are: choose from 0 to {count - 1}.")
    return chosen % count


def beside(path: Path, source: Path) -> Path:
    """An auxiliary file by a relative path: from the current folder, else from the data's own folder."""
    folder = source if source.is_dir() else source.parent
    return path if path.is_absolute() or path.exists() else folder / path


def read_numbers(path: Path, key: str) -> np.ndarray:
    """All numbers of a text or .npy file, in a row.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        values = np.load(path, allow_pickle=False) if path.suffix == ".npy" else _numbers_of_text(path)
        return np.ravel(np.asarray(values, dtype=np.float64))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: correct data.{key}.") from error
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path} holds something else than numbers ({error}): data.{key} needs a list of them."
        ) from error


def read_image(path: Path, key: str) -> np.ndarray:
    """One image `(y, x)` of a .npy or TIFF file; a stack is averaged.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        image = np.load(path, allow_pickle=False) if path.suffix == ".npy" else read_tiff(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: correct data.{key}.") from error
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is damaged ({error}): data.{key} needs an image.") from error
    if image.ndim not in (2, 3) or image.dtype.kind not in "fiub":
        raise DataError(f"{path} has shape {image.shape}: data.{key} needs one image, (y, x).")
    return np.asarray(image if image.ndim == 2 else image.mean(axis=0), dtype=np.float64)


def _numbers_of_text(path: Path) -> np.ndarray:
    text = path.read_text(encoding="utf-8", errors="strict").replace(",", " ").replace(";", " ")
    lines = (line.split("#")[0] for line in text.splitlines())
    return np.array([float(word) for line in lines for word in line.split()])
