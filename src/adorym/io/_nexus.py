"""adorym's own data sets: NeXus/HDF5, one chunk per frame, units as attributes.

| path | shape | unit | what |
|---|---|---|---|
| `/entry` (`NXentry`) | | | attributes `adorym_technique`, `adorym_regime`, `adorym_version` (of this layout) |
| `/entry/instrument/beam/incident_energy` | () | eV | absent in pixel units |
| `/entry/instrument/beam/photons` | () | | per pixel (full field) or frame (scanned), without a sample |
| `/entry/instrument/beam/probe` | (mode, y, x) complex | | incident field at the axis, sum of squares = photons |
| `/entry/instrument/detector/data` | (view, frame, y, x) float32 | counts | gzip and shuffle, chunks (1, 1, y, x) |
| `.../detector/x_pixel_size`, `y_pixel_size` | () | m or pixel | sampling of the wave at the sample |
| `.../detector/distance` | (1,) or (frame,) | m | effective, from the axis; absent in focus and in the far field |
| `.../detector/pixel_mask` | (y, x) uint32 | | 0 where a pixel is measured |
| `.../detector/flatfield`, `darkfield` | (y, x) | counts | |
| `.../detector/rotation_axis_column` | () | pixel | counted from 0 |
| `.../detector/frame_weight` | (view, frame) | | 0 rejects a frame |
| `/entry/sample/transformations/rotation_angle` | (view,) | rad | about the attribute `vector` |
| `.../translation_x`, `translation_y` | (view, frame) | m or pixel | of the sample, along `vector` |
| `/entry/data` (`NXdata`) | | | link to the frames |
| `/entry/truth/delta`, `beta` | (z, y, x) float32 | | optional; attribute `voxel` in metres |
| `/entry/notes` | | | attributes: name to text |

Vectors are in NeXus (McStas) axes, where x = -x and y = -y of the conventions: angles turn about (0, -1, 0), and the
probe at (y, x) on the sample is the sample moved by (-x, -y), which is (+x, +y) along the NeXus x (1, 0, 0) and y
(0, 1, 0). Rows of a frame run down (along -y of NeXus) and columns to the right (-x); a reader honours the vectors.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path
from typing import Any, Literal, cast, get_args

import h5py
import numpy as np

from adorym._core import DataError
from adorym.data import Dataset, Regime, Technique
from adorym.io._hdf5 import Hdf5Frames, array, find, is_hdf5, open_hdf5, scalar, units
from adorym.io._hdf5_sink import create_hdf5
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording
from adorym.io._validate import validate_metadata

VERSION = 1
_DETECTOR, _BEAM, _MOVES = "entry/instrument/detector", "entry/instrument/beam", "entry/sample/transformations"


@dataclasses.dataclass(frozen=True)
class Truth:
    """The object that a simulated measurement was made of, at angle 0.

    Attributes:
        delta, beta: `(z, y, x)`, float32.
        voxel: edge of a voxel in metres, `None` where the file does not say.

    Example:
        >>> Truth(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), 2e-9).voxel
        2e-09
    """

    delta: np.ndarray
    beta: np.ndarray
    voxel: float | None = None


def write_dataset(path: str | os.PathLike[str], dataset: Dataset, *, truth: Truth | None = None) -> Path:
    """Write a data set, a view at a time; the file appears whole or not at all.

    Args:
        path: the file; replaced where it exists.
        dataset: what to write; its frames are read once.
        truth: the object, where it is known.

    Returns:
        the file.

    Raises:
        DataError: the data set contradicts itself.
        AdorymError: the file could not be written (disk full, no permission).

    Example:
        >>> import tempfile
        >>> from adorym.data import ArrayFrames
        >>> data = Dataset(
        ...     frames=ArrayFrames(np.ones((3, 1, 8, 8))), technique="holography", regime="near field", pixel=2e-9,
        ...     energy=5000.0, angles=np.linspace(0, 3, 3), distances=np.array([1e-6]), mask=np.ones((8, 8), bool),
        ...     weights=np.ones((3, 1)),
        ... )
        >>> write_dataset(Path(tempfile.mkdtemp()) / "scan.h5", data).name
        'scan.h5'
    """
    validate_metadata(dataset)
    with create_hdf5(path) as (file, check):
        _write_metadata(file, dataset)
        if truth is not None:
            _write_truth(file, truth)
        data = _create_frames(file, dataset)
        for view, part in itertools.product(range(dataset.frames.shape[0]), dataset.frames.parts):
            data[view, part[0] : part[-1] + 1] = dataset.frames.read(view, part)
            check()
    return Path(path)


def read_truth(path: str | os.PathLike[str]) -> Truth:
    """The true object from one of our data sets, or from a file with `delta` and `beta` `(z, y, x)` at its root.

    Args:
        path: the HDF5 file.

    Raises:
        DataError: it holds no truth, or one that contradicts itself.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "truth.h5"
        >>> with h5py.File(file, "w") as opened:
        ...     opened["delta"], opened["beta"] = np.ones((2, 2, 2)), np.zeros((2, 2, 2))
        >>> read_truth(file).delta.shape
        (2, 2, 2)
    """
    place = Path(path)
    with open_hdf5(place) as file:
        delta, beta = find(file, "entry/truth/delta", "delta"), find(file, "entry/truth/beta", "beta")
        if delta is None or beta is None:
            raise DataError(
                f"{place} holds no true object: delta and beta, (z, y, x), or an entry/truth group are needed."
            )
        voxel = delta.attrs.get("voxel")
        arrays = [np.asarray(array(one), dtype=np.float32) for one in (delta, beta)]
    if arrays[0].shape != arrays[1].shape or arrays[0].ndim != 3:
        raise DataError(
            f"{place} has delta {arrays[0].shape} and beta {arrays[1].shape}: both need one shape, (z, y, x)."
        )
    if not all(np.isfinite(one).all() for one in arrays):
        raise DataError(f"{place} has a delta or beta that is not finite: write the true object again.")
    return Truth(arrays[0], arrays[1], None if voxel is None else float(voxel))


def is_nexus(path: Path) -> bool:
    """Whether a file is one of ours."""
    if not is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        entry = file.get("entry")
        return isinstance(entry, h5py.Group) and "adorym_version" in entry.attrs


def read_nexus(path: Path, overrides: Overrides) -> Recording:
    """One of our own data sets.

    Raises:
        DataError: something is missing, contradictory, or written by a newer version.
    """
    with open_hdf5(path):
        pass  # a missing or truncated file says so itself
    if not is_nexus(path):
        raise DataError(f"{path} is none of adorym's own data sets: leave out format in [data], or name the right one.")
    with open_hdf5(path) as file:
        technique, regime = _kind(file, overrides)
        frames = Hdf5Frames(path, f"{_DETECTOR}/data")
        pixel = find(file, f"{_DETECTOR}/x_pixel_size")
        in_pixels = pixel is not None and units(pixel) == "pixel"
        mask, weights = _optional(file, f"{_DETECTOR}/pixel_mask"), _optional(file, f"{_DETECTOR}/frame_weight")
        if weights is not None and weights.shape != frames.shape[:2]:
            raise DataError(
                f"{path} has weights of shape {weights.shape} for {frames.shape[:2]} frames: write it again."
            )
        return Recording(
            path=path,
            frames=frames,
            technique=technique,
            regime=regime,
            energy=scalar(file, f"{_BEAM}/incident_energy"),
            pixel=None if in_pixels else scalar(file, f"{_DETECTOR}/x_pixel_size"),
            distances=_optional(file, f"{_DETECTOR}/distance"),
            angles=_angles(file),
            angle_unit="rad",
            positions=_positions(file),
            position_unit="pixel" if in_pixels else "m",
            mask=None if mask is None else mask == 0,
            weights=weights,
            probe=_optional(file, f"{_BEAM}/probe"),
            flat=_optional(file, f"{_DETECTOR}/flatfield"),
            dark=_optional(file, f"{_DETECTOR}/darkfield"),
            photons=scalar(file, f"{_BEAM}/photons"),
            axis_column=scalar(file, f"{_DETECTOR}/rotation_axis_column"),
            notes=_notes(file),
        )


def _write_metadata(file: h5py.File, dataset: Dataset) -> None:
    file.attrs.update(NX_class="NXroot", default="entry", creator="adorym")
    _group(file, "entry", "NXentry").attrs.update(
        default="data", adorym_version=VERSION, adorym_technique=dataset.technique, adorym_regime=dataset.regime
    )
    _group(file, "entry/instrument", "NXinstrument")
    _group(file, "entry/sample", "NXsample")
    detector = _group(file, _DETECTOR, "NXdetector")
    beam = _group(file, _BEAM, "NXbeam")
    length = "pixel" if dataset.energy is None else "m"
    _put(beam, "incident_energy", dataset.energy, unit="eV")
    _put(beam, "photons", dataset.photons)
    _put(beam, "probe", dataset.probe)
    _put(detector, "x_pixel_size", dataset.pixel, unit=length)
    _put(detector, "y_pixel_size", dataset.pixel, unit=length)
    _put(detector, "distance", dataset.distances if dataset.distances.size else None, unit="m")
    _put(detector, "pixel_mask", np.asarray(~dataset.mask, dtype=np.uint32))
    _put(detector, "flatfield", dataset.flat, unit="counts")
    _put(detector, "darkfield", dataset.dark, unit="counts")
    if dataset.regime != "far field":  # there frames have no column of the sample's
        _put(detector, "rotation_axis_column", dataset.axis_offset + (dataset.frames.shape[3] - 1) / 2, unit="pixel")
    _put(detector, "frame_weight", dataset.weights)
    moves = _group(file, _MOVES, "NXtransformations")
    _move(moves, "rotation_angle", dataset.angles, unit="rad", vector=(0.0, -1.0, 0.0))
    if dataset.positions is not None:
        _move(moves, "translation_x", dataset.positions[..., 1], unit=length, vector=(1.0, 0.0, 0.0))
        _move(moves, "translation_y", dataset.positions[..., 0], unit=length, vector=(0.0, 1.0, 0.0))
    _group(file, "entry/notes", "NXcollection").attrs.update(dataset.notes)


def _create_frames(file: h5py.File, dataset: Dataset) -> h5py.Dataset:
    """Room for the frames, and the group that tells NeXus readers to plot them."""
    views, count, y, x = dataset.frames.shape
    data = file.create_dataset(
        f"{_DETECTOR}/data", (views, count, y, x), np.float32, chunks=(1, 1, y, x), compression="gzip", shuffle=True
    )
    data.attrs["units"] = "counts"
    group = _group(file, "entry/data", "NXdata")
    group.attrs.update(signal="data", axes=["view", "frame", "y", "x"])
    group["data"] = h5py.SoftLink(f"/{_DETECTOR}/data")
    return data


def _write_truth(file: h5py.File, truth: Truth) -> None:
    group = _group(file, "entry/truth", "NXcollection")
    for name, values in (("delta", truth.delta), ("beta", truth.beta)):
        chunks = (1, *values.shape[1:])
        stored = group.create_dataset(
            name, data=np.asarray(values, np.float32), chunks=chunks, compression="gzip", shuffle=True
        )
        if truth.voxel is not None:
            stored.attrs["voxel"] = truth.voxel


def _group(file: h5py.File, name: str, kind: str) -> h5py.Group:
    group = file.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _put(group: h5py.Group, name: str, value: np.ndarray | float | None, *, unit: str | None = None) -> None:
    """A dataset with its unit, where there is something to say."""
    if value is not None:
        stored = group.create_dataset(name, data=value)
        if unit is not None:
            stored.attrs["units"] = unit


def _move(group: h5py.Group, name: str, values: np.ndarray, *, unit: str, vector: tuple[float, float, float]) -> None:
    _put(group, name, np.asarray(values, dtype=np.float64), unit=unit)
    kind = "rotation" if name == "rotation_angle" else "translation"
    group.require_dataset(name, np.shape(values), np.float64).attrs.update(
        transformation_type=kind, vector=vector, depends_on="."
    )


def _kind(file: h5py.File, overrides: Overrides) -> tuple[Technique, Regime]:
    attributes: dict[str, Any] = dict(file["entry"].attrs)
    version = attributes.get("adorym_version", VERSION)
    if version > VERSION:
        raise DataError(
            f"{file.filename} was written by a newer adorym (layout {version}, this one knows {VERSION}): update it."
        )
    technique = overrides.technique or attributes.get("adorym_technique")
    regime = overrides.regime or attributes.get("adorym_regime")
    if technique not in get_args(Technique) or regime not in get_args(Regime):
        raise DataError(
            f"{file.filename} says technique {technique!r} and regime {regime!r}: give technique and regime in [data]."
        )
    return cast(Technique, technique), cast(Regime, regime)


def _optional(file: h5py.File, name: str) -> np.ndarray | None:
    found = find(file, name)
    return None if found is None else array(found)


def _notes(file: h5py.File) -> dict[str, str]:
    notes = file.get("entry/notes")
    stored = notes.attrs.items() if isinstance(notes, h5py.Group) else ()
    return {str(name): str(text) for name, text in stored if name != "NX_class"}


def _angles(file: h5py.File) -> np.ndarray | None:
    found = find(file, f"{_MOVES}/rotation_angle")
    if found is None:
        return None
    values = array(found).astype(np.float64)
    values = np.deg2rad(values) if units(found).startswith("deg") else values
    return -_along(found, 1) * values  # about -y of NeXus is about +y here


def _positions(file: h5py.File) -> np.ndarray | None:
    """Probe positions (y, x): the sample moved by s along NeXus x is a probe at +s along x here."""
    y, x = find(file, f"{_MOVES}/translation_y"), find(file, f"{_MOVES}/translation_x")
    if y is None or x is None:
        return None
    return np.stack([_along(y, 1) * array(y), _along(x, 0) * array(x)], axis=-1)


def _along(dataset: h5py.Dataset, axis: Literal[0, 1]) -> float:
    """+1 or -1: the direction of a movement along a NeXus axis."""
    vector = np.asarray(dataset.attrs.get("vector", np.eye(3)[axis]), dtype=float)
    if vector.shape != (3,) or not np.isclose(abs(vector[axis]), np.linalg.norm(vector)):
        raise DataError(f"{dataset.name} in {dataset.file.filename} moves along {vector}: only x and y can be used.")
    return float(np.sign(vector[axis]))
