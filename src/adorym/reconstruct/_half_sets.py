"""Two reconstructions from half of the data each: what they agree on was measured, and not made up."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np

from adorym._core import DataError, View
from adorym.data import Dataset
from adorym.experiment import Experiment
from adorym.metrics import FourierCorrelation, align_image, fourier_correlation, soft_mask
from adorym.objects import Volume
from adorym.reconstruct._region import reached

_FEWEST_VIEWS = 8
"""Angles that have to be there before every second of them still shows the sample from all sides."""


def half_sets(dataset: Dataset, held_out: np.ndarray | None = None) -> tuple[Dataset, Dataset]:
    """Two data sets of the same frames, each with the weight 0 for what the other one has; nothing is copied.

    Views alternate; where there are few of them, the frames of each view do. Build the model of each half from that
    half, so that a first guess from the data does not know of the other.

    Args:
        dataset: the whole.
        held_out: True for frames that neither is fitted to `(view, frame)`; both keep them.

    Raises:
        DataError: a half would be empty.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=8)
        >>> [half.weights[:, 0].tolist() for half in half_sets(plan)][0]
        [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    """
    kept = np.zeros(dataset.weights.shape, bool) if held_out is None else held_out
    used = (dataset.weights > 0) & ~kept
    views = used.any(axis=1)
    if np.count_nonzero(views) >= _FEWEST_VIEWS:
        first = used & ((np.cumsum(views) - 1) % 2 == 0)[:, None]
    else:
        first = used & ((np.cumsum(used, axis=1) - 1) % 2 == 0)
    second = used & ~first
    if not (first.any() and second.any()):
        raise DataError(
            f"{dataset.source} has {np.count_nonzero(used)} frames in {np.count_nonzero(views)} views, too few to be "
            "halved: a half-set correlation needs several frames in a view, or eight views."
        )
    halves = (np.where(chosen | kept, dataset.weights, 0.0) for chosen in (first, second))
    first, second = (dataclasses.replace(dataset, weights=weights) for weights in halves)
    return first, second


def half_set_correlation(
    first: Experiment, second: Experiment, *, mask: np.ndarray | None = None
) -> FourierCorrelation:
    """The Fourier correlation that the result of all data may be trusted to have, from those of its halves.

    δ of volumes, or the complex transmission of images, free of phase, ramp, shift and scale, which the halves may
    choose differently. The correlation F of the halves and its thresholds are turned to 2F / (1+F), that of two sets
    with as much data as there are in all (Rosenthal & Henderson, J. Mol. Biol. 333, 721 (2003)); where they cross does
    not change by that.

    Args:
        first: the result of one half.
        second: that of the other, of the same shape.
        mask: True where they are compared, `(z, y, x)` or `(y, x)`; `None` for the region that the measurement reached.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=8)
        >>> model = holography(plan)
        >>> noise = np.random.default_rng(0).normal(size=(2, 8, 8, 8))
        >>> import equinox as eqx
        >>> one, other = (eqx.tree_at(lambda m: m.object, model, model.object.filled(n, n)) for n in noise)
        >>> float(half_set_correlation(one, one).correlation.min()) > 0.99
        True
        >>> float(half_set_correlation(one, other).correlation.max()) < 0.9
        True
    """
    mask = reached(first) if mask is None else mask
    one, other = _array(first), _array(second)
    if np.iscomplexobj(one):
        other = align_image(other, one, mask=mask, scale=True)
    halves = fourier_correlation(one, other, mask=soft_mask(mask))
    return dataclasses.replace(
        halves,
        correlation=_of_all(halves.correlation),
        half_bit=_of_all(halves.half_bit),
        one_seventh=_of_all(halves.one_seventh),
    )


def _of_all(halves: np.ndarray) -> np.ndarray:
    """2F / (1+F), an odd function of the correlation where that is negative."""
    size = np.abs(halves)
    return np.sign(halves) * 2 * size / (1 + size)


def _array(model: Experiment) -> np.ndarray:
    sample = model.object
    if isinstance(sample, Volume):
        return sample.delta_beta()[0]
    slabs = sample.slabs(View(jnp.zeros(()), jnp.zeros(())))
    return np.exp(np.asarray(slabs.log_amplitude.sum(0)) + 1j * np.asarray(slabs.phase.sum(0)))
