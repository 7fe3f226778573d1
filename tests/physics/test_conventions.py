"""Every line of the page of conventions: axes, signs, centres, units. What is checked elsewhere is named there."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.physics.frames import frames_of

from adorym import physics
from adorym._core import View
from adorym._core.trees import replace
from adorym.experiment import (
    Experiment,
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    plan_tomography,
    ptychography,
    tomography,
)
from adorym.objects import Volume
from adorym.physics import deg, keV, mm, nm, um
from adorym.propagation import phase_per_length, propagate, transfer_function, transmission
from adorym.transport import FarField, InFocus
from adorym.waves import Grid, Wave

SIZE = 9


def seen_at(position: tuple[int, int, int], angle: float, *, axis_offset: float = 0.0) -> tuple[int, int]:
    """Pixel (row, column) at which a voxel (z, y, x) shows in a projection."""
    delta = np.zeros((SIZE, SIZE, SIZE))
    delta[position] = 1e-4
    empty = Volume.vacuum((SIZE, SIZE, SIZE), voxel=1e-9, wavelength=1e-9, slab_voxels=SIZE)
    phase = empty.filled(delta, 0 * delta).slabs(View(jnp.array(angle), jnp.array(axis_offset))).phase[0]
    row, column = np.unravel_index(np.argmax(np.abs(phase)), phase.shape)
    return int(row), int(column)


def predict(experiment: Experiment, frames: int = 1) -> np.ndarray:
    views = len(experiment.geometry.angles)
    return np.asarray(frames_of(experiment, views, frames))


# --- units ------------------------------------------------------------------------------------------------------------


def test_units_are_si_and_electronvolts() -> None:
    assert (5 * keV, 10 * nm, 2 * um, 3 * mm) == (5000.0, 1e-8, pytest.approx(2e-6), 3e-3)
    assert 180 * deg == pytest.approx(np.pi)


def test_wavelength_is_hc_over_energy() -> None:
    assert physics.wavelength(1 * keV) == pytest.approx(1.23984198e-9, rel=1e-12)
    plan = plan_tomography((4, 4), pixel=1e-6, energy=20 * keV, views=1)
    assert plan.wavelength == pytest.approx(physics.wavelength(20 * keV), rel=1e-15)
    unitless = dataclasses.replace(plan, energy=None, pixel=1.0)
    assert 2 * np.pi / unitless.wavelength == 1.0  # k = 1: δ is a phase per pixel


def test_depth_of_focus() -> None:
    assert physics.depth_of_focus(4e-9, 1e-9) == pytest.approx(2 * 4e-9**2 / (0.61**2 * 1e-9))
    assert physics.depth_of_focus(1.0, 1.0) == pytest.approx(5.4, rel=0.01)


# --- axes -------------------------------------------------------------------------------------------------------------


def test_row_0_is_the_top_and_columns_grow_to_the_right() -> None:
    assert seen_at((4, 1, 7), 0.0) == (1, 7)


@pytest.mark.parametrize(
    ("angle", "voxel", "column"),
    [
        (90.0, (8, 2, 4), 8),  # z turns towards x
        (90.0, (4, 2, 8), 4),  # x turns towards -z: it hides behind the axis
        (-90.0, (8, 2, 4), 0),
        (180.0, (4, 2, 7), 1),
        (45.0, (8, 2, 4), 7),  # 4 sin 45° = 2.8
    ],
)
def test_a_view_turns_the_sample_by_the_right_hand_rule_about_y(angle: float, voxel: tuple, column: int) -> None:
    assert seen_at(voxel, angle * deg) == (2, column)


def test_the_laboratory_point_sees_the_sample_point_of_the_formula() -> None:
    """(x, z) sees (x cos θ - z sin θ, x sin θ + z cos θ), on a volume that is linear in x and z."""
    x = np.arange(SIZE) - (SIZE - 1) / 2
    values = 0.7 * x[None, :] - 0.4 * x[:, None] + 10.0
    delta = np.broadcast_to(values[:, None, :], (SIZE, 2, SIZE))
    empty = Volume.vacuum((SIZE, 2, SIZE), voxel=1e-9, wavelength=2e-9 * np.pi, slab_voxels=1)
    angle = 0.6
    slabs = -np.asarray(empty.filled(delta, 0 * delta).slabs(View(jnp.array(angle), jnp.array(0.0))).phase)[:, 0]
    z, x = np.meshgrid(x, x, indexing="ij")
    expected = 0.7 * (x * np.cos(angle) - z * np.sin(angle)) - 0.4 * (x * np.sin(angle) + z * np.cos(angle)) + 10.0
    inside = np.hypot(x, z) < 3.5
    np.testing.assert_allclose(slabs[inside], expected[inside], rtol=1e-12)


@pytest.mark.parametrize("size", [8, 9])
def test_the_axis_is_in_the_middle_of_the_volume(size: int) -> None:
    """Half a turn maps the voxel i of N to N - 1 - i, whether N is even or odd."""
    delta = np.random.default_rng(0).uniform(size=(size, 2, size))
    volume = Volume.vacuum((size, 2, size), voxel=1e-9, wavelength=1e-9, slab_voxels=1).filled(delta, delta)
    front, back = (volume.slabs(View(jnp.array(a), jnp.array(0.0))).phase for a in (0.0, np.pi))
    np.testing.assert_allclose(back, front[::-1, :, ::-1], rtol=1e-12)


def test_an_axis_offset_moves_the_axis_to_the_right_at_every_view() -> None:
    for angle in (0.0, 90.0, 180.0):
        assert seen_at((4, 3, 4), angle * deg, axis_offset=2.0) == (3, 6)
    assert seen_at((4, 3, 5), 180 * deg, axis_offset=2.0) == (3, 5)


def test_a_volume_is_z_y_x_in_public() -> None:
    delta, beta = np.random.default_rng(0).uniform(size=(2, 3, 4, 5))
    volume = Volume.vacuum((3, 4, 5), voxel=1e-9, wavelength=1e-9, slab_voxels=1).filled(delta, beta)
    np.testing.assert_array_equal(volume.delta_beta()[0], delta)
    np.testing.assert_array_equal(volume.delta_beta()[1], beta)


# --- scan positions ---------------------------------------------------------------------------------------------------


def one_position(y: float, x: float) -> Experiment:
    """A probe of one lit pixel that looks at itself in focus, somewhere on an image."""
    plan = plan_ptychography((8, 8), pixel=2e-9, energy=1e3, probe=GaussianProbe(7, 1.0), raster=Raster(8.0))
    spot = np.zeros((1, 7, 7), complex)
    spot[0, 3, 3] = 1.0
    two = dataclasses.replace(
        plan,
        positions=np.array([[[y, x], [-9.0, -9.0]]]) * 2e-9,  # the second makes the field large enough
        probe=spot,
        weights=np.ones((1, 2)),
    )
    model = ptychography(two)
    return dataclasses.replace(model, transport=InFocus((7, 7)))


@pytest.mark.parametrize(("y", "x"), [(0, 0), (3, -2), (-9, -9)])
def test_a_scan_position_is_where_the_probes_centre_is(y: int, x: int) -> None:
    model = one_position(float(y), float(x))
    shape = model.object.parametrization.phase.shape
    centre = (shape[0] - 1) / 2 + y, (shape[1] - 1) / 2 + x
    assert centre == (int(centre[0]), int(centre[1])), "the field's middle is on a pixel"
    dark = jnp.zeros(shape).at[int(centre[0]), int(centre[1])].set(-1.0)
    model = replace(model, "object.log_amplitude", dark)
    assert predict(model)[0, 0, 3, 3] == pytest.approx(np.exp(-2.0), rel=1e-12)


def test_the_leaf_to_refine_is_an_offset_in_pixels_added_to_the_position() -> None:
    moved = one_position(1.0, 2.0)
    stays = one_position(0.25, 2.5)
    offset = stays.geometry.position_offset.at[0, 0].set(jnp.array([0.75, -0.5]))
    rng = np.random.default_rng(0)
    shape = moved.object.parametrization.phase.shape
    image = jnp.asarray(rng.uniform(-1, 0, shape))
    both = [
        predict(replace(model, "object.log_amplitude", image))
        for model in (moved, replace(stays, "geometry.position_offset", offset))
    ]
    np.testing.assert_allclose(both[0], both[1], atol=1e-12)


@pytest.mark.parametrize("position", [(0.3, 0.0), (1.0, -0.4), (0.49, 2.51)])
def test_the_rest_of_a_position_moves_the_probe_itself(position: tuple[float, float]) -> None:
    """The array is placed on whole pixels, the probe within it by the rest: together they are at the position."""
    plan = plan_ptychography((8, 8), pixel=2e-9, energy=1e3, probe=GaussianProbe(24, 2.0), raster=Raster(8.0))
    here = dataclasses.replace(plan, positions=np.array([[position]]) * 2e-9, weights=np.ones((1, 1)))
    model = dataclasses.replace(ptychography(here), transport=InFocus((24, 24)))
    frame = predict(model)[0, 0]
    field = model.object.parametrization.phase.shape
    placed = model.geometry.frame(jnp.array(0), jnp.zeros(1, int), field=field, window=(24, 24))
    index = np.arange(24)
    centre = np.array([np.sum(frame * index[:, None]), np.sum(frame * index[None, :])]) / frame.sum()
    expected = (np.array(field) - 1) / 2 + position
    np.testing.assert_allclose(np.asarray(placed.corner[0]) + centre, expected, atol=1e-3)
    assert float(jnp.abs(placed.fraction).max()) <= 0.5


@pytest.mark.parametrize("depth", [8, 16])
def test_the_probe_is_the_incident_field_at_the_axis(depth: int) -> None:
    """An empty volume of any depth changes nothing of what comes from z = 0 to the detector."""
    distance = 3e-7
    scan = plan_ptychography((8, 8), pixel=2e-9, energy=1e3, probe=GaussianProbe(32, 4.0), raster=Raster(8.0), views=2)
    near = dataclasses.replace(scan, regime="near field", distances=np.array([distance]), positions=scan.positions * 0)
    model = ptychography(near, object_size=depth, slab_voxels=2)
    frame = predict(model)[0, 0]
    probe = Wave(model.probe.field[0], 2e-9, near.wavelength)
    carried = np.asarray(propagate(probe, distance).intensity)
    first = (carried.shape[0] - 32) // 2
    np.testing.assert_allclose(frame, carried[first : first + 32, first : first + 32], rtol=1e-9, atol=1e-9)


# --- waves and matter -------------------------------------------------------------------------------------------------


def test_transmission_of_matter() -> None:
    k, thickness, delta, beta = 5e9, 2e-9, 3e-3, 1e-3
    volume = Volume.vacuum((1, 1, 1), voxel=thickness, wavelength=2 * np.pi / k, slab_voxels=1)
    slabs = volume.filled(np.full((1, 1, 1), delta), np.full((1, 1, 1), beta)).slabs(
        View(jnp.array(0.0), jnp.array(0.0))
    )
    t = complex(transmission(slabs.log_amplitude, slabs.phase)[0, 0, 0])
    assert t == pytest.approx(np.exp(k * thickness * (-beta - 1j * delta)), rel=1e-12)


def test_transfer_functions_of_free_space() -> None:
    grid, z = Grid((6, 5), 1e-9, 4e-10), 7e-9
    f2 = np.fft.fftfreq(6, 1e-9)[:, None] ** 2 + np.fft.fftfreq(5, 1e-9)[None, :] ** 2
    np.testing.assert_allclose(transfer_function(grid, z, model="fresnel"), np.exp(-1j * np.pi * 4e-10 * z * f2))
    k = 2 * np.pi / 4e-10
    textbook = np.exp(1j * k * z * (np.sqrt(1 - 4e-10**2 * f2) - 1))  # without exp(ikz)
    np.testing.assert_allclose(transfer_function(grid, z), textbook, rtol=1e-9)


def test_the_angular_spectrum_is_evaluated_in_its_stable_form() -> None:
    """Hard x-rays over 4 mm: a phase of 1e8 rad is left out, of which 32 bits would keep 10 rad, 64 bits 1e-8."""
    grid, z = Grid((64, 64), 1e-7, 1e-10), 4 * mm
    f = np.fft.fftfreq(64, 1e-7).astype(np.longdouble)
    sine_squared = np.longdouble(1e-10) ** 2 * (f[:, None] ** 2 + f[None, :] ** 2)
    exact = 2 * np.longdouble(np.pi) / np.longdouble(1e-10) * (np.sqrt(1 - sine_squared) - 1)
    np.testing.assert_allclose(phase_per_length(grid) * z, (exact * z).astype(float), rtol=1e-9, atol=1e-9)


def test_evanescent_waves_do_not_arrive() -> None:
    grid = Grid((8, 8), 1e-9, 4e-9)
    kernel = transfer_function(grid, 1e-7)
    f2 = np.fft.fftfreq(8, 1e-9)[:, None] ** 2 + np.fft.fftfreq(8, 1e-9)[None, :] ** 2
    assert np.all(kernel[4e-9**2 * f2 > 1] == 0)
    np.testing.assert_allclose(np.abs(kernel[4e-9**2 * f2 < 1]), 1)


@pytest.mark.parametrize("size", [12, 15])
def test_a_wave_tilted_to_the_right_lands_on_the_right_in_the_far_field(size: int) -> None:
    """Kernel exp(-2 pi i f.x), zero frequency at index N//2, detector coordinate x = +lambda z f."""
    y, x = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    tilted = np.exp(2j * np.pi * (3 * x - 2 * y) / size)
    frame = FarField().carry(Wave(jnp.asarray(tilted)[None, None], 1e-9, 1e-10), 0.0, jnp.array([0])).intensity[0, 0]
    assert np.unravel_index(np.argmax(frame), frame.shape) == (size // 2 - 2, size // 2 + 3)
    assert float(frame.sum()) == pytest.approx(size**2)  # unitary


def test_a_prism_of_matter_bends_x_rays_away_from_its_base() -> None:
    """n < 1: where matter grows thicker to the right, the phase falls to the right, and light goes to the left."""
    t = transmission(jnp.zeros((8, 16)), -2 * np.pi * 3 * jnp.arange(16.0) / 16 + jnp.zeros((8, 1)))
    frame = FarField().carry(Wave(t[None, None], 1e-9, 1e-10), 0.0, jnp.array([0])).intensity[0, 0]
    assert int(jnp.argmax(frame[4])) == 8 - 3


# --- boundaries and numbers -------------------------------------------------------------------------------------------


def test_periodic_boundaries_are_a_choice() -> None:
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=1)
    assert holography(plan).grid.shape > (8, 8)
    assert holography(plan, boundary="periodic").grid.shape == (8, 8)


@pytest.mark.single_precision
def test_32_bits_by_default() -> None:
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=1)
    model = holography(plan)
    leaves = [leaf for leaf in jax.tree.leaves(model) if eqx.is_inexact_array(leaf)]
    assert {leaf.dtype.name for leaf in leaves} == {"float32"}
    assert model.predict(jnp.zeros(1, int), jnp.zeros((1, 1), int)).dtype == jnp.float32


def test_64_bits_by_one_switch_and_never_a_complex_leaf() -> None:
    scan = plan_ptychography((8, 8), pixel=2e-9, energy=1e3, probe=GaussianProbe(8, 2.0), raster=Raster(8.0), views=2)
    flat = dataclasses.replace(plan_tomography((4, 4), pixel=1e-6, energy=2e4, views=2), flat=np.ones((4, 4)))
    for model in (ptychography(scan), ptychography(dataclasses.replace(scan, angles=np.zeros(2))), tomography(flat)):
        leaves = [leaf for leaf in jax.tree.leaves(model) if eqx.is_inexact_array(leaf)]
        assert {leaf.dtype.name for leaf in leaves} == {"float64"}
