"""Checkpoints keep every bit, and a damaged one is never used."""

from __future__ import annotations

import json
import struct
import tracemalloc
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from adorym._core import AdorymError, DataError
from adorym.io import latest_checkpoint, read_checkpoint, write_checkpoint

_PAYLOAD = np.array([0x7FC12345, 0x80000000, 0x00000001], np.uint32).view(np.float32)  # NaN payload, -0, subnormal


def _arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "model.delta": rng.standard_normal((3, 4, 5)).astype(np.float32),
        "float64": rng.standard_normal(7),
        "complex64": (rng.standard_normal(6) + 1j * rng.standard_normal(6)).astype(np.complex64).reshape(2, 3),
        "complex128": np.array([1 + 2j, complex(np.nan, -0.0)]),
        "count": np.array(12, np.int32),
        "flag": np.array([True, False, True]),
        "scalar flag": np.array(True),
        "key": np.array([4022250974, 7], np.uint32),
        "empty": np.empty((0, 3), np.float32),
        "half": np.float16([1.5, 2.25]),
        "special": _PAYLOAD,
    }


def _same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    return (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes())


def test_every_bit_comes_back_in_order(tmp_path: Path) -> None:
    header = {"seed": 3, "rate": 0.1 + 0.2, "nested": {"slabs": [1, 2], "name": "κ"}, "none": None}
    found = read_checkpoint(write_checkpoint(tmp_path / "checkpoints", 12, _arrays(), header=header))
    assert found.step == 12
    assert found.header == header
    assert list(found.arrays) == list(_arrays())
    for name, array in _arrays().items():
        assert _same_bits(found.arrays[name], array), name
        assert found.arrays[name].flags.writeable


@given(
    arrays_of.arrays(
        st.sampled_from(["f4", "f8", "c8", "c16", "i8", "u4", "?"]), arrays_of.array_shapes(min_dims=0, max_side=4)
    )
)
def test_any_array_comes_back(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("any")
    assert _same_bits(read_checkpoint(write_checkpoint(folder, 0, {"a": array}, header={})).arrays["a"], array)


def test_strided_and_big_endian_arrays_keep_their_values(tmp_path: Path) -> None:
    base = np.arange(24.0).reshape(4, 6)
    given_arrays = {"transposed": base.T, "strided": base[::2, ::3], "big": base.astype(">f8")}
    found = read_checkpoint(write_checkpoint(tmp_path, 1, given_arrays, header={})).arrays
    for name, array in given_arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.float64
        assert found[name].dtype.isnative


def test_arrays_are_aligned_and_little_endian_in_the_file(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 1, {"a": np.array([1, 2], ">i4"), "b": np.array([3.0])}, header={})
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<8sIQ", content)
    table = json.loads(content[20 : 20 + length])["arrays"]
    assert (magic, version) == (b"ADORYMCK", 1)
    assert (20 + length) % 64 == 0
    assert [entry["offset"] % 64 for entry in table] == [0, 0]
    assert content[20 + length :][:8] == np.array([1, 2], "<i4").tobytes()


def test_any_flipped_byte_and_any_cut_is_noticed(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 1, {"a": np.arange(5.0), "b": np.array(True)}, header={"seed": 1})
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        with pytest.raises(DataError):
            read_checkpoint(path)
        path.write_bytes(whole[:position])
        with pytest.raises(DataError):
            read_checkpoint(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(DataError, match="damaged"):
        read_checkpoint(path)


def test_a_header_that_announces_a_huge_array_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 1, {"a": np.zeros(3)}, header={})
    path.write_bytes(path.read_bytes().replace(b'"shape": [3]', b'"shape": [9]').replace(b"[9]", b"[9999999999999]"))
    with pytest.raises(DataError, match="damaged"):
        read_checkpoint(path)


def test_the_newest_valid_one_is_found_and_the_others_are_named(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        write_checkpoint(tmp_path, step, {"a": np.full(4, float(step))}, header={}, keep=3)
    newest = tmp_path / "step-00000015.ckpt"
    newest.write_bytes(newest.read_bytes()[:-10])
    (tmp_path / "step-00000020.ckpt.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    found = latest_checkpoint(tmp_path)
    assert found.checkpoint is not None
    assert found.checkpoint.step == 10
    assert len(found.skipped) == 1
    assert "step-00000015.ckpt" in found.skipped[0]


def test_no_checkpoint_is_not_an_error(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "absent").checkpoint is None
    (tmp_path / "step-00000001.ckpt").write_bytes(b"")
    found = latest_checkpoint(tmp_path)
    assert found.checkpoint is None
    assert len(found.skipped) == 1


def test_only_the_last_ones_stay_and_an_abandoned_future_goes(tmp_path: Path) -> None:
    for step in (1, 2, 3, 100_000_000):
        write_checkpoint(tmp_path, step, {}, header={}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003.ckpt", "step-100000000.ckpt"]
    write_checkpoint(tmp_path, 4, {}, header={}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003.ckpt", "step-00000004.ckpt"]


def test_a_failed_write_leaves_the_previous_one_and_no_rubbish(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 1, {"a": np.zeros(3)}, header={})
    with pytest.raises(AdorymError, match="cannot be stored as JSON"):
        write_checkpoint(tmp_path, 2, {"a": np.zeros(3)}, header={"bad": object()})
    with pytest.raises(AdorymError, match="'text'"):
        write_checkpoint(tmp_path, 2, {"text": np.array(["no"])}, header={})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.ckpt"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AdorymError, match="cannot be made"):
        write_checkpoint(tmp_path / "file" / "checkpoints", 1, {}, header={})


def test_a_newer_format_says_so(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 1, {}, header={})
    content = bytearray(path.read_bytes())
    content[8] = 2
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="has format 2"):
        read_checkpoint(path)


def test_one_array_is_there_at_a_time(tmp_path: Path) -> None:
    """All of them at once may be more than there is memory for."""
    asked: list[weakref.ref[np.ndarray]] = []

    class Alone(Mapping[str, np.ndarray]):
        def __getitem__(self, name: str) -> np.ndarray:
            assert not any(one() is not None for one in asked[:-1])
            array = np.full(1000, float(name))
            asked.append(weakref.ref(array))
            return array

        def __iter__(self) -> Iterator[str]:
            return iter("01234")

        def __len__(self) -> int:
            return 5

    found = read_checkpoint(write_checkpoint(tmp_path, 1, Alone(), header={})).arrays
    assert [float(array[0]) for array in found.values()] == [0, 1, 2, 3, 4]


def test_a_checkpoint_is_not_held_in_memory(tmp_path: Path) -> None:
    """What goes on from it has room for one array beside its own, not for all of them twice."""
    size = 48 << 20
    path = write_checkpoint(tmp_path, 1, {f"{i}": np.full(size // 8 // 4, float(i)) for i in range(4)}, header={})
    tracemalloc.start()
    found = read_checkpoint(path).arrays
    assert tracemalloc.get_traced_memory()[1] < size
    tracemalloc.reset_peak()
    assert [float(found[name][-1]) for name in found] == [0, 1, 2, 3]
    assert tracemalloc.get_traced_memory()[1] < size // 2
    tracemalloc.stop()
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        _ = found["0"]
