"""The page on changing the model runs as it stands, and finds the background it promises."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import jax
import numpy as np

PAGE = Path(__file__).resolve().parents[1] / "docs" / "changing-the-model.md"


def test_a_user_s_background_is_refined() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    effect = [line for line in blocks[1].splitlines() if line.strip()]
    assert len(effect) < 15, "the page promises an effect in under 15 lines"
    names: dict[str, object] = {"__name__": "page"}
    with jax.numpy_dtype_promotion("standard"):  # as users have it
        exec(compile(textwrap.dedent("\n".join(blocks)), str(PAGE), "exec"), names)
    level = np.asarray(names["result"].detector.level)  # type: ignore[attr-defined]
    np.testing.assert_allclose(level, [90.0, 30.0], rtol=0.05)
