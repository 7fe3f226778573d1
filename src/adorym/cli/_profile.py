"""`--profile`: windows in which steps are traced, the clock of the loop, and what is told of both at the end.

Nothing here may end a run: whatever goes wrong is told in one sentence, and the run goes on without a profile.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adorym.cli._console import console, note, say
from adorym.data import FrameSource
from adorym.io import RunFolder, make_folder, write_atomic
from adorym.report import TimeSpent

if TYPE_CHECKING:
    from adorym._core.words import Span
    from adorym.cli._prepare import Measure
    from adorym.profiling import Piece, Profile, Window
    from adorym.reconstruct import Progress

_OPENINGS = (1, 20)
"""Steps of a leg after which a window opens: the first step compiles, and later ones may see more of the data."""

_LEAST, _MOST = (5, 2.0), (15, 10.0)
"""Steps and seconds that a window holds: as many of both, unless it has too many of either. It closes behind a step."""

_FILE = "profile.json"
_TRACES = "The traces lie below profile/ in the run's folder, for TensorBoard, or (.trace.json.gz) for ui.perfetto.dev."


class AbstractProfiler(abc.ABC):
    """Watches a run, or does not."""

    @abc.abstractmethod
    def measured(self, measure: Measure) -> Measure:
        """What reads the data, watched."""

    @abc.abstractmethod
    def span(self, word: Span) -> AbstractContextManager[Any]:
        """A block that counts as `word`."""

    @abc.abstractmethod
    def steps(self, progresses: Iterable[Progress]) -> Iterable[Progress]:
        """The steps of a run, watched."""

    @abc.abstractmethod
    def finish(self) -> Profile | None:
        """Where the time went; written into the run's folder, too."""


class Unprofiled(AbstractProfiler):
    """Does not watch."""

    def measured(self, measure: Measure) -> Measure:
        """See `AbstractProfiler.measured`."""
        return measure

    def span(self, word: Span) -> AbstractContextManager[Any]:
        """See `AbstractProfiler.span`."""
        return nullcontext()

    def steps(self, progresses: Iterable[Progress]) -> Iterable[Progress]:
        """See `AbstractProfiler.steps`."""
        return progresses

    def finish(self) -> Profile | None:
        """See `AbstractProfiler.finish`."""
        return None


class Profiler(AbstractProfiler):
    """Watches one sitting of a run.

    Args:
        folder: for the profile.
    """

    def __init__(self, folder: Path) -> None:
        from adorym.profiling import Account

        self.account = Account("prepare")
        self._folder = folder
        self._pieces: list[Piece] = []
        self._traces: list[Path | None] = []
        self._window: Window | None = None
        self._opened = 0.0
        self._leg, self._done, self._over, self._sound = -1, 0, True, True

    def measured(self, measure: Measure) -> Measure:
        """See `AbstractProfiler.measured`."""

        def watched(*arguments: Any) -> Any:
            dataset, truth = measure(*arguments)
            return dataclasses.replace(dataset, frames=_WatchedFrames(dataset.frames, self._reading)), truth

        return watched

    @contextlib.contextmanager
    def span(self, word: Span) -> Iterator[None]:
        """See `AbstractProfiler.span`."""
        from adorym.profiling import span

        with self.account.span(word), span(word):
            yield

    def steps(self, progresses: Iterable[Progress]) -> Iterator[Progress]:
        """See `AbstractProfiler.steps`."""
        from adorym.profiling import STEPS

        each = iter(progresses)
        while True:
            if self._sound and not self._over and self._window is None and self._done in _OPENINGS:
                self._open()
            before = self.account.seconds[STEPS]
            with self.account.span(STEPS):
                progress = next(each, None)
            if progress is None:  # what comes after the last step belongs to it
                if self._pieces:
                    self._pieces[-1].seconds += self.account.seconds[STEPS] - before
                return
            self._stepped(progress, self.account.seconds[STEPS] - before)
            yield progress

    def finish(self) -> Profile | None:
        """See `AbstractProfiler.finish`."""
        from adorym.profiling import OVERHEAD, profile_of, read_trace

        self._close()
        with self.account.span(OVERHEAD):
            for piece, folder in zip(self._pieces, self._traces, strict=True):
                if folder is not None and piece.traced is not None:
                    with self._safely():
                        piece.trace = read_trace(folder)
        with self._safely():
            self.account.settle()
            profile = profile_of(self.account.seconds, [piece for piece in self._pieces if piece.last])
            make_folder(self._folder)
            text = json.dumps(profile.plain(), indent=2, allow_nan=False)
            write_atomic(self._folder / _FILE, f"{text}\n".encode())
            return profile
        return None

    def _reading(self) -> AbstractContextManager[Any]:
        """The span of a reading: by itself in the first step of a leg, which reads what later ones remember.

        In others it is a part of the step, and traced.
        """
        from adorym.profiling import STEPS

        return self.account.span("read") if self._over and self.account.word == STEPS else nullcontext()

    def _stepped(self, progress: Progress, seconds: float) -> None:
        """Counts a step, and closes the window behind it where it has seen enough."""
        if progress.level.leg != self._leg:
            self._leg, self._done = progress.level.leg, 0
            self._begin(progress.stage, progress.level.factor, progress.step)
        piece = self._pieces[-1]
        piece.add(progress.step, seconds)
        self._done, self._over = self._done + 1, progress.over
        if self._window is not None:
            first = progress.step if piece.traced is None else piece.traced[0]
            piece.traced = (first, progress.step)
            steps, age = progress.step - first + 1, time.monotonic() - self._opened
            enough = steps >= _LEAST[0] and age >= _LEAST[1]
            much = steps >= _MOST[0] or age >= _MOST[1]
            piece.cut = not self._window.is_open
            if piece.cut or progress.over or enough or much:
                self._close()

    def _begin(self, stage: int, binning: int, step: int) -> None:
        from adorym.profiling import Piece

        self._pieces.append(Piece(stage, binning, step))
        self._traces.append(None)

    def _open(self) -> None:
        """Opens a window on the next step; every window has steps of its own to stand for."""
        from adorym.profiling import OVERHEAD, Window

        piece = self._pieces[-1]
        step = piece.last + 1
        if self._traces[-1] is not None:
            self._begin(piece.stage, piece.binning, step)
        self._traces[-1] = self._folder / f"step-{step:06d}"
        with self._safely(), self.account.span(OVERHEAD):
            window = Window(self._traces[-1])
            window.open()
            self._window, self._opened = window, time.monotonic()

    def _close(self) -> None:
        from adorym.profiling import OVERHEAD

        window, self._window = self._window, None
        if window is not None:
            with self._safely(), self.account.span(OVERHEAD):
                window.close()

    @contextlib.contextmanager
    def _safely(self) -> Iterator[None]:
        """What goes wrong within the block is told, once, and is no reason to lose a run."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not the run's
            if self._sound:
                note(f"The profile is not complete ({error or type(error).__name__}); the run goes on.")
            self._sound = False


class _WatchedFrames(FrameSource):
    """Frames whose reading is counted."""

    def __init__(self, frames: FrameSource, reading: Callable[[], AbstractContextManager[Any]]) -> None:
        self._frames, self._reading = frames, reading
        self.shape = frames.shape

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        """See `FrameSource.read`."""
        with self._reading():
            return self._frames.read(view, frames)


@contextlib.contextmanager
def profiler(folder: Path, *, wanted: bool) -> Iterator[AbstractProfiler]:
    """What watches a run while the block lasts.

    Args:
        folder: for the profile.
        wanted: whether to watch at all.
    """
    if not wanted:
        yield Unprofiled()
        return
    found = Profiler(folder)
    with found.account.compiling():
        yield found


def show_profile(profile: Profile, folder: Path) -> None:
    """The profile as a table, what it rests on, and where the traces are."""
    from rich.table import Table

    table = Table("where the time went", "share", "seconds", "s / step", "times / step", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for word, spent in sorted(profile.words.items(), key=lambda item: -item[1].seconds):
        each = f"{spent.per_step:.3g}" if spent.per_step else ""
        times = f"{spent.times:,.0f}" if spent.times else ""
        table.add_row(word, f"{100 * spent.share:.1f} %", f"{spent.seconds:.3g}", each, times)
    say("")
    console().print(table)
    for sentence in sentences(profile.plain()):
        say(sentence)
    if any(piece.trace is not None for piece in profile.pieces):
        say(f"Traces, for TensorBoard or ui.perfetto.dev: {folder}")


def sentences(profile: dict[str, Any]) -> list[str]:
    """What a profile rests on, from what `profile.json` holds."""
    from adorym._core.words import MODEL

    seen = [piece["traced"] for piece in profile["pieces"] if piece["trace"]]
    if not seen:
        return ["No step was traced: a stage of at least two steps is needed, as the first one compiles."]
    steps = [f"{first} to {last}" if last > first else f"{first}" for first, last in seen]
    said = f"Traced: step{'s' if len(steps) > 1 or ' ' in steps[0] else ''} {', '.join(steps)}; the others are taken "
    found = [f"{said}to be like those before them."]
    if any(piece["cut"] for piece in profile["pieces"]):
        found.append("A trace became too long and was cut within a step: what a step begins with weighs too much.")
    if not MODEL & profile["words"].keys():
        found.append(
            "No operation knows what it is for: programs were kept by an older version; empty the folder that "
            "JAX_COMPILATION_CACHE_DIR names."
        )
    if profile["mixed"] > 0.005:
        found.append(
            f"{100 * profile['mixed']:.0f} % of the traced time went into operations that do the work of several words "
            "at once; it is divided by how many numbers are computed for each."
        )
    found.append(f"The profile itself took {profile['overhead']:.2g} s besides.")
    return found


def time_of(run: RunFolder) -> TimeSpent | None:
    """The profile that a run's folder holds, for the report; `None` where there is none that can be read."""
    try:
        found = json.loads((run.profile / _FILE).read_text(encoding="utf-8"))
        words = sorted(found["words"].items(), key=lambda item: -item[1]["seconds"])
        columns = {key: tuple(spent[key] for _, spent in words) for key in ("meaning", "seconds", "per_step")}
        remarks = (*sentences(found), _TRACES)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return TimeSpent(
        words=tuple(word for word, _ in words),
        meanings=columns["meaning"],
        seconds=columns["seconds"],
        per_step=columns["per_step"],
        remarks=remarks,
    )
