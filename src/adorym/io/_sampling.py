"""Energy, pixel and distances from whatever combination of facts a file and a job give."""

from __future__ import annotations

import dataclasses

import numpy as np

from adorym._core import DataError
from adorym.data import Regime
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording
from adorym.physics import cone_beam, far_field_pixel, wavelength

_EXAMPLES = {
    "energy": '"5 keV"',
    "pixel": '"10 nm"',
    "distances": '"10 mm"',
    "detector_distance": '"1 m"',
    "detector_pixel": '"50 um"',
}


@dataclasses.dataclass(frozen=True)
class Sampling:
    """What fixes the sampling: `pixel` and `energy` are both `None` in pixel units."""

    pixel: float | None
    energy: float | None
    distances: np.ndarray


def find_sampling(
    recording: Recording, overrides: Overrides, *, regime: Regime, shape: tuple[int, int, int, int]
) -> Sampling:
    """Pixel, energy and distances; what [data] says comes before what the file says.

    Args:
        recording: what the file says.
        overrides: what [data] says.
        regime: how the wave gets to the detector.
        shape: of the frames, oriented and cropped.

    Raises:
        DataError: something that this regime cannot do without is missing.
    """
    energy = either(overrides.energy, recording.energy)
    if regime == "near field":
        pixel, distances = _near_field(recording, overrides, shape[1])
        return Sampling(pixel, needed(energy, "energy", recording), distances)
    pixel = either(overrides.pixel, recording.pixel)
    if pixel is None:
        pixel = _detector_sampling(recording, overrides, regime=regime, energy=energy, count=shape[3])
    if regime == "far field" and shape[0] > 1:  # a turned object ties the frames' scale to the wave's
        energy, pixel = needed(energy, "energy", recording), needed(pixel, "pixel", recording)
    if energy is None or pixel is None:
        return Sampling(None, None, np.zeros(0))
    return Sampling(pixel, energy, np.zeros(0))


def either(first: float | None, second: float | None) -> float | None:
    """The first if there is one, else the second."""
    return second if first is None else first


def needed(value: float | None, name: str, recording: Recording) -> float:
    """The value; without one, a sentence that asks for it."""
    if value is None:
        raise DataError(f"{recording.path} does not say the {name}: add {name} = {_EXAMPLES[name]} to [data].")
    return value


def _detector_sampling(
    recording: Recording, overrides: Overrides, *, regime: Regime, energy: float | None, count: int
) -> float | None:
    """Pixel at the sample from the detector's own, where that is known."""
    detector = either(overrides.detector_pixel, recording.detector_pixel)
    distance = either(overrides.detector_distance, recording.detector_distance)
    if regime == "in focus":
        return detector
    if energy is None or distance is None or detector is None:
        return None
    return far_field_pixel(wavelength(energy), distance, count, detector_pixel=detector)


def _near_field(recording: Recording, overrides: Overrides, count: int) -> tuple[float, np.ndarray]:
    """Effective pixel and distances; a focus upstream makes the beam diverge."""
    pixel, detector = (
        either(overrides.pixel, recording.pixel),
        either(overrides.detector_pixel, recording.detector_pixel),
    )
    distance = either(overrides.detector_distance, recording.detector_distance)
    distances = recording.distances if overrides.distances is None else np.asarray(overrides.distances)
    if overrides.focus_distance is not None:
        beam = cone_beam(overrides.focus_distance, needed(distance, "detector_distance", recording))
        distances = np.array([beam.distance]) if overrides.distances is None else distances
        pixel = either(overrides.pixel, None if detector is None else beam.pixel(detector))
        pixel = needed(pixel, "detector_pixel", recording)
    if distances is None:
        distances = np.array([needed(distance, "distances", recording)])
    distances = np.atleast_1d(np.asarray(distances, dtype=np.float64))
    if len(distances) not in (1, count) or not np.isfinite(distances).all():
        raise DataError(
            f"{recording.path} has {count} frames a view but {len(distances)} (finite) distances are given: give one "
            "for all frames, or one each."
        )
    return needed(either(pixel, detector), "pixel", recording), distances
