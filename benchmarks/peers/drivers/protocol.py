"""What every driver says, and how it takes the time: nothing but the standard library and NumPy.

A driver prints one JSON object a line. `{"event": "epoch", "epoch": 3, "seconds": 4.2}` is the wall time since its
command was given, less the time it took to keep the object for the harness; `"object"` names the file where that was
done. Whatever else the program prints goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

THREADS = int(os.environ.get("PEERS_THREADS", "2"))


class Clock:
    """Wall time without what the harness wants for itself."""

    def __init__(self, began: float) -> None:
        self._began, self._paused = began, 0.0

    def seconds(self) -> float:
        """Since the command was given."""
        return time.time() - self._began - self._paused

    def leave_out(self, seconds: float) -> None:
        """Time that does not count."""
        self._paused += seconds


class Driver:
    """The case a driver is run for, and its reports."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("case", type=Path)
        parser.add_argument("--variant", default="")
        parser.add_argument("--budget", type=float, default=60.0, help="seconds after which to end")
        parser.add_argument("--epochs", type=int, default=10**6, help="at most")
        parser.add_argument("--objects", type=Path, help="folder for objects; none are kept without")
        parser.add_argument("--every", type=float, default=1.0, help="seconds between two kept objects")
        self.options = parser.parse_args()
        self._clock = Clock(float(os.environ.get("PEERS_BEGAN", time.time())))
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what libraries print is no report
        sys.stdout = sys.stderr
        self._kept, self._epochs = 0.0, 0
        with np.load(self.options.case / "case.npz") as case:
            self.case = {name: case[name] for name in case.files}

    @property
    def frames(self) -> np.ndarray:
        """`(frame, y, x)`, the zero frequency at N//2."""
        return np.load(self.options.case / "frames.npy")

    def say(self, event: str, **facts: object) -> None:
        """A line of JSON."""
        self._out.write(json.dumps({"event": event, **facts}) + "\n")

    def ready(self, **facts: object) -> None:
        """Before the first epoch."""
        self.say("ready", seconds=self._clock.seconds(), **facts)

    def epoch(self, objects: object) -> bool:
        """After an epoch; `objects()` gives the complex transmissions `(slice, y, x)`. True while there is time."""
        seconds = self._clock.seconds()
        self._epochs += 1
        over = seconds >= self.options.budget or self._epochs >= self.options.epochs
        facts: dict[str, object] = {"epoch": self._epochs, "seconds": seconds}
        if self.options.objects is not None and (over or seconds - self._kept >= self.options.every):
            begun, self._kept = time.time(), seconds
            path = self.options.objects / f"{self._epochs:06d}.npy"
            np.save(path, np.asarray(objects(), np.complex64))
            facts["object"] = path.name
            self._clock.leave_out(time.time() - begun)
        self.say("epoch", **facts)
        return not over
