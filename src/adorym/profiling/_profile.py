"""Where the time of a whole run went: what the loop's clock says, and within the steps what traces of a few say."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from adorym._core.words import WORDS
from adorym.profiling._trace import Trace

STEPS, OVERHEAD = "steps", "profile"
"""What an account calls the time of all steps, before it is divided, and that of the profile itself."""


@dataclasses.dataclass
class Piece:
    """Steps that one trace stands for.

    Attributes:
        stage: index of their stage.
        binning: their factor.
        first, last: their numbers, over all stages.
        seconds: that they took, without compiling.
        traced: numbers of the first and the last step of which something was traced; `None` for none.
        trace: where the time of those went; `None` where it is not known.
        cut: whether the trace ended within a step, because it became too long.

    Example:
        >>> piece = Piece(stage=0, binning=1, first=1)
        >>> piece.add(1, 0.5)
        >>> piece.last, piece.seconds
        (1, 0.5)
    """

    stage: int
    binning: int
    first: int
    last: int = 0
    seconds: float = 0.0
    traced: tuple[int, int] | None = None
    trace: Trace | None = None
    cut: bool = False

    def add(self, step: int, seconds: float) -> None:
        """One step more."""
        self.last, self.seconds = step, self.seconds + seconds

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the words in its steps, compiling left out, as an account has it already."""
        if self.trace is None:
            return {"untraced": 1.0}
        words = {word: seconds for word, seconds in self.trace.words.items() if word != "compile"}
        total = math.fsum(words.values())
        return {word: seconds / total for word, seconds in words.items()} if total > 0 else {"untraced": 1.0}

    @property
    def scale(self) -> float:
        """How much longer all steps took than what was traced of them; 0 where nothing was."""
        return self.seconds / self.trace.seconds if self.trace is not None and self.trace.seconds > 0 else 0.0


@dataclasses.dataclass(frozen=True)
class Spent:
    """The time that went into one word.

    Attributes:
        share: of the run's time.
        seconds: in all.
        per_step: seconds in a step on average; 0 for what is done besides the steps.
        times: operations in a step on average; 0 where they are not counted.

    Example:
        >>> Spent(0.5, 10.0, 0.1, 24.0).share
        0.5
    """

    share: float
    seconds: float
    per_step: float = 0.0
    times: float = 0.0


@dataclasses.dataclass(frozen=True)
class Profile:
    """Where the time of a run, or of one sitting of it, went.

    Attributes:
        seconds: of the sitting, up to the drawing of the report, without what the profile itself took.
        steps: that it took.
        words: what went into each, in the order of `WORDS`; the shares sum to one.
        pieces: what was traced, and of which steps.
        overhead: seconds that traces took to be written and read.

    Example:
        >>> Profile(1.0, 0, {"prepare": Spent(1.0, 1.0)}, ()).words["prepare"].share
        1.0
    """

    seconds: float
    steps: int
    words: Mapping[str, Spent]
    pieces: tuple[Piece, ...]
    overhead: float = 0.0

    @property
    def mixed(self) -> float:
        """Share of the traced time in operations that several words share."""
        traces = [piece.trace for piece in self.pieces if piece.trace is not None]
        total = math.fsum(trace.seconds for trace in traces)
        return math.fsum(trace.mixed for trace in traces) / total if total > 0 else 0.0

    def plain(self) -> dict[str, Any]:
        """The profile in JSON's own types, with the meaning of every word."""
        words = {word: {**dataclasses.asdict(spent), "meaning": WORDS[word]} for word, spent in self.words.items()}
        pieces = [dataclasses.asdict(piece) for piece in self.pieces]
        told = {name: getattr(self, name) for name in ("seconds", "steps", "overhead", "mixed")}
        return {**told, "words": words, "pieces": pieces}


def profile_of(account: Mapping[str, float], pieces: Sequence[Piece]) -> Profile:
    """The whole from its parts.

    Args:
        account: seconds by word, those of all steps together under `STEPS`, what the profile takes under `OVERHEAD`.
        pieces: the steps, which the traces divide.

    Example:
        >>> trace = Trace(seconds=1.0, words={"rotate": 0.75, "wait": 0.25}, times={}, devices={}, mixed=0.0)
        >>> piece = Piece(stage=0, binning=1, first=1, last=8, seconds=8.0, trace=trace)
        >>> profile = profile_of({"steps": 8.0, "compile": 2.0}, [piece])
        >>> profile.words["rotate"].seconds, profile.words["compile"].share, profile.steps
        (6.0, 0.2, 8)
    """
    within: defaultdict[str, float] = defaultdict(float)
    times: defaultdict[str, float] = defaultdict(float)
    for piece in pieces:
        for word, share in piece.shares.items():
            within[word] += share * piece.seconds
        for word, count in (piece.trace.times if piece.trace is not None else {}).items():
            times[word] += count * piece.scale
    total = {word: within[word] + account.get(word, 0.0) for word in WORDS}
    steps = sum(piece.last - piece.first + 1 for piece in pieces)
    whole, each = math.fsum(total.values()), max(steps, 1)
    words = {
        word: Spent(total[word] / whole, total[word], within[word] / each, times[word] / each)
        for word in WORDS
        if total[word] > 0
    }
    return Profile(whole, steps, words, tuple(pieces), account.get(OVERHEAD, 0.0))
