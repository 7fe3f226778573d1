"""The illumination: the incident field at z = 0 in vacuum."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from adorym._core import DataError, SamplingError
from adorym._core.fourier import fft2, ifft2
from adorym.propagation import shift, shifted

Carried = Callable[[Float[Array, "frame 2"] | None], Complex[Array, "frame mode y x"]]
"""From fractions of a pixel, or none, to the incident wave of each frame."""


class AbstractProbe(eqx.Module):
    """The wave that would be at z = 0 without a sample.

    Attributes:
        uniform: whether it has the same value everywhere.

    Example:
        >>> issubclass(PlaneWave, AbstractProbe)
        True
    """

    uniform: ClassVar[bool] = False

    @abc.abstractmethod
    def wave(
        self, shape: tuple[int, int], moved: Float[Array, "frame 2"] | None, entrance: Complex[Array, "y x"]
    ) -> Complex[Array, "frame mode y x"]:
        """The incident wave of some frames, carried through vacuum to the first slab.

        Args:
            shape: grid of the wave (y, x).
            moved: fractions of a pixel by which each frame's probe is displaced; `None`: one wave for all frames.
            entrance: transfer function from z = 0 to the middle of the first slab.
        """

    def carried(self, shape: tuple[int, int], entrance: Complex[Array, "y x"]) -> Carried:
        """`wave` as a function of how far the probe is moved, with what is the same for all frames done once."""
        return lambda moved: self.wave(shape, moved, entrance)

    def binned(self, factor: int) -> AbstractProbe:
        """The same illumination for pixels larger by a factor; `SamplingError` where that is not defined."""
        raise SamplingError(f"{type(self).__name__} has no coarser form.")


class PlaneWave(AbstractProbe):
    """Parallel light of one amplitude.

    Attributes:
        log_photons: logarithm of the photons per pixel.

    Example:
        >>> PlaneWave.of(4.0).wave((2, 2), None, jnp.ones((2, 2), complex)).shape
        (1, 1, 2, 2)
    """

    uniform: ClassVar[bool] = True
    log_photons: Float[Array, ""]

    @classmethod
    def of(cls, photons: float) -> PlaneWave:
        """A plane wave with a number of photons per pixel; `DataError` where there are none."""
        if not (np.isfinite(photons) and photons > 0):
            raise DataError(f"A plane wave has {photons:g} photons per pixel: give a positive number.")
        return cls(jnp.asarray(np.log(photons), jnp.zeros(()).dtype))

    def wave(
        self, shape: tuple[int, int], moved: Float[Array, "frame 2"] | None, entrance: Complex[Array, "y x"]
    ) -> Complex[Array, "frame mode y x"]:
        """See `AbstractProbe.wave`; a plane wave stays what it is along the beam (but for the global phase)."""
        frames = 1 if moved is None else moved.shape[0]
        amplitude = jnp.exp(self.log_photons / 2)
        return jax.lax.complex(*jnp.broadcast_arrays(amplitude, jnp.zeros((frames, 1, *shape), amplitude.dtype)))

    def binned(self, factor: int) -> PlaneWave:
        """See `AbstractProbe.binned`."""
        return PlaneWave(self.log_photons + 2 * math.log(factor))


class Modes(AbstractProbe):
    """Fields that add as intensities: a measured wave, or the modes of a partially coherent probe.

    Attributes:
        real, imaginary: `(mode, y, x)`, sum of squares in photons.

    Example:
        >>> Modes.of(np.ones((1, 4, 4), complex)).wave((4, 4), jnp.zeros((3, 2)), jnp.ones((4, 4), complex)).shape
        (3, 1, 4, 4)
    """

    real: Float[Array, "mode y x"]
    imaginary: Float[Array, "mode y x"]

    @classmethod
    def of(cls, field: np.ndarray) -> Modes:
        """From a complex array `(mode, y, x)`."""
        dtype = jnp.zeros(()).dtype
        return cls(jnp.asarray(np.real(field), dtype), jnp.asarray(np.imag(field), dtype))

    @property
    def field(self) -> Complex[Array, "mode y x"]:
        """The modes as complex arrays."""
        return jax.lax.complex(self.real, self.imaginary)

    def wave(
        self, shape: tuple[int, int], moved: Float[Array, "frame 2"] | None, entrance: Complex[Array, "y x"]
    ) -> Complex[Array, "frame mode y x"]:
        """See `AbstractProbe.wave`."""
        return self.carried(shape, entrance)(moved)

    def carried(self, shape: tuple[int, int], entrance: Complex[Array, "y x"]) -> Carried:
        """See `AbstractProbe.carried`: every move is one transform of the same spectrum."""
        spectrum = fft2(self.field) * entrance
        return lambda moved: ifft2(spectrum)[None] if moved is None else shifted(spectrum, moved)

    def binned(self, factor: int) -> Modes:
        """See `AbstractProbe.binned`: what lies within the smaller band, at the middles of the larger pixels."""
        shape = self.real.shape[1:]
        if any(n % factor for n in shape):
            raise SamplingError(f"A probe of {shape[0]} x {shape[1]} pixels cannot be binned by {factor}.")
        middle = jnp.full((1, 2), -(factor - 1) / 2, self.real.dtype)  # from a first pixel's own middle to the square's
        coarse = self.field
        spectrum = fft2(shift(coarse, middle)[0])
        for axis, n in zip((-2, -1), shape, strict=True):
            frequencies = jnp.fft.fftfreq(n // factor, factor / n).round().astype(int)
            spectrum = jnp.take(spectrum, frequencies % n, axis=axis)
        field = ifft2(spectrum)
        return Modes(field.real, field.imag)
