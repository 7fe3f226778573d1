"""The measurements: multislice ptychography of layers of beads, simulated once by adorym, without noise.

Every case is a folder: `frames.npy` `(frame, y, x)` with the zero frequency at N//2; `case.npz` with what a user knows
(positions, wavelength, a probe of the wrong defocus) and the truth; `scan.h5`, the same as a data set of adorym.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

PROBE, SIDE, STEP = 128, 10, 10.0
PIXEL, ENERGY, SPACING = 10e-9, 8000.0, 10e-6
WAVELENGTH = 1.23984198e-6 / ENERGY
PHOTONS = 1e6
APERTURE, DEFOCUS, WRONG = 20.0, 90e-6, 0.8
"""Radius of the lens in frequency samples, its defocus in metres, and the part of it that the start takes."""

SHARES = (0.7, 0.15, 0.1, 0.05)
BEADS, LARGEST, SMALLEST = 220, 12.0, 4.0


@dataclasses.dataclass(frozen=True)
class Case:
    """How many slices and modes.

    Attributes:
        slices: along the beam.
        modes: of the probe.
    """

    slices: int
    modes: int

    @property
    def name(self) -> str:
        """What its folder and its rows are called."""
        return f"{self.slices} slices, {self.modes} mode{'s' if self.modes > 1 else ''}"

    @property
    def slug(self) -> str:
        """The same for a file's name."""
        return f"slices{self.slices}-modes{self.modes}"


CASES = tuple(Case(slices, modes) for modes in (1, 4) for slices in (2, 4, 8))
QUICK = (Case(2, 1),)


def positions() -> np.ndarray:
    """Probe centres (y, x) in pixels about the scan's centre, `(frame, 2)`; the jitter breaks the grid's symmetry.

    No position lies more than 0.45 pixels above a whole one: cdtools takes the slices behind the first at the nearest
    whole pixel, but the first at the one below, and would be wrong by a pixel for the others.
    """
    random = np.random.default_rng(1)
    axis = (np.arange(SIDE) - (SIDE - 1) / 2) * STEP
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    jitter = random.uniform(-1, 1, grid.shape) * 0.25 * STEP
    return np.floor(grid + jitter) + random.uniform(0, 0.45, grid.shape)


def field() -> int:
    """Pixels along an edge of the object that every program is given: what the probe's array reaches, and a margin."""
    size = int(np.ceil(2 * np.abs(positions()).max())) + PROBE + 4
    return size + size % 2


def region() -> np.ndarray:
    """True for pixels of the object between the outermost positions: where it is lit from all sides."""
    reach = np.abs(positions()).max(0)
    y, x = np.meshgrid(*[np.arange(field()) - (field() - 1) / 2] * 2, indexing="ij")
    return (np.abs(y) <= reach[0]) & (np.abs(x) <= reach[1])


def layers(slices: int) -> np.ndarray:
    """Transmissions of layers of beads, `(slice, y, x)`: each turns the phase by up to a radian where beads overlap."""
    size = field()
    y, x = np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    found = []
    for index in range(slices):
        random = np.random.default_rng([7, index])
        thickness = np.zeros((size, size))
        for _ in range(BEADS):
            (cy, cx), radius = random.uniform(-size / 2, size / 2, 2), random.uniform(SMALLEST, LARGEST)
            thickness += 2 * np.sqrt(np.maximum(radius**2 - (y - cy) ** 2 - (x - cx) ** 2, 0))
        phase = 0.5 / LARGEST / 2 * thickness * min(1.0, 3 / slices)
        found.append(np.exp(-(0.1 + 1j) * phase))
    return np.stack(found)


def illumination(modes: int, defocus: float) -> np.ndarray:
    """The probe in the middle of the sample `(mode, y, x)`: out of focus, further modes as of a moving source."""
    frequency = np.fft.fftfreq(PROBE) * PROBE
    y, x = np.meshgrid(frequency, frequency, indexing="ij")
    lens = 1 / (1 + np.exp(2 * (np.hypot(y, x) - APERTURE)))
    curvature = np.pi * WAVELENGTH * defocus / (PROBE * PIXEL) ** 2
    wave = np.fft.ifft2(lens * np.exp(-1j * curvature * (y**2 + x**2)))
    wave = np.fft.fftshift(wave)
    v, u = np.meshgrid(*[(np.arange(PROBE) - PROBE / 2) / (PROBE / 8)] * 2, indexing="ij")
    shapes = (1.0, u, v, u * v)[:modes]
    found = np.stack([wave * shape for shape in shapes])
    shares = np.array(SHARES[:modes]) / sum(SHARES[:modes])
    power = np.sum(np.abs(found) ** 2, axis=(1, 2))
    return found * np.sqrt(PHOTONS * shares / power)[:, None, None]


def carried(field: np.ndarray, distance: float) -> np.ndarray:
    """A wave `(..., y, x)` after free space."""
    frequency = np.fft.fftfreq(PROBE, PIXEL)
    squared = np.add.outer(frequency**2, frequency**2)
    phase = -2 * np.pi * WAVELENGTH * distance * squared / (1 + np.sqrt(1 - WAVELENGTH**2 * squared))
    return np.fft.ifft2(np.fft.fft2(field) * np.exp(1j * phase))


def simulate(case: Case, folder: Path) -> Path:
    """Write a case, unless it is there already."""
    path = folder / case.slug
    if (path / "scan.h5").exists():
        return path
    import jax.numpy as jnp

    from adorym.data import ArrayFrames, Dataset
    from adorym.experiment import PlannedFrames, ptychography
    from adorym.io import write_dataset
    from adorym.objects import LogAmplitudePhase, Slices

    path.mkdir(parents=True, exist_ok=True)
    truth, places = layers(case.slices), positions()
    right, wrong = (illumination(case.modes, part * DEFOCUS) for part in (1.0, WRONG))
    plan = Dataset(
        frames=PlannedFrames((1, SIDE**2, PROBE, PROBE)), technique="ptychography", regime="far field", pixel=PIXEL,
        energy=ENERGY, angles=np.zeros(1), distances=np.zeros(0), positions=places[None] * PIXEL, probe=right,
        mask=np.ones((PROBE, PROBE), bool), weights=np.ones((1, SIDE**2)), photons=PHOTONS, source=case.name,
    )  # fmt: skip
    model = ptychography(plan, modes=case.modes, slices=case.slices, spacing=SPACING)
    sample = LogAmplitudePhase(*(jnp.asarray(part, jnp.float32) for part in (np.log(np.abs(truth)), np.angle(truth))))
    model = dataclasses.replace(model, object=Slices(sample, SPACING))
    frames = np.asarray(model.predict(jnp.arange(1), jnp.arange(SIDE**2)[None])[0], np.float32)
    np.save(path / "frames.npy", frames)
    entrance = -SPACING * (case.slices - 1) / 2
    np.savez(
        path / "case.npz", positions=places, start=carried(wrong, entrance).astype(np.complex64),
        truth=truth.astype(np.complex64), wavelength=WAVELENGTH, pixel=PIXEL, energy=ENERGY, spacing=SPACING,
        field=field(), slices=case.slices, modes=case.modes,
    )  # fmt: skip
    write_dataset(path / "scan.h5", dataclasses.replace(plan, frames=ArrayFrames(frames[None]), probe=wrong))
    return path
