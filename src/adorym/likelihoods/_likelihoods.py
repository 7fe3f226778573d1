"""How likely the measured counts are, given the predicted ones.

Each likelihood is a negative log-likelihood in nats that is zero for a perfect prediction (half the deviance), so that
its value per measured pixel is about 1/2 when the model is right, whatever the technique.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from adorym._core import JobError

Counts = Float[Array, "*batch y x"]


class AbstractLikelihood(eqx.Module):
    """Compares predicted with measured counts, pixel by pixel.

    Example:
        >>> issubclass(Poisson, AbstractLikelihood)
        True
    """

    @abc.abstractmethod
    def nll(self, predicted: Counts, measured: Counts) -> Counts:
        """Negative log-likelihood of every pixel in nats, zero where prediction and measurement agree."""

    @abc.abstractmethod
    def residual(self, predicted: Counts, measured: Counts) -> Counts:
        """Deviation in units of its standard deviation: nll is close to residual² / 2."""

    @abc.abstractmethod
    def fisher(self, predicted: Counts) -> Counts:
        """Fisher information of one pixel about its expected counts: the weight of Gauss-Newton's normal equations."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, predicted: Counts) -> Counts:
        """Counts as they might be measured."""


def _check_dark_counts(counts: float) -> None:
    """Counts cannot be negative; none at all leave dark pixels without a derivative, but not without a meaning."""
    if not (math.isfinite(counts) and counts >= 0):
        raise JobError(f"likelihood.dark_counts is {counts}: give zero or more counts.")


class Poisson(AbstractLikelihood):
    """Photon counts.

    Attributes:
        dark_counts: counts added to both sides, so that pixels where nothing is expected do not forbid a photon.

    Example:
        >>> float(Poisson().nll(jnp.full((1, 1), 4.0), jnp.full((1, 1), 4.0))[0, 0])
        0.0
    """

    dark_counts: float = eqx.field(static=True, default=0.1)

    def __check_init__(self) -> None:
        _check_dark_counts(self.dark_counts)

    def nll(self, predicted: Counts, measured: Counts) -> Counts:
        """I - m + m ln(m / I)."""
        expected, counted = predicted + self.dark_counts, measured + self.dark_counts
        there = counted > 0  # where nothing is counted the logarithm has no part, and its slope must not have one
        ratio = jnp.where(there, counted, 1) / jnp.where(there, expected, 1)
        return expected - counted + counted * jnp.log(ratio)

    def residual(self, predicted: Counts, measured: Counts) -> Counts:
        """(I - m) / √I."""
        return (predicted - measured) / jnp.sqrt(predicted + self.dark_counts)

    def fisher(self, predicted: Counts) -> Counts:
        """1 / I."""
        return 1 / (predicted + self.dark_counts)

    def sample(self, key: PRNGKeyArray, predicted: Counts) -> Counts:
        """Poisson numbers."""
        return jax.random.poisson(key, predicted).astype(predicted.dtype)


class Gaussian(AbstractLikelihood):
    """Counts with one standard deviation for all pixels.

    Attributes:
        deviation: standard deviation in counts.

    Example:
        >>> float(Gaussian(2.0).nll(jnp.full((1, 1), 5.0), jnp.full((1, 1), 1.0))[0, 0])
        2.0
    """

    deviation: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        if not (math.isfinite(self.deviation) and self.deviation > 0):
            raise JobError(f"likelihood.deviation is {self.deviation}: give a positive number of counts.")

    def nll(self, predicted: Counts, measured: Counts) -> Counts:
        """(I - m)² / 2σ²."""
        return jnp.square(self.residual(predicted, measured)) / 2

    def residual(self, predicted: Counts, measured: Counts) -> Counts:
        """(I - m) / σ."""
        return (predicted - measured) / self.deviation

    def fisher(self, predicted: Counts) -> Counts:
        """1 / σ²."""
        return jnp.full_like(predicted, self.deviation**-2)

    def sample(self, key: PRNGKeyArray, predicted: Counts) -> Counts:
        """Normal numbers."""
        return predicted + self.deviation * jax.random.normal(key, predicted.shape, predicted.dtype)


class Amplitude(AbstractLikelihood):
    """Square roots of counts, whose variance is 1/4 whatever their mean (Godard et al., Opt. Express 20, 25914 (2012)).

    Robust against pixels that the model does not explain, hence the usual choice in ptychography.

    Attributes:
        dark_counts: counts added to both sides under the root, so that dark pixels have a gradient.

    Example:
        >>> float(Amplitude(0.0).nll(jnp.full((1, 1), 4.0), jnp.full((1, 1), 1.0))[0, 0])
        2.0
    """

    dark_counts: float = eqx.field(static=True, default=0.1)

    def __check_init__(self) -> None:
        _check_dark_counts(self.dark_counts)

    def nll(self, predicted: Counts, measured: Counts) -> Counts:
        """2 (√I - √m)²."""
        return jnp.square(self.residual(predicted, measured)) / 2

    def residual(self, predicted: Counts, measured: Counts) -> Counts:
        """2 (√I - √m)."""
        return 2 * (jnp.sqrt(predicted + self.dark_counts) - jnp.sqrt(measured + self.dark_counts))

    def fisher(self, predicted: Counts) -> Counts:
        """1 / I."""
        return 1 / (predicted + self.dark_counts)

    def sample(self, key: PRNGKeyArray, predicted: Counts) -> Counts:
        """Poisson numbers."""
        return jax.random.poisson(key, predicted).astype(predicted.dtype)


LIKELIHOODS: dict[str, Callable[..., AbstractLikelihood]] = {
    "poisson": Poisson,
    "gaussian": Gaussian,
    "amplitude": Amplitude,
}
"""The likelihoods a job may name."""
