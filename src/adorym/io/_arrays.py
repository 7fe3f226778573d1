"""A few named arrays in one HDF5 file: probes, predicted frames."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from adorym._core import DataError
from adorym.io._atomic import atomic_path


def write_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    *,
    attributes: Mapping[str, str | float | int] | None = None,
) -> Path:
    """Write arrays as datasets of one HDF5 file, whole or not at all.

    Args:
        path: the file; replaced where it exists.
        arrays: dataset name to array of any shape and numeric type.
        attributes: facts about them, in SI units, as attributes of the file's root.

    Returns:
        the file.

    Raises:
        AdorymError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> path = write_arrays(tempfile.mkdtemp() + "/probe.h5", {"probe": np.ones((1, 4, 4), complex)})
        >>> path.name
        'probe.h5'
    """
    import h5py

    target = Path(path)
    with atomic_path(target) as part, h5py.File(part, "w") as file:
        file.attrs.update(dict(attributes or {}))
        for name, array in arrays.items():
            large = {"compression": "gzip", "shuffle": True} if array.nbytes > 65536 else {}
            file.create_dataset(name, data=array, **large)
    return target


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str | float | int]]:
    """Read what `write_arrays` wrote.

    Args:
        path: the file.

    Returns:
        the arrays by name, and the attributes.

    Raises:
        DataError: the file is missing or not HDF5.

    Example:
        >>> import tempfile
        >>> path = write_arrays(tempfile.mkdtemp() + "/a.h5", {"a": np.arange(2)}, attributes={"pixel": 2e-9})
        >>> read_arrays(path)
        ({'a': array([0, 1])}, {'pixel': 2e-09})
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            arrays = {name: dataset[...] for name, dataset in file.items() if isinstance(dataset, h5py.Dataset)}
            attributes = {name: _native(value) for name, value in file.attrs.items()}
    except OSError as error:
        raise DataError(f"{path} cannot be read as HDF5: check the path or write it again.") from error
    return arrays, attributes


def _native(value: object) -> str | float | int:
    return value.item() if isinstance(value, np.generic) else str(value)
