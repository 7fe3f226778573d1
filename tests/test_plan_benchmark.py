"""What is foretold is taken for the steps that a run then had at each binning and on each part of the views."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.plan import at_steps

PLAN = {
    "time": {"usual": 100.0, "usual_steps": 120, "looks": 12.0},
    "legs": [
        {"stage": 0, "binning": 2, "parts": [{"every": 1, "usual_steps": 60, "seconds_per_step": 0.1}]},
        {
            "stage": 0,
            "binning": 1,
            "parts": [
                {"every": 4, "usual_steps": 12, "seconds_per_step": 0.25},
                {"every": 1, "usual_steps": 48, "seconds_per_step": 1.0},
            ],
        },
    ],
}


@pytest.mark.parametrize(
    ("coarse", "few", "fine", "seconds"),
    [(60, 12, 48, 100.0), (50, 12, 48, 98.0), (60, 12, 148, 210.0), (60, 32, 48, 107.0), (0, 12, 48, 88.0)],
)
def test_steps_of_each_kind_count_as_what_they_take(coarse, few, fine, seconds):
    counted = Counter({(0, 2, 1): coarse, (0, 1, 4): few, (0, 1, 1): fine})
    assert at_steps(PLAN, counted) == pytest.approx(seconds)
