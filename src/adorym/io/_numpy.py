"""NumPy archives with a key map: `keys = { frames = "data", positions = "scan" }`."""

from __future__ import annotations

import bz2
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from adorym._core import DataError, JobError
from adorym.data import ArrayFrames, Regime, Technique
from adorym.io._hdf5 import squared_magnitude
from adorym.io._options import suggestion
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording, check_frames, check_probe

NAMES = ("frames", "positions", "angles", "probe", "mask", "weights", "flat", "dark", "energy", "pixel", "distances")
"""What an archive may hold; each is looked for under its own name unless `keys` says otherwise."""
_ENDINGS = (".npz", ".npy", ".npz.bz2", ".npy.bz2")


def is_numpy(path: Path) -> bool:
    """Whether a file is named as NumPy archives are."""
    return path.is_file() and path.name.lower().endswith(_ENDINGS)


def read_numpy(
    path: Path,
    overrides: Overrides,
    *,
    keys: dict[str, str] | None = None,
    values: Literal["intensity", "magnitude"] = "intensity",
    position_unit: Literal["pixel", "m"] = "pixel",
) -> Recording:
    """Arrays of an archive, which are held in memory.

    Frames are `(view, frame, y, x)`, `(n, y, x)` (n frames of one view where there are positions, else n views) or
    `(y, x)`. Positions (y, x) are counted from the middle of the scan. A probe is scaled so that its photons are those
    of the brightest frames: archives rarely say what it is in.

    Args:
        path: the archive.
        overrides: the rest of [data].
        keys: which array is what: "frames", "positions", "angles", "probe", "mask" (not zero: bad), "weights", "flat",
            "dark", "energy", "pixel", "distances".
        values: what the frames hold.
        position_unit: "pixel" (of the object) or "m".

    Raises:
        DataError: the archive is damaged, or lacks an array that is asked for.
        JobError: the key map names something unknown.
    """
    for name in keys or {}:
        if name not in NAMES:
            raise JobError(f"data.keys.{name} is nothing an archive can give: {suggestion(name, NAMES)}")
    arrays = _load(path, keys or {})
    positions = arrays.get("positions")
    frames = _frames(path, arrays["frames"], scanned=positions is not None)
    check_frames(path, frames.shape)
    if values == "magnitude" or frames.dtype.kind == "c":
        frames = squared_magnitude(frames)
    technique, regime = _kind(overrides, arrays)
    mask, probe, distances = arrays.get("mask"), arrays.get("probe"), arrays.get("distances")
    return Recording(
        path=path,
        frames=ArrayFrames(frames),
        technique=technique,
        regime=regime,
        energy=_number(path, arrays, "energy"),
        pixel=_number(path, arrays, "pixel"),
        distances=None if distances is None else np.ravel(distances),
        angles=None if "angles" not in arrays else np.ravel(arrays["angles"]),
        positions=None if positions is None else _centred(positions),
        position_unit=position_unit,
        mask=None if mask is None else mask == 0,
        weights=None if "weights" not in arrays else _weights(path, arrays["weights"], frames),
        probe=None if probe is None else _bright_probe(path, probe, frames),
        photons=None if probe is None else _brightness(frames),
        flat=_mean(arrays.get("flat")),
        dark=_mean(arrays.get("dark")),
        notes={} if positions is None else {"positions": "counted from the middle of the scan"},
    )


def _load(path: Path, keys: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The arrays that matter of an archive, under the names of `NAMES`."""
    try:
        with _open(path) as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return _named(path, {"frames": loaded}, keys)
            with loaded:
                return _named(path, loaded, keys)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: check the path in [data].") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path} holds Python objects where arrays of numbers are needed: write it anew with numpy.savez."
            ) from error
        raise DataError(f"{path} cannot be read as a NumPy archive ({error}): is it complete?") from error


def _open(path: Path) -> io.BytesIO | io.BufferedReader:
    packed = path.name.lower().endswith(".bz2")
    return io.BytesIO(bz2.decompress(path.read_bytes())) if packed else path.open("rb")


def _named(path: Path, archive: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The arrays under the names of `NAMES`."""
    found: dict[str, np.ndarray] = {}
    for name in NAMES:
        stored = keys.get(name, name)
        if stored not in archive:
            if name in keys or name == "frames":
                raise DataError(
                    f"{path} has no array {stored!r} for the {name}; it holds {', '.join(archive)}: set keys = "
                    f'{{ {name} = "..." }} in [data].'
                )
            continue
        value = np.asarray(archive[stored])
        if value.dtype.kind not in "fiucb":
            raise DataError(f"{stored!r} in {path} holds {value.dtype}, not numbers: it cannot be the {name}.")
        found[name] = value
    return found


def _frames(path: Path, array: np.ndarray, *, scanned: bool) -> np.ndarray:
    if array.ndim == 2:
        return array[None, None]
    if array.ndim == 3:
        return array[None] if scanned else array[:, None]
    if array.ndim == 4:
        return array
    raise DataError(
        f"The frames in {path} have shape {array.shape}: (view, frame, y, x), (n, y, x) or (y, x) is needed."
    )


def _kind(overrides: Overrides, arrays: Mapping[str, np.ndarray]) -> tuple[Technique, Regime]:
    if "positions" in arrays:
        return "ptychography", "near field" if "distances" in arrays else "far field"
    if "distances" in arrays:
        return "holography", "near field"
    if overrides.regime == "far field" or overrides.technique == "cdi":
        return "cdi", "far field"
    return "tomography", "in focus"


def _number(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> float | None:
    if name not in arrays:
        return None
    if arrays[name].size != 1:
        raise DataError(f"The {name} in {path} has shape {arrays[name].shape}: one number is needed.")
    return float(arrays[name].reshape(-1)[0])


def _centred(positions: np.ndarray) -> np.ndarray:
    """Positions from the middle of the scan."""
    values = np.asarray(positions, dtype=np.float64)
    flat = values.reshape(-1, values.shape[-1])
    return values - (flat.min(axis=0) + flat.max(axis=0)) / 2


def _weights(path: Path, weights: np.ndarray, frames: np.ndarray) -> np.ndarray:
    if weights.size != frames.shape[0] * frames.shape[1]:
        raise DataError(
            f"The weights in {path} have shape {weights.shape} for {frames.shape[:2]} frames: give one each."
        )
    return weights.reshape(frames.shape[:2])


def _brightness(frames: np.ndarray) -> float:
    """Photons of the brightest frames, which the sample absorbs least (95 % quantile: a spike does not count)."""
    return float(np.quantile(np.nansum(frames, axis=(2, 3), dtype=np.float64), 0.95))


def _bright_probe(path: Path, probe: np.ndarray, frames: np.ndarray) -> np.ndarray:
    if probe.ndim < 2:
        raise DataError(f"The probe in {path} has shape {probe.shape}: (mode, y, x) is needed.")
    modes = probe.reshape(-1, *probe.shape[-2:]).astype(np.complex128)
    check_probe(path, modes)
    power = float(np.sum(np.abs(modes) ** 2))
    return modes * np.sqrt(_brightness(frames) / power)


def _mean(image: np.ndarray | None) -> np.ndarray | None:
    return image if image is None or image.ndim == 2 else image.reshape(-1, *image.shape[-2:]).mean(axis=0)
