"""The registry, telling formats apart, and whole-file faults: each one sentence, never a traceback of a library."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adorym._core import AdorymError, DataError, JobError
from adorym.io import FORMATS, Format, Overrides, find_format, read_dataset, write_dataset
from adorym.io._options import accepted_keys

REAL = {
    "cone128_holography_adorym.h5": "exchange",
    "cone128_ptychotomography_adorym.h5": "exchange",
    "p25_nearfield_ptycho/PETRAIII_P25_Near_Field_Ptycho.cxi": "cxi",
    "aps_siemens_star_ptycho/siemens-star-small.npz.bz2": "numpy",
    "tomo_savu_tiff/tiffs": "tiff",
    "tomo_savu_tiff/flat_00001.tiff": "tiff",
    "tomo_tooth_dataexchange/tooth.h5": "data exchange",
    "nxtomo_diad_k11/k11-18014.nxs": "nxtomo",
    "format_zoo/minimal.cxi": "cxi",
    "format_zoo/DataExchange-example5.h5": "data exchange",
    "format_zoo/NXtomo_DLS_24888.nxs": "nxtomo",
}
FOREIGN = [
    "README.md",
    "cone128_holography_adorym_truth.h5",
    "txm_xradia_chip/test_chip00.xrm",
    "format_zoo/CIL_nexus_data_72.nxs",
    "format_zoo/NXtomo_savu_multimodal_mm.nxs",
    "format_zoo/EMPAD_scan_x4_y4.raw",
    "format_zoo/ESRF_i01f0001.edf.gz",
    "format_zoo/fabio_im0000.edf",
]


@pytest.mark.parametrize(("name", "expected"), REAL.items())
def test_real_files_are_told_apart(shared_data: Path, name: str, expected: str) -> None:
    assert find_format(shared_data / name).name == expected
    assert [one.name for one in FORMATS.values() if one.sniff(shared_data / name)] == [expected]


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_a_sentence(shared_data: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"is of no format known here \(nexus, exchange, cxi"):
        read_dataset(shared_data / name)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_refuses_what_it_is_not(form: Format, tmp_path: Path, write_hdf5: Any) -> None:
    text, empty = tmp_path / "notes.txt", write_hdf5({"something": 1.0}, "else.h5")
    text.write_text("no measurement")
    for path in (text, empty, tmp_path, tmp_path / "absent.h5"):
        assert not form.sniff(path)
        with pytest.raises(AdorymError) as caught:
            read_dataset(path, format=form.name)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_takes_all_overrides(form: Format) -> None:
    assert {"energy", "angles", "views", "mask", "flips"} <= form.keys().keys()
    assert form.description


def test_our_own_files_are_told_apart(make_dataset: Any, tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    assert [one.name for one in FORMATS.values() if one.sniff(path)] == ["nexus"]


def test_the_name_of_a_format(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"data.format is 'nexsu': did you mean 'nexus'\?"):
        find_format(tmp_path, "nexsu")
    with pytest.raises(JobError, match="use one of nexus, exchange"):
        find_format(tmp_path, "qqqqqq")


def test_an_absent_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.h5 does not exist: check the path in \[data\]"):
        read_dataset(tmp_path / "absent.h5")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_a_sentence(make_dataset: Any, tmp_path: Path, part: float) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DataError, match=r"a.h5 is truncated"):
        read_dataset(path)


def test_a_damaged_header_is_a_sentence(make_dataset: Any, tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    path.write_bytes(path.read_bytes()[:8] + bytes(100))
    with pytest.raises(DataError, match=r"a.h5 (cannot be opened as HDF5|is truncated)"):
        read_dataset(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"enrgy": 5000.0}, r"data.enrgy is no key of \[data\] for the format 'nexus': did you mean 'energy'\?"),
        ({"keys": {}}, "data.keys is no key"),
        ({"energy": "5 nm"}, "data.energy: "),
        ({"energy": -5.0}, "data.energy is -5.0: give a positive number"),
        ({"energy": [5000.0]}, "data.energy is"),
        ({"pixel": True}, "data.pixel"),
        ({"regime": "near"}, "data.regime is 'near': did you mean 'near field'"),
        ({"flips": ["z"]}, "data.flips is 'z'"),
        ({"flips": "x"}, r"data.flips is 'x': give a list \('x' or 'y' each\)"),
        ({"transpose": 1}, "data.transpose is 1: give true or false"),
        ({"views": "a:b"}, 'data.views is "a:b": write a slice'),
        ({"views": "1:2:3:4"}, "write a slice"),
        ({"views": [0, 3]}, r"data.views = \(0, 3\) does not fit the 3 there are"),
        ({"views": "5:9"}, "does not fit the 3"),
        ({"frames": [-3]}, "data.frames = .* does not fit the 2"),
        ({"weights": [1, 1, 1, 1]}, "data.weights has 4 numbers"),
        ({"angles": ["0 deg", "90 def", "180 deg"]}, "data.angles: "),
        ({"angles": [0, 90, 180]}, "needs its unit"),
        ({"angles": [0, 1, 2], "angle_unit": "deg"}, "data.angle_unit is for files"),
        ({"position_axes": ["y", "y"]}, "data.position_axes"),
        ({"mask_outside": [1.0]}, "data.mask_outside has 1 numbers: give two"),
        ({"crop_size": [1, 2, 3]}, "data.crop_size"),
    ],
)
def test_wrong_keys_and_values_are_sentences(
    make_dataset: Any, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    with pytest.raises(JobError, match=words) as caught:
        read_dataset(path, options=options)
    assert "\n" not in str(caught.value)


def test_overrides_take_what_python_gives() -> None:
    assert Overrides().position_axes == ("y", "x")
    with pytest.raises(JobError, match=r"data\.photons"):
        Overrides(photons=float("nan"))


def test_quantities_may_be_text_or_numbers(make_dataset: Any, tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "a.h5", make_dataset())
    text = read_dataset(path, options={"energy": "6 keV", "angles": ["0 deg", "90 deg", "180 deg"]})
    numbers = read_dataset(path, options={"energy": 6000, "angles": np.array([0, np.pi / 2, np.pi])})
    assert text.energy == numbers.energy == 6000.0
    np.testing.assert_allclose(text.angles, numbers.angles)


def test_the_page_names_every_format_and_its_keys() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "data-format.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `")}
    rows.pop("format")
    assert list(rows) == list(FORMATS)
    for name, form in FORMATS.items():
        assert [key for key in accepted_keys(form.read) if f"`{key}" not in rows[name]] == []


def test_every_override_is_documented() -> None:
    named = set(re.findall(r"^    (\w+):", inspect.getdoc(Overrides) or "", re.MULTILINE))
    assert named == accepted_keys(Overrides).keys()
