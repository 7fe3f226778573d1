"""Data Exchange tomography (APS): `exchange/data [theta, y, x]`, `data_white`, `data_dark`, `theta` in degrees."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from adorym._core import DataError
from adorym.io._hdf5 import Hdf5Frames, array, find, is_hdf5, open_hdf5, scalar, units
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording

_PLACES = ("exchange", "exchange/data")
_ENERGY = "measurement/instrument/monochromator/energy"
_EV = {"ev": 1.0, "kev": 1e3, "": 1e3}  # the definition counts in keV


def is_data_exchange(path: Path) -> bool:
    """Whether a file has three-dimensional `exchange/data`."""
    if not is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return _place(file) is not None


def read_data_exchange(path: Path, overrides: Overrides) -> Recording:
    """Projections with flat and dark fields; angles without a unit are degrees, as the definition says.

    Args:
        path: the file.
        overrides: the rest of [data].

    Raises:
        DataError: something is missing or does not fit.
    """
    with open_hdf5(path) as file:
        place = _place(file)
        if place is None:
            raise DataError(f"{path} has no three-dimensional exchange/data: name its format in [data].")
        name, theta = f"{place}/data", find(file, f"{place}/theta")
        data = find(file, name)
        count = 0 if data is None else data.shape[0]
        energy = find(file, _ENERGY)
        factor = 1.0 if energy is None else _EV.get(units(energy))
        if factor is None:
            raise DataError(f"{_ENERGY} in {path} is in {units(energy)!r}: give energy in [data].")  # type: ignore[arg-type]
        value = scalar(file, _ENERGY)
        return Recording(
            path=path,
            frames=Hdf5Frames(path, name, index=np.arange(count)[:, None]),
            technique="tomography",
            regime=overrides.regime or "in focus",
            energy=None if value is None else value * factor,
            angles=None if theta is None else np.ravel(array(theta)),
            angle_unit="rad" if theta is not None and units(theta).startswith("rad") else "deg",
            flat=_mean(file, f"{place}/data_white"),
            dark=_mean(file, f"{place}/data_dark"),
        )


def _place(file: h5py.File) -> str | None:
    """The group that holds the projections."""
    for place in _PLACES:
        found = find(file, f"{place}/data")
        if found is not None and found.ndim == 3:
            return place
    return None


def _mean(file: h5py.File, name: str) -> np.ndarray | None:
    found = find(file, name)
    return None if found is None else np.mean(array(found).reshape(-1, *found.shape[-2:]), axis=0)
