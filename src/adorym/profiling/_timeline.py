"""What every thread and every stream did when, read from a trace: spans of which none lies within another.

A trace is a forest: planes (the host; each accelerator) of lines (threads; streams) of events, which nest. Here every
event is cut down to the time that no event within it takes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from adorym.profiling._programs import Program, Shares, word_of

MARK = "mark"
"""Events of this name begin and end what is looked at. The first lies on the thread that runs the loop."""

WORKING, HANDLING, STARTING, WAITING = range(4)
"""Who counts where several things go on: devices that compute, before all; nobody who waits, unless all do."""

_OUTSIDE = ("look", "checkpoint")
"""What the loop's thread does between steps."""

_COMPILES = re.compile(r"compil|lower", re.IGNORECASE)
_WAITS = re.compile(r"\bwait|await|rendezvous|blockuntil|blockhost|synchroni[sz]e|^np\.asarray", re.IGNORECASE)
_MOVES = re.compile(r"memcpy|memset|^deviceput|^shard_args|copytomemoryspace|copyto|transfer", re.IGNORECASE)
_COMPILED = re.compile(r"^[a-z_][\w.-]*$")
"""What operations may be called."""

_REPEATED = re.compile(r"^(XLA |Steps|Framework |Source|Launch Stats|Async |TensorFlow |SparseCore)")
"""Lines that say once more, in other names, what streams say."""


class Operation(NamedTuple):
    """What an event is of.

    Attributes:
        name: of the operation, or of what else is done.
        program: it belongs to; empty for what is not compiled.
        device: that it runs on; empty for the host.
        tier: see `WORKING`.
        shares: of the words.
    """

    name: str
    program: str
    device: str
    tier: int
    shares: Shares


@dataclasses.dataclass(frozen=True, eq=False)
class Timeline:
    """Spans of time with what was done in them.

    Attributes:
        operations: what is done, each once.
        which: index of its operation, for every span `(n,)`.
        start, end: of every span, nanoseconds `(n,)`.
        begun: operation and start of every event, however often it was interrupted `(m,)` each.
        window: what is to be looked at, nanoseconds.
        outside: what of it is no part of any step, `(k, 2)`.
    """

    operations: tuple[Operation, ...]
    which: np.ndarray
    start: np.ndarray
    end: np.ndarray
    begun: tuple[np.ndarray, np.ndarray]
    window: tuple[float, float]
    outside: np.ndarray


Event = tuple[float, float, int]
"""Start, end and index of the operation."""


class _Line(NamedTuple):
    """A thread or a stream."""

    events: list[Event]
    marks: list[float]
    outside: list[tuple[float, float]]
    computes: bool


def exclusive(events: Iterable[Event]) -> Iterator[Event]:
    """Events that nest, cut down to what no other within them takes.

    Args:
        events: sorted by start, the longer first.

    Example:
        >>> list(exclusive([(0.0, 10.0, 1), (2.0, 5.0, 2)]))
        [(0.0, 2.0, 1), (2.0, 5.0, 2), (5.0, 10.0, 1)]
    """
    stack: list[tuple[float, int]] = []
    at = 0.0
    for start, end, one in events:
        while stack and stack[-1][0] <= start:
            until, over = stack.pop()
            if until > at:
                yield at, until, over
                at = until
        if stack and start > at:
            yield at, start, stack[-1][1]
        at = max(at, start)
        stack.append((min(end, stack[-1][0]) if stack else end, one))  # clocks of different cores disagree a little
    while stack:
        until, over = stack.pop()
        if until > at:
            yield at, until, over
            at = until


def timeline(planes: Iterable[Any], programs: Mapping[int, Program]) -> Timeline:
    """Everything that was done between the first mark and the last.

    Args:
        planes: those of `jax.profiler.ProfileData`.
        programs: those of the trace.

    Raises:
        ValueError: the trace has no marks.
    """
    reader = _Reader(programs)
    lines = [
        reader.line(line, plane.name if plane.name.startswith("/device:") else "")
        for plane in planes
        if plane.name.startswith(("/device:", "/host:"))
        for line in _told_once(plane)
    ]
    marks = sorted((mark, index) for index, line in enumerate(lines) for mark in line.marks)
    if len(marks) < 2:
        raise ValueError("the trace has no beginning and no end")
    (first, main), (last, _) = marks[0], marks[-1]
    spans: list[Event] = []
    for index, line in enumerate(lines):
        events = [(max(start, first), min(end, last), one) for start, end, one in line.events]
        events = [event for event in events if event[0] < event[1]]
        if index == main:  # between what is told of it, this thread runs Python
            events.append((first, last, reader.known("Python", "dispatch", STARTING)))
        if line.computes or index == main:
            spans += exclusive(sorted(events, key=lambda event: (event[0], -event[1])))
    begun = [(one, start) for line in lines for start, _, one in line.events if first <= start < last]
    start, end, which = (np.array(column) for column in zip(*spans, strict=True))
    return Timeline(
        operations=tuple(reader.operations),
        which=which.astype(int),
        start=start,
        end=end,
        begun=(np.array([one for one, _ in begun], int), np.array([start for _, start in begun], float)),
        window=(first, last),
        outside=np.array(sorted(lines[main].outside), float).reshape(-1, 2),
    )


def _told_once(plane: Any) -> list[Any]:
    """The lines of a plane, without those that repeat what streams say; where there are no streams, the operations."""
    lines = list(plane.lines)
    streams = [line for line in lines if not _REPEATED.match(line.name)]
    return streams or [line for line in lines if line.name == "XLA Ops"]


class _Reader:
    """Makes operations of events, and remembers them."""

    def __init__(self, programs: Mapping[int, Program]) -> None:
        self.operations: list[Operation] = []
        self._index: dict[tuple[Any, ...], int] = {}
        self._programs = programs
        self._host: dict[str, int] = {}

    def line(self, line: Any, device: str) -> _Line:
        """A line of a device, or of the host."""
        found = _Line([], [], [], computes=False)
        computes = bool(device)
        for event in line.events:
            name, length = event.name, event.duration_ns
            start = event.start_ns
            if name == MARK:
                found.marks.append(start)
            elif name in _OUTSIDE:
                found.outside.append((start, start + length))
            elif length > 0 and not name.startswith("end: "):  # an operation's end, told once more
                one = self._host.get(name, -1)
                if one < 0:
                    one = self._operation(event, device)
                computes = computes or self.operations[one].device != ""
                found.events.append((start, start + length, one))
        return found._replace(computes=computes)

    def known(self, name: str, word: str, tier: int) -> int:
        """The index of something that the host does."""
        return self._remembered((name,), lambda: Operation(name, "", "", tier, {word: 1.0}))

    def _operation(self, event: Any, device: str) -> int:
        name = event.name
        if device and _MOVES.search(name):
            return self.known(name, "transfer", HANDLING)
        if device or _COMPILED.match(name):
            stats = {key: value for key, value in event.stats if key in _STATS}
            if device or "hlo_op" in stats:
                place = device or f"/device:CPU:{stats.get('device_ordinal', 0)}"
                key = (stats.get("hlo_op", name), stats.get("program_id"), stats.get("hlo_module"), place)
                return self._remembered(key, lambda: self._computed(name, stats, place))
            return self.known(name, *_of_host(name))
        one = self.known(name, *_of_host(name))
        self._host[name] = one
        return one

    def _computed(self, name: str, stats: Mapping[str, Any], device: str) -> Operation:
        operation, module = str(stats.get("hlo_op", name)), str(stats.get("hlo_module", ""))
        module = module.partition("(")[0]
        program = self._programs.get(stats.get("program_id", -1))
        if program is None or operation not in program.operations:  # accelerators may tell the name alone
            program = next((p for p in self._programs.values() if p.name == module and operation in p.operations), None)
        if program is None:
            words = (word_of(str(stats[key])) for key in ("tf_op", "name", "long_name") if key in stats)
            return Operation(operation, module, device, WORKING, {next(filter(None, words), "other"): 1.0})
        shares = program.operations[operation]
        if not shares:  # loops: what they start is in the trace itself
            return Operation(operation, program.name, device, STARTING, {"dispatch": 1.0})
        return Operation(operation, program.name, device, WORKING, shares)

    def _remembered(self, key: tuple[Any, ...], make: Any) -> int:
        if key not in self._index:
            self._index[key] = len(self.operations)
            self.operations.append(make())
        return self._index[key]


def _of_host(name: str) -> tuple[str, int]:
    """Word and tier of what the host does."""
    if name == "read":
        return "read", HANDLING
    if _COMPILES.search(name):
        return "compile", HANDLING
    if _WAITS.search(name):
        return "wait", WAITING
    if _MOVES.search(name):
        return "transfer", HANDLING
    return "dispatch", STARTING


_STATS = frozenset({"hlo_op", "hlo_module", "program_id", "device_ordinal", "tf_op", "name", "long_name"})
