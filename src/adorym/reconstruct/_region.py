"""Where the measurement reached: the voxels on which an error is worth stating."""

from __future__ import annotations

import jax
import numpy as np

from adorym.experiment import Experiment
from adorym.geometry import Geometry
from adorym.objects import Volume
from adorym.probes import Modes


def reached(experiment: Experiment, *, share: float = 0.1) -> np.ndarray:
    """True for voxels `(z, y, x)`, or pixels `(y, x)`, that the illumination reached at every view.

    A full field reaches the cylinder that stays within the frame at every angle. A scanned probe reaches, in each row,
    the circle about the axis whose diameter it covers with at least `share` of its largest fluence.

    Args:
        experiment: geometry and illumination.
        share: fluence, relative to the largest, that counts as reached.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3)
        >>> mask = reached(holography(plan))
        >>> mask.shape, bool(mask[0, 0, 0]), bool(mask[4, 0, 4])
        ((8, 8, 8), False, True)
    """
    sample = experiment.object
    shape = jax.tree.leaves(sample.parametrization)[0].shape
    thick = isinstance(sample, Volume)
    field = (shape[2], sample.width) if thick else shape[-2:]
    lit: np.ndarray = np.ones(field, bool)
    if experiment.geometry.scanned and isinstance(experiment.probe, Modes):
        fluence = _fluence(experiment.probe, experiment.geometry, field)
        lit = fluence >= share * fluence.max()
    if not thick:
        return lit
    z, x = (np.arange(n) - (n - 1) / 2 for n in shape[:2])
    radius = np.hypot(z[:, None], x[None, :])
    offset = float(experiment.geometry.axis_offset)
    across = np.abs(np.arange(sample.width) - (sample.width - 1) / 2 - offset)
    reach = np.array([across[~row].min(initial=min((sample.width / 2) - abs(offset), np.inf)) for row in lit])
    rows = np.asarray(lit.any(axis=1))
    return np.asarray(radius[:, None, :] < reach[None, :, None]) & rows[None, :, None]


def _fluence(probe: Modes, geometry: Geometry, field: tuple[int, int]) -> np.ndarray:
    """Photons that fall on every pixel of the field in the first view."""
    intensity = np.sum(np.asarray(probe.real) ** 2 + np.asarray(probe.imaginary) ** 2, axis=0)
    window = intensity.shape
    margin = max(window)
    total = np.zeros([n + 2 * margin for n in field])
    for position in np.asarray(geometry.positions[0]):
        corner = [round(p + (n - w) / 2) + margin for p, n, w in zip(position, field, window, strict=True)]
        y, x = (int(np.clip(c, 0, n - w)) for c, n, w in zip(corner, total.shape, window, strict=True))
        total[y : y + window[0], x : x + window[1]] += intensity
    return total[margin:-margin, margin:-margin]
