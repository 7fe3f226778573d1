"""What the waves of a view take in memory, told from shapes alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from adorym.experiment._experiment import Experiment, most_in_cache
from adorym.objects import Slabs
from adorym.propagation import Backward

_CHAIN, _DETECTION, _FRAMES = 4, 3, 4
"""Waves that a step through a slab works on, forward and back, beside those that are kept; waves of detection; and
copies of the frames, measured and predicted."""


class ChainSize(NamedTuple):
    """How much the chain from the probe to the detector holds for one view.

    Attributes:
        slabs: how many there are.
        spacing: metres from one to the next.
        pixels: of the wave between them (y, x).
        parts: bytes of what describes them.
        wave: bytes of the wave of one frame between the slabs, all its modes.
        arrival: bytes of that wave on its way to the detector, whose grid may be wider.
        frame: bytes of one frame, as wide as that grid.
        scanned: whether every frame has a wave of its own; where not, there is one wave for all.
        most: frames that go through the slabs at a time, at the most: as many as a processor's cache holds.

    Example:
        >>> bytes_of = {"parts": 4000, "wave": 1000, "arrival": 1000, "frame": 500, "most": 1}
        >>> size = ChainSize(slabs=64, spacing=1e-9, pixels=(5, 5), **bytes_of, scanned=False)
        >>> [size.taken(1, backward) for backward in ("stored", "segments", "reversible")]
        [105000, 57000, 43000]
    """

    slabs: int
    spacing: float
    pixels: tuple[int, int]
    parts: int
    wave: int
    arrival: int
    frame: int
    scanned: bool
    most: int

    @classmethod
    def of(cls, model: Experiment) -> ChainSize:
        """The size of a model's chain; nothing is computed."""

        def shapes(model: Experiment) -> tuple[Slabs, tuple[Array, ...], Array]:
            slabs = model.object.slabs(model.geometry.view(jnp.zeros((), jnp.int32)))
            return slabs, model._parts(slabs), model._one_wave(slabs)

        slabs, parts, wave = eqx.filter_eval_shape(shapes, model)
        described = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(parts))
        between, behind = (
            wave.shape[1] * math.prod(shape) * wave.dtype.itemsize for shape in (wave.shape[2:], model.grid.shape)
        )
        frame = math.prod(model.grid.shape) * slabs.phase.dtype.itemsize
        of_waves = between, behind, frame, model.geometry.scanned, most_in_cache(between)
        return cls(slabs.phase.shape[0], slabs.spacing, wave.shape[2:], described, *of_waves)

    def taken(self, frames: int, backward: Backward, together: int = 0) -> int:
        """Bytes that a gradient, or a Gauss-Newton product, takes for a view beside volumes: about, and rather more.

        Args:
            frames: of the view.
            backward: see `Experiment.backward`.
            together: see `Experiment.together`.
        """
        waves, descriptions = (min(together or frames, frames, self.most), 5) if self.scanned else (1, 8)
        kept = {"stored": self.slabs, "segments": 2 * math.isqrt(self.slabs), "reversible": 2}[backward]
        chain = (min(kept, self.slabs) + _CHAIN) * waves
        detection = _DETECTION * (waves if self.scanned else frames)
        return chain * self.wave + detection * self.arrival + descriptions * self.parts + _FRAMES * frames * self.frame
