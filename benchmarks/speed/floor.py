"""What no multislice code can avoid: 4 FFTs a slab and wave, by the fastest FFT that the machine has.

Libraries are timed in processes of their own, in this project's environment and in others that hold more of them:
`.venv-peers`, which `make bench-peers` sets up for the packages that are compared, has torch and with it MKL.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.quality.cases import ROOT
from benchmarks.speed.clock import Run

WORKER = Path(__file__).with_name("fft_worker.py")
PEERS = ROOT / ".venv-peers"

_QUIET = {"KMP_BLOCKTIME": "5"}
"""Milliseconds that MKL's threads spin for after a call: by default 200, which would slow what is timed next."""

_TRIAL = 0.1
"""Seconds that a library is tried for."""

_NEAR = 2.0
"""Libraries so many times slower than the fastest in that trial are left out."""


class Ffts:
    """The FFT libraries of some Pythons.

    Args:
        pythons: interpreters; those that are not there are left out.
    """

    def __init__(self, pythons: Iterable[Path]) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._served: dict[str, subprocess.Popen[str]] = {}
        self.versions: dict[str, str] = {}
        for python in dict.fromkeys(pythons):
            if python.exists():
                self._start(python)

    def _start(self, python: Path) -> None:
        process = subprocess.Popen(
            [python, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | _QUIET
        )
        self._processes.append(process)
        for name, one in json.loads(self._line(process)).items():
            self._served.setdefault(name, process)
            self.versions.setdefault(one["library"], one["version"])

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate()

    @property
    def names(self) -> list[str]:
        """Libraries, with the number of threads."""
        return list(self._served)

    def seconds(self, name: str, shape: tuple[int, int, int], calls: int) -> float:
        """Of the FFT of a batch of waves, mean over some calls."""
        process = self._served[name]
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # told below
            process.stdin.write(json.dumps({"library": name, "shape": shape, "calls": calls}) + "\n")
            process.stdin.flush()
        return float(self._line(process))

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{WORKER.name} ended early, with code {process.wait()}.")
        return line

    def promising(self, shape: tuple[int, int, int]) -> list[str]:
        """Those worth timing for waves of this shape, the fastest first."""
        tried = {}
        for name in self._served:
            once = self.seconds(name, shape, 2)
            tried[name] = min(self.seconds(name, shape, calls_in(_TRIAL / 5, once)) for _ in range(5))
        chosen = sorted(tried, key=tried.__getitem__)
        return [name for name in chosen if tried[name] <= _NEAR * tried[chosen[0]]][:4]

    def runs(self, shape: tuple[int, int, int], count: int, *, most: int = 128) -> dict[str, Run]:
        """So many FFTs of a batch of waves by each promising library; in proportion to `most` where they are more."""
        calls = min(count, most)
        return {name: lambda name=name: count * self.seconds(name, shape, calls) for name in self.promising(shape)}


def calls_in(seconds: float, once: float) -> int:
    """An even number of calls that take about so long."""
    return 2 * max(1, round(seconds / (2 * max(once, 1e-7))))


@contextlib.contextmanager
def ffts(pythons: Iterable[Path] = ()) -> Iterator[Ffts]:
    """The libraries of this Python, of the peers' environment, and of others."""
    found = Ffts([Path(sys.executable), PEERS / "bin" / "python", *pythons])
    try:
        yield found
    finally:
        found.close()
