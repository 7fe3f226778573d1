"""What the x-rays pass through, as slabs across the beam."""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adorym._core import DataError, SamplingError, View
from adorym._core.words import scope
from adorym.objects._parametrizations import AbstractParametrization, DeltaBeta
from adorym.rotation import rotate


class Slabs(eqx.Module):
    """Logarithm of the transmission of every slab of one view, upstream first.

    Attributes:
        log_amplitude: ln |t|, `(slab, y, x)`.
        phase: arg t, `(slab, y, x)`.
        spacing: metres from one slab's middle to the next.
        middle: z of the stack's middle in metres.

    Example:
        >>> Slabs(jnp.zeros((5, 2, 2)), jnp.zeros((5, 2, 2)), 1e-8, 0.0).first
        -2e-08
    """

    log_amplitude: Float[Array, "slab y x"]
    phase: Float[Array, "slab y x"]
    spacing: float = eqx.field(static=True)
    middle: float = eqx.field(static=True)

    @property
    def first(self) -> float:
        """z of the first slab's middle."""
        return self.middle - (self.phase.shape[0] - 1) / 2 * self.spacing

    @property
    def last(self) -> float:
        """z of the last slab's middle."""
        return self.middle + (self.phase.shape[0] - 1) / 2 * self.spacing


class AbstractObject(eqx.Module):
    """What the x-rays pass through.

    Example:
        >>> issubclass(Volume, AbstractObject)
        True
    """

    parametrization: eqx.AbstractVar[AbstractParametrization]

    @property
    def flat(self) -> bool:
        """Whether leaves are images, or a few of them one behind the other, that are the same at every view."""
        return False

    @abc.abstractmethod
    def slabs(self, view: View) -> Slabs:
        """The slabs that the beam crosses in a view."""

    @abc.abstractmethod
    def typical(self, leaf: str) -> float:
        """The size that a leaf's values have in a dense sample: the unit of regularisers."""

    def binned(self, factor: int) -> AbstractObject:
        """The same sample for pixels larger by a factor; `SamplingError` where that is not defined."""
        raise SamplingError(f"{type(self).__name__} has no coarser form.")


class Image(AbstractObject):
    """A thin sample: one transmission, the same at every view.

    Attributes:
        parametrization: leaves of shape `(y, x)`.

    Example:
        >>> from adorym._core import View
        >>> from adorym.objects import LogAmplitudePhase
        >>> image = Image(LogAmplitudePhase(jnp.zeros((4, 5)), jnp.zeros((4, 5))))
        >>> image.slabs(View(jnp.array(0.0), jnp.array(0.0))).phase.shape
        (1, 4, 5)
    """

    parametrization: AbstractParametrization

    @property
    def flat(self) -> bool:
        """See `AbstractObject.flat`."""
        return True

    def slabs(self, view: View) -> Slabs:
        """See `AbstractObject.slabs`."""
        log_amplitude, phase = self.parametrization.exponent(lambda pixels: pixels, 1.0)
        return Slabs(log_amplitude[None], phase[None], 0.0, 0.0)

    def typical(self, leaf: str) -> float:
        """One radian, and as much absorption."""
        return 1.0

    def binned(self, factor: int) -> Image:
        """See `AbstractObject.binned`."""
        return Image(self.parametrization.binned(factor, 1.0))


class Slices(AbstractObject):
    """A few thin layers at known places along the beam, the same at every view: multislice ptychography.

    Attributes:
        parametrization: leaves of shape `(slice, y, x)`, upstream first.
        spacing: metres from one slice to the next; the stack's middle is at z = 0.

    Example:
        >>> from adorym._core import View
        >>> from adorym.objects import LogAmplitudePhase
        >>> slices = Slices(LogAmplitudePhase(jnp.zeros((2, 4, 5)), jnp.zeros((2, 4, 5))), spacing=1e-5)
        >>> slices.slabs(View(jnp.array(0.0), jnp.array(0.0))).first
        -5e-06
    """

    parametrization: AbstractParametrization
    spacing: float = eqx.field(static=True)

    def __check_init__(self) -> None:
        if not (np.isfinite(self.spacing) and self.spacing > 0):
            raise SamplingError(f"Slices.spacing is {self.spacing:g}: give metres above 0 from one slice to the next.")

    @property
    def count(self) -> int:
        """Number of slices."""
        return jax.tree.leaves(self.parametrization)[0].shape[0]

    @property
    def flat(self) -> bool:
        """See `AbstractObject.flat`."""
        return True

    def slabs(self, view: View) -> Slabs:
        """See `AbstractObject.slabs`."""
        log_amplitude, phase = self.parametrization.exponent(lambda pixels: pixels, 1.0)
        return Slabs(log_amplitude, phase, self.spacing, 0.0)

    def typical(self, leaf: str) -> float:
        """One radian, and as much absorption, shared by the slices."""
        return 1.0 / self.count

    def binned(self, factor: int) -> Slices:
        """See `AbstractObject.binned`: as many slices, each coarser."""
        axes = jax.tree.map(lambda leaf: 0 if leaf.ndim else None, self.parametrization)
        coarser = jax.vmap(lambda one: one.binned(factor, 1.0), in_axes=(axes,), out_axes=axes)
        return Slices(coarser(self.parametrization), self.spacing)


class Volume(AbstractObject):
    """A thick sample: cubic voxels, turned to the view and summed into slabs along the beam.

    Attributes:
        parametrization: leaves in the layout of the kernels, `(z, x, y)`; see `Volume.delta_beta` for `(z, y, x)`.
        voxel: edge of a voxel in metres.
        wavelength: in metres.
        slab_voxels: number of voxel planes along the beam that share a slab; all of them: projection approximation.
        width: number of pixels along x of the field that the slabs cover.

    Example:
        >>> volume = Volume.vacuum((8, 6, 8), voxel=1e-9, wavelength=1e-9, slab_voxels=4)
        >>> volume.slabs(View(jnp.array(0.3), jnp.array(0.0))).phase.shape
        (2, 6, 8)
    """

    parametrization: AbstractParametrization
    voxel: float = eqx.field(static=True)
    wavelength: float = eqx.field(static=True)
    slab_voxels: int = eqx.field(static=True)
    width: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.slab_voxels < 1:
            raise DataError(f"Volume.slab_voxels is {self.slab_voxels}: a slab has at least one voxel.")

    @classmethod
    def vacuum(
        cls, shape: tuple[int, int, int], *, voxel: float, wavelength: float, slab_voxels: int, width: int | None = None
    ) -> Volume:
        """An empty volume of shape `(z, y, x)` with δ and β free."""
        empty = jnp.zeros((shape[0], shape[2], shape[1]))
        return cls(DeltaBeta(empty, empty), voxel, wavelength, slab_voxels, shape[2] if width is None else width)

    def filled(self, delta: np.ndarray, beta: np.ndarray) -> Volume:
        """The same volume with δ and β `(z, y, x)`, each voxel on its own."""
        leaves = (jnp.asarray(np.swapaxes(a, 1, 2), jnp.zeros(()).dtype) for a in (delta, beta))
        return Volume(DeltaBeta(*leaves), self.voxel, self.wavelength, self.slab_voxels, self.width)

    @property
    def pixel_units(self) -> bool:
        """Whether k = 1 per voxel: no energy is known, and δ is a phase per voxel."""
        return bool(np.isclose(self.scale, 1.0))

    @property
    def scale(self) -> float:
        """k times the edge of a voxel: phase of one voxel per δ."""
        return 2 * np.pi / self.wavelength * self.voxel

    def delta_beta(self) -> tuple[np.ndarray, np.ndarray]:
        """δ and β as `(z, y, x)` at angle 0."""
        delta, beta = self.parametrization.delta_beta(self.scale)
        return np.swapaxes(np.asarray(delta), 1, 2), np.swapaxes(np.asarray(beta), 1, 2)

    def slabs(self, view: View) -> Slabs:
        """See `AbstractObject.slabs`."""
        depth = self._depth
        missing = -depth % self.slab_voxels  # planes of vacuum that fill the outer slabs
        before, after = missing // 2, missing - missing // 2

        def collect(voxels: Float[Array, "z x y"]) -> Float[Array, "slab y width"]:
            size = (depth + missing, self.width)
            slabs = rotate(
                voxels, view.angle, view.axis_offset, size=size, planes=self.slab_voxels, middle=(after - before) / 2
            )
            with scope("rotate"):
                return jnp.swapaxes(slabs, 1, 2)

        log_amplitude, phase = self.parametrization.exponent(collect, self.scale)
        middle = (after - before) / 2 * self.voxel
        return Slabs(log_amplitude, phase, self.slab_voxels * self.voxel, middle)

    def binned(self, factor: int) -> Volume:
        """See `AbstractObject.binned`; a slab has as many voxels as before, since the depth of focus grows faster."""
        if self.width % factor:
            raise SamplingError(f"A field {self.width} pixels wide cannot be binned by {factor}.")
        material = self.parametrization.binned(factor, float(factor))
        width = self.width // factor
        depth = jax.tree.leaves(material)[0].shape[0]
        slab_voxels = depth if self.slab_voxels >= self._depth else min(self.slab_voxels, depth)
        return Volume(material, self.voxel * factor, self.wavelength, slab_voxels, width)

    @property
    def _depth(self) -> int:
        return jax.tree.leaves(self.parametrization)[0].shape[0]

    def typical(self, leaf: str) -> float:
        """δ of water, r_e λ² n_e / 2π (Henke et al. 1993), for β too: both act on the wave alike.

        In pixel units, where nothing is known of the matter, one radian over the whole depth.
        """
        water = 2.8179403e-15 * self.wavelength**2 * 3.343e29 / (2 * np.pi)
        delta = 1 / self._depth if self.pixel_units else water
        return delta * (self.scale if leaf in ("phase", "log_amplitude") else 1.0)
