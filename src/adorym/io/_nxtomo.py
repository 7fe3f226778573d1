"""NXtomo: projections, flats (image key 1) and darks (image key 2) in one array beside its `image_key`."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from adorym._core import DataError
from adorym.io._hdf5 import Hdf5Frames, array, find, is_hdf5, open_hdf5, units
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording

_DEPTH = 5
_PROJECTION, _FLAT, _DARK = 0, 1, 2


def is_nxtomo(path: Path) -> bool:
    """Whether a file has an `image_key` with `data` beside it."""
    if not is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return _detector(file) is not None


def read_nxtomo(path: Path, overrides: Overrides, *, data: str | None = None) -> Recording:
    """Projections of an NXtomo file with the means of its flat and dark fields.

    Args:
        path: the file; what it links to must be where it says.
        overrides: the rest of [data].
        data: path of the images in the file, where there are several with an `image_key`.

    Raises:
        DataError: something is missing (also a linked file) or does not fit.
    """
    with open_hdf5(path) as file:
        place = _detector(file) if data is None else data.rpartition("/")[0]
        name = f"{place}/data" if data is None else data
        images = None if place is None else find(file, name)
        keys = None if place is None else find(file, f"{place}/image_key")
        if images is None or keys is None:
            raise DataError(
                f"{path} has no image_key with data beside it: set data to the path of its images in [data]."
            )
        kinds = np.ravel(array(keys)).astype(int)
        if images.ndim != 3 or len(kinds) != len(images):
            raise DataError(
                f"{name} in {path} has shape {images.shape}, but there are {len(kinds)} image keys: one each is needed."
            )
        angles, unit = _angles(file, kinds)
        wanted = np.flatnonzero(kinds == _PROJECTION)
        return Recording(
            path=path,
            frames=Hdf5Frames(path, name, index=wanted[:, None]),
            technique="tomography",
            regime=overrides.regime or "in focus",
            angles=angles,
            angle_unit="rad" if unit.startswith("rad") else "deg",
            flat=_mean(images, kinds == _FLAT),
            dark=_mean(images, kinds == _DARK),
        )


def _detector(file: h5py.File) -> str | None:
    """The group with `image_key` and `data`: one whose data are there, first in an NXtomo entry."""
    found = sorted(
        _groups(file, "", _DEPTH),
        key=lambda name: (file.get(f"{name}/data") is None, "tomo_entry" not in name, name),
    )
    return found[0] if found else None


def _groups(group: h5py.Group, place: str, depth: int) -> list[str]:
    # Links count as names here: a file that is missing behind one is reported when its data are asked for.
    found = [place] if "image_key" in group and group.get("data", getlink=True, default=None) is not None else []
    for name in group if depth else ():
        link = group.get(name, getlink=True)
        member = group.get(name) if isinstance(link, h5py.HardLink) else None
        if isinstance(member, h5py.Group):
            found += _groups(member, f"{place}/{name}".lstrip("/"), depth - 1)
    return found


def _angles(file: h5py.File, kinds: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Angles of the projections, which may be stored for all images or for projections alone."""
    names: list[str] = []
    file.visit(lambda name: names.append(name) if name.endswith("rotation_angle") else None)
    for name in sorted(names, key=lambda name: ("sample" not in name, name)):
        found = find(file, name)
        values = None if found is None else np.ravel(array(found))
        if found is not None and values is not None and len(values) == len(kinds):
            return values[kinds == _PROJECTION], units(found)
        if found is not None and values is not None and len(values) == np.sum(kinds == _PROJECTION):
            return values, units(found)
    return None, "deg"


def _mean(images: h5py.Dataset, wanted: np.ndarray) -> np.ndarray | None:
    """Mean of some images, read one at a time."""
    chosen = np.flatnonzero(wanted)
    if not chosen.size:
        return None
    total = np.zeros(images.shape[1:], dtype=np.float64)
    for number in chosen:
        total += images[int(number)]
    return total / chosen.size
