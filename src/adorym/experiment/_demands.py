"""What a technique asks of a data set: frames of its kind, and a wave that some propagator carries to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adorym._core import DataError, JobError, SamplingError
from adorym.data import Dataset
from adorym.propagation import choose_propagator

_TAKES = {
    "holography": (("near field",), False, "near-field frames of the whole field"),
    "ptychography": (("near field", "far field"), True, "frames with scan positions"),
    "tomography": (("in focus",), False, "frames in focus"),
    "cdi": (("far field",), False, "far-field frames of the whole sample"),
}
"""Regimes of each technique, whether a probe is scanned, and both in words."""


def check_kind(dataset: Dataset, technique: str) -> None:
    """Refuse a data set that a technique has no model for.

    Raises:
        DataError: frames of another regime, a scan where there should be none, or none where there should be one.

    Example:
        >>> from adorym.experiment import plan_tomography
        >>> check_kind(plan_tomography((8, 8), pixel=1e-6, energy=2e4, views=4), "tomography")
    """
    regimes, scanned, takes = _TAKES[technique]
    if dataset.regime not in regimes or scanned != (dataset.positions is not None):
        positions = "with" if dataset.positions is not None else "without"
        raise DataError(
            f"{dataset.source} holds {dataset.technique} ({dataset.regime}, {positions} scan positions), and "
            f"{technique} takes {takes}: correct experiment.kind or leave it out, or correct [data]."
        )


def check_distances(dataset: Dataset) -> None:
    """Refuse frames of a full field that nobody knows the distance of.

    Raises:
        DataError: the data set has no distance.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> check_distances(plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=3))
    """
    if len(dataset.distances) == 0:
        raise DataError(f"{dataset.source} has no distance: give distances to [data] for holography.")


def check_sampling(dataset: Dataset) -> str:
    """The way from the sample to the frames, in words.

    Raises:
        SamplingError: no propagator carries the wave there with the pixel that the frames have.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> check_sampling(plan_holography((64, 64), pixel=2e-9, energy=1e3, distances=(1e-7,), views=1))
        'transfer function on a grid of 90 pixels (the field has 64)'
    """
    if dataset.regime == "in focus":
        return "none: the detector is in focus"
    way = "one Fourier transform to the far field"
    if dataset.pixel_units:
        return way
    near = dataset.regime == "near field"
    distance = float(np.max(np.abs(dataset.distances), initial=0.0)) if near else 0.0
    try:
        chosen = choose_propagator(
            max(dataset.frames.shape[2:]),
            distance,
            pixel=dataset.pixel,
            wavelength=dataset.wavelength,
            keep_pixel=True,
        )
    except SamplingError as error:
        raise SamplingError(f"{dataset.source}: {error}") from None
    return chosen.advice[:1].lower() + chosen.advice[1:].rstrip(".") if near else way


def check_at_least(least: int, settings: Mapping[str, int | float]) -> None:
    """Refuse settings of an experiment that are too small.

    Raises:
        JobError: one is below `least` or not finite.

    Example:
        >>> check_at_least(1, {"modes": 0})
        Traceback (most recent call last):
        ...
        adorym._core.errors.JobError: experiment.modes is 0: give 1 or more.
    """
    for name, value in settings.items():
        if not (np.isfinite(value) and value >= least):
            raise JobError(f"experiment.{name} is {value}: give {least} or more.")
