"""The earlier Adorym's layout: distances, positions and probe from the faces of the object to its middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adorym._core import DataError
from adorym.data import Dataset
from adorym.io import Truth, read_dataset, read_truth
from adorym.io._exchange import propagate_in_vacuum
from adorym.metrics import misfit

CORNERS = np.array([[-2.0, -2.0], [-2.0, 6.0], [6.0, -2.0], [6.0, 6.0]])


def test_holography(write_exchange: Any) -> None:
    path = write_exchange()
    data = read_dataset(path)
    assert (data.technique, data.regime) == ("holography", "near field")
    assert (data.energy, data.pixel) == (2000.0, 2e-9)
    np.testing.assert_allclose(data.distances, [300e-9 + 8 * 2e-9 / 2])  # the frame's width is the object's depth
    np.testing.assert_array_equal(data.angles, [0, 1, 2])
    with h5py.File(path) as file:
        stored = file["exchange/data"][1]
    np.testing.assert_allclose(data.frames.read(1, np.array([0])), stored**2, rtol=1e-6)


def test_photons_scale_frames_that_are_relative_to_the_beam(write_exchange: Any) -> None:
    path = write_exchange()
    relative, counts = read_dataset(path), read_dataset(path, options={"photons": 1.4e5})
    one = np.array([0])
    np.testing.assert_allclose(counts.frames.read(2, one), 1.4e5 * relative.frames.read(2, one), rtol=1e-6)
    assert (relative.photons, counts.photons) == (1.0, 1.4e5)
    scaled = read_dataset(path, options={"scale": 10.0})
    assert scaled.photons == 10.0


def test_a_given_thickness_counts(write_exchange: Any) -> None:
    data = read_dataset(write_exchange(), options={"thickness": "1 um"})
    np.testing.assert_allclose(data.distances, [300e-9 + 0.5e-6])


def test_positions_are_centres_from_the_middle_of_the_object(write_exchange: Any, rng: np.random.Generator) -> None:
    frames = rng.random((3, 4, 8, 8)) + 0.1
    path = write_exchange(exchange__data=frames, metadata__probe_pos_px=CORNERS, metadata__free_prop_cm=None)
    data = read_dataset(path)
    assert (data.technique, data.regime, data.distances.size) == ("ptychography", "far field", 0)
    # The scan of arrays of 8 px lies in the middle of 12 px: corners -2 and 6 are centres 5.5 - 3.5 px off it.
    np.testing.assert_allclose(data.positions[2] / 2e-9, CORNERS + 3.5 - 5.5, atol=1e-12)
    wider = read_dataset(path, options={"object_size": [20, 16]})
    np.testing.assert_allclose(wider.positions[0] / 2e-9, CORNERS + 3.5 - [9.5, 7.5], atol=1e-12)


def test_the_probe_moves_from_the_entrance_face_to_the_axis(write_exchange: Any, rng: np.random.Generator) -> None:
    real, imaginary = rng.random((2, 8, 8))
    path = write_exchange(
        exchange__data=rng.random((3, 4, 8, 8)) + 0.1, metadata__probe_pos_px=CORNERS, metadata__free_prop_cm=None,
        probe__real=real, probe__imag=imaginary,
    )  # fmt: skip
    data = read_dataset(path, options={"thickness": "40 nm"})
    assert data.probe.shape == (1, 8, 8)
    back = propagate_in_vacuum(data.probe, -20e-9, wavelength=data.wavelength, pixel=data.pixel)
    np.testing.assert_allclose(back[0], real + 1j * imaginary, atol=1e-6)
    assert data.photons == pytest.approx(np.sum(real**2 + imaginary**2))


def test_vacuum_propagation_of_a_gaussian_beam() -> None:
    waist, wavelength, pixel, distance = 20e-9, 0.62e-9, 2e-9, 1.5e-6
    axis = (np.arange(256) - 128) * pixel
    squared = np.add.outer(axis**2, axis**2)
    got = propagate_in_vacuum(np.exp(-squared / waist**2), distance, wavelength=wavelength, pixel=pixel)
    rayleigh = np.pi * waist**2 / wavelength
    q = 1 + 1j * distance / rayleigh  # exp(+ikz): the phase grows outwards downstream
    np.testing.assert_allclose(got, np.exp(-squared / (waist**2 * q)) / q, atol=2e-4)
    assert np.angle(got[128, 136] / got[128, 128]) > 0
    assert np.sum(np.abs(got) ** 2) == pytest.approx(np.sum(np.exp(-2 * squared / waist**2)), rel=1e-12)


def test_waves(write_exchange: Any, rng: np.random.Generator) -> None:
    values = rng.random((3, 1, 8, 8)) + 0.5
    data = read_dataset(write_exchange(exchange__data=values * np.exp(1j)))
    np.testing.assert_allclose(data.frames.read(0, np.array([0])), values[0] ** 2, rtol=1e-6)


def test_intensities(write_exchange: Any, rng: np.random.Generator) -> None:
    values = rng.random((3, 1, 8, 8)) + 0.5
    data = read_dataset(write_exchange(exchange__data=values), options={"values": "intensity"})
    np.testing.assert_allclose(data.frames.read(0, np.array([0])), values[0], rtol=1e-6)


def test_an_infinite_distance_is_the_far_field(write_exchange: Any) -> None:
    path = write_exchange(metadata__free_prop_cm=np.inf)
    with pytest.raises(DataError, match="neither metadata/free_prop_cm nor"):
        read_dataset(path)
    assert read_dataset(path, options={"regime": "far field"}).technique == "cdi"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metadata__theta": np.array([0.0, 90.0, 180.0])}, "look like degrees"),
        ({"metadata__theta": np.zeros(4)}, r"4 angles, but .* 3 views"),
        ({"metadata__theta": np.array([0, np.nan, 1])}, "angles that are not finite"),
        ({"metadata__energy_ev": None}, "does not say the energy: add energy"),
        ({"metadata__energy_ev": np.nan}, "metadata/energy_ev in .* one finite number"),
        ({"metadata__psize_cm": None}, "add thickness or pixel"),
        ({"metadata__psize_cm": -2e-7}, "pixel = -2e-09: a positive number"),
        ({"metadata__probe_pos_px": np.zeros((3, 2))}, r"probe_pos_px has shape \(3, 2\)"),
        ({"metadata__probe_pos_px": np.zeros((1, 3))}, r"probe_pos_px has shape \(1, 3\)"),
        ({"probe__real": np.ones((8, 8)), "probe__imag": np.ones((8, 8)), "metadata__energy_ev": None}, "no energy"),
        ({"exchange__data": np.full((3, 1, 8, 8), np.nan)}, "not finite"),
    ],
)
def test_bad_files_are_sentences(write_exchange: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_dataset(write_exchange(**changes))


def test_units_of_angles(write_exchange: Any) -> None:
    degrees = (np.array([0.0, 90.0, 180.0]), {"units": "degrees"})
    np.testing.assert_allclose(read_dataset(write_exchange(metadata__theta=degrees)).angles, [0, np.pi / 2, np.pi])
    path = write_exchange(metadata__theta=np.array([0.0, 90.0, 180.0]))
    np.testing.assert_allclose(read_dataset(path, options={"angle_unit": "deg"}).angles, [0, np.pi / 2, np.pi])
    wrapped = read_dataset(path, options={"angle_unit": "rad"}).angles  # several turns, if they really are radians
    np.testing.assert_allclose(np.sin(wrapped), np.sin([0, 90, 180]), atol=1e-12)


def slabs(truth: Truth, *, quarter_turn: bool) -> tuple[np.ndarray, np.ndarray]:
    """The object in the laboratory: at 90 degrees the point (x, z) sees the sample's (-z, x)."""
    if not quarter_turn:
        return truth.delta, truth.beta
    return truth.delta.transpose(2, 1, 0)[::-1], truth.beta.transpose(2, 1, 0)[::-1]


def exit_wave(wave: np.ndarray, data: Dataset, delta: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Multislice in numpy: from the entrance face through all slabs to the exit face."""
    k = 2 * np.pi / data.wavelength
    for d, b in zip(delta, beta, strict=True):
        wave = propagate_in_vacuum(wave, data.pixel / 2, wavelength=data.wavelength, pixel=data.pixel)
        wave = wave * np.exp(-k * data.pixel * (b + 1j * d))
        wave = propagate_in_vacuum(wave, data.pixel / 2, wavelength=data.wavelength, pixel=data.pixel)
    return wave


@pytest.mark.parametrize("quarter_turn", [False, True])
def test_the_independent_holograms_fit_the_truth(shared_data: Path, quarter_turn: bool) -> None:
    """Angles, axes and the distance from the axis, against data that other code made: the misfit is the shot noise."""
    data = read_dataset(shared_data / "cone128_holography_adorym.h5", options={"photons": 1.4e5})
    truth = read_truth(shared_data / "cone128_holography_adorym_truth.h5")
    np.testing.assert_allclose(data.distances, [428e-9])
    view = 30 if quarter_turn else 0
    assert data.angles[view] == pytest.approx(quarter_turn * np.pi / 2, abs=1e-6)
    wide = [np.pad(one, ((0, 0), (32, 32), (32, 32))) for one in slabs(truth, quarter_turn=quarter_turn)]
    wave = exit_wave(np.full((192, 192), np.sqrt(data.photons), complex), data, *wide)
    rest = data.distances[0] - 128 * data.pixel / 2
    wave = propagate_in_vacuum(wave, rest, wavelength=data.wavelength, pixel=data.pixel)
    measured = data.frames.read(view, np.array([0]))[0]
    assert misfit(np.abs(wave[32:-32, 32:-32]) ** 2, measured) < 1.2 / 4 / data.photons


@pytest.mark.parametrize("quarter_turn", [False, True])
def test_the_independent_ptychography_fits_the_truth(shared_data: Path, quarter_turn: bool) -> None:
    """Positions, probe and zero frequency, against data that other code made."""
    data = read_dataset(shared_data / "cone128_ptychotomography_adorym.h5")
    truth = read_truth(shared_data / "cone128_ptychotomography_adorym_truth.h5")
    view, frame = 30 * quarter_turn, 100
    entrance = propagate_in_vacuum(data.probe[0], -128e-9, wavelength=data.wavelength, pixel=data.pixel)
    top, left = np.round(data.positions[view, frame] / data.pixel - 23.5 + 63.5).astype(int) + 16
    padded = [np.pad(one, ((0, 0), (16, 16), (16, 16))) for one in slabs(truth, quarter_turn=quarter_turn)]
    seen = [one[:, top : top + 48, left : left + 48] for one in padded]
    measured = data.frames.read(view, np.array([frame]))[0]
    waves = [exit_wave(entrance, data, *seen), exit_wave(entrance, data, *[0 * one for one in seen])]
    object_, empty = (np.abs(np.fft.fftshift(np.fft.fft2(wave, norm="ortho"))) ** 2 for wave in waves)
    assert misfit(object_, measured) < 5e-5
    assert misfit(empty, measured) > 5e-4
