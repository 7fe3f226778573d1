"""A trace of a part of a run."""

from __future__ import annotations

import os
import threading
from types import TracebackType

from adorym._core.words import span
from adorym.profiling._timeline import MARK

LONGEST = 20.0
"""Seconds after which a trace is closed: it may grow by a hundred thousand events each second."""


class Window:
    """Traces what runs while it is open, into a folder that TensorBoard reads; once.

    Compile first, or the trace is of the compiler. A trace makes small operations slower, by a few microseconds each.

    Args:
        folder: the trace is written below it.
        longest: seconds after which it closes by itself, whatever runs then.

    Example:
        >>> import tempfile
        >>> import jax, jax.numpy as jnp
        >>> from adorym.profiling import Window, read_trace
        >>> image = jnp.ones((64, 64), complex)
        >>> folder = tempfile.mkdtemp()
        >>> with Window(folder):
        ...     spectrum = jax.block_until_ready(jax.jit(jnp.fft.fft2)(image))
        >>> sum(read_trace(folder).shares.values()) > 0.999
        True
    """

    def __init__(self, folder: str | os.PathLike[str], *, longest: float = LONGEST) -> None:
        self._folder, self._lock = os.fspath(folder), threading.Lock()
        self._timer = threading.Timer(longest, self._cut)
        self._timer.daemon = True
        self._traces = False
        self.error: Exception | None = None

    def open(self) -> None:
        """Begins to trace.

        Raises:
            RuntimeError: another trace is going on in this process.
        """
        import jax

        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # every Python call would be far more than what is to be seen
        jax.profiler.start_trace(self._folder, profiler_options=options)
        self._traces = True
        _mark()
        self._timer.start()

    def close(self) -> None:
        """Ends the trace and writes it; a second call does nothing."""
        import jax

        self._timer.cancel()
        with self._lock:
            if self._traces:
                self._traces = False
                _mark()
                jax.profiler.stop_trace()
            if self.error is not None:
                raise self.error

    @property
    def is_open(self) -> bool:
        """Whether it still traces."""
        return self._traces

    def _cut(self) -> None:
        """The end of a window that takes too long; on a thread of its own."""
        try:
            self.close()
        except Exception as error:  # noqa: BLE001 - told by the next `close`, where somebody listens
            self.error = error

    def __enter__(self) -> Window:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _mark() -> None:
    with span(MARK):
        pass
