"""The HDF5 layout of the earlier Adorym code: `exchange/data [angle, spot, y, x]` and a `metadata` group.

| dataset | here |
|---|---|
| `exchange/data` | magnitudes (or complex waves; or intensities: `values = "intensity"`), far field centred |
| `metadata/energy_ev`, `metadata/psize_cm` | energy; pixel at the sample |
| `metadata/theta` | angles; radians unless a `units` attribute says otherwise |
| `metadata/probe_pos_px` | top-left corner (y, x) of the probe's array in the object's array |
| `metadata/free_prop_cm` | from the exit face of the object; near field where it is present |
| `probe/real`, `probe/imag` | incident field at the entrance face of the object |

The layout counts distances from the faces of an object whose size it does not hold: `object_size` (pixels) and
`thickness` say it. Without them full-field objects are as wide and as deep as the frames, and scanned ones are as
large as makes the scan central.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from adorym._core import DataError, JobError, Length, format_quantity
from adorym.data import Regime, Technique
from adorym.io._hdf5 import Hdf5Frames, array, as_float32, find, is_hdf5, open_hdf5, scalar, squared_magnitude, units
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording, check_positive, check_probe
from adorym.io._sampling import either
from adorym.physics import wavelength


def is_exchange(path: Path) -> bool:
    """Whether a file has four-dimensional `exchange/data` and a `metadata` group."""
    if not is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        data = find(file, "exchange/data")
        return data is not None and data.ndim == 4 and ("metadata" in file or data.dtype.kind == "c")


def read_exchange(
    path: Path,
    overrides: Overrides,
    *,
    values: Literal["magnitude", "intensity"] = "magnitude",
    object_size: tuple[int, ...] | int | None = None,
    thickness: Length | None = None,
) -> Recording:
    """A file of the earlier Adorym code.

    Args:
        path: the file.
        overrides: the rest of [data].
        values: what `exchange/data` holds; complex waves are magnitudes and phases.
        object_size: pixels (y, x) of the object's array that the positions count in, one number for both.
        thickness: of the object along the beam, which the distance and the probe are counted from; by default
            object_size (x) pixels.

    Raises:
        DataError: something is missing or does not fit.
    """
    stored = _load(path)
    energy, pixel = either(overrides.energy, stored.energy), either(overrides.pixel, stored.pixel)
    check_positive(path, {"energy": energy, "pixel": pixel, "thickness": thickness})
    check_probe(path, stored.probe)
    decode = squared_magnitude if values == "magnitude" else as_float32
    frames = Hdf5Frames(path, "exchange/data", decode=decode)
    scanned, near = stored.corners is not None, stored.free_distance is not None
    technique, regime = _kind(path, overrides, scanned=scanned, near=near)
    size, positions = _scan(path, stored.corners, frames.shape, object_size=object_size)
    depth = either(thickness, None if pixel is None else size[1] * pixel)
    notes = {"values": f"stored as {values}"}
    if depth is not None:
        notes["thickness"] = f"{format_quantity(float(f'{depth:.6g}'), 'length')}, centred on the rotation axis"
    probe, photons, distances = None, None, None
    if stored.probe is not None:
        probe = _at_axis(path, stored.probe, energy=energy, pixel=pixel, depth=depth)
        photons = float(np.sum(np.abs(probe) ** 2))
        notes["probe"] = "moved from the entrance face to the rotation axis"
    if stored.free_distance is not None and regime == "near field":
        distances = np.array([stored.free_distance + _depth(path, depth) / 2])
    if technique == "holography":
        photons = 1.0
        notes["intensities"] = "stored relative to the incident beam; photons in [data] turns them into counts"
    return Recording(
        path=path,
        frames=frames,
        technique=technique,
        regime=regime,
        energy=energy,
        pixel=pixel,
        distances=distances,
        angles=stored.angles,
        angle_unit=stored.angle_unit,
        positions=positions,
        position_unit="pixel",
        probe=probe,
        photons=photons,
        notes=notes,
    )


def propagate_in_vacuum(field: np.ndarray, distance: float, *, wavelength: float, pixel: float) -> np.ndarray:
    """A field `(..., y, x)` further along +z (or back), on the same periodic grid, so that going back is exact.

    The exact angular spectrum without exp(ikz), in 64 bits and in the stable form of CONVENTIONS.
    """
    y, x = field.shape[-2:]
    squared = np.add.outer(np.fft.fftfreq(y, pixel) ** 2, np.fft.fftfreq(x, pixel) ** 2)
    cosine = np.sqrt(np.clip(1 - wavelength**2 * squared, 0, None))
    transfer = np.exp(-2j * np.pi * wavelength * distance * squared / (1 + cosine))
    transfer[wavelength**2 * squared > 1] = 0  # evanescent: gone after a few wavelengths
    return np.fft.ifft2(np.fft.fft2(np.asarray(field, dtype=np.complex128)) * transfer)


@dataclasses.dataclass(frozen=True)
class _Stored:
    """What the file says, in SI units; lengths from the faces of the object."""

    energy: float | None
    pixel: float | None
    free_distance: float | None
    corners: np.ndarray | None
    angles: np.ndarray | None
    angle_unit: Literal["rad", "deg"] | None
    probe: np.ndarray | None


def _check_size(size: tuple[int, ...] | int) -> None:
    """One or two numbers of pixels."""
    sizes = (size,) if isinstance(size, int) else size
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise JobError(f"data.object_size is {list(sizes)}: give one or two positive whole numbers.")


def _load(path: Path) -> _Stored:
    with open_hdf5(path) as file:
        pixel, free = scalar(file, "metadata/psize_cm"), _free_centimetres(file)
        corners, theta = find(file, "metadata/probe_pos_px"), find(file, "metadata/theta", "exchange/theta")
        return _Stored(
            energy=scalar(file, "metadata/energy_ev"),
            pixel=None if pixel is None else pixel * 1e-2,
            free_distance=None if free is None else free * 1e-2,
            corners=None if corners is None else array(corners).astype(np.float64),
            angles=None if theta is None else np.ravel(array(theta)),
            angle_unit=_angle_unit(theta),
            probe=_probe(file),
        )


def _free_centimetres(file: h5py.File) -> float | None:
    """Centimetres behind the exit face; the old code wrote an infinite distance for the far field."""
    found = find(file, "metadata/free_prop_cm")
    if found is None:
        return None
    value = np.ravel(array(found))
    if value.size == 1 and value.dtype.kind == "f" and np.isinf(value[0]):
        return None
    return scalar(file, "metadata/free_prop_cm")


def _angle_unit(theta: h5py.Dataset | None) -> Literal["rad", "deg"] | None:
    """The unit an attribute names, if it does."""
    name = "" if theta is None else units(theta)
    return "deg" if name.startswith("deg") else "rad" if name.startswith("rad") else None


def _kind(path: Path, overrides: Overrides, *, scanned: bool, near: bool) -> tuple[Technique, Regime]:
    if scanned:
        return "ptychography", "near field" if near else "far field"
    if near or overrides.distances is not None:
        return "holography", "near field"
    if overrides.regime is None:
        raise DataError(
            f"{path} has neither metadata/free_prop_cm nor metadata/probe_pos_px: add distances, or regime = "
            '"far field" or "in focus", to [data].'
        )
    return ("cdi", "far field") if overrides.regime == "far field" else ("tomography", overrides.regime)


def _scan(
    path: Path,
    corners: np.ndarray | None,
    shape: tuple[int, int, int, int],
    *,
    object_size: tuple[int, ...] | int | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels (y, x) of the object's array, and probe centres (y, x) from its middle, in pixels."""
    frame = np.array(shape[2:])
    if corners is not None and corners.shape != (shape[1], 2):
        raise DataError(
            f"{path} has {shape[1]} frames an angle but metadata/probe_pos_px has shape {corners.shape}: one (y, x) "
            "for each is needed."
        )
    if object_size is not None:
        _check_size(object_size)
        size = np.resize(np.asarray(object_size, dtype=np.float64), 2)
    elif corners is not None:
        # The array in the middle of which the scan lies: as much before the first corner as after the last frame.
        size = corners.min(axis=0) + corners.max(axis=0) + frame
    else:
        size = frame.astype(np.float64)
    return size, None if corners is None else corners + (frame - 1) / 2 - (size - 1) / 2


def _probe(file: h5py.File) -> np.ndarray | None:
    real, imaginary = find(file, "probe/real"), find(file, "probe/imag")
    if real is None or imaginary is None:
        return None
    if real.shape != imaginary.shape or real.ndim < 2:
        raise DataError(
            f"{file.filename} has probe/real of shape {real.shape} and probe/imag of shape {imaginary.shape}: both "
            "need one shape, (y, x) or (mode, y, x)."
        )
    field = array(real).astype(np.float64) + 1j * array(imaginary)
    return field.reshape(-1, *field.shape[-2:])


def _at_axis(
    path: Path, probe: np.ndarray, *, energy: float | None, pixel: float | None, depth: float | None
) -> np.ndarray:
    if energy is None or pixel is None:
        lacks, example = ("energy", "5 keV") if energy is None else ("pixel", "2 nm")
        raise DataError(f'{path} has a probe at the entrance face but no {lacks}: add {lacks} = "{example}" to [data].')
    return propagate_in_vacuum(probe, _depth(path, depth) / 2, wavelength=wavelength(energy), pixel=pixel)


def _depth(path: Path, depth: float | None) -> float:
    if depth is None:
        raise DataError(f"{path} counts distances from the faces of the object: add thickness or pixel to [data].")
    return depth
