"""The five parts, one by one: probes, geometry, transport, detector, slabs."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym._core import DataError, SamplingError, View
from adorym.detectors import Detector
from adorym.geometry import Geometry
from adorym.objects import FixedRatio, Image, LogAmplitudePhase, Slabs, Slices, Volume
from adorym.probes import Modes, PlaneWave, add_modes, from_far_field, from_near_field
from adorym.propagation import propagate
from adorym.transport import FarField, InFocus, NearField, crop, crop_frequencies
from adorym.waves import Grid, Wave

STILL = View(jnp.array(0.0), jnp.array(0.0))


def random_field(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


# --- probes -----------------------------------------------------------------------------------------------------------


def test_a_plane_wave_has_its_photons_in_every_pixel() -> None:
    wave = PlaneWave.of(7.0).wave((4, 6), None, jnp.ones((4, 6), complex))
    np.testing.assert_allclose(jnp.abs(wave) ** 2, 7.0)
    assert wave.shape == (1, 1, 4, 6)
    assert PlaneWave.of(7.0).wave((4, 6), jnp.zeros((3, 2)), jnp.ones((4, 6), complex)).shape == (3, 1, 4, 6)


def test_modes_are_carried_to_the_entrance_and_moved() -> None:
    field = random_field((2, 6, 6))
    probe, entrance = Modes.of(field), jnp.asarray(np.exp(1j * random_field((6, 6), 1).real))
    np.testing.assert_allclose(probe.field, field)
    still = probe.wave((6, 6), None, entrance)
    carried = np.fft.ifft2(np.fft.fft2(field) * np.asarray(entrance))
    np.testing.assert_allclose(still, carried[None], atol=1e-12)
    moved = probe.wave((6, 6), jnp.array([[0.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), entrance)
    assert moved.shape == (3, 2, 6, 6)
    np.testing.assert_allclose(moved[1], np.roll(carried, 1, axis=2), atol=1e-12)
    np.testing.assert_allclose(moved[2], np.roll(carried, -1, axis=1), atol=1e-12)


def test_further_modes_share_the_photons_and_differ() -> None:
    probe = random_field((1, 16, 16))
    three = add_modes(probe, 3, seed=1)
    photons = np.sum(np.abs(three) ** 2, axis=(1, 2))
    assert photons.sum() == pytest.approx(np.sum(np.abs(probe) ** 2))
    np.testing.assert_allclose(photons[1:] / photons.sum(), 0.05)
    gram = np.abs(np.einsum("ayx,byx->ab", three, three.conj()))
    assert all(gram[i, j] < 0.9 * np.sqrt(gram[i, i] * gram[j, j]) for i in range(3) for j in range(i))
    np.testing.assert_array_equal(add_modes(three, 2), three[:2])
    np.testing.assert_array_equal(add_modes(probe, 3, seed=1), three)


def test_a_first_probe_from_far_field_frames_is_centred_and_has_their_photons() -> None:
    y, x = np.meshgrid(*[np.arange(32) - 15.5] * 2, indexing="ij")
    spot = np.exp(-(x**2 + y**2) / 18.0).astype(complex)
    wave = Wave(jnp.asarray(spot)[None, None], 1e-9, 1e-10)
    frame = np.asarray(FarField().carry(wave, 0.0, jnp.array([0])).intensity[0, 0])
    guess = from_far_field(frame)
    assert guess.shape == (1, 32, 32)
    assert np.sum(np.abs(guess) ** 2) == pytest.approx(frame.sum())
    # an untilted Gaussian is its own transform's transform, half a pixel off at most
    weight = np.abs(guess[0]) ** 2
    assert abs(np.sum(weight * x) / weight.sum()) <= 0.5 + 1e-6
    assert abs(np.sum(weight * y) / weight.sum()) <= 0.5 + 1e-6
    assert np.sqrt(np.sum(weight * (x**2 + y**2)) / weight.sum()) == pytest.approx(3.0, rel=0.05)


def test_a_first_probe_from_near_field_frames_makes_such_frames() -> None:
    y, x = np.meshgrid(*[np.linspace(-1, 1, 24)] * 2, indexing="ij")
    frame = 50 + 20 * np.cos(3 * x) * np.cos(2 * y)
    grid = Grid((36, 36), 1e-6, 1e-10)
    guess = from_near_field(frame, grid, 5e-3)
    again = propagate(Wave(jnp.asarray(guess), 1e-6, 1e-10), 5e-3).intensity[0]
    np.testing.assert_allclose(crop(again, (24, 24)), frame, rtol=1e-9)


# --- geometry ---------------------------------------------------------------------------------------------------------


def test_a_placement_is_a_whole_corner_and_the_rest() -> None:
    positions = np.array([[[0.0, 0.0], [2.3, -1.7], [0.5, 3.0]]])
    geometry = Geometry.scan(np.zeros(1), positions)
    assert geometry.scanned
    placed = geometry.frame(jnp.array(0), jnp.array([1, 2, 0]), field=(20, 21), window=(8, 9))
    np.testing.assert_allclose(np.asarray(placed.corner) + np.asarray(placed.fraction), positions[0, [1, 2, 0]] + 6)
    assert placed.corner.dtype == jnp.int32
    assert float(jnp.abs(placed.fraction).max()) <= 0.5


def test_positions_move_the_probe_smoothly_and_not_the_window() -> None:
    """The gradient by a position goes through the fraction alone."""
    geometry = Geometry.scan(np.zeros(1), np.array([[[0.2, 0.3]]]))

    def fraction(offset: jax.Array) -> jax.Array:
        moved = dataclasses.replace(geometry, position_offset=offset)
        return moved.frame(jnp.array(0), jnp.array([0]), field=(9, 9), window=(4, 4)).fraction.sum()

    np.testing.assert_array_equal(jax.grad(fraction)(geometry.position_offset), np.ones((1, 1, 2)))


def test_a_full_field_geometry_has_no_positions() -> None:
    geometry = Geometry.full_field(np.array([0.1, 0.2]), 1.5)
    assert not geometry.scanned
    view = geometry.view(jnp.array(1))
    assert (float(view.angle), float(view.axis_offset)) == (0.2, 1.5)


# --- transport --------------------------------------------------------------------------------------------------------


def test_one_exit_wave_is_recorded_at_several_distances() -> None:
    field = random_field((1, 2, 12, 12))
    wave = Wave(jnp.asarray(field), 2e-9, 1e-9)
    transport = NearField.over((1e-7, 3e-7, 2e-7), (8, 6))
    seen = transport.carry(wave, 2e-8, jnp.array([2, 0])).field
    assert seen.shape == (2, 2, 8, 6)
    for frame, distance in zip(seen, (2e-7, 1e-7), strict=True):
        alone = propagate(wave, distance - 2e-8).field  # what is left from the plane z = 2e-8
        np.testing.assert_allclose(frame, crop(alone, (8, 6))[0], atol=1e-12)


@pytest.mark.parametrize("offset", [1e-8, -3e-8])
def test_a_distance_offset_is_added_to_the_distance(offset: float) -> None:
    wave = Wave(jnp.asarray(random_field((1, 1, 12, 12))), 2e-9, 1e-9)
    nominal, real = (NearField.over((z,), (12, 12)) for z in (1e-7, 1e-7 + offset))
    refined = dataclasses.replace(nominal, distance_offset=jnp.array([offset]))
    one, other = (t.carry(wave, 0.0, jnp.array([0])).field for t in (refined, real))
    np.testing.assert_allclose(one, other, atol=1e-10)


def test_a_distance_offset_leaves_evanescent_waves_out() -> None:
    wave = Wave(jnp.asarray(random_field((1, 1, 8, 8))), 1e-9, 4e-9)
    transport = dataclasses.replace(NearField.over((1e-7,), (8, 8)), distance_offset=jnp.array([1e-8]))
    seen = transport.carry(wave, 0.0, jnp.array([0]))
    assert bool(jnp.all(jnp.isfinite(seen.field)))
    assert float(seen.intensity.sum()) < 0.9 * float(wave.intensity.sum())


def test_crops_keep_the_middle() -> None:
    field = jnp.arange(49.0).reshape(7, 7)
    assert crop(field, (3, 3)).ravel().tolist() == [16, 17, 18, 23, 24, 25, 30, 31, 32]
    assert crop(jnp.arange(8.0)[None], (1, 4)).tolist() == [[2, 3, 4, 5]]
    for size, part in [(8, 4), (9, 5), (8, 5), (9, 4)]:
        frequencies = jnp.arange(size)[None] - size // 2
        kept = crop_frequencies(frequencies, (1, part))[0]
        assert int(kept[part // 2]) == 0, "the zero frequency stays at N//2"


def test_a_smaller_far_field_frame_is_the_middle_of_the_large_one() -> None:
    wave = Wave(jnp.asarray(random_field((1, 1, 12, 12))), 1e-9, 1e-10)
    full, part = (FarField(frame).carry(wave, 0.0, jnp.array([0])).intensity for frame in (None, (6, 8)))
    np.testing.assert_allclose(part, full[..., 3:9, 2:10])


def test_in_focus_nothing_is_propagated() -> None:
    wave = Wave(jnp.asarray(random_field((2, 1, 8, 8))), 1e-9, 1e-10)
    np.testing.assert_array_equal(InFocus((4, 6)).carry(wave, 5.0, jnp.array([0])).field, wave.field[..., 2:6, 1:7])


# --- detector ---------------------------------------------------------------------------------------------------------


def test_modes_add_as_intensities() -> None:
    field = random_field((3, 2, 4, 4))
    counts = Detector.ideal().record(Wave(jnp.asarray(field), 1e-9, 1e-10))
    np.testing.assert_allclose(counts, (np.abs(field) ** 2).sum(1), rtol=1e-12)


def test_gain_and_background_by_pixel() -> None:
    gain, background = np.arange(1.0, 17).reshape(4, 4), np.arange(16.0).reshape(4, 4)
    wave = Wave(jnp.full((2, 1, 4, 4), 2.0 + 0j), 1e-9, 1e-10)
    counts = Detector(jnp.asarray(gain), jnp.asarray(background)).record(wave)
    np.testing.assert_allclose(counts, np.broadcast_to(4 * gain + background, (2, 4, 4)))


@pytest.mark.parametrize("binning", [1, 2, 3])
def test_binning_adds_up_photons(binning: int) -> None:
    field = random_field((2, 1, 6, 12))
    counts = Detector.ideal(binning=binning).record(Wave(jnp.asarray(field), 1e-9, 1e-10))
    assert counts.shape == (2, 6 // binning, 12 // binning)
    corner = (np.abs(field[1, 0, :binning, -binning:]) ** 2).sum()
    assert float(counts[1, 0, -1]) == pytest.approx(corner)
    np.testing.assert_allclose(counts.sum((1, 2)), (np.abs(field) ** 2).sum((1, 2, 3)))


# --- slabs ------------------------------------------------------------------------------------------------------------


def test_slabs_lie_symmetrically_about_the_axis() -> None:
    volume = Volume.vacuum((12, 2, 12), voxel=2e-9, wavelength=1e-9, slab_voxels=4)
    slabs = volume.slabs(STILL)
    assert slabs.phase.shape == (3, 2, 12)
    assert slabs.spacing == 8e-9
    assert (slabs.first, slabs.last) == (-8e-9, 8e-9)


@pytest.mark.parametrize(("depth", "slab_voxels"), [(8, 3), (9, 2), (7, 4), (8, 5), (5, 5), (4, 8)])
def test_every_voxel_is_counted_to_the_slab_that_it_lies_in(depth: int, slab_voxels: int) -> None:
    """Wherever the slabs' borders fall: a voxel's z is within half a slab of its slab's middle."""
    for plane in range(depth):
        delta = np.zeros((depth, 1, depth))
        delta[plane] = 1.0
        volume = Volume.vacuum((depth, 1, depth), voxel=1.0, wavelength=2 * np.pi, slab_voxels=slab_voxels)
        slabs = volume.filled(delta, delta).slabs(STILL)
        assert slabs.phase.shape[0] == -(-depth // slab_voxels)
        (index,) = np.flatnonzero(np.asarray(slabs.phase)[:, 0, 0])
        middle = slabs.first + index * slabs.spacing
        assert abs((plane - (depth - 1) / 2) - middle) <= (slab_voxels - 1) / 2 + 1e-9
        assert slabs.last == pytest.approx(slabs.first + (slabs.phase.shape[0] - 1) * slabs.spacing)


def test_a_view_may_be_narrower_or_wider_than_the_volume() -> None:
    delta = np.random.default_rng(0).uniform(size=(6, 2, 6))
    volume = Volume.vacuum((6, 2, 6), voxel=1.0, wavelength=2 * np.pi, slab_voxels=6).filled(delta, 0 * delta)
    full = volume.slabs(STILL).phase[0]
    wide, narrow = (dataclasses.replace(volume, width=width).slabs(STILL).phase[0] for width in (10, 4))
    np.testing.assert_allclose(wide[:, 2:8], full)
    assert float(jnp.abs(wide[:, :2]).max()) == 0
    np.testing.assert_allclose(narrow, full[:, 1:5])


def test_an_image_is_one_thin_slab_at_the_axis() -> None:
    phase = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 5)))
    slabs = Image(LogAmplitudePhase(-phase, phase)).slabs(View(jnp.array(1.0), jnp.array(3.0)))
    np.testing.assert_array_equal(slabs.phase, phase[None])
    np.testing.assert_array_equal(slabs.log_amplitude, -phase[None])
    assert slabs.first == slabs.last == 0


def test_slices_lie_symmetrically_about_the_axis() -> None:
    leaves = (jnp.asarray(random_field((3, 4, 5)).real) for _ in range(2))
    slices = Slices(LogAmplitudePhase(*leaves), spacing=2e-6)
    slabs = slices.slabs(STILL)
    assert (slices.count, slabs.first, slabs.last) == (3, -2e-6, 2e-6)
    np.testing.assert_array_equal(slabs.phase, slices.parametrization.phase)
    assert slices.typical("phase") == pytest.approx(1 / 3)


def test_coarser_slices_are_as_many() -> None:
    delta = jnp.asarray(random_field((3, 8, 6)).real)
    coarse = Slices(FixedRatio(delta, jnp.array(0.5)), spacing=1e-6).binned(2)
    alone = Image(FixedRatio(delta[1], jnp.array(0.5))).binned(2)
    assert coarse.spacing == 1e-6
    np.testing.assert_allclose(coarse.parametrization.delta[1], alone.parametrization.delta)
    np.testing.assert_allclose(coarse.parametrization.ratio, 0.5)


@pytest.mark.parametrize("spacing", [0.0, -1e-6, np.inf])
def test_slices_need_a_spacing(spacing: float) -> None:
    with pytest.raises(SamplingError, match="spacing"):
        Slices(LogAmplitudePhase(jnp.zeros((2, 4, 4)), jnp.zeros((2, 4, 4))), spacing)


def test_a_slab_has_a_voxel_at_least() -> None:
    with pytest.raises(DataError, match="slab_voxels is 0"):
        Volume.vacuum((4, 4, 4), voxel=1e-9, wavelength=1e-9, slab_voxels=0)


def test_typical_values_are_those_of_matter() -> None:
    """δ of water at 10 keV is 2.3e-6; a tenth of it stands for β; without an energy, one radian over the depth."""
    volume = Volume.vacuum((16, 4, 16), voxel=1e-8, wavelength=1.23984198e-10, slab_voxels=1)
    assert volume.typical("delta") == pytest.approx(2.3e-6, rel=0.03)
    assert volume.typical("beta") == volume.typical("delta")
    assert volume.typical("phase") == pytest.approx(volume.scale * volume.typical("delta"))
    assert not volume.pixel_units
    unitless = Volume.vacuum((16, 4, 16), voxel=1.0, wavelength=2 * np.pi, slab_voxels=1)
    assert unitless.pixel_units
    assert unitless.typical("delta") == pytest.approx(1 / 16)
    image = Image(LogAmplitudePhase(jnp.zeros((2, 2)), jnp.zeros((2, 2))))
    assert (image.typical("phase"), image.typical("log_amplitude")) == (1.0, 1.0)


def test_slabs_are_a_plain_value() -> None:
    slabs = Slabs(jnp.zeros((3, 1, 1)), jnp.zeros((3, 1, 1)), 2.0, 0.5)
    assert (slabs.first, slabs.last) == (-1.5, 2.5)
