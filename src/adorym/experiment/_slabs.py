"""How thick a slab may be: as thick as the data cannot notice.

All that lies within a slab of thickness D is taken to lie in its middle. A part of the scattered wave of spatial
frequency f, spread evenly over the slab, would have arrived with phases ±πλζf², |ζ| <= D/2; taken from the middle its
amplitude is larger by

    ε(f) = 1 - sinc(λ D f² / 2),    sinc x = sin πx / πx.

How much scattered wave there is at each frequency the frames tell themselves, without an object: where it meets a wave
that did not scatter (near field), the part c(f) of the contrast that is more than shot noise, where it is seen by
itself (far field), the counts. The χ² of a pixel then grows by

    near field: n Σ |c(f)|² ε(f)²,    far field: 4 n(f) ε(f)²,

since the variance of a count is the count. Summed over all pixels of all frames it must stay below what chance does to
χ² there, √(2N). Multiple scattering and surfaces make it somewhat larger than this estimate of the first order (three
times for the hollow cone), which `_MARGIN` allows for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from adorym.data import Dataset
from adorym.experiment._plan import PlannedFrames

_MARGIN = 3.0
_SAMPLED = 48
_FINEST, _LEAST_NOISE = 0.45, 0.3  # cycles per pixel where there is little but noise, and how much of it at least
_THICKEST = 0.5  # of the depth of focus: beyond it the expansion in D does not hold


def automatic_slab(pixel: float, wavelength: float, depth: int) -> int:
    """Number of voxels along the beam that one slab may have: a tenth of the depth of focus (2 pixels resolved).

    Example:
        >>> automatic_slab(1e-9, 1.23984198e-6 / 5e3, 256)
        8
    """
    return _part(0.1, pixel, wavelength, depth=depth)


def unnoticed_slab(dataset: Dataset, depth: int) -> int:
    """Number of voxels along the beam that one slab may have without the data noticing.

    A tenth of the depth of focus at least, half of it at most; a tenth where there are no frames to ask, or where their
    noise is not known.

    Args:
        dataset: frames in photons.
        depth: number of voxels along the beam.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3)
        >>> unnoticed_slab(plan, 8)
        3
    """
    thin = automatic_slab(dataset.pixel, dataset.wavelength, depth)
    if isinstance(dataset.frames, PlannedFrames) or dataset.pixel_units or dataset.regime == "in focus":
        return thin
    thick = _part(_THICKEST, dataset.pixel, dataset.wavelength, depth=depth)
    seen = _scattered(dataset)
    if seen is None:
        return thin
    noticed = math.sqrt(2 / _pixels(dataset))
    for slab in range(thick, thin, -1):
        change = _change(seen.power.shape, dataset, slab * dataset.pixel) ** 2
        doubt = 2 * seen.deviation * math.sqrt(np.mean(change**2) / change.size)
        if _MARGIN * max(0.0, float(np.mean(seen.power * change))) + doubt <= noticed:
            return slab
    return thin


def _part(part: float, pixel: float, wavelength: float, *, depth: int) -> int:
    focus = 2 * (2 * pixel) ** 2 / (0.61**2 * wavelength)
    return int(min(max(1, focus * part // pixel), depth))


def _pixels(dataset: Dataset) -> float:
    return float(np.count_nonzero(dataset.weights) * np.count_nonzero(dataset.mask))


def _change(shape: tuple[int, ...], dataset: Dataset, thickness: float) -> np.ndarray:
    """ε of every spatial frequency, zero first."""
    rows, columns = (np.fft.fftfreq(n, dataset.pixel) for n in shape)
    return 1 - np.sinc(dataset.wavelength * thickness * (rows[:, None] ** 2 + columns**2) / 2)


class _Scattered(NamedTuple):
    """Scattered wave in terms of χ² per pixel, for every spatial frequency, zero first, and how sure it is."""

    power: np.ndarray
    deviation: float


def _scattered(dataset: Dataset) -> _Scattered | None:
    """What some of the frames show of it; `None` where counts vary less than by chance, so that noise is not known."""
    views, frames = np.nonzero(dataset.weights)
    chosen = np.unique(np.linspace(0, len(views) - 1, min(len(views), _SAMPLED)).astype(int))
    counts = np.stack([dataset.read(int(views[one]), frames[one : one + 1])[0] for one in chosen]).astype(np.float64)
    if dataset.regime == "far field":
        return _Scattered(4 * np.fft.ifftshift(np.where(dataset.mask, counts.mean(0), 0.0)), 0.0)
    dark = 0.0 if dataset.dark is None else dataset.dark
    lit = np.median(counts - dark) if dataset.flat is None else np.maximum(dataset.flat - dark, 1.0)
    deviations = np.where(dataset.mask, (counts - dark - lit) / np.sqrt(lit), 0.0)
    power = np.mean(np.abs(np.fft.fft2(deviations)) ** 2, axis=0) / dataset.mask.size
    noise = float(np.mean(np.where(dataset.mask, counts / lit, 0.0)))  # its variance is the count
    finest = np.maximum(*np.meshgrid(*(abs(np.fft.fftfreq(n)) for n in power.shape), indexing="ij")) > _FINEST
    if np.median(power[finest]) < _LEAST_NOISE * noise:
        return None
    return _Scattered(power - noise, noise * math.sqrt(2 / len(chosen)))  # of a frequency and its opposite
