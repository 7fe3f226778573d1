"""The TOML writer against the standard library's reader."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym.config._toml import document, inline

VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_reads_back(tables):
    assert tomllib.loads(document(tables)) == tables


def test_tables_are_laid_out_for_people():
    tables = {"stages": [{"steps": 1}, {"steps": 2}], "seed": 1, "data": {"file name": "a", "axis": {"x": 1.5}}}
    assert document(tables) == (
        'seed = 1\n\n[[stages]]\nsteps = 1\n\n[[stages]]\nsteps = 2\n\n[data]\n"file name" = "a"\naxis = { x = 1.5 }\n'
    )


def test_numpy_floats_are_floats_and_arrays_are_refused():
    assert inline(np.float64(1e-9)) == "1e-09"
    with pytest.raises(TypeError, match="TOML cannot hold a ndarray"):
        inline(np.ones(2))
