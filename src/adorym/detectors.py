"""The detector: photons, added over modes, binned, with gain and background."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from adorym._core import SamplingError
from adorym._core.fourier import crop_frequencies
from adorym._core.short_sum import short_sum
from adorym.waves import Wave


class AbstractDetector(eqx.Module):
    """Turns waves into expected counts.

    Example:
        >>> issubclass(Detector, AbstractDetector)
        True
    """

    @abc.abstractmethod
    def record(self, wave: Wave) -> Float[Array, "frame y x"]:
        """Expected counts from waves `(frame, mode, y, x)`."""

    def binned(self, factor: int, *, cut: bool) -> AbstractDetector:
        """A detector with fewer pixels: added up in squares of `factor`, or the middle ones of the far field alone."""
        raise SamplingError(f"{type(self).__name__} has no coarser form.")


class Detector(AbstractDetector):
    """Turns the waves of a frame into counts: gain * sum over modes of |wave|² + background.

    Attributes:
        gain: counts per photon, one for all pixels or `(y, x)`.
        background: counts that are there without the sample's wave, one number or `(y, x)`.
        binning: number of wave pixels along each axis that one detector pixel adds up.

    Example:
        >>> wave = Wave(jnp.ones((2, 3, 4, 4), complex), 1e-9, 1e-10)
        >>> Detector.ideal(binning=2).record(wave)[0].tolist()
        [[12.0, 12.0], [12.0, 12.0]]
    """

    gain: Float[Array, "..."]
    background: Float[Array, "..."]
    binning: int = eqx.field(static=True, default=1)

    @classmethod
    def ideal(cls, *, binning: int = 1) -> Detector:
        """Every photon counts, and nothing else does."""
        return cls(jnp.ones(()), jnp.zeros(()), binning)

    def record(self, wave: Wave) -> Float[Array, "frame y x"]:
        """See `AbstractDetector.record`."""
        photons = short_sum(wave.intensity, axis=1)
        if self.binning > 1:
            frames, ny, nx = photons.shape
            b = self.binning
            photons = photons.reshape(frames, ny // b, b, nx // b, b).sum((2, 4))
        return self.gain * photons + self.background

    def binned(self, factor: int, *, cut: bool) -> Detector:
        """See `AbstractDetector.binned`."""
        if self.binning > 1:
            raise SamplingError(f"A detector that adds up {self.binning} pixels of the wave has no coarser form.")
        squares = (factor, factor)

        def of(image: Array, unit: int) -> Array:
            if image.ndim == 0:
                return image * (1 if cut else unit)
            if cut:
                return crop_frequencies(image, (image.shape[-2] // factor, image.shape[-1] // factor))
            pairs = [part for n, f in zip(image.shape, squares, strict=True) for part in (n // f, f)]
            return image.reshape(pairs).sum((1, 3)) * (unit / factor**2)

        return Detector(of(self.gain, 1), of(self.background, factor**2))
