"""Progress of a run for the person who waits: a bar on a terminal, a plain line now and then elsewhere, or nothing."""

from __future__ import annotations

import collections
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any

from adorym.report import _words

_WINDOW = 20


class ProgressDisplay(ABC):
    """Shows how far a run is; used as a context, told of every completed step.

    Example:
        >>> with SilentDisplay() as display:
        ...     display.update(1, misfit=0.5)
    """

    @abstractmethod
    def update(self, step: int, *, misfit: float | None = None, total: int = 0, binning: int = 1) -> None:
        """Take note of a completed step.

        Args:
            step: the number of completed steps, of all.
            misfit: the latest misfit, where there is one.
            total: of how many, where that has changed.
            binning: by how much larger pixels were in it, where finer ones follow: its pace tells nothing of theirs.
        """

    def close(self) -> None:
        """Leave the display as it shall stay; by default there is nothing to do."""
        return

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SilentDisplay(ProgressDisplay):
    """Shows nothing.

    Example:
        >>> SilentDisplay().update(1)
    """

    def update(self, step: int, *, misfit: float | None = None, total: int = 0, binning: int = 1) -> None:
        """See `ProgressDisplay.update`."""


class LineDisplay(ProgressDisplay):
    """Writes a plain line for the first step, the last one, and about every ten seconds between (logs, batch jobs).

    Args:
        total: the number of steps when all is done.
        write: takes each line.
        interval: seconds between lines.
        title: stands in front of each line.
        at_most: whether it may end before.
        clock: gives the time in seconds.

    Example:
        >>> lines = []
        >>> with LineDisplay(2, lines.append, clock=lambda: 0.0) as display:
        ...     display.update(1, misfit=0.5)
        ...     display.update(2, misfit=0.25)
        >>> lines
        ['step 1/2, misfit 0.5', 'step 2/2, misfit 0.25']
    """

    def __init__(
        self,
        total: int,
        write: Callable[[str], None],
        *,
        interval: float = 10.0,
        title: str = "",
        at_most: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._write, self._interval, self._title = total, write, interval, title
        self._pace = _Pace(clock, at_most)
        self._written = -float("inf")
        self._pending = ""

    def update(self, step: int, *, misfit: float | None = None, total: int = 0, binning: int = 1) -> None:
        """See `ProgressDisplay.update`."""
        self._total = total or self._total
        now = self._pace.note(step, self._total, binning)
        lead = f"{self._title}: " if self._title else ""
        self._pending = ", ".join([f"{lead}step {step}/{self._total}", *self._pace.facts(misfit)])
        if now - self._written >= self._interval or step >= self._total:
            self._written = now
            self.close()

    def close(self) -> None:
        """Write the last step's line where it has not been written."""
        if self._pending:
            self._write(self._pending)
            self._pending = ""


class BarDisplay(ProgressDisplay):
    """A bar on a terminal, with step, misfit, rate and time left.

    Args:
        total: the number of steps when all is done.
        console: rich's console.
        title: stands in front of the bar.
        start: steps done before, where a run is resumed.
        at_most: whether it may end before.
        clock: gives the time in seconds.

    Example:
        >>> import io
        >>> from rich.console import Console
        >>> with BarDisplay(2, Console(file=io.StringIO())) as display:
        ...     display.update(1, misfit=0.5)
    """

    def __init__(
        self,
        total: int,
        console: Any,
        *,
        title: str = "",
        start: int = 0,
        at_most: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        texts = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
        )
        self._bar, self._total = Progress(*texts, console=console), total
        self._pace = _Pace(clock, at_most)
        self._task = self._bar.add_task(title, total=total, completed=start, facts="starting")

    def update(self, step: int, *, misfit: float | None = None, total: int = 0, binning: int = 1) -> None:
        """See `ProgressDisplay.update`."""
        self._total = total or self._total
        self._pace.note(step, self._total, binning)
        self._bar.update(self._task, completed=step, total=self._total, facts="  ".join(self._pace.facts(misfit)))

    def close(self) -> None:
        """Stop redrawing; the last state stays."""
        self._bar.stop()

    def __enter__(self) -> ProgressDisplay:
        self._bar.start()
        return self


def progress_display(
    total: int,
    write: Callable[[str], None],
    *,
    console: Any = None,
    title: str = "",
    start: int = 0,
    at_most: bool = False,
) -> ProgressDisplay:
    """The display that suits the place: a bar where the console is a terminal, plain lines elsewhere.

    Args:
        total: the number of steps when all is done.
        write: takes plain lines where there is no terminal.
        console: rich's console; `None` for plain lines.
        title: what is being done, short.
        start: steps done before, where a run is resumed.
        at_most: whether it may end before.

    Returns:
        a display to be used as a context.

    Example:
        >>> lines = []
        >>> with progress_display(3, lines.append, title="cone") as display:
        ...     display.update(3, misfit=0.125)
        >>> lines
        ['cone: step 3/3, misfit 0.125']
    """
    if console is not None and console.is_terminal:
        return BarDisplay(total, console, title=title, start=start, at_most=at_most)
    return LineDisplay(total, write, title=title, at_most=at_most)


class _Pace:
    """Rate and time left from the last steps; the first one only starts the clock, since it compiles."""

    def __init__(self, clock: Callable[[], float], at_most: bool) -> None:
        self._clock, self._bound = clock, "at most " if at_most else ""
        self._marks: collections.deque[tuple[float, int]] = collections.deque(maxlen=_WINDOW)
        self._total, self._binning = 0, 1

    def note(self, step: int, total: int, binning: int) -> float:
        now, self._total = self._clock(), total
        if binning != self._binning:
            self._marks.clear()
            self._binning = binning
        self._marks.append((now, step))
        return now

    def facts(self, misfit: float | None) -> list[str]:
        """Misfit, rate and time left in words, as far as they are known."""
        found = [] if misfit is None else [f"misfit {_words.number(misfit)}"]
        (first, begun), (last, done) = self._marks[0], self._marks[-1]
        if last > first and done > begun:
            pace = (last - first) / (done - begun)
            found.append(f"{1 / pace:.1f} steps/s" if pace < 1 else f"{pace:.1f} s/step")
            if self._binning == 1:
                found.append(f"{self._bound}{_words.duration(pace * max(self._total - done, 0))} left")
        if self._binning > 1:
            found.append(f"binning {self._binning}")
        return found
