"""The arithmetic of an x-ray beam: wavelength, depth of focus, Fresnel number, cone beam, far-field sampling."""

from __future__ import annotations

import dataclasses
import math

from adorym._core import DataError

HC: float = 1.23984198e-6
"""Planck's constant times the speed of light, metre electronvolt."""


def wavelength(energy: float) -> float:
    """Wavelength in metres of photons of an energy in eV: hc/E.

    Raises:
        DataError: the energy is not a positive number.

    Example:
        >>> f"{wavelength(5000.0):.4e}"
        '2.4797e-10'
    """
    return HC / _positive(energy, "energy", "eV")


def wavenumber(energy: float) -> float:
    """Wavenumber k = 2 pi / wavelength, in radians per metre, of photons of an energy in eV.

    Raises:
        DataError: the energy is not a positive number.

    Example:
        >>> f"{wavenumber(5000.0):.4e}"
        '2.5339e+10'
    """
    return 2 * math.pi / wavelength(energy)


def depth_of_focus(resolution: float, wavelength: float) -> float:
    """Depth of focus 2 r^2 / (0.61^2 wavelength), metres.

    Args:
        resolution: transverse resolution r, metres (two pixels where the pixel sets it).
        wavelength: metres.

    Raises:
        DataError: a length is not a positive number.

    Example:
        Sixty-four voxels of 2 nm at 1 keV are 1.8 times as thick as their depth of focus.

        >>> f"{64 * 2e-9 / depth_of_focus(4e-9, 1.23984e-9):.2f}"
        '1.85'
    """
    r = _positive(resolution, "resolution", "metres")
    return 2 * r**2 / (0.61**2 * _positive(wavelength, "wavelength", "metres"))


def fresnel_number(size: float, wavelength: float, distance: float) -> float:
    """Fresnel number size^2 / (wavelength |distance|); infinite in the plane of the sample.

    Args:
        size: what is looked at, metres: a pixel, a feature, the field of view.
        wavelength: metres.
        distance: effective propagation distance, metres, of either sign.

    Raises:
        DataError: the size or the wavelength is not a positive number.

    Example:
        >>> round(fresnel_number(1e-6, 1e-10, 0.01), 9)
        1.0
    """
    area = _positive(size, "size", "metres") ** 2
    path = _positive(wavelength, "wavelength", "metres") * abs(distance)
    return area / path if path else math.inf


@dataclasses.dataclass(frozen=True)
class ConeBeam:
    """The parallel beam that stands for a diverging one (Fresnel scaling theorem).

    Attributes:
        magnification: M = (focus to detector) / (focus to sample).
        distance: effective propagation distance, metres: (sample to detector) / M.

    Example:
        >>> ConeBeam(magnification=2.0, distance=0.5).pixel(50e-6)
        2.5e-05
    """

    magnification: float
    distance: float

    def pixel(self, detector_pixel: float) -> float:
        """Effective pixel in the sample's plane, metres: a detector pixel over the magnification.

        Raises:
            DataError: the detector pixel is not a positive number.

        Example:
            >>> ConeBeam(magnification=4.0, distance=1e-3).pixel(10e-6)
            2.5e-06
        """
        return _positive(detector_pixel, "detector pixel", "metres") / self.magnification


def cone_beam(focus_to_sample: float, sample_to_detector: float) -> ConeBeam:
    """Magnification and effective distance of a beam that diverges from a focus upstream of the sample.

    Args:
        focus_to_sample: metres, from the focus to the rotation axis (z = 0); infinite for a parallel beam.
        sample_to_detector: metres, from the rotation axis to the detector.

    Raises:
        DataError: the focus is not upstream of the sample, or the detector not downstream.

    Example:
        >>> beam = cone_beam(3.65e-3, 1.12)
        >>> f"{beam.magnification:.1f}", f"{beam.distance * 1e3:.3f} mm", f"{beam.pixel(55e-6) * 1e9:.1f} nm"
        ('307.8', '3.638 mm', '178.7 nm')
    """
    after = _positive(sample_to_detector, "distance from sample to detector", "metres")
    if focus_to_sample == math.inf:
        return ConeBeam(1.0, after)
    before = _positive(focus_to_sample, "distance from focus to sample", "metres")
    magnification = (before + after) / before
    return ConeBeam(magnification, after / magnification)


def far_field_pixel(wavelength: float, distance: float, count: int, *, detector_pixel: float) -> float:
    """Pixel at the sample, metres, of a far-field frame: wavelength distance / (count detector_pixel).

    Args:
        wavelength: metres.
        distance: sample to detector, metres.
        count: pixels of the frame along the axis.
        detector_pixel: metres.

    Raises:
        DataError: one of them is not a positive number.

    Example:
        >>> f"{far_field_pixel(1e-10, 2.0, 128, detector_pixel=75e-6) * 1e9:.2f} nm"
        '20.83 nm'
    """
    path = _positive(wavelength, "wavelength", "metres") * _positive(distance, "distance", "metres")
    width = _positive(float(count), "number of pixels", "pixels") * _positive(
        detector_pixel, "detector pixel", "metres"
    )
    return path / width


def _positive(value: float, name: str, unit: str) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise DataError(f"The {name} is {value}: give a positive number in {unit}.")
    return float(value)
