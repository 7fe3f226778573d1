"""Where the wall time of a run goes, told by the loop itself: no trace, two looks at the clock for each span."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

_COMPILING = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)
"""JAX's own names for the parts of compiling."""


class Account:
    """Seconds by what was done, every one counted once: what lies within a span is taken from the span around it.

    Only the thread that made the account is counted; what others do meanwhile costs it nothing.

    Args:
        word: what is done where no span is open.
        clock: gives the time in seconds.

    Attributes:
        seconds: by word, up to the last beginning or end of a span.

    Example:
        >>> times = iter([0.0, 1.0, 3.0, 4.0])
        >>> account = Account("prepare", clock=lambda: next(times))
        >>> with account.span("look"):
        ...     pass
        >>> account.seconds["prepare"], account.seconds["look"]
        (1.0, 2.0)
    """

    def __init__(self, word: str, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open, self._clock, self._thread = [word], clock, threading.get_ident()
        self._since = clock()
        self._compiled: list[tuple[float, float]] = []

    @property
    def word(self) -> str:
        """What is being done."""
        return self._open[-1]

    @contextlib.contextmanager
    def span(self, word: str) -> Iterator[None]:
        """Counts the block as `word`."""
        if threading.get_ident() != self._thread:
            yield
            return
        self.settle()
        self._open.append(word)
        try:
            yield
        finally:
            self.settle()
            self._open.pop()

    def settle(self) -> None:
        """Counts the time up to now."""
        now = self._clock()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """Counts what JAX compiles within the block as "compile"."""
        from jax import monitoring

        monitoring.register_event_duration_secs_listener(self._heard)
        try:
            yield
        finally:
            monitoring.unregister_event_duration_listener(self._heard)

    def _heard(self, event: str, duration_secs: float, **_: str | int) -> None:
        """JAX tells of every part of compiling when it is over; a part may have held others, told of before."""
        if event not in _COMPILING or threading.get_ident() != self._thread:
            return
        self.settle()
        began, known = self._since - duration_secs, 0.0
        while self._compiled and self._compiled[-1][0] >= began:
            known += self._compiled.pop()[1]
        self._compiled.append((began, duration_secs))
        self.seconds[self._open[-1]] -= duration_secs - known
        self.seconds["compile"] += duration_secs - known
