"""The page on how far to trust a result runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "confidence.md"


@pytest.mark.single_precision
def test_the_page_runs_and_finds_what_it_promises() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict = {"__name__": "page"}
    with jax.numpy_dtype_promotion("standard"):  # as users have it
        exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    assert names["left"].per_view().bad.size == 0
    assert names["found"].settled
    assert 0 < np.median(names["estimate"].deviation[6]) < 2e-4
    assert np.all(np.diff(names["foreseen"].error) < 0)
    assert names["foreseen"].error[0] < 2.0e-4
    assert names["curve"].resolution("1/7") < 4
