"""The section on where the time of a run went."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.report import samples
from tests.report.test_pictures import figures as figures  # noqa: PLC0414
from tests.report.test_report import Page, _check_self_contained, _without_pictures

from adorym.report import TimeSpent, _time, write_report

SPENT = TimeSpent(
    words=("propagate", "compile", "read"),
    meanings=("waves carried", "programs compiled", "frames read"),
    seconds=(150.0, 40.0, 10.0),
    per_step=(1.5, 0.0, 0.1),
    remarks=("Traced: steps 2 to 6.",),
)


def page(tmp_path: Path, spent: TimeSpent | None) -> Page:
    run = dataclasses.replace(_without_pictures(samples.volume_run(16)), time=spent)
    return Page(write_report(tmp_path, samples.content(run)))


def test_every_word_has_a_row_and_a_bar(tmp_path: Path) -> None:
    shown = page(tmp_path, SPENT)
    _check_self_contained(shown)
    assert len(shown.images) == 1
    for words in ("Where the time went", "75 %", "2 min 30 s", "1.5 s", "programs compiled", "Traced: steps 2 to 6."):
        assert words in shown.text, words
    for word in SPENT.words:
        assert word in shown.text


@pytest.mark.parametrize("spent", [None, TimeSpent(words=(), meanings=(), seconds=(), per_step=())])
def test_a_run_without_a_profile_has_no_such_section(tmp_path: Path, spent: TimeSpent | None) -> None:
    shown = page(tmp_path, spent)
    assert "Where the time went" not in shown.text
    assert not shown.images


def test_the_longest_bar_is_on_top_and_colours_tell_steps_from_the_rest(figures) -> None:
    _time.time_picture(SPENT)
    axes = figures[-1].axes[0]
    bars = axes.patches
    assert [label.get_text() for label in axes.get_yticklabels()] == ["read", "compile", "propagate"]
    assert [round(bar.get_width(), 6) for bar in bars] == [5, 20, 75]
    read, compiled, propagate = (bar.get_facecolor() for bar in bars)
    assert read == propagate != compiled
