"""One experiment for all techniques: five parts and one line of physics.

    intensity = detector(transport(multislice(probe, object turned to the view)))

Full-field holography, ptychography, CDI, tomography and their mixtures are choices of the parts. Replace any part, by
another of its family or by your own, and the gradients follow.

A batch has two levels, `(view, frame)`. A view's volume is turned once and all its frames are computed from it; views
are mapped over, one after the other, so that memory is that of one view. Full-field frames that differ by distance
only share one exit wave: what does not depend on the frame has a frame axis of size one and broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from adorym._core import SamplingError
from adorym._core.fourier import smooth_size
from adorym._core.parts import in_parts
from adorym._core.trees import leaf_paths
from adorym._core.words import scope
from adorym.detectors import AbstractDetector
from adorym.geometry import Geometry
from adorym.objects import AbstractObject, Slabs
from adorym.probes import AbstractProbe
from adorym.propagation import Backward, Windows, multislice, padded_size, transfer_function, transmission
from adorym.transport import AbstractTransport
from adorym.waves import Grid, Wave

_CACHE = 768 << 10
"""Bytes of waves that stay in a processor's own cache, or nearly."""

_NO_CACHE = 1 << 30
"""More frames than any view has: all go together where a device has memory of its own."""

_BEGUN = 1 << 10
"""Pixels of waves that take a processor as long as beginning with another group of frames, by measurement."""

_BEGUN_ELSEWHERE = 1 << 21
"""The same of an accelerator, where all that is small takes as long as calling a kernel."""

_FRINGE = 4
"""Pixels on each side of the slabs for what light does beyond its steepest ray. With them frames of noise in every
voxel err no more than 1.3 times as much as they do on the whole grid (2 to 5 nm, 1 to 10 keV)."""


class Experiment(eqx.Module):
    """An object, a probe, a geometry, a transport and a detector; predicts what is measured.

    Attributes:
        object: what the x-rays pass through.
        probe: the illumination.
        geometry: angles, axis, positions.
        transport: exit plane to detector.
        detector: waves to counts.
        grid: sampling of the wave on its way to the detector, padding included. Through the sample it is computed where
            it is scattered only, if it is uniform all around.
        margin: pixels of vacuum put around the object's field so that every probe position lies on it.
        backward: what the backward pass of the multislice chain keeps, see `adorym.propagation.multislice`.
        together: frames of a scanned view that go through the slabs at a time, at most. With 0 as many as are fastest:
            all on an accelerator.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3)
        >>> frames = holography(plan, slab_voxels=4).predict(jnp.arange(2), jnp.zeros((2, 1), int))
        >>> frames.shape, bool(jnp.allclose(frames, 1.0))
        ((2, 1, 8, 8), True)
    """

    object: AbstractObject
    probe: AbstractProbe
    geometry: Geometry
    transport: AbstractTransport
    detector: AbstractDetector
    grid: Grid = eqx.field(static=True)
    margin: int = eqx.field(static=True, default=0)
    backward: Backward = eqx.field(static=True, default="stored")
    together: int = eqx.field(static=True, default=0)

    @property
    def of_frames(self) -> tuple[str, ...]:
        """Paths of leaves that belong to single views or frames, `(view, ...)` or `(view, frame, ...)`."""
        return ("geometry.angles", "geometry.positions", "geometry.position_offset")

    @property
    def corrections(self) -> dict[str, float]:
        """Paths of leaves that correct the geometry, and the most by which each may be off for frames to tell."""
        return {
            "geometry.angles": 1.0,
            "geometry.axis_offset": 1.0,
            "geometry.positions": 1.0,
            "geometry.position_offset": 1.0,
        } | {f"transport.{name}": most for name, most in self.transport.corrections.items()}

    @property
    def images(self) -> tuple[str, ...]:
        """Paths of leaves that are images or stacks of them, `(y, x)` or `(slice, y, x)`, seen from one side only."""
        where = "object.parametrization."
        return tuple(where + name for name in leaf_paths(self.object.parametrization)) if self.object.flat else ()

    def predict(self, views: Int[Array, "view"], frames: Int[Array, "view frame"]) -> Float[Array, "view frame y x"]:
        """Expected counts of the given frames of the given views."""
        return jax.lax.map(lambda one: self.predict_view(*one), (views, frames))

    def predict_view(self, view: Int[Array, ""], frames: Int[Array, "frame"]) -> Float[Array, "frame y x"]:
        """Expected counts of some frames of one view."""
        count = frames.shape[0]
        some, size = self.by_groups(view, count)
        if size == count:
            return some(frames)
        many = jax.lax.map(some, in_parts(frames, size))
        return many.reshape(-1, *many.shape[2:])[:count]

    def by_groups(self, view: Int[Array, ""], count: int) -> tuple[Callable[[Array], Array], int]:
        """From some frames of a view to their expected counts, and how many of them are best done at a time.

        What all frames share is done once, now. Derivatives are best found group after group as well: there has to be
        memory for the waves of one only.

        Args:
            view: index of the view.
            count: how many frames there will be in all.
        """
        with scope("transmit"):
            slabs = self.object.slabs(self.geometry.view(view))
            scene = self._scene(slabs)

        def some(frames: Int[Array, "some"]) -> Float[Array, "some y x"]:
            wave = self._behind(scene, view, frames)
            with scope("propagate"):
                wave = self.transport.carry(wave, slabs.last, frames)
            with scope("detect"):
                return self.detector.record(wave)

        return some, self._group(slabs, count)

    def exit_wave(self, slabs: Slabs, view: Int[Array, ""], frames: Int[Array, "frame"]) -> Wave:
        """The wave behind the last slab's middle, `(frame or 1, mode, y, x)`."""
        return self._behind(self._scene(slabs), view, frames)

    def _scene(self, slabs: Slabs) -> _Scene:
        """What all frames of a view share."""
        chain, dtype = self._chain(slabs), np.result_type(slabs.phase.dtype, np.complex64)
        parts = self._parts(slabs)
        with scope("propagate"):
            incident = self.probe.carried(chain.shape, jnp.asarray(transfer_function(chain, slabs.first), dtype))
        return _Scene(slabs, chain, (transmission(*parts),) if self.geometry.scanned else parts, incident)

    def _chain(self, slabs: Slabs) -> Grid:
        """The grid of the waves between the slabs: what is scattered at one edge must not come back at the other.

        On the way to the detector light walks further, and needs a wider grid.
        """
        if self.geometry.scanned or not self.probe.uniform:
            return self.grid
        pixel, wavelength = self.grid.pixel, self.grid.wavelength
        if wavelength >= 2 * pixel:  # the steepest waves of the grid run along the slabs
            return self.grid
        through = slabs.last - slabs.first
        fringe = 2 * _FRINGE if through else 0
        wide = (n + fringe for n in slabs.phase.shape[1:])
        needed = (padded_size(n, n, through, pixel=pixel, wavelength=wavelength) for n in wide)
        ny, nx = (min(pair) for pair in zip(needed, self.grid.shape, strict=True))
        return Grid((ny, nx), pixel, wavelength)

    def _parts(self, slabs: Slabs) -> tuple[Float[Array, "slab y x"], ...]:
        """ln |t| and arg t of the slabs, with vacuum around them where the probe scans it."""
        both = slabs.log_amplitude, slabs.phase
        if not self.geometry.scanned:
            return both
        margin = ((0, 0), (self.margin, self.margin), (self.margin, self.margin))
        return tuple(jnp.pad(part, margin) for part in both)

    def _group(self, slabs: Slabs, count: int) -> int:
        """How many frames to carry through the slabs at a time.

        On a processor with caches as many as stay in them, slab after slab; all together would go through memory at
        each slab, which takes longer. Groups are of one size, so that one chain is compiled: of those sizes the one
        that takes least for frames, those that fill up the last group among them, and for beginnings.
        """
        if not self.geometry.scanned:
            return count
        wave = jax.eval_shape(self._one_wave, slabs)
        most = min(self.together or count, count, most_in_cache(wave.size * wave.dtype.itemsize))
        begun = _BEGUN if jax.default_backend() == "cpu" else _BEGUN_ELSEWHERE
        return min(range(most, 0, -1), key=lambda some: -(-count // some) * (some * wave.size + begun))

    def _one_wave(self, slabs: Slabs) -> Complex[Array, "1 mode y x"]:
        """Of one frame, in the middle of the first slab, with the probe where its own array has it."""
        moved = jnp.zeros((1, 2), slabs.phase.dtype) if self.geometry.scanned else None
        return self._scene(slabs).incident(moved)

    def _behind(self, scene: _Scene, view: Int[Array, ""], frames: Int[Array, "frame"]) -> Wave:
        slabs, chain, parts, incident = scene
        transmit, windows = (lambda *slab: _centre(transmission(*slab), chain.shape)), None
        with scope("propagate"):
            step = jnp.asarray(transfer_function(chain, slabs.spacing), np.result_type(slabs.phase.dtype, np.complex64))
            moved = None
            if self.geometry.scanned:
                ny, nx = (n + 2 * self.margin for n in slabs.phase.shape[1:])
                placement = self.geometry.frame(view, frames, field=(ny, nx), window=self.grid.shape)
                moved, windows = placement.fraction, Windows(placement.corner, self.grid.shape)
                transmit = _itself
            field = incident(moved)
        behind = multislice(field, parts, step=step, transmit=transmit, windows=windows, backward=self.backward)
        if chain.shape != self.grid.shape:
            behind = self._widened(behind, slabs)
        return Wave(behind, self.grid.pixel, self.grid.wavelength)

    def _widened(self, behind: Complex[Array, "1 mode y x"], slabs: Slabs) -> Complex[Array, "1 mode Y X"]:
        """The wave behind the sample on the whole grid: where nothing is scattered it is the incident one."""
        with scope("propagate"):
            everywhere = self.probe.carried(self.grid.shape, self._free_space(slabs.last, behind.dtype))(None)
            sizes = zip(slabs.phase.shape[1:], behind.shape[-2:], self.grid.shape, strict=True)
            corner = (_before(n, whole) - _before(n, part) for n, part, whole in sizes)
            return jax.lax.dynamic_update_slice(everywhere, behind, (0, 0, *corner))

    def binned(self, factor: int) -> Experiment:
        """The experiment for pixels larger by a factor, as it predicts the frames of `Dataset.binned`.

        Raises:
            SamplingError: a part has no coarser form.
        """
        scanned = self.geometry.scanned
        if scanned and any(n % factor for n in self.grid.shape):
            raise SamplingError(
                f"Waves of {self.grid.shape[0]} x {self.grid.shape[1]} pixels cannot be binned by {factor}."
            )
        ny, nx = (n // factor if n % factor == 0 else smooth_size(-(-n // factor)) for n in self.grid.shape)
        return Experiment(
            self.object.binned(factor),
            self.probe.binned(factor),
            self.geometry.binned(factor),
            self.transport.binned(factor),
            self.detector.binned(factor, cut=self.transport.far_field),
            Grid((ny, nx), self.grid.pixel * factor, self.grid.wavelength),
            -(-self.margin // factor) + 2 if scanned else 0,
            self.backward,
            self.together,
        )

    def _free_space(self, distance: float, dtype: jnp.dtype) -> Complex[Array, "y x"]:
        return jnp.asarray(transfer_function(self.grid, distance), dtype)


def most_in_cache(wave: int) -> int:
    """Frames whose waves, of so many bytes each, go through the slabs at a time at the most.

    Example:
        >>> most_in_cache(1 << 30)
        1
    """
    return max(1, _CACHE // wave) if jax.default_backend() == "cpu" else _NO_CACHE


class _Scene(NamedTuple):
    """What the frames of a view share.

    Attributes:
        slabs: of the object.
        chain: grid of the waves between them.
        parts: what a slab's transmission is made of; of a scan itself, since all frames see parts of the same.
        incident: the wave in the middle of the first slab, given how far the probe is moved.
    """

    slabs: Slabs
    chain: Grid
    parts: tuple[Array, ...]
    incident: Callable[[Any], Array]


def _itself(array: Array) -> Array:
    return array


def _centre(slab: Complex[Array, "y x"], grid: tuple[int, int]) -> Complex[Array, "gy gx"]:
    """What of a slab's transmission is on the wave's grid, where it is wider than that."""
    starts = (max(0, -_before(have, want)) for have, want in zip(slab.shape, grid, strict=True))
    (top, left), (ny, nx) = starts, (min(pair) for pair in zip(slab.shape, grid, strict=True))
    return slab[top : top + ny, left : left + nx]


def _before(have: int, want: int) -> int:
    """Pixels in front of what is put into the middle; floor, also of a negative difference: the centre of `crop`."""
    return (want - have) // 2
