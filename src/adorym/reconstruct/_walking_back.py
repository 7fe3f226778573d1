"""Whether a wave may be walked back through a sample that is not known yet: the data tell how much it absorbs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from adorym._core.choice import spread
from adorym.data import Dataset
from adorym.experiment import ChainSize, Experiment, PlannedFrames
from adorym.propagation import backward_error, transfer_function

_VIEWS, _FRAMES, _BLOCK = 8, 64, 8
"""How many views are looked at, and frames of each; pixels of the squares over which noise and fringes are averaged."""


def walks_back(model: Experiment, dataset: Dataset, *, tolerance: float = 1e-4) -> bool:
    """Whether the reversible backward pass is accurate for what a measurement shows.

    Args:
        model: as a reconstruction begins.
        dataset: the measurement.
        tolerance: largest relative error of the gradients, see `adorym.propagation.backward_error`.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3)
        >>> walks_back(holography(plan, slab_voxels=1), plan)
        True
    """
    chain = ChainSize.of(model)
    step = transfer_function(model.grid, chain.spacing)
    dtype = np.result_type(jnp.zeros(()).dtype, np.complex64)
    with np.errstate(divide="ignore"):
        each = np.log(least_transmission(dataset)) / chain.slabs
    return backward_error(np.full((chain.slabs, 1, 1), each), np.asarray(step, dtype)) <= tolerance


def least_transmission(dataset: Dataset) -> float:
    """A lower bound of |t| through the whole sample: the least intensity, of a square or of a frame in the far field.

    |t|² would be the estimate, and is taken for |t|, since frames show neither the darkest ray of a square nor what a
    reconstruction makes of it on its way. Without photons to compare with, or frames to look at, nothing is known: then
    1 is returned for frames that are only planned, and 0 otherwise.

    Example:
        >>> import dataclasses
        >>> from adorym.data import ArrayFrames
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3, photons=100.0)
        >>> least_transmission(dataclasses.replace(plan, frames=ArrayFrames(np.full((3, 1, 8, 8), 25.0))))
        0.25
    """
    if isinstance(dataset.frames, PlannedFrames):
        return 1.0
    if dataset.photons is None and dataset.flat is None:
        return 0.0
    found = []
    for view in spread(np.flatnonzero(dataset.weights.any(axis=1)), _VIEWS):
        images = dataset.read(int(view), spread(np.flatnonzero(dataset.weights[view]), _FRAMES))
        found.append(_least(images, dataset))
    return float(np.clip(min(found, default=0.0), 0.0, 1.0))


def _least(images: np.ndarray, dataset: Dataset) -> float:
    """The least transmission of the intensity in some frames."""
    if dataset.regime == "far field" or dataset.positions is not None:
        return float(images.sum((1, 2)).min() / (dataset.photons or np.inf))
    light = np.full(images.shape[1:], dataset.photons) if dataset.flat is None else dataset.flat
    dark = 0.0 if dataset.dark is None else dataset.dark
    seen, there = (_squares(np.where(dataset.mask, each - dark, 0)) for each in (images, light))
    lit = there > 0.01 * there.max()
    return float((seen[:, lit] / there[lit]).min())


def _squares(images: np.ndarray) -> np.ndarray:
    """Sums over squares of pixels; what is left at the edges is left out."""
    side = min(_BLOCK, *images.shape[-2:])
    ny, nx = (n // side for n in images.shape[-2:])
    cut = images[..., : ny * side, : nx * side]
    return cut.reshape(*images.shape[:-2], ny, side, nx, side).sum((-3, -1))
