"""Times the FFTs of one Python's libraries, for `benchmarks.speed.floor`; needs nothing but the libraries.

Says on its first line which there are, then answers requests, each a JSON object on a line: `library`, `shape` of a
batch of waves, and how many `calls`, forward and back in turn. Any Python can run it, so that libraries which the
project does not depend on (MKL through torch, FFTW) take part where an environment has them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Transform = Callable[[], Any]
Pair = tuple[Transform, Transform]
"""Forward, and back."""


def _numpy(shape: tuple[int, ...], threads: int) -> Pair:
    import numpy as np

    x = np.ones(shape, np.complex64)
    return lambda: np.fft.fft2(x), lambda: np.fft.ifft2(x)


def _scipy(shape: tuple[int, ...], threads: int) -> Pair:
    import numpy as np
    import scipy.fft

    x = np.ones(shape, np.complex64)
    keys = {"workers": threads, "overwrite_x": True}
    return lambda: scipy.fft.fft2(x, **keys), lambda: scipy.fft.ifft2(x, **keys)


def _torch(shape: tuple[int, ...], threads: int) -> Pair:
    import torch

    torch.set_num_threads(threads)
    x, out = (torch.ones(shape, dtype=torch.complex64) for _ in range(2))
    return lambda: torch.fft.fft2(x, out=out), lambda: torch.fft.ifft2(out, out=x)


def _mkl(shape: tuple[int, ...], threads: int) -> Pair:
    import mkl_fft
    import numpy as np

    x, out = (np.ones(shape, np.complex64) for _ in range(2))
    return lambda: mkl_fft.fftn(x, axes=(-2, -1), out=out), lambda: mkl_fft.ifftn(out, axes=(-2, -1), out=x)


def _fftw(shape: tuple[int, ...], threads: int) -> Pair:
    import pyfftw

    x, out = (pyfftw.ones_aligned(shape, "complex64") for _ in range(2))
    keys = {"axes": (-2, -1), "threads": threads, "flags": ("FFTW_MEASURE",)}
    forward = pyfftw.FFTW(x, out, **keys)
    return forward.execute, pyfftw.FFTW(out, x, direction="FFTW_BACKWARD", **keys).execute


LIBRARIES: dict[str, tuple[str, Callable[[tuple[int, ...], int], Pair], bool]] = {
    "NumPy": ("numpy", _numpy, False),
    "SciPy": ("scipy", _scipy, True),
    "MKL (torch)": ("torch", _torch, True),
    "MKL (mkl_fft)": ("mkl_fft", _mkl, False),  # takes the threads that the environment gives it
    "FFTW": ("pyfftw", _fftw, True),
}
"""Name to module, how to use it, and whether it can be told how many threads to take."""


def available(cores: int) -> dict[str, dict[str, Any]]:
    """What can be timed here: name with threads, to library, threads and version."""
    found = {}
    for name, (module, _, told) in LIBRARIES.items():
        try:
            version = getattr(__import__(module), "__version__", "")
        except (ImportError, OSError):  # a library that is there in part cannot load its own
            continue
        for threads in (1, cores) if told and cores > 1 else (1 if told or name == "NumPy" else cores,):
            label = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
            found[label] = {"library": name, "threads": threads, "version": version}
    return found


def per_call(pair: Pair, calls: int) -> float:
    """Seconds of one transform, forward and back in turn."""
    begun = time.perf_counter()
    for call in range(calls):
        pair[call % 2]()
    return (time.perf_counter() - begun) / calls


def main() -> None:
    """Answer requests until there are no more."""
    known = available(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    pairs: dict[tuple[str, tuple[int, ...]], Pair] = {}
    sys.stdout.write(json.dumps(known) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        key = asked["library"], tuple(asked["shape"])
        if key not in pairs:
            one = known[asked["library"]]
            pairs[key] = LIBRARIES[one["library"]][1](key[1], one["threads"])
            per_call(pairs[key], 2)
        sys.stdout.write(json.dumps(per_call(pairs[key], asked["calls"])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
