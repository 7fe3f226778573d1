"""What each technique makes of a data set, and what a frame then sees of the sample."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from tests.physics.frames import frames_of

from adorym._core import DataError, JobError
from adorym._core.trees import replace
from adorym.data import ArrayFrames, Dataset
from adorym.experiment import (
    GaussianProbe,
    Raster,
    automatic_slab,
    cdi,
    holography,
    plan_holography,
    plan_ptychography,
    plan_tomography,
    ptychography,
    tomography,
)
from adorym.objects import Image, Slices, Volume
from adorym.physics import depth_of_focus
from adorym.probes import Modes, PlaneWave
from adorym.transport import FarField, InFocus, NearField

PIXEL, ENERGY = 2e-9, 1e3
WAVELENGTH = 1.23984198e-6 / ENERGY


def scan(*, views: int = 1, **changes: object) -> Dataset:
    plan = plan_ptychography(
        (16, 16), pixel=PIXEL, energy=ENERGY, probe=GaussianProbe(12, 2.0), raster=Raster(6.0), views=views
    )
    return dataclasses.replace(plan, **changes)


# --- holography -------------------------------------------------------------------------------------------------------


def test_holography_chooses_its_parts() -> None:
    plan = plan_holography((8, 12), pixel=PIXEL, energy=ENERGY, distances=(1e-7, 2e-7), views=3, photons=50.0)
    model = holography(plan)
    assert isinstance(model.object, Volume)
    assert model.object.parametrization.delta.shape == (12, 12, 8)
    assert isinstance(model.probe, PlaneWave)
    assert float(jnp.exp(model.probe.log_photons)) == pytest.approx(50.0)
    assert isinstance(model.transport, NearField)
    assert model.transport.distances == (1e-7, 2e-7)
    assert frames_of(model, 3, 2).shape == plan.frames.shape
    np.testing.assert_allclose(frames_of(model, 3, 2), 50.0, rtol=1e-10)
    projection = holography(plan, slab_voxels=99)
    assert projection.object.slabs(projection.geometry.view(jnp.array(0))).phase.shape[0] == 1


def test_holography_without_a_distance_is_refused() -> None:
    plan = plan_holography((8, 8), pixel=PIXEL, energy=ENERGY, distances=(), views=3)
    with pytest.raises(DataError, match="plan has no distance"):
        holography(plan)


def test_a_measured_wave_lights_the_frame() -> None:
    """In the plane of the axis the empty frame is the wave itself."""
    rng = np.random.default_rng(0)
    wave = (3 + 0.2 * rng.normal(size=(2, 8, 8))).astype(complex)
    plan = plan_holography((8, 8), pixel=PIXEL, energy=ENERGY, distances=(0.0,), views=1)
    model = holography(dataclasses.replace(plan, probe=wave), slab_voxels=4)
    assert isinstance(model.probe, Modes)
    np.testing.assert_allclose(frames_of(model, 1, 1)[0, 0], (np.abs(wave) ** 2).sum(0), rtol=1e-9)


@pytest.mark.parametrize(("pixel", "energy"), [(1e-9, 5e3), (2e-9, 1e3), (1e-8, 1e4)])
def test_an_automatic_slab_is_a_tenth_of_the_depth_of_focus(pixel: float, energy: float) -> None:
    wavelength = 1.23984198e-6 / energy
    voxels = automatic_slab(pixel, wavelength, 1000)
    assert voxels * pixel <= depth_of_focus(2 * pixel, wavelength) / 10 or voxels == 1
    assert (voxels + 1) * pixel > depth_of_focus(2 * pixel, wavelength) / 10 or voxels == 1000
    assert automatic_slab(pixel, wavelength, 3) <= 3


# --- ptychography -----------------------------------------------------------------------------------------------------


def test_one_view_is_an_image_and_several_are_a_volume() -> None:
    flat, thick = ptychography(scan(), modes=3), ptychography(scan(views=3))
    assert isinstance(flat.object, Image)
    assert flat.probe.field.shape == (3, 12, 12)
    assert isinstance(flat.transport, FarField)
    assert isinstance(thick.object, Volume)
    assert isinstance(ptychography(scan(views=3, angles=np.zeros(3))).object, Image)
    assert ptychography(scan(views=3), object_size=20).object.width == 20
    count = thick.geometry.positions.shape[1]
    np.testing.assert_allclose(frames_of(thick, 3, count).sum((2, 3)), 1e6, rtol=1e-9)


def test_a_few_slices_are_what_the_slabs_of_a_volume_are() -> None:
    thin = ptychography(scan(), slices=2, spacing=12 * PIXEL)
    assert isinstance(thin.object, Slices)
    leaf = thin.object.parametrization.phase
    assert leaf.shape == (2, *ptychography(scan()).object.parametrization.phase.shape)
    height, width = leaf.shape[1:]
    phases = 0.3 * np.random.default_rng(0).normal(size=leaf.shape)
    thin = replace(thin, "object.phase", jnp.asarray(phases))
    deep = np.zeros((24, height, width))
    deep[5], deep[17] = phases  # anywhere within its slab of 12 planes
    thick = dataclasses.replace(
        thin, object=Volume.vacuum(deep.shape, voxel=PIXEL, wavelength=WAVELENGTH, slab_voxels=12)
    )
    scale = thick.object.scale
    thick = dataclasses.replace(thick, object=thick.object.filled(-deep / scale, 0 * deep))
    np.testing.assert_allclose(frames_of(thin, 1, 9), frames_of(thick, 1, 9), rtol=1e-8, atol=1e-6)


def test_slices_are_for_one_view() -> None:
    with pytest.raises(JobError, match="slices"):
        ptychography(scan(views=2), slices=2, spacing=1e-6)


def test_every_position_lies_on_the_field() -> None:
    """Corners are never clamped: every window is inside of the object with its margin, offsets of a pixel included."""
    for plan, size in [(scan(), 0), (scan(views=2), 0), (scan(views=2), 10)]:
        model = ptychography(plan, object_size=size)
        slabs = model.object.slabs(model.geometry.view(jnp.array(0)))
        field = tuple(n + 2 * model.margin for n in slabs.phase.shape[1:])
        moved = replace(model, "geometry.position_offset", model.geometry.position_offset + 0.99)
        for geometry in (model.geometry, moved.geometry):
            indices = jnp.arange(geometry.positions.shape[1])
            placed = geometry.frame(jnp.array(0), indices, field=field, window=model.grid.shape)
            corner = np.asarray(placed.corner)
            assert corner.min() >= 0
            assert np.all(corner + 12 <= field)


def test_a_probe_that_overhangs_sees_vacuum() -> None:
    """A small volume is the same sample as one with vacuum about it."""
    plan = scan(views=2)
    sample = np.zeros((10, 10, 10))
    sample[2:8, 1:9, 2:8] = np.random.default_rng(0).uniform(0, 3e-3, (6, 8, 6))
    images = []
    for size in (10, 30):
        model = ptychography(plan, object_size=size, slab_voxels=2)
        padded = np.pad(sample, (size - 10) // 2)
        model = replace(model, "object", model.object.filled(padded, padded / 10))
        images.append(frames_of(model, 2, plan.frames.shape[1]))
    np.testing.assert_allclose(images[0], images[1], rtol=1e-7, atol=1e-7)
    assert float(jnp.abs(images[0] - frames_of(ptychography(plan, object_size=10), 2, 16)).max()) > 1


def test_a_probe_far_from_the_sample_sees_nothing_but_itself() -> None:
    """Its frame is that of the probe alone."""
    far = scan(positions=np.array([[[0.0, 0.0], [0.0, 40.0]]]) * PIXEL, weights=np.ones((1, 2)))
    model = ptychography(far)
    shape = model.object.parametrization.phase.shape
    small = np.zeros(shape)
    small[shape[0] // 2 - 8 : shape[0] // 2 + 8, shape[1] // 2 - 8 : shape[1] // 2 + 8] = -1.0
    frames = frames_of(replace(model, "object.phase", jnp.asarray(small * np.linspace(0, 1, shape[1]))), 1, 2)[0]
    empty = frames_of(model, 1, 2)[0]
    np.testing.assert_allclose(frames[1], empty[1], rtol=1e-9, atol=1e-9)
    assert float(jnp.abs(frames[0] - empty[0]).max()) > 10


def test_scans_without_positions_are_refused() -> None:
    with pytest.raises(DataError, match=r"without scan positions.*ptychography takes frames with scan positions"):
        ptychography(dataclasses.replace(scan(), positions=None))


def test_a_guess_takes_nothing_from_under_the_mask() -> None:
    plan = scan()
    stored, mask = np.full(plan.frames.shape, 4.0), np.ones(plan.frames.shape[2:], bool)
    stored[..., 1, 2], mask[1, 2] = np.nan, False
    held = dataclasses.replace(plan, frames=ArrayFrames(stored), mask=mask, probe=None)
    assert bool(jnp.isfinite(ptychography(held).probe.field).all())


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"modes": 0}, "modes is 0"), ({"object_size": -1}, "object_size is -1"), ({"ratio": np.nan}, "ratio is nan")],
)
def test_settings_that_cannot_be(settings: dict[str, float], word: str) -> None:
    with pytest.raises(JobError, match=rf"experiment\.{word}"):
        ptychography(scan(), **settings)


def test_a_probe_is_guessed_from_the_frames_where_none_is_known() -> None:
    plan = scan()
    model = ptychography(plan)
    measured = np.asarray(frames_of(model, 1, plan.frames.shape[1]))
    guessed = ptychography(dataclasses.replace(plan, probe=None, frames=ArrayFrames(measured)))
    assert float((jnp.abs(guessed.probe.field) ** 2).sum()) == pytest.approx(1e6, rel=1e-5)
    np.testing.assert_allclose(frames_of(guessed, 1, 1)[0, 0], measured.mean((0, 1)), atol=1e-4 * measured.max())
    near = dataclasses.replace(
        plan, probe=None, frames=ArrayFrames(measured), regime="near field", distances=np.array([2e-8])
    )
    again = ptychography(near)
    assert isinstance(again.transport, NearField)
    np.testing.assert_allclose(frames_of(again, 1, 1).sum(), measured.mean((0, 1)).sum(), rtol=0.02)


# --- tomography and diffraction ---------------------------------------------------------------------------------------


def test_flat_and_dark_are_what_an_empty_beam_records() -> None:
    rng = np.random.default_rng(0)
    flat, dark = rng.uniform(90, 110, (6, 8)), rng.uniform(1, 5, (6, 8))
    dark[2, 3] = flat[2, 3]  # a dead pixel
    plan = plan_tomography((6, 8), pixel=1e-6, energy=2e4, views=2)
    model = tomography(dataclasses.replace(plan, flat=flat, dark=dark, axis_offset=-1.3), overhang=2)
    assert isinstance(model.transport, InFocus)
    assert model.object.parametrization.delta.shape == (8 + 4 + 4, 8 + 4 + 4, 6)
    assert float(model.geometry.axis_offset) == -1.3
    np.testing.assert_allclose(frames_of(model, 2, 1), np.broadcast_to(flat, (2, 1, 6, 8)), rtol=1e-9)
    plain = tomography(plan)
    np.testing.assert_allclose(frames_of(plain, 2, 1), 1e4, rtol=1e-9)


def test_absorption_in_focus_hides_the_phase() -> None:
    plan = plan_tomography((4, 8), pixel=1e-6, energy=2e4, views=2)
    model = tomography(plan, parametrization="delta beta")
    noise = jnp.asarray(np.random.default_rng(0).uniform(0, 1e-6, (8, 8, 4)))
    np.testing.assert_allclose(frames_of(replace(model, "object.delta", noise), 2, 1), 1e4, rtol=1e-9)
    assert float(frames_of(replace(model, "object.beta", noise), 2, 1).max()) < 1e4


def test_diffraction_of_an_isolated_sample() -> None:
    plan = dataclasses.replace(
        plan_holography((8, 8), pixel=PIXEL, energy=ENERGY, distances=(0.0,), views=1, photons=3.0), regime="far field"
    )
    model = cdi(plan)
    frame = np.asarray(frames_of(model, 1, 1)[0, 0])
    assert frame[4, 4] == pytest.approx(64 * 3.0)  # all the light of an empty field is in the zero frequency
    assert frame.sum() == pytest.approx(64 * 3.0)
    hidden = replace(model, "object.phase", model.object.parametrization.phase.at[2, 3].set(-1.0))
    assert np.sum(np.asarray(frames_of(hidden, 1, 1))) == pytest.approx(64 * 3.0)


@pytest.mark.parametrize("parametrization", ["delta beta", "fixed ratio", "log amplitude and phase"])
def test_every_parametrisation_starts_as_vacuum(parametrization: str) -> None:
    plan = plan_holography((4, 4), pixel=PIXEL, energy=ENERGY, distances=(1e-7,), views=1, photons=9.0)
    model = holography(plan, parametrization=parametrization, ratio=0.2)
    np.testing.assert_allclose(frames_of(model, 1, 1), 9.0, rtol=1e-9)
    for part in model.object.delta_beta():
        np.testing.assert_array_equal(part, np.zeros((4, 4, 4)))


@pytest.mark.parametrize("reach", [7.2, 7.6, 8.0])
@pytest.mark.parametrize("window", [16, 17])
def test_a_probe_in_the_middle_of_an_image_lies_on_whole_pixels(reach: float, window: int) -> None:
    """However far the scan goes: half a pixel beside its grid an image is another one, with other edges."""
    places = np.array([[0.0, 0.0], [reach, -reach], [-reach, reach]]) * PIXEL
    frames, mask = ArrayFrames(np.ones((1, 3, window, window))), np.ones((window, window), bool)
    model = ptychography(scan(frames=frames, mask=mask, positions=places[None], weights=np.ones((1, 3)), probe=None))
    field = model.object.parametrization.phase.shape  # type: ignore[attr-defined]
    placed = model.geometry.frame(jnp.array(0), jnp.array([0]), field=field, window=model.grid.shape)
    assert model.grid.shape == (window, window)
    np.testing.assert_array_equal(placed.fraction, 0)
