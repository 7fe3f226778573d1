"""A wave that carries its own sampling."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float


@dataclasses.dataclass(frozen=True)
class Grid:
    """How a plane across the beam is sampled, and at which wavelength.

    Attributes:
        shape: number of pixels along (y, x).
        pixel: sampling of both in metres.
        wavelength: in metres.

    Example:
        >>> Grid((4, 4), pixel=1e-9, wavelength=1e-10).shape
        (4, 4)
    """

    shape: tuple[int, int]
    pixel: float
    wavelength: float


class Wave(eqx.Module):
    """A scalar wave on a plane across the beam: the values, how finely they are sampled, and the wavelength.

    Attributes:
        field: complex amplitudes `(..., y, x)`, |field|^2 in photons per pixel; leading axes are free.
        pixel: sampling of y and x in metres.
        wavelength: in metres.

    Example:
        >>> wave = Wave(jnp.full((2, 2), 3.0 + 0j), pixel=1e-9, wavelength=1e-10)
        >>> wave.intensity.tolist()
        [[9.0, 9.0], [9.0, 9.0]]
    """

    field: Complex[Array, "*batch y x"]
    pixel: float = eqx.field(static=True)
    wavelength: float = eqx.field(static=True)

    @property
    def intensity(self) -> Float[Array, "*batch y x"]:
        """|field|^2, photons per pixel."""
        return jnp.square(self.field.real) + jnp.square(self.field.imag)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pixels along (y, x)."""
        return self.field.shape[-2], self.field.shape[-1]

    @property
    def grid(self) -> Grid:
        """The wave's sampling."""
        return Grid(self.shape, self.pixel, self.wavelength)

    def with_field(self, field: Complex[Array, "*other y x"]) -> Wave:
        """The same sampling with other values."""
        return Wave(field, self.pixel, self.wavelength)
