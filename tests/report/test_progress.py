"""Whoever waits sees how far it is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from adorym.report import BarDisplay, LineDisplay, SilentDisplay, progress_display


def _ticking(step: float) -> Callable[[], float]:
    """A clock that moves on by `step` at every look."""
    now = [0.0]

    def clock() -> float:
        now[0] += step
        return now[0]

    return clock


def test_lines_come_at_intervals_and_at_the_end() -> None:
    lines: list[str] = []
    with LineDisplay(20, lines.append, interval=10.0, title="cone", clock=_ticking(2.0)) as display:
        for step in range(1, 21):
            display.update(step, misfit=1 / step)
    assert [line.split(",")[0] for line in lines] == [f"cone: step {step}/20" for step in (1, 6, 11, 16, 20)]
    assert lines[1] == "cone: step 6/20, misfit 0.167, 2.0 s/step, 28 s left"


def test_a_run_that_is_stopped_still_tells_its_last_step() -> None:
    lines: list[str] = []
    with LineDisplay(100, lines.append, clock=_ticking(0.25)) as display:
        for step in range(1, 8):
            display.update(step)
    assert lines == ["step 1/100", "step 7/100, 4.0 steps/s, 23 s left"]


def test_the_first_step_does_not_count_for_the_rate() -> None:
    """It compiles: a minute for the first step says nothing of the others."""
    times = iter([60.0, 61.0, 62.0])
    lines: list[str] = []
    display = LineDisplay(10, lines.append, interval=0.0, clock=lambda: next(times))
    for step in (1, 2, 3):
        display.update(step)
    assert lines[-1] == "step 3/10, 1.0 s/step, 7 s left"


def test_coarse_steps_tell_nothing_of_the_time_that_is_left() -> None:
    """They are quick; the pace of the fine ones is counted from the first of them."""
    lines: list[str] = []
    ticks = iter([0.0, 1.0, 2.0, 10.0, 20.0, 30.0])
    display = LineDisplay(9, lines.append, interval=0.0, clock=lambda: next(ticks))
    for step, binning in enumerate([4, 4, 2, 1, 1, 1], start=1):
        display.update(step, binning=binning)
    assert lines == [
        "step 1/9, binning 4",
        "step 2/9, 1.0 s/step, binning 4",
        "step 3/9, binning 2",
        "step 4/9",
        "step 5/9, 10.0 s/step, 40 s left",
        "step 6/9, 10.0 s/step, 30 s left",
    ]


def test_a_resumed_run_counts_on() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    with BarDisplay(100, console, title="cone", start=40, clock=_ticking(0.5)) as display:
        display.update(41, misfit=0.01)
        display.update(42, misfit=0.0123)
    last = out.getvalue().split("cone")[-1]
    for words in (" 42/100", "misfit 0.0123", "2.0 steps/s", "29 s left"):
        assert words in last


def test_a_bar_on_a_terminal_lines_elsewhere() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    pipe = Console(file=io.StringIO(), force_terminal=False)
    lines: list[str] = []
    assert isinstance(progress_display(3, lines.append, console=terminal), BarDisplay)
    for console in (pipe, None):
        with progress_display(3, lines.append, console=console) as display:
            assert isinstance(display, LineDisplay)
            display.update(3)
    assert lines == ["step 3/3"] * 2


def test_silence_is_a_display_too() -> None:
    with SilentDisplay() as display:
        display.update(1, misfit=0.5)
