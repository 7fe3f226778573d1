"""The formats of measurements, how a file's format is told, and the one function that reads them all."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adorym._core import DataError, JobError
from adorym.data import Dataset
from adorym.io._cxi import is_cxi, read_cxi
from adorym.io._data_exchange import is_data_exchange, read_data_exchange
from adorym.io._dataset import make_dataset
from adorym.io._exchange import is_exchange, read_exchange
from adorym.io._hdf5 import is_hdf5, open_hdf5
from adorym.io._nexus import is_nexus, read_nexus
from adorym.io._numpy import is_numpy, read_numpy
from adorym.io._nxtomo import is_nxtomo, read_nxtomo
from adorym.io._options import accepted_keys, refuse_unknown, suggestion, take
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording
from adorym.io._tiff import is_tiff, read_tiff_stack
from adorym.io._validate import validate


@dataclasses.dataclass(frozen=True)
class Format:
    """One way of storing measurements.

    Attributes:
        name: what a job calls it.
        description: one line for `adorym formats`.
        sniff: whether a path looks like it; never raises on foreign files.
        read: `(path, overrides, *, its own keys) -> Recording`; the keyword-only parameters are its keys in [data].

    Example:
        >>> FORMATS["cxi"].description
        'CXI: ptychography and diffraction (HDF5)'
    """

    name: str
    description: str
    sniff: Callable[[Path], bool]
    read: Callable[..., Recording]

    def keys(self) -> dict[str, Any]:
        """All keys that [data] may hold for this format, with their annotations.

        Example:
            >>> "energy" in FORMATS["tiff"].keys(), "flat" in FORMATS["tiff"].keys()
            (True, True)
        """
        return {**accepted_keys(self.read), **accepted_keys(Overrides)}


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        one.name: one
        for one in (
            Format("nexus", "adorym's own data sets (NeXus/HDF5)", is_nexus, read_nexus),
            Format("exchange", "the earlier Adorym's layout, exchange/data (HDF5)", is_exchange, read_exchange),
            Format("cxi", "CXI: ptychography and diffraction (HDF5)", is_cxi, read_cxi),
            Format("tiff", "TIFF stacks with an angles file, flat and dark fields", is_tiff, read_tiff_stack),
            Format("numpy", "NumPy archives (.npz, .npz.bz2, .npy) with a key map", is_numpy, read_numpy),
            Format("data exchange", "Data Exchange tomography (HDF5)", is_data_exchange, read_data_exchange),
            Format("nxtomo", "NXtomo: tomography with an image key (NeXus/HDF5)", is_nxtomo, read_nxtomo),
        )
    }
)
"""All formats by name, in the order in which a file is tried against them."""


def find_format(path: str | os.PathLike[str], format: str = "auto") -> Format:
    """The format of a file, by name or by looking into it.

    Args:
        path: file, folder or glob pattern.
        format: a name in `FORMATS`, or "auto".

    Raises:
        DataError: no such file, a truncated one, or a format nobody here reads.
        JobError: an unknown name.

    Example:
        >>> find_format("scans/*.tif", "tiff").name
        'tiff'
    """
    if format != "auto":
        if format not in FORMATS:
            raise JobError(f"data.format is {format!r}: {suggestion(format, FORMATS)}")
        return FORMATS[format]
    place = Path(path)
    if not place.exists() and not any(letter in str(path) for letter in "*?["):
        raise DataError(f"{place} does not exist: check the path in [data].")
    if is_hdf5(place):
        with open_hdf5(place):
            pass  # a truncated file says so here, before every format denies it
    for one in FORMATS.values():
        if one.sniff(place):
            return one
    raise DataError(
        f"{place} is of no format known here ({', '.join(FORMATS)}): convert it, or name one with format in [data]."
    )


def read_dataset(
    path: str | os.PathLike[str], *, format: str = "auto", options: Mapping[str, object] | None = None
) -> Dataset:
    """A measurement, read lazily and checked.

    Metadata, masks and positions are read now and follow CONVENTIONS; frames are read when they are needed. All frames
    are looked at once, a view at a time, so that what is returned is finite and not negative.

    Args:
        path: file, folder or (TIFF) glob pattern.
        format: a name in `FORMATS`, or "auto" to look into the file.
        options: further keys of a job's [data]: what `Overrides` lists, and the format's own. Quantities are SI numbers
            or text with a unit ("5 keV").

    Raises:
        DataError: the file or what it holds cannot be used; one sentence says what, where and what to do.
        JobError: an unknown key, or a value that does not fit.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> file = Path(tempfile.mkdtemp()) / "holograms.npz"
        >>> np.savez(file, frames=np.ones((3, 8, 8)), angles=np.linspace(0, 3, 3))
        >>> data = read_dataset(file, options={"energy": "5 keV", "pixel": "2 nm", "distances": "1 um"})
        >>> data.technique, data.frames.shape, data.wavelength
        ('holography', (3, 1, 8, 8), 2.47968396e-10)
    """
    place = Path(path)
    chosen = find_format(place, format)
    given = dict(options or {})
    refuse_unknown(given, chosen.keys(), f"[data] for the format '{chosen.name}'")
    overrides = Overrides(**take(given, accepted_keys(Overrides)))
    recording = chosen.read(place, overrides, **take(given, accepted_keys(chosen.read)))
    dataset = make_dataset(recording, overrides)
    validate(dataset)
    return dataset
