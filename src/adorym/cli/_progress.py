"""Progress of a simulation."""

from __future__ import annotations

from collections.abc import Callable

from adorym.cli._console import console, note
from adorym.report import ProgressDisplay, progress_display


def simulation_progress() -> Callable[[int, int], None]:
    """Tells of simulated views, now and then."""
    displays: list[ProgressDisplay] = []

    def advance(view: int, views: int) -> None:
        if not displays:
            shown = progress_display(views, note, console=console(errors=True), title="simulating")
            displays.append(shown.__enter__())
        displays[0].update(view)
        if view == views:
            displays.pop().close()

    return advance
