"""Small measurements, and files of every layout that hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adorym.data import ArrayFrames, Dataset

Make = Callable[..., Dataset]
Write = Callable[..., Path]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def make_dataset(rng: np.random.Generator) -> Make:
    """A holography data set of 3 views and 2 frames, any field of which may be replaced."""

    def make(**changes: Any) -> Dataset:
        fields: dict[str, Any] = {
            "frames": ArrayFrames(rng.poisson(100.0, (3, 2, 6, 8)).astype(np.float32)),
            "technique": "holography",
            "regime": "near field",
            "pixel": 2e-9,
            "energy": 5000.0,
            "angles": np.array([0.0, 0.5, 1.25]),
            "distances": np.array([1e-6, 2e-6]),
            "mask": np.ones((6, 8), dtype=bool),
            "weights": np.ones((3, 2), dtype=np.float32),
            "source": "scan.h5",
        }
        return Dataset(**{**fields, **changes})

    return make


@pytest.fixture
def write_hdf5(tmp_path: Path) -> Write:
    """An HDF5 file from paths and values; a value may be (array, attributes)."""

    def write(contents: dict[str, Any], name: str = "scan.h5") -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in contents.items():
                values, attributes = value if isinstance(value, tuple) else (value, {})
                file.create_dataset(key, data=values).attrs.update(attributes)
        return path

    return write


@pytest.fixture
def write_exchange(write_hdf5: Write, rng: np.random.Generator) -> Write:
    """The earlier Adorym's layout: full field unless `metadata/probe_pos_px` is given; `None` leaves a dataset out."""

    def write(**changes: Any) -> Path:
        contents: dict[str, Any] = {
            "exchange/data": np.sqrt(rng.poisson(50.0, (3, 1, 8, 8))).astype(np.float32),
            "metadata/energy_ev": 2000.0,
            "metadata/psize_cm": 2e-7,
            "metadata/theta": np.array([0.0, 1.0, 2.0]),
            "metadata/free_prop_cm": 3e-5,
        }
        contents |= {key.replace("__", "/"): value for key, value in changes.items()}
        return write_hdf5({key: value for key, value in contents.items() if value is not None})

    return write


@pytest.fixture
def write_cxi(write_hdf5: Write, rng: np.random.Generator) -> Write:
    """A CXI ptychography file of 4 frames of 6 x 6; `None` leaves a dataset out."""
    detector = "entry_1/instrument_1/detector_1"

    def write(**changes: Any) -> Path:
        contents: dict[str, Any] = {
            "cxi_version": 160,
            "entry_1/data_1/data": rng.poisson(20.0, (4, 6, 6)).astype(np.int32),
            f"{detector}/distance": 1.0,
            f"{detector}/x_pixel_size": 50e-6,
            f"{detector}/y_pixel_size": 50e-6,
            "entry_1/instrument_1/source_1/energy": 1.602176634e-19 * 8000.0,
            "entry_1/sample_1/geometry_1/translation": np.array(
                [[1e-6, 5e-6, 0], [2e-6, 5e-6, 0], [1e-6, 8e-6, 0], [2e-6, 8e-6, 0]]
            ),
        }
        short = {"distance", "mask", "basis_vectors", "x_pixel_size", "y_pixel_size"}
        for key, value in changes.items():
            contents[f"{detector}/{key}" if key in short else key.replace("__", "/")] = value
        return write_hdf5({key: value for key, value in contents.items() if value is not None}, "scan.cxi")

    return write
