"""How the time of a trace divides among the words.

Every moment counts once. It belongs to the devices that compute, in equal parts where several do; where none does, to
the host if it reads, compiles or moves arrays; else to the host that starts work; and to waiting only where nothing
else goes on. So what overlaps is not counted twice, and reading that is hidden behind computing costs nothing.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from adorym._core import DataError
from adorym._core.words import WORDS
from adorym.profiling._programs import programs
from adorym.profiling._timeline import WORKING, Operation, Timeline, timeline

_LARGEST = 12

Key = TypeVar("Key")


@dataclasses.dataclass(frozen=True)
class Trace:
    """Where the time of a trace went.

    Attributes:
        seconds: between the marks, without looks and checkpoints.
        words: seconds of each word, the longest first; they sum to `seconds`.
        times: how many operations began for each word.
        devices: seconds that each device computed for each word; one that computes all the time has `seconds` in all.
        mixed: seconds spent in operations of several words, which are divided by what they compute.
        largest: the operations that took longest: name, program, seconds, and the word that most of it is.
        path: the file it was read from.

    Example:
        >>> Trace(seconds=2.0, words={"rotate": 1.5, "wait": 0.5}, times={}, devices={}, mixed=0.0).shares["rotate"]
        0.75
    """

    seconds: float
    words: Mapping[str, float]
    times: Mapping[str, int]
    devices: Mapping[str, Mapping[str, float]]
    mixed: float
    largest: tuple[tuple[str, str, float, str], ...] = ()
    path: str = ""

    @property
    def shares(self) -> dict[str, float]:
        """Share of each word, the largest first; they sum to one."""
        return {word: seconds / self.seconds for word, seconds in self.words.items()}


def read_trace(place: str | os.PathLike[str]) -> Trace:
    """The newest trace in a folder, or the trace in an `.xplane.pb` file.

    Args:
        place: what `Window` was given, or a file below it.

    Raises:
        DataError: there is none, or it cannot be read.

    Example:
        >>> read_trace("no-such-folder")
        Traceback (most recent call last):
        adorym._core.errors.DataError: no-such-folder holds no trace: give the folder that a trace was written into.
    """
    path = Path(place)
    found = [path] if path.is_file() else sorted(path.glob("**/*.xplane.pb"), key=lambda one: one.stat().st_mtime)
    if not found:
        raise DataError(f"{path} holds no trace: give the folder that a trace was written into.")
    try:
        return trace_of(found[-1].read_bytes(), path=str(found[-1]))
    except (OSError, ValueError, IndexError, RuntimeError) as error:
        raise DataError(f"{found[-1]} is not a trace that can be read ({error}): profile again.") from error


def trace_of(data: bytes, *, path: str = "") -> Trace:
    """The trace in the bytes of an `.xplane.pb` file.

    Example:
        >>> callable(trace_of)
        True
    """
    from jax.profiler import ProfileData

    return divided(timeline(ProfileData.from_serialized_xspace(data).planes, programs(data)), path=path)


def divided(line: Timeline, *, path: str = "") -> Trace:
    """The time of a timeline, divided.

    Example:
        >>> callable(divided)
        True
    """
    start, end = (_in_steps(times, line.outside) for times in (line.start, line.end))
    first, last = _in_steps(np.array(line.window), line.outside)
    tiers = np.array([operation.tier for operation in line.operations])[line.which]
    kept = end > start
    start, end, tiers, which = start[kept], end[kept], tiers[kept], line.which[kept]
    seconds = 1e-9 * np.bincount(which, _own(start, end, tiers), minlength=len(line.operations))
    alone = 1e-9 * np.bincount(which, end - start, minlength=len(line.operations))
    words: defaultdict[str, float] = defaultdict(float)
    devices: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    mixed = 0.0
    for operation, own, busy in zip(line.operations, seconds, alone, strict=True):
        mixed += float(own) * (len(operation.shares) > 1)
        for word, share in operation.shares.items():
            words[word] += share * float(own)
            if operation.tier == WORKING:
                devices[operation.device][word] += share * float(busy)
    return Trace(
        seconds=1e-9 * float(last - first),
        words=_longest_first(words),
        times=_times(line),
        devices={name: _longest_first(found) for name, found in sorted(devices.items())},
        mixed=mixed,
        largest=_largest(line.operations, seconds),
        path=path,
    )


def _largest(operations: tuple[Operation, ...], seconds: np.ndarray) -> tuple[tuple[str, str, float, str], ...]:
    """The operations that took longest, on all devices together."""
    total: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for operation, own in zip(operations, seconds, strict=True):
        if operation.tier == WORKING:
            total[operation.name, operation.program, _chief(operation)] += float(own)
    first = list(_longest_first(total).items())[:_LARGEST]
    return tuple((name, program, own, word) for (name, program, word), own in first)


def _longest_first(seconds: Mapping[Key, float]) -> dict[Key, float]:
    return {key: own for key, own in sorted(seconds.items(), key=lambda item: -item[1]) if own > 0}


def _chief(operation: Operation) -> str:
    return max(operation.shares, key=lambda word: operation.shares[word])


def _in_steps(times: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Times on a clock that stands still between steps."""
    return times - sum(np.clip(times - first, 0, last - first) for first, last in outside)


def _own(start: np.ndarray, end: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """What of its time every span has to itself, nanoseconds: of a moment that several share, its part."""
    edges = np.unique(np.concatenate([start, end]))
    left, right = np.searchsorted(edges, start), np.searchsorted(edges, end)
    length, taken = np.diff(edges), np.zeros(len(edges) - 1, bool)
    own = np.zeros(len(start))
    for tier in np.unique(tiers):
        of = tiers == tier
        changes = np.bincount(left[of], minlength=len(edges)) - np.bincount(right[of], minlength=len(edges))
        count = np.cumsum(changes)[:-1]
        each = np.where(taken | (count == 0), 0, length / np.maximum(count, 1))
        total = np.concatenate([[0.0], np.cumsum(each)])
        own[of] = total[right[of]] - total[left[of]]
        taken |= count > 0
    return own


def _times(line: Timeline) -> dict[str, int]:
    """How many operations of a program began for each word."""
    which, start = line.begun
    inside = np.ones(len(start), bool)
    for first, last in line.outside:
        inside &= (start < first) | (start >= last)
    found: collections.Counter[str] = collections.Counter()
    for one, count in zip(*np.unique(which[inside], return_counts=True), strict=True):
        if line.operations[one].tier == WORKING:
            found[_chief(line.operations[one])] += int(count)
    return {word: found[word] for word in WORDS if found[word]}
