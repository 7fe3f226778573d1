"""What a model leaves unexplained: which views are bad, and where on the detector."""

from __future__ import annotations

import dataclasses
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from adorym._core import Batch, DataError
from adorym.data import Feed
from adorym.problem import Fit, Problem
from adorym.sharding import replicate

_FEWEST = 5
"""Views that have to be there before one can stand out among them."""

_LEAST_EXCESS = 0.1
"""Part of the median by which an outlier's χ² exceeds it, however alike the other views are."""


@dataclasses.dataclass(frozen=True, eq=False)
class ViewMisfit:
    """How well every view is explained; every frame, where there is one view. Arrays are `(n,)`.

    Attributes:
        unit: what an entry is, "view" or "frame".
        index: which view or frame.
        misfit: Σ(√I - √m)² / Σm.
        reduced_chi2: 1 where only noise is left.
        held_out: True where the frames were kept back from the fit; a view with both kinds has two entries.
        outlier: True where χ² stands out among the entries of its kind.

    Example:
        >>> one = ViewMisfit("view", np.arange(2), np.ones(2), np.ones(2), np.zeros(2, bool), np.array([False, True]))
        >>> one.bad.tolist()
        [1]
    """

    unit: Literal["view", "frame"]
    index: np.ndarray
    misfit: np.ndarray
    reduced_chi2: np.ndarray
    held_out: np.ndarray
    outlier: np.ndarray

    @property
    def bad(self) -> np.ndarray:
        """The views or frames that stand out."""
        return np.unique(self.index[self.outlier])


@dataclasses.dataclass(frozen=True, eq=False)
class Residuals:
    """Sums over a pass of all frames.

    Attributes:
        fits: sums over the pixels of every frame; its arrays are `(view, frame)`.
        held_out: True for frames that were kept back from the fit `(view, frame)`.
        mean: mean of (measured - predicted) / σ over the frames `(y, x)`; structure is what the model cannot explain.
        mean_square: mean square of the same, 1 where only noise is left; not-a-number where nothing was measured.

    Example:
        >>> Residuals(Fit(*[np.ones((2, 1))] * 5), np.array([[False], [True]]), np.zeros((4, 4)), np.ones((4, 4))).fit(
        ...     held_out=True).pixels.item()
        1.0
    """

    fits: Fit
    held_out: np.ndarray
    mean: np.ndarray
    mean_square: np.ndarray

    def fit(self, *, held_out: bool = False) -> Fit:
        """Sums over all frames that were fitted, or over all that were not."""
        chosen = self.held_out if held_out else ~self.held_out
        return Fit(*(np.sum(values * chosen) for values in self.fits))

    def per_view(self, *, deviations: float = 5.0) -> ViewMisfit:
        """Misfit and reduced χ² of every view, or of every frame of a single view.

        A view stands out if its χ² exceeds the median of those like it, fitted or kept back, by so many standard
        deviations, found from the median absolute deviation, and by a tenth of the median. Among fewer than five
        nothing stands out.

        Args:
            deviations: how far an outlier is off.

        Raises:
            DataError: there are no frames.
        """
        single = self.held_out.shape[0] == 1
        parts = []
        for held in (False, True):
            chosen = self.held_out if held else ~self.held_out
            sums = Fit(*((values * chosen).sum(0 if single else 1) for values in self.fits))
            index = np.flatnonzero(sums.pixels)
            chi2 = sums.chi_squared[index] / sums.pixels[index]
            with np.errstate(divide="ignore", invalid="ignore"):
                misfit = np.where(sums.counts[index] > 0, sums.misfit[index] / sums.counts[index], np.inf)
            parts.append((index, misfit, chi2, np.full(index.size, held), _outliers(chi2, deviations)))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        if not columns[0].size:
            raise DataError("There are no frames whose misfit could be told: all have the weight 0.")
        return ViewMisfit("frame" if single else "view", *columns)


def residuals(problem: Problem, model: PyTree, feed: Feed) -> Residuals:
    """What a model leaves unexplained of all frames, those held out included, in one pass over the data.

    Args:
        problem: whose likelihood says how large a deviation the noise explains.
        model: the estimate.
        feed: the frames.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.simulate import simulate
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=6, photons=100.0)
        >>> data = simulate(plan, np.zeros((8, 8, 8)), np.zeros((8, 8, 8)))
        >>> data.frames.array[4] *= 2  # a flash of the source
        >>> left = residuals(Problem(Poisson()), holography(data), Feed(data, views_per_batch=2, frames_per_batch=1))
        >>> left.per_view().bad.tolist()
        [4]
    """
    dataset, (problem, model) = feed.dataset, replicate((problem, model))
    everything = Feed(dataset, views_per_batch=feed.views_per_batch, frames_per_batch=feed.frames_per_batch, memory=0)
    sums = np.zeros((5, *dataset.weights.shape))
    maps = np.zeros((3, *dataset.frames.shape[2:]))
    for batch in everything.sweep():
        if not batch.weights.any():
            continue
        frames, pixels = _of_batch(problem, model, batch)
        views = np.broadcast_to(batch.views[:, None], batch.frames.shape)
        real = batch.weights > 0  # what pads a batch is listed again, with no weight
        sums[:, views[real], batch.frames[real]] = np.asarray(frames)[:, real]
        maps += np.asarray(pixels)
    total, first, second = maps
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, mean_square = first / total, second / total
    held_out = feed.held_out & (dataset.weights > 0)
    return Residuals(Fit(*sums), held_out, mean, mean_square)


@eqx.filter_jit
def _of_batch(
    problem: Problem, model: PyTree, batch: Batch
) -> tuple[Float[Array, "5 view frame"], Float[Array, "3 y x"]]:
    """Sums over the pixels of every frame, and over the frames for every pixel: weight, residual and its square."""
    dtype = jnp.zeros(()).dtype
    mask = jnp.asarray(batch.mask, dtype)

    def body(maps: Array, one: tuple[Array, ...]) -> tuple[Array, Array]:
        view, frames, weights, counts = one
        counts = counts.astype(dtype)
        weights = weights.astype(dtype)[:, None, None] * mask
        predicted = model.predict_view(view, frames)
        off = problem.likelihood.residual(predicted, counts)
        roots = jnp.sqrt(jnp.maximum(predicted, 0)) - jnp.sqrt(jnp.maximum(counts, 0))
        nll = problem.likelihood.nll(predicted, counts)
        each = jnp.stack([nll, jnp.square(roots), counts, jnp.square(off), jnp.ones_like(counts)])
        maps = maps + jnp.sum(weights * jnp.stack([jnp.ones_like(off), -off, jnp.square(off)]), axis=1)
        return maps, jnp.sum(weights * each, axis=(2, 3))

    batched = [jnp.asarray(part) for part in (batch.views, batch.frames, batch.weights, batch.counts)]
    maps, frames = jax.lax.scan(body, jnp.zeros((3, *mask.shape), dtype), tuple(batched))
    return jnp.moveaxis(frames, 0, 1), maps


def _outliers(values: np.ndarray, deviations: float) -> np.ndarray:
    if values.size < _FEWEST:
        return np.zeros(values.size, bool)
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))  # of normal numbers, their standard deviation
    return values > middle + max(deviations * spread, _LEAST_EXCESS * middle)
