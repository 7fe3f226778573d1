"""Signatures as schemas: which keys a constructor has, how values are read, what is said of those that do not fit."""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from adorym._core import Energy, JobError, Length
from adorym.config import REQUIRED, build_arguments, describe
from adorym.config._schema import toml_type
from adorym.config._types import Place


@dataclasses.dataclass(frozen=True)
class Ring:
    """A ring.

    Args:
        inner, outer: radii.
    """

    inner: Length
    outer: Length = 1e-6
    tags: list[str] = dataclasses.field(default_factory=list)


class Wrapped:
    """A class with a constructor of its own."""

    def __init__(self, *, count: int = 2) -> None:
        self.count = count


def everything(
    *,
    whole: int = 1,
    real: float = 1.0,
    flag: bool = False,
    word: str = "a",
    pick: Literal["left", "right", 3] = "left",
    maybe: Optional[float] = None,  # noqa: UP045
    auto: int | Literal["auto"] = "auto",
    file: str | os.PathLike[str] = Path("x"),
    energy: Energy = 5000.0,
    thickness: Length | Sequence[Length] = 1e-9,
    pair: tuple[int, str] = (1, "a"),
    names: list[str] = [],  # noqa: B006
    rates: Mapping[str, float] | float = 1.0,
    ring: Ring | None = None,
    rings: tuple[Ring, ...] = (),
    noted: Annotated[int, "a note"] = 1,
) -> None:
    """All annotations a job can express."""


def read(**table: Any) -> Any:
    (value,) = build_arguments(everything, table).values()
    return value


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ({"whole": -3}, -3),
        ({"real": 2}, 2.0),
        ({"real": math.inf}, math.inf),
        ({"flag": True}, True),
        ({"word": "π"}, "π"),
        ({"pick": "right"}, "right"),
        ({"pick": 3}, 3),
        ({"maybe": 2.5}, 2.5),
        ({"maybe": "none"}, None),
        ({"auto": 4}, 4),
        ({"auto": "auto"}, "auto"),
        ({"file": "a/b.h5"}, Path("a/b.h5")),
        ({"energy": "5.5 keV"}, 5500.0),
        ({"thickness": "2 nm"}, 2e-9),
        ({"thickness": ["2 nm", 3e-9]}, (2e-9, 3e-9)),
        ({"pair": [2, "b"]}, (2, "b")),
        ({"names": ["a", "b"]}, ["a", "b"]),
        ({"rates": {"object.delta": 1}}, {"object.delta": 1.0}),
        ({"rates": 3}, 3.0),
        ({"ring": {"inner": "2 nm"}}, Ring(2e-9)),
        ({"rings": [{"inner": 1, "tags": ["x"]}]}, (Ring(1.0, tags=["x"]),)),
        ({"noted": 5}, 5),
    ],
)
def test_values_become_what_the_annotation_says(table, value):
    result = read(**table)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"whole": "ten"}, 'whole: expected a whole number, got "ten"'),
        ({"whole": 1.0}, "whole: expected a whole number, got 1.0"),
        ({"whole": True}, "whole: expected a whole number, got true"),
        ({"real": True}, "real: expected a number, got true"),
        ({"real": math.nan}, "real: expected a number, got nan"),
        ({"real": "2 nm"}, 'real: expected a number, got "2 nm"'),
        ({"flag": 1}, "flag: expected true or false, got 1"),
        ({"word": datetime.date(2026, 1, 2)}, "word: expected text in quotes, got 2026-01-02"),
        ({"pick": "rihgt"}, 'pick: expected "left" or "right" or 3, got "rihgt"; did you mean "right"?'),
        ({"pick": 3.0}, 'pick: expected "left" or "right" or 3, got 3.0'),
        ({"maybe": "x"}, 'maybe: expected a number, got "x"'),
        ({"auto": "aut"}, 'auto: expected "auto" or a whole number, got "aut"'),
        ({"file": ""}, 'file: expected a file path in quotes, got ""'),
        ({"energy": "5 nm"}, 'energy: "5 nm" has an unknown unit of energy, nm; known units: eV, keV, MeV'),
        ({"energy": [5]}, 'energy: expected an energy such as "5 keV" or a number of eV, got [5]'),
        ({"thickness": [1, "x"]}, 'thickness[1]: expected a length such as "2 nm" or a number of metres, got "x"'),
        ({"rates": "a"}, 'rates: expected a number or a table, each value a number, got "a"'),
        ({"pair": [1]}, "pair: expected a list of 2 (a whole number, text in quotes), got [1]"),
        ({"names": "a"}, 'names: expected a list, each item text in quotes, got "a"'),
        ({"rates": {"a": "b"}}, 'rates.a: expected a number, got "b"'),
        ({"ring": {"iner": 1}}, "ring.iner: unknown key; did you mean inner?"),
        ({"ring": {}}, 'ring.inner: missing; give a length such as "2 nm" or a number of metres (radii.)'),
        ({"rings": [{"inner": 1, "outer": {}}]}, "rings[0].outer: expected a length"),
        ({"ring": "x" * 99}, f'ring: expected a table of inner, outer, tags, got "{"x" * 56}...'),
        ({"wole": 1}, "wole: unknown key; did you mean whole?"),
        ({"zzzzz": 1}, "zzzzz: unknown key; known: whole, real, flag"),
    ],
)
def test_messages_say_where_and_what(table, message):
    with pytest.raises(JobError) as caught:
        build_arguments(everything, table)
    assert str(caught.value).startswith(f"experiment.{message}")


def test_missing_keys_are_named_with_their_meaning():
    def needs(*, size: int) -> None:
        """Needs.

        Args:
            size: voxels along
                each axis.
        """

    with pytest.raises(JobError, match=r"^phantom\.size: missing; give a whole number \(voxels along each axis\.\)$"):
        build_arguments(needs, {}, "phantom")


def test_paths_follow_the_folder(tmp_path):
    assert build_arguments(everything, {"file": "a.h5"}, folder=tmp_path) == {"file": tmp_path / "a.h5"}
    assert build_arguments(everything, {"file": str(tmp_path / "b")}, folder=Path("/c")) == {"file": tmp_path / "b"}


def test_fields_carry_default_and_meaning(registries):
    fields = {
        field.name: field for field in registries["experiment"].fields(registries["experiment"].kinds["holography"])
    }
    assert list(fields) == ["slab_voxels", "voxel", "distances", "tilt", "boundary"]  # no data, no hook
    assert fields["slab_voxels"].default is REQUIRED
    assert fields["slab_voxels"].doc == "voxels that share one slab | thickness."
    assert fields["distances"].doc == "sample to detector, one for each frame."
    assert fields["tilt"].doc == "of the axis."
    assert [(field.name, field.default, field.doc) for field in describe(Ring)] == [
        ("inner", REQUIRED, "radii."),
        ("outer", 1e-6, "radii."),
        ("tags", [], ""),
    ]


def test_classes_and_what_the_program_gives():
    assert build_arguments(Wrapped, {"count": 3}) == {"count": 3}
    assert describe(Wrapped, given=["count"]) == ()
    with pytest.raises(JobError, match="count: unknown key"):
        build_arguments(Wrapped, {"count": 3}, given=["count"])


def test_equinox_modules_are_constructors_too():
    import equinox as eqx

    class Plane(eqx.Module):
        """A plane wave.

        Attributes:
            photons: per frame.
        """

        photons: float
        field: Float[np.ndarray, "y x"] | None = None

    class Made(eqx.Module):
        field: Float[np.ndarray, "y x"]

        def __init__(self, *, size: int = 3) -> None:
            self.field = np.ones((size, size))

    assert [(field.name, field.doc) for field in describe(Plane)] == [("photons", "per frame.")]
    assert [field.name for field in describe(Made)] == ["size"]


@pytest.mark.parametrize(
    "annotation",
    [
        np.ndarray,
        Float[np.ndarray, "y x"],
        Callable[[], int],
        object,
        Any,
        list,
        dict[int, str],
        complex,
        tuple[int, np.ndarray],
    ],
)
def test_what_toml_cannot_express_is_no_key(annotation):
    assert toml_type(annotation) is None


def test_a_default_against_its_annotation_is_the_programmers_error():
    def wrong(*, count: int = 1.5) -> None:  # type: ignore[assignment]
        pass

    with pytest.raises(TypeError, match=r"1\.5 is not a whole number"):
        describe(wrong)


SCALARS = [
    (bool, st.booleans()),
    (int, st.integers()),
    (float, st.floats(allow_nan=False)),
    (str, st.text()),
    (Length, st.floats(allow_nan=False)),
    (Literal["a", 1, True], st.sampled_from(["a", 1, True])),
    (Path, st.text(min_size=1).map(Path)),
    (int | Literal["auto"], st.integers() | st.just("auto")),
    (Length | None, st.none() | st.floats(allow_nan=False)),
]


def containers(pairs):
    return st.one_of(
        pairs.map(lambda p: (list[p[0]], st.lists(p[1], max_size=3))),
        pairs.map(lambda p: (tuple[p[0], ...], st.lists(p[1], max_size=3).map(tuple))),
        st.tuples(pairs, pairs).map(lambda p: (tuple[p[0][0], p[1][0]], st.tuples(p[0][1], p[1][1]))),
        pairs.map(lambda p: (dict[str, p[0]], st.dictionaries(st.text(), p[1], max_size=3))),
    )


@given(st.recursive(st.sampled_from(SCALARS), containers, max_leaves=4), st.data())
def test_every_type_reads_back_what_it_writes(pair, data):
    annotation, values = pair
    value, kind = data.draw(values), toml_type(annotation)
    assert kind.read(kind.write(value), Place("value")) == value
