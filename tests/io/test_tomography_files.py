"""Data Exchange and NXtomo: projections, flats and darks from one file, linked files included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adorym._core import DataError
from adorym.io import read_dataset

FIRST = np.array([0])


def test_data_exchange(write_hdf5: Any, rng: np.random.Generator) -> None:
    frames, white, dark = rng.random((3, 4, 5)) + 1, rng.random((2, 4, 5)) + 2, rng.random((2, 4, 5))
    path = write_hdf5(
        {
            "exchange/data": frames, "exchange/data_white": white, "exchange/data_dark": dark,
            "exchange/theta": np.array([0.0, 90.0, 180.0]),
            "measurement/instrument/monochromator/energy": (20.0, {"units": "keV"}),
        }
    )  # fmt: skip
    data = read_dataset(path, options={"pixel": "1 um"})
    assert (data.technique, data.energy, data.pixel) == ("tomography", 20e3, 1e-6)
    np.testing.assert_allclose(data.angles, [0, np.pi / 2, np.pi])  # degrees, as the definition says
    np.testing.assert_allclose(data.frames.read(1, FIRST)[0], frames[1] * data.mask, rtol=1e-6)
    np.testing.assert_allclose(data.flat, white.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(data.dark, dark.mean(axis=0), rtol=1e-6)
    assert read_dataset(path).pixel_units  # an energy alone gives no lengths


def test_an_energy_in_an_unknown_unit(write_hdf5: Any) -> None:
    energy = (20.0, {"units": "furlong"})
    path = write_hdf5({"exchange/data": np.ones((3, 4, 5)), "measurement/instrument/monochromator/energy": energy})
    with pytest.raises(DataError, match="is in 'furlong': give energy"):
        read_dataset(path)


def nxtomo(kinds: list[int], angles: np.ndarray | None, units: str = "deg") -> dict[str, Any]:
    images = np.arange(len(kinds))[:, None, None] + np.ones((len(kinds), 3, 4))
    contents: dict[str, Any] = {
        "entry/tomo_entry/instrument/detector/data": images,
        "entry/tomo_entry/instrument/detector/image_key": np.array(kinds),
    }
    if angles is not None:
        contents["entry/tomo_entry/sample/rotation_angle"] = (angles, {"units": units})
    return contents


KINDS = [2, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("angles", "units"),
    [(np.array([0, 0, 10, 20, 20, 30.0]), "deg"), (np.array([10, 20, 30.0]), ""), (np.deg2rad([10, 20, 30]), "rad")],
)
def test_nxtomo(write_hdf5: Any, angles: np.ndarray, units: str) -> None:
    data = read_dataset(write_hdf5(nxtomo(KINDS, angles, units)), options={"mask_outside": [0, 99]})
    np.testing.assert_allclose(np.rad2deg(data.angles), [10, 20, 30])
    assert [data.frames.read(view, FIRST)[0, 0, 0] for view in range(3)] == [3, 4, 6]
    assert (data.flat[0, 0], data.dark[0, 0]) == (3.5, 1)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (nxtomo(KINDS, None), "3 views but no angles"),
        (nxtomo(KINDS, np.zeros(2)), "3 views but no angles"),
        ({**nxtomo(KINDS, None), "entry/tomo_entry/instrument/detector/image_key": np.zeros(4)}, "4 image keys"),
    ],
)
def test_bad_nxtomo_is_a_sentence(write_hdf5: Any, contents: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_dataset(write_hdf5(contents))


def test_a_link_to_a_missing_file_is_a_sentence(write_hdf5: Any) -> None:
    path = write_hdf5(nxtomo(KINDS, np.zeros(6)))
    with h5py.File(path, "r+") as file:
        del file["entry/tomo_entry/instrument/detector/data"]
        file["entry/tomo_entry/instrument/detector/data"] = h5py.ExternalLink("images.h5", "data")
    with pytest.raises(DataError, match=r"detector/data in .* points to images.h5, which is missing"):
        read_dataset(path)
    with h5py.File(path.parent / "images.h5", "w") as file:
        file["data"] = np.ones((6, 3, 4))
        file["data"][1] = file["data"][4] = 2
    assert read_dataset(path).frames.shape == (3, 1, 3, 4)


def test_the_tooth(shared_data: Path) -> None:
    data = read_dataset(shared_data / "tomo_tooth_dataexchange" / "tooth.h5", options={"axis_column": 296})
    assert data.frames.shape == (181, 1, 2, 640)
    np.testing.assert_allclose(np.rad2deg(data.angles[-1]), 179, atol=0.01)
    assert data.axis_offset == 296 - 319.5
    transmission = (data.frames.read(0, FIRST)[0] - data.dark) / (data.flat - data.dark)
    assert 0.4 < transmission.mean() < 1


def test_linked_projections_of_diad(shared_data: Path) -> None:
    path = shared_data / "nxtomo_diad_k11" / "k11-18014.nxs"
    data = read_dataset(path, options={"angles": np.linspace(0, np.pi, 3001)})
    assert data.frames.shape == (3001, 1, 22, 26)
    assert data.flat is not None
    assert data.dark is not None
    with pytest.raises(DataError, match="3001 views but no angles"):
        read_dataset(path)


@pytest.mark.parametrize("name", ["NXtomo_DLS_24888.nxs", "NXtomo_DLS_i12_112482.nxs"])
def test_projections_left_at_the_beamline(shared_data: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"points to .*\.hdf, which is missing"):
        read_dataset(shared_data / "format_zoo" / name)
