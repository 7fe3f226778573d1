"""What is foretold is taken for the steps that a run then had at each binning."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.plan import at_steps

PLAN = {
    "time": {"usual": 100.0},
    "legs": [
        {"stage": 0, "binning": 2, "usual_steps": 60, "seconds_per_step": 0.1},
        {"stage": 0, "binning": 1, "usual_steps": 60, "seconds_per_step": 1.0},
    ],
}


@pytest.mark.parametrize(
    ("coarse", "fine", "seconds"), [(60, 60, 100.0), (50, 60, 99.0), (60, 160, 200.0), (0, 60, 94.0)]
)
def test_steps_of_each_binning_count_as_what_they_take(coarse, fine, seconds):
    assert at_steps(PLAN, Counter({(0, 2): coarse, (0, 1): fine})) == pytest.approx(seconds)
