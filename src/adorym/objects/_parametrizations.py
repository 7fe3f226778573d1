"""What is optimised, apart from what the physics consumes: the logarithm of each slab's transmission.

For a slab of matter ln t = k Δz (-β - iδ). A parametrisation holds the real leaves that a solver moves and turns them
into log-amplitude and phase; `collect` is the linear map (a rotation, a sum over a slab's voxels) that lies between,
applied to as few arrays as the parametrisation needs.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adorym._core.resampling import binned

Collect = Callable[[Float[Array, "*voxels"]], Float[Array, "*slabs"]]
Exponent = tuple[Float[Array, "*slabs"], Float[Array, "*slabs"]]


class AbstractParametrization(eqx.Module):
    """Real leaves from which the log-amplitude and phase of slabs follow.

    Example:
        >>> issubclass(DeltaBeta, AbstractParametrization)
        True
    """

    @abc.abstractmethod
    def exponent(self, collect: Collect, scale: float) -> Exponent:
        """Log-amplitude and phase of what `collect` gathers; `scale` is k times the thickness of one voxel."""

    @abc.abstractmethod
    def delta_beta(self, scale: float) -> tuple[Float[Array, "*voxels"], Float[Array, "*voxels"]]:
        """The refractive index decrement δ and the absorption index β of every voxel."""

    def binned(self, factor: int, thickness: float) -> AbstractParametrization:
        """The same sample on a grid coarser by a factor, its voxels `thickness` times as thick along the beam."""
        return jax.tree.map(lambda leaf: binned(leaf, factor) if leaf.ndim else leaf, self)


class DeltaBeta(AbstractParametrization):
    """δ and β of n = 1 - δ + iβ, each voxel on its own.

    Example:
        >>> DeltaBeta(jnp.array([2.0]), jnp.array([1.0])).exponent(lambda a: a, 0.5)[1].tolist()
        [-1.0]
    """

    delta: Float[Array, "*voxels"]
    beta: Float[Array, "*voxels"]

    def exponent(self, collect: Collect, scale: float) -> Exponent:
        """See `AbstractParametrization.exponent`."""
        return -scale * collect(self.beta), -scale * collect(self.delta)

    def delta_beta(self, scale: float) -> tuple[Float[Array, "*voxels"], Float[Array, "*voxels"]]:
        """See `AbstractParametrization.delta_beta`."""
        return self.delta, self.beta


class FixedRatio(AbstractParametrization):
    """δ, with β = ratio δ: one material, or one whose components absorb alike.

    Example:
        >>> FixedRatio(jnp.array([2.0]), jnp.array(0.5)).exponent(lambda a: a, 0.5)[0].tolist()
        [-0.5]
    """

    delta: Float[Array, "*voxels"]
    ratio: Float[Array, ""]

    def exponent(self, collect: Collect, scale: float) -> Exponent:
        """See `AbstractParametrization.exponent`."""
        collected = -scale * collect(self.delta)
        return self.ratio * collected, collected

    def delta_beta(self, scale: float) -> tuple[Float[Array, "*voxels"], Float[Array, "*voxels"]]:
        """See `AbstractParametrization.delta_beta`."""
        return self.delta, self.ratio * self.delta


class LogAmplitudePhase(AbstractParametrization):
    """ln |t| and arg t of every pixel or voxel: nothing need be known of energy or thickness.

    Example:
        >>> LogAmplitudePhase(jnp.array([0.0]), jnp.array([-0.75])).delta_beta(3.0)[0].tolist()
        [0.25]
    """

    log_amplitude: Float[Array, "*voxels"]
    phase: Float[Array, "*voxels"]

    def exponent(self, collect: Collect, scale: float) -> Exponent:
        """See `AbstractParametrization.exponent`."""
        return collect(self.log_amplitude), collect(self.phase)

    def delta_beta(self, scale: float) -> tuple[Float[Array, "*voxels"], Float[Array, "*voxels"]]:
        """See `AbstractParametrization.delta_beta`."""
        return -self.phase / scale, -self.log_amplitude / scale

    def binned(self, factor: int, thickness: float) -> LogAmplitudePhase:
        """See `AbstractParametrization.binned`: a thicker voxel turns the phase further."""
        return jax.tree.map(lambda leaf: thickness * binned(leaf, factor), self)


PARAMETRIZATIONS: dict[str, Callable[[tuple[int, ...], float], AbstractParametrization]] = {
    "delta beta": lambda shape, ratio: DeltaBeta(_zeros(shape), _zeros(shape)),
    "fixed ratio": lambda shape, ratio: FixedRatio(_zeros(shape), jnp.asarray(ratio, jnp.zeros(()).dtype)),
    "log amplitude and phase": lambda shape, ratio: LogAmplitudePhase(_zeros(shape), _zeros(shape)),
}


def _zeros(shape: tuple[int, ...]) -> Array:
    """Made on the host, which compiles nothing."""
    return jnp.asarray(np.zeros(shape, jnp.zeros(()).dtype))
