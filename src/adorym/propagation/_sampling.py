"""Which propagator a grid can carry, and how far a wave spreads on it."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from adorym._core import SamplingError
from adorym._core.fourier import smooth_size

Method = Literal["in place", "transfer function", "one step"]

_WIDEST, _WIDEST_KEPT = 4, 8
"""How many times wider than the field a padded grid may be: where one step would do as well, and where it would not."""

_SMALL = 1024
"""Pixels across a grid that is no burden however small the field is."""


def spread(pixel: float, wavelength: float, distance: float) -> float:
    """How far, in pixels, the steepest wave the grid can carry (f = 1 / 2 pixel) walks sideways over a distance.

    Example:
        >>> round(spread(2e-9, 1e-9, 80e-9), 3)
        10.328
    """
    sine = wavelength / (2 * pixel)
    if sine >= 1:
        raise SamplingError(
            f"The pixel {pixel:.4g} m is finer than half the wavelength {wavelength:.4g} m, where the steepest waves "
            "are evanescent: use a coarser pixel or check the units of pixel and energy."
        )
    return abs(distance) * sine / math.sqrt(1 - sine**2) / pixel


def padded_size(wave: int, detector: int, distance: float, *, pixel: float, wavelength: float) -> int:
    """Size of a periodic grid on which what leaves the wave's field never wraps round into the detector's.

    A point of the wave's field (`wave` pixels) and one of the recorded field (`detector` pixels), both centred, are at
    most (wave + detector) / 2 apart, and light walks at most s = `spread(...)`. On a grid of M pixels its copy comes
    from M away: it stays out if M - (wave + detector) / 2 >= s. The total padding is therefore s, half of it on each
    side: what crosses the edge of the grid comes back into padding, which is cropped.

    Example:
        >>> padded_size(128, 128, 556e-9, pixel=2e-9, wavelength=6.2e-10)
        180
    """
    needed = math.ceil((wave + detector) / 2 + spread(pixel, wavelength, distance))
    return smooth_size(max(wave, detector, needed))


@dataclasses.dataclass(frozen=True)
class Sampling:
    """What propagation over a distance means on a grid.

    Attributes:
        method: the propagator that samples it: nothing to do, transfer function on the padded grid, or one step.
        fresnel_number: (half the field)² / (λ z).
        depth_of_focus: 2 δ² / (0.61² λ) with δ = 2 pixels, metres.
        padded: size of the grid for the transfer function.
        output_pixel: sampling after the propagation, metres.
        advice: a sentence.

    Example:
        >>> choose_propagator(256, 1e-6, pixel=1e-9, wavelength=2.5e-10).method
        'transfer function'
    """

    method: Method
    fresnel_number: float
    depth_of_focus: float
    padded: int
    output_pixel: float
    advice: str


def choose_propagator(
    size: int, distance: float, *, pixel: float, wavelength: float, keep_pixel: bool = False
) -> Sampling:
    """The propagator that a field of `size` pixels can be carried over `distance` with.

    The transfer function keeps the pixel and needs a grid padded by the spread of the wave; the one-step Fresnel
    transform changes the pixel to λ z / (N pixel) and needs |z| >= N pixel² / λ (Voelz, Computational Fourier Optics,
    chapter 5). Up to a padding of four times the field the transfer function is taken; of eight, or to a grid that is
    small all the same, where the pixel has to be kept.

    Args:
        size: pixels across the field.
        distance: metres; negative goes upstream.
        pixel: metres.
        wavelength: metres.
        keep_pixel: whether the field has to arrive with the pixel it has, as frames of a measurement do.

    Raises:
        SamplingError: no propagator is valid: the pixel is finer than half the wavelength, or cannot be kept.

    Example:
        >>> choose_propagator(256, 100.0, pixel=1e-6, wavelength=1e-10).method
        'one step'
    """
    walk = spread(pixel, wavelength, distance)
    depth = 2 * (2 * pixel) ** 2 / (0.61**2 * wavelength)
    if distance == 0:
        return Sampling("in place", math.inf, depth, size, pixel, "The detector is in focus: nothing propagates.")
    padded = padded_size(size, size, distance, pixel=pixel, wavelength=wavelength)
    fresnel = (size * pixel / 2) ** 2 / (wavelength * abs(distance))
    output = wavelength * abs(distance) / (size * pixel)
    if padded <= (max(_WIDEST_KEPT * size, _SMALL) if keep_pixel else _WIDEST * size):
        advice = f"Transfer function on a grid of {padded} pixels (the field has {size})."
        return Sampling("transfer function", fresnel, depth, padded, pixel, advice)
    if keep_pixel:
        raise SamplingError(
            f"Over {distance:.4g} m a pixel of {pixel:.4g} m undersamples the wave: it spreads over {walk:.3g} pixels "
            f"where the field has {size}, and one Fresnel step would make the pixel {output:.4g} m, so check distance, "
            "pixel and energy."
        )
    advice = f"Fresnel number {fresnel:.3g}: one-step Fresnel transform, after which a pixel is {output:.4g} m."
    return Sampling("one step", fresnel, depth, size, output, advice)
