"""From the exit plane to the detector."""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adorym._core import SamplingError
from adorym._core.fourier import centre_frequencies, convolve, crop_frequencies, fft2
from adorym.propagation import phase_per_length, phasor, transfer_function
from adorym.waves import Wave


class AbstractTransport(eqx.Module):
    """How a wave gets from behind the sample to the detector.

    Attributes:
        far_field: whether the detector's pixels count angles, rather than places.

    Example:
        >>> issubclass(InFocus, AbstractTransport)
        True
    """

    far_field: ClassVar[bool] = False

    @property
    def corrections(self) -> dict[str, float]:
        """Names of leaves that correct the geometry, and the most by which each may be off for frames to tell."""
        return {}

    @abc.abstractmethod
    def carry(self, wave: Wave, origin: float, frames: Int[Array, "frame"]) -> Wave:
        """The wave on the detector.

        Args:
            wave: `(frame or 1, mode, y, x)` in the plane z = origin.
            origin: metres downstream of the rotation axis.
            frames: which frames of the view are recorded.
        """

    def binned(self, factor: int) -> AbstractTransport:
        """The same way for pixels at the sample larger by a factor; `SamplingError` where that is not defined."""
        raise SamplingError(f"{type(self).__name__} has no coarser form.")


def crop(field: Array, shape: tuple[int, int]) -> Array:
    """The middle of the last two axes.

    Example:
        >>> crop(jnp.arange(16).reshape(4, 4), (2, 2)).tolist()
        [[5, 6], [9, 10]]
    """
    (ny, nx), (my, mx) = field.shape[-2:], shape
    top, left = (ny - my) // 2, (nx - mx) // 2
    return field[..., top : top + my, left : left + mx]


class InFocus(AbstractTransport):
    """The detector sees the exit wave itself: projection images, the far end of a lens.

    Attributes:
        frame: number of recorded pixels (y, x).

    Example:
        >>> wave = Wave(jnp.ones((1, 1, 4, 4), complex), 1e-6, 1e-10)
        >>> InFocus((2, 2)).carry(wave, 0.0, jnp.array([0])).shape
        (2, 2)
    """

    frame: tuple[int, int] = eqx.field(static=True)

    def carry(self, wave: Wave, origin: float, frames: Int[Array, "frame"]) -> Wave:
        """See `AbstractTransport.carry`."""
        return wave.with_field(crop(wave.field, self.frame))

    def binned(self, factor: int) -> InFocus:
        """See `AbstractTransport.binned`."""
        return InFocus(_smaller(self.frame, factor))


class NearField(AbstractTransport):
    """Free space over one distance for all frames, or over one for each frame of a view.

    Attributes:
        distances: metres from the rotation axis (z = 0), evaluated in 64 bits.
        frame: number of recorded pixels (y, x).
        distance_offset: correction in metres; the leaf to refine.

    Example:
        >>> wave = Wave(jnp.ones((1, 1, 8, 8), complex), 1e-6, 1e-10)
        >>> NearField.over((1e-3, 2e-3), (4, 4)).carry(wave, 0.0, jnp.array([0, 1])).field.shape
        (2, 1, 4, 4)
    """

    distances: tuple[float, ...] = eqx.field(static=True)
    frame: tuple[int, int] = eqx.field(static=True)
    distance_offset: Float[Array, "distance"]

    @classmethod
    def over(cls, distances: tuple[float, ...], frame: tuple[int, int]) -> NearField:
        """Free space over the given distances."""
        return cls(tuple(distances), frame, jnp.zeros(len(distances)))

    @property
    def corrections(self) -> dict[str, float]:
        """See `AbstractTransport.corrections`: a distance is not off by all of itself."""
        return {"distance_offset": max(map(abs, self.distances))}

    def carry(self, wave: Wave, origin: float, frames: Int[Array, "frame"]) -> Wave:
        """See `AbstractTransport.carry`."""
        nominal = np.stack([transfer_function(wave.grid, distance - origin) for distance in self.distances])
        rate = phase_per_length(wave.grid)
        rate = jnp.asarray(np.where(np.isfinite(rate), rate, 0), self.distance_offset.dtype)
        phase = rate * self.distance_offset[:, None, None]
        kernel = jnp.asarray(nominal, wave.field.dtype) * phasor(phase)
        chosen = kernel if len(self.distances) == 1 else kernel[frames]
        return wave.with_field(crop(convolve(wave.field, chosen[:, None]), self.frame))

    def binned(self, factor: int) -> NearField:
        """See `AbstractTransport.binned`."""
        return NearField(self.distances, _smaller(self.frame, factor), self.distance_offset)


class FarField(AbstractTransport):
    """Fraunhofer diffraction, the zero frequency at index N//2.

    Attributes:
        frame: number of recorded pixels (y, x) about the zero frequency; `None` for all that the grid has.

    Example:
        >>> wave = Wave(jnp.ones((1, 1, 4, 4), complex), 1e-9, 1e-10)
        >>> float(FarField().carry(wave, 0.0, jnp.array([0])).intensity[0, 0, 2, 2])
        16.0
    """

    far_field: ClassVar[bool] = True
    frame: tuple[int, int] | None = eqx.field(static=True, default=None)

    def carry(self, wave: Wave, origin: float, frames: Int[Array, "frame"]) -> Wave:
        """See `AbstractTransport.carry`."""
        ny, nx = wave.shape
        frame = self.frame or wave.shape
        if ny % 2 or nx % 2:
            return wave.with_field(crop_frequencies(centre_frequencies(fft2(wave.field)), frame))
        # alternating signs before the transform move the zero frequency to N/2 without moving memory
        sign = jnp.asarray((-1.0) ** np.add.outer(np.arange(ny), np.arange(nx)), wave.field.dtype)
        return wave.with_field(crop_frequencies(fft2(wave.field * sign), frame))

    def binned(self, factor: int) -> FarField:
        """See `AbstractTransport.binned`: larger pixels at the sample mean less of the far field."""
        return FarField(None if self.frame is None else _smaller(self.frame, factor))


def _smaller(frame: tuple[int, int], factor: int) -> tuple[int, int]:
    if any(n % factor for n in frame):
        raise SamplingError(f"Frames of {frame[0]} x {frame[1]} pixels cannot be binned by {factor}.")
    return frame[0] // factor, frame[1] // factor
