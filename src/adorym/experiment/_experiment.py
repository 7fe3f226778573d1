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

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from adorym._core import SamplingError
from adorym._core.fourier import smooth_size
from adorym.detectors import AbstractDetector
from adorym.geometry import Geometry
from adorym.objects import AbstractObject, Slabs
from adorym.probes import AbstractProbe
from adorym.propagation import Backward, multislice, transfer_function, transmission
from adorym.transport import AbstractTransport
from adorym.waves import Grid, Wave

_CACHE = 192 << 10
"""Bytes of waves that stay in a processor's own cache, with what else a slab needs."""


class Experiment(eqx.Module):
    """An object, a probe, a geometry, a transport and a detector; predicts what is measured.

    Attributes:
        object: what the x-rays pass through.
        probe: the illumination.
        geometry: angles, axis, positions.
        transport: exit plane to detector.
        detector: waves to counts.
        grid: sampling of the wave at the sample, padding included.
        margin: pixels of vacuum put around the object's field so that every probe position lies on it.
        backward: what the backward pass of the multislice chain keeps, see `adorym.propagation.multislice`.
        together: frames of a scanned view whose waves there is memory for at a time; those of the others are computed
            again for the backward pass, at 6 FFTs a slab in place of 4. With 0 there is memory for all.

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

    def predict(self, views: Int[Array, "view"], frames: Int[Array, "view frame"]) -> Float[Array, "view frame y x"]:
        """Expected counts of the given frames of the given views."""
        return jax.lax.map(lambda one: self.predict_view(*one), (views, frames))

    def predict_view(self, view: Int[Array, ""], frames: Int[Array, "frame"]) -> Float[Array, "frame y x"]:
        """Expected counts of some frames of one view."""
        slabs = self.object.slabs(self.geometry.view(view))
        parts, transmit = self._parts(slabs), transmission
        together = self._together(slabs, view, frames)
        if together < frames.shape[0]:  # every frame needs the same transmissions: compute them once
            parts, transmit = (transmission(*parts),), _itself

        def some(frames: Int[Array, "some"]) -> Float[Array, "some y x"]:
            wave = self._behind(slabs, parts, transmit, view=view, frames=frames)
            return self.detector.record(self.transport.carry(wave, slabs.last, frames))

        if together >= frames.shape[0]:
            return some(frames)
        few = jax.checkpoint(some) if self.together else some
        whole = frames.shape[0] - frames.shape[0] % together
        many = jax.lax.map(few, frames[:whole].reshape(-1, together))
        found = many.reshape(whole, *many.shape[2:])
        return found if whole == frames.shape[0] else jnp.concatenate([found, few(frames[whole:])])

    def exit_wave(self, slabs: Slabs, view: Int[Array, ""], frames: Int[Array, "frame"]) -> Wave:
        """The wave behind the last slab's middle, `(frame or 1, mode, y, x)`."""
        return self._behind(slabs, self._parts(slabs), transmission, view=view, frames=frames)

    def _parts(self, slabs: Slabs) -> tuple[Float[Array, "slab y x"], ...]:
        """ln |t| and arg t of the slabs, with vacuum around them where the probe scans it."""
        both = slabs.log_amplitude, slabs.phase
        if not self.geometry.scanned:
            return both
        margin = ((0, 0), (self.margin, self.margin), (self.margin, self.margin))
        return tuple(jnp.pad(part, margin) for part in both)

    def _together(self, slabs: Slabs, view: Int[Array, ""], frames: Int[Array, "frame"]) -> int:
        """How many frames to carry through the slabs at a time.

        On a processor with caches as many as stay in them, slab after slab; all together would go through memory at
        each slab, which takes longer.
        """
        count = frames.shape[0]
        if not self.geometry.scanned:
            return count
        most = min(self.together or count, count)
        if jax.default_backend() != "cpu":
            return most
        waves = jax.eval_shape(lambda: self._incident(slabs, view, frames)[0])
        return max(1, min(most, _CACHE * count // (waves.size * waves.dtype.itemsize)))

    def _incident(
        self, slabs: Slabs, view: Int[Array, ""], frames: Int[Array, "frame"]
    ) -> tuple[Complex[Array, "each mode y x"], Callable[[Array], Array]]:
        """The wave in the middle of the first slab, and what cuts from a slab what each frame sees."""
        entrance = self._free_space(slabs.first, np.result_type(slabs.phase.dtype, np.complex64))
        if not self.geometry.scanned:
            return self.probe.wave(self.grid.shape, None, entrance), lambda slab: _centre(slab, self.grid.shape)
        ny, nx = (n + 2 * self.margin for n in slabs.phase.shape[1:])
        placement = self.geometry.frame(view, frames, field=(ny, nx), window=self.grid.shape)
        return self.probe.wave(self.grid.shape, placement.fraction, entrance), _windows(
            placement.corner, self.grid.shape
        )

    def _behind(
        self,
        slabs: Slabs,
        parts: tuple[Array, ...],
        transmit: Callable[..., Array],
        *,
        view: Int[Array, ""],
        frames: Int[Array, "frame"],
    ) -> Wave:
        incident, window = self._incident(slabs, view, frames)
        step = self._free_space(slabs.spacing, incident.dtype)
        field = multislice(
            incident, parts, step=step, transmit=lambda *slab: window(transmit(*slab)), backward=self.backward
        )
        return Wave(field, self.grid.pixel, self.grid.wavelength)

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


def _itself(array: Array) -> Array:
    return array


def _centre(slab: Complex[Array, "y x"], grid: tuple[int, int]) -> Complex[Array, "gy gx"]:
    """A slab's transmission in the middle of the wave's grid, vacuum around it; what is wider than the grid is cut."""
    pads = []
    for have, want in zip(slab.shape, grid, strict=True):
        before = (want - have) // 2  # floor, also of a negative difference: the same centre as `crop`
        pads.append((before, want - have - before, 0))
    return jax.lax.pad(slab, jnp.ones((), slab.dtype), pads)


def _windows(corners: Int[Array, "frame 2"], shape: tuple[int, int]) -> Callable[[Array], Array]:
    """Cuts from one slab what each frame's probe array covers: `(frame, 1, y, x)`."""

    def cut(slab: Complex[Array, "Y X"]) -> Complex[Array, "frame 1 y x"]:
        return jax.vmap(lambda corner: jax.lax.dynamic_slice(slab, (corner[0], corner[1]), shape))(corners)[:, None]

    return cut
