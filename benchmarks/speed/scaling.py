"""How time and memory grow, with everything that can: pixels, slabs, voxels, views, frames, modes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from benchmarks.speed.chain import arguments, gradient, scratch
from benchmarks.speed.clock import Run, alternate, rounded, timed
from benchmarks.speed.laws import fit
from benchmarks.speed.scenes import batch_of, gradient_of, hologram, scan
from benchmarks.speed.settings import Settings

from adorym.propagation import Backward

Made = tuple[Run, int]
"""What is timed, and the bytes that the compiler says it takes."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """One of the things that can grow.

    Attributes:
        name: what grows, and in what.
        sizes: how far.
        laws: of time and of memory.
        make: from a size to what is timed.
    """

    name: str
    sizes: tuple[int, ...]
    laws: tuple[str, str]
    make: Callable[[int], Made]


def _chain(waves: int, size: int, slabs: int, *, backward: Backward = "stored") -> Made:
    shape = waves, size, slabs
    return timed(gradient(backward), *arguments(shape)), scratch(shape, backward)


def _volume(size: int) -> Made:
    return gradient_of(hologram(size, views=2, slab_voxels=1, vacuum=False), batch_of(2, 1, (size, size)))


def _views(views: int) -> Made:
    return gradient_of(hologram(64, views=views, vacuum=False), batch_of(views, 1, (64, 64)))


def _frames(frames: int, modes: int = 1) -> Made:
    return gradient_of(scan(64, frames=frames, modes=modes), batch_of(1, frames, (64, 64)))


CURVES = (
    Curve("pixels along a wave's edge", (64, 128, 256, 512, 1024), ("n² log n", "n²"), lambda n: _chain(1, n, 8)),
    Curve("slabs, their waves stored", (8, 16, 32, 64, 128), ("n", "n"), lambda n: _chain(2, 256, n)),
    Curve(
        "slabs, waves of segments stored",
        (16, 36, 64, 100, 144),
        ("n", "√n"),
        lambda n: _chain(2, 256, n + 1, backward="segments"),
    ),
    Curve(
        "slabs, the wave walked back",
        (8, 16, 32, 64, 128),
        ("n", "constant"),
        lambda n: _chain(2, 256, n, backward="reversible"),
    ),
    Curve("voxels along a volume's edge, as many slabs", (32, 48, 64, 96, 128), ("n³ log n", "n³"), _volume),
    Curve("views of a 64³ volume", (4, 8, 16, 32, 64), ("n", "constant"), _views),
    Curve("frames of a scan", (16, 36, 64, 144, 256), ("n", "constant"), _frames),
    Curve("modes of a probe, 64 frames", (1, 2, 4, 8), ("n", "constant"), lambda n: _frames(64, n)),
)


def measure(curve: Curve, settings: Settings) -> dict[str, Any]:
    """All sizes of a curve in turn, and the laws beside them."""
    sizes = curve.sizes[:3] if settings.small else curve.sizes
    made = {size: curve.make(size) for size in sizes}
    times = alternate({str(n): run for n, (run, _) in made.items()}, settings.rounds, patience=settings.patience / 3)
    values = {
        "time": [rounded(min(times[str(n)])) for n in sizes],
        "memory": [float(taken) for _, taken in made.values()],
    }
    told = {}
    for (what, found), law in zip(values.items(), curve.laws, strict=True):
        if all(value > 0 for value in found):
            fitted = dataclasses.asdict(fit(law, sizes, found))
            told[what] = {"values": found, **{k: v if k == "law" else rounded(v) for k, v in fitted.items()}}
    return {"curve": curve.name, "sizes": list(sizes), **told}
