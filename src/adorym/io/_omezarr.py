"""Results as OME-Zarr 0.5: pyramids that viewers open with the right scale, and that read back without loss.

The metadata are written by hand: they are few, and the libraries that write them bring a data-centre's worth of
dependencies. Level n is the mean over 2**n voxels along every axis that is long enough, and its translation puts the
centre of its first voxel where it lies in space: the origin is the centre of the grid, which is the rotation axis.
What the format has no word for (energy, exact voxel size, the region reached) is kept under `adorym`.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from adorym._core import DataError
from adorym.io._atomic import atomic_path

_SMALLEST = 64
_CHUNK = 64
_NANOMETER = 1e-9
_COLORS = ("FFFFFF", "F0A030")


@dataclasses.dataclass(frozen=True, kw_only=True)
class VolumeResult:
    """A reconstructed volume, n = 1 - delta + i beta.

    Attributes:
        delta, beta: decrement and absorption index `(z, y, x)` at rotation angle 0.
        voxel: edge of a voxel in metres; 1.0 in pixel units.
        energy: photon energy in eV; `None` in pixel units.
        reached: True where the measurement reached, `(z, y, x)`; `None` for everywhere.

    Example:
        >>> VolumeResult(delta=np.zeros((4, 4, 4)), beta=np.zeros((4, 4, 4)), voxel=2e-9, energy=1000.0).voxel
        2e-09
    """

    delta: np.ndarray
    beta: np.ndarray
    voxel: float
    energy: float | None
    reached: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageResult:
    """A reconstructed two-dimensional transmission, amplitude * exp(i phase).

    Attributes:
        phase: radians `(y, x)`.
        amplitude: 1 in vacuum `(y, x)`.
        pixel: edge of a pixel in metres; 1.0 in pixel units.
        energy: photon energy in eV; `None` in pixel units.
        reached: True where the measurement reached, `(y, x)`; `None` for everywhere.

    Example:
        >>> ImageResult(phase=np.zeros((4, 4)), amplitude=np.ones((4, 4)), pixel=1.0, energy=None).energy is None
        True
    """

    phase: np.ndarray
    amplitude: np.ndarray
    pixel: float
    energy: float | None
    reached: np.ndarray | None = None


def write_volume(path: str | os.PathLike[str], result: VolumeResult) -> Path:
    """Write a volume as OME-Zarr 0.5 with the channels delta and beta, whole or not at all.

    Args:
        path: the folder (`volume.zarr`); replaced where it exists.
        result: the volume.

    Returns:
        the folder.

    Raises:
        DataError: the arrays' shapes differ or are not three-dimensional.
        AdorymError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> cube = np.zeros((4, 4, 4), np.float32)
        >>> volume = VolumeResult(delta=cube, beta=cube, voxel=2e-9, energy=1e3)
        >>> read_volume(write_volume(tempfile.mkdtemp() + "/v.zarr", volume)).voxel
        2e-09
    """
    channels = {"delta": result.delta, "beta": result.beta}
    return _write(Path(path), channels, _Facts(("z", "y", "x"), result.voxel, result.energy, result.reached))


def write_image(path: str | os.PathLike[str], result: ImageResult) -> Path:
    """Write an image as OME-Zarr 0.5 with the channels phase and amplitude, whole or not at all.

    Args:
        path: the folder (`image.zarr`); replaced where it exists.
        result: the image.

    Returns:
        the folder.

    Raises:
        DataError: the arrays' shapes differ or are not two-dimensional.
        AdorymError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> square = np.zeros((4, 4), np.float32)
        >>> image = ImageResult(phase=square, amplitude=square + 1, pixel=1e-8, energy=8e3)
        >>> read_image(write_image(tempfile.mkdtemp() + "/i.zarr", image)).pixel
        1e-08
    """
    channels = {"phase": result.phase, "amplitude": result.amplitude}
    return _write(Path(path), channels, _Facts(("y", "x"), result.pixel, result.energy, result.reached))


def read_volume(path: str | os.PathLike[str]) -> VolumeResult:
    """Read a volume written by `write_volume`.

    Args:
        path: the folder.

    Raises:
        DataError: it is missing, damaged, or not such a volume.

    Example:
        >>> import tempfile
        >>> cube = np.ones((4, 4, 4), np.float32)
        >>> volume = VolumeResult(delta=cube, beta=cube, voxel=1.0, energy=None)
        >>> read_volume(write_volume(tempfile.mkdtemp() + "/v.zarr", volume)).delta.shape
        (4, 4, 4)
    """
    (delta, beta), facts = _read(Path(path), ("delta", "beta"))
    return VolumeResult(delta=delta, beta=beta, voxel=facts.voxel, energy=facts.energy, reached=facts.reached)


def read_image(path: str | os.PathLike[str]) -> ImageResult:
    """Read an image written by `write_image`.

    Args:
        path: the folder.

    Raises:
        DataError: it is missing, damaged, or not such an image.

    Example:
        >>> import tempfile
        >>> square = np.zeros((4, 4), np.float32)
        >>> image = ImageResult(phase=square, amplitude=square + 1, pixel=1.0, energy=None)
        >>> read_image(write_image(tempfile.mkdtemp() + "/i.zarr", image)).amplitude.max()
        np.float32(1.0)
    """
    (phase, amplitude), facts = _read(Path(path), ("phase", "amplitude"))
    return ImageResult(phase=phase, amplitude=amplitude, pixel=facts.voxel, energy=facts.energy, reached=facts.reached)


@dataclasses.dataclass(frozen=True)
class _Facts:
    axes: tuple[str, ...]
    voxel: float
    energy: float | None
    reached: np.ndarray | None


def _write(target: Path, channels: dict[str, np.ndarray], facts: _Facts) -> Path:
    import zarr

    axes = facts.axes
    data = _stack(target, channels, facts)
    with atomic_path(target) as part:
        root = zarr.open_group(part, mode="w", zarr_format=3)
        factors = []
        for level, (array, factor) in enumerate(_pyramid(data)):
            factors.append(factor)
            chunks = (1, *(min(size, _CHUNK if len(axes) == 3 else 4 * _CHUNK) for size in array.shape[1:]))
            root.create_array(str(level), data=array, chunks=chunks, dimension_names=("c", *axes))
        if facts.reached is not None:
            root.create_array("reached", data=np.asarray(facts.reached, dtype=bool), dimension_names=axes)
        root.attrs.update({"ome": _ome(target.stem, channels, facts, factors=factors), "adorym": _own(channels, facts)})
    return target


def _stack(target: Path, channels: dict[str, np.ndarray], facts: _Facts) -> np.ndarray:
    shapes = {np.shape(array) for array in channels.values()}
    if facts.reached is not None:
        shapes.add(facts.reached.shape)
    if len(shapes) != 1 or len(next(iter(shapes))) != len(facts.axes) or 0 in next(iter(shapes)):
        wanted = ", ".join(facts.axes)
        raise DataError(f"{target} needs arrays of one shape ({wanted}), not {sorted(shapes)}: mend the result.")
    return np.stack([np.asarray(array, dtype=_float_type(array)) for array in channels.values()])


def _float_type(array: np.ndarray) -> type[np.floating]:
    return np.float64 if np.asarray(array).dtype == np.float64 else np.float32


def _pyramid(data: np.ndarray) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """The levels and their factor along each axis in space; a last odd voxel is left out of the coarser level."""
    levels = [(data, (1,) * (data.ndim - 1))]
    while max(levels[-1][0].shape[1:]) > _SMALLEST:
        array, factor = levels[-1]
        step = tuple(2 if size > 1 else 1 for size in array.shape[1:])
        levels.append((_mean(array, step), tuple(a * b for a, b in zip(factor, step, strict=True))))
    return levels


def _mean(array: np.ndarray, step: tuple[int, ...]) -> np.ndarray:
    for axis, size in enumerate(step, start=1):
        if size == 2:
            count = array.shape[axis] // 2 * 2
            first, second = (np.take(array, range(start, count, 2), axis=axis) for start in (0, 1))
            array = (first + second) / 2
    return array


def _ome(
    name: str, channels: dict[str, np.ndarray], facts: _Facts, *, factors: list[tuple[int, ...]]
) -> dict[str, Any]:
    """The metadata of OME-NGFF 0.5: the pyramid's axes and places, the channels' names and contrast."""
    physical = facts.energy is not None or facts.voxel != 1.0
    unit, scale = ({"unit": "nanometer"}, float(f"{facts.voxel / _NANOMETER:.12g}")) if physical else ({}, 1.0)
    shape = next(iter(channels.values())).shape
    multiscale = {
        "name": name,
        "type": "mean",
        "axes": [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", **unit} for axis in facts.axes)],
        "datasets": [
            {"path": str(level), "coordinateTransformations": _transformations(shape, factor, scale)}
            for level, factor in enumerate(factors)
        ],
    }
    omero = {
        "channels": [
            {"label": label, "color": color, "active": color == _COLORS[0], "window": _window(array)}
            for (label, array), color in zip(channels.items(), _COLORS, strict=True)
        ],
        "rdefs": {"model": "color", "defaultZ": shape[0] // 2 if len(facts.axes) == 3 else 0},
    }
    return {"version": "0.5", "multiscales": [multiscale], "omero": omero}


def _own(channels: dict[str, np.ndarray], facts: _Facts) -> dict[str, Any]:
    return {"version": 1, "channels": list(channels), "voxel": facts.voxel, "energy": facts.energy}


def _transformations(shape: tuple[int, ...], factor: tuple[int, ...], scale: float) -> list[dict[str, Any]]:
    """Index to place: the centre of the full grid is the origin, coarse voxels sit amid those they average."""
    corner = [((step - 1) / 2 - (size - 1) / 2) * scale for size, step in zip(shape, factor, strict=True)]
    return [
        {"type": "scale", "scale": [1.0, *(step * scale for step in factor)]},
        {"type": "translation", "translation": [0.0, *corner]},
    ]


def _window(array: np.ndarray) -> dict[str, float]:
    """Contrast limits that leave out the extreme half per cent."""
    finite = array[np.isfinite(array)] if not np.isfinite(array).all() else array
    if finite.size == 0:
        return {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0}
    low, high = float(finite.min()), float(finite.max())
    start, end = (float(value) for value in np.percentile(finite, (0.5, 99.5)))
    if end <= start:
        start, end = low, high if high > low else low + 1.0
    return {"min": low, "max": max(high, end), "start": start, "end": end}


def _read(source: Path, names: tuple[str, str]) -> tuple[tuple[np.ndarray, np.ndarray], _Facts]:
    import zarr

    try:
        root: Any = zarr.open_group(source, mode="r")
        own = root.attrs.asdict()["adorym"]
        order = own["channels"]
        first, second = (np.asarray(root["0"][order.index(name)]) for name in names)
        reached = np.asarray(root["reached"][...]) if "reached" in root else None
        return (first, second), _Facts((), float(own["voxel"]), own["energy"], reached)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"{source} is not a result with the channels {' and '.join(names)}, or is damaged: give a run's result."
        ) from error
