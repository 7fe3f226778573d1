"""What every phantom promises, and what each of them looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adorym._core import DataError
from adorym.metrics import nrmse
from adorym.phantoms import PHANTOMS, Phantom, cone, dendrite, foam, siemens_star
from adorym.phantoms import _render as render
from adorym.phantoms._cone import _tube
from adorym.physics import MATERIALS, find_material

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.parametrize("name", PHANTOMS)
def test_a_finer_grid_shows_the_same_object(name: str) -> None:
    """Exactly where the sub-voxels are the same, closely where they are finer."""
    coarse = PHANTOMS[name](size=48, voxel=4e-9, energy=1000.0, seed=3, oversample=2)
    same = PHANTOMS[name](size=96, voxel=2e-9, energy=1000.0, seed=3, oversample=1).binned(2)
    finer = PHANTOMS[name](size=96, voxel=2e-9, energy=1000.0, seed=3, oversample=2).binned(2)
    for a, b, c in ((coarse.delta, same.delta, finer.delta), (coarse.beta, same.beta, finer.beta)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * a.max())
        assert 0 < nrmse(a, c) < 0.03
    assert same.voxel == coarse.voxel


@pytest.mark.parametrize("name", PHANTOMS)
def test_the_seed_alone_decides(name: str) -> None:
    first, again, other = (PHANTOMS[name](size=32, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.delta, again.delta)
    np.testing.assert_array_equal(first.beta, again.beta)
    assert nrmse(other.delta, first.delta) > 0.05
    assert (first.name, first.seed) == (name, 1)


@pytest.mark.parametrize("name", PHANTOMS)
def test_it_turns_about_y_within_its_volume_with_vacuum_around(name: str) -> None:
    for seed in range(3):
        phantom = PHANTOMS[name](size=40, seed=seed)
        filled = (phantom.delta > 0) | (phantom.beta > 0)
        z, y, x = (np.arange(n) - (n - 1) / 2 for n in filled.shape)
        reach = np.hypot(z[:, None, None], x[None, None, :]) + 0 * y[None, :, None]
        assert reach[filled].max() < 19
        assert np.abs((0 * reach + y[None, :, None])[filled]).max() < 19


@pytest.mark.parametrize("name", PHANTOMS)
def test_it_holds_matter_and_voxels_that_are_partly_filled(name: str) -> None:
    phantom = PHANTOMS[name](size=32)
    for array in (phantom.delta, phantom.beta):
        assert array.dtype == np.float32
        assert array.min() == 0
        levels = np.unique(np.round(array / array.max(), 3))
        assert len(levels) > 20


@pytest.mark.parametrize("name", PHANTOMS)
def test_what_cannot_be_drawn_is_refused(name: str) -> None:
    draw = PHANTOMS[name]
    with pytest.raises(DataError, match="8 voxels or more"):
        draw(size=4)
    with pytest.raises(DataError, match="voxel is 0"):
        draw(size=16, voxel=0.0)
    with pytest.raises(DataError, match="oversample is 0"):
        draw(size=16, oversample=0)
    with pytest.raises(DataError, match="energy is 1"):
        draw(size=16, energy=1.0)


def test_each_refuses_its_own_bad_settings() -> None:
    with pytest.raises(DataError, match='did you mean "silica"'):
        cone(size=16, wall="silca")
    with pytest.raises(DataError, match="spokes"):
        siemens_star(size=16, spokes=1)
    with pytest.raises(DataError, match="thickness is -1"):
        siemens_star(size=16, thickness=-1.0)
    with pytest.raises(DataError, match="porosity"):
        foam(size=16, porosity=0.95)
    with pytest.raises(DataError, match="no material"):
        dendrite(size=16, electrolyte="brine")


def _material(phantom: Phantom, name: str, tolerance: float = 0.01) -> np.ndarray:
    """Where a voxel is wholly of one material."""
    delta, beta = MATERIALS[name].delta_beta(phantom.energy)
    near_delta = np.abs(phantom.delta - delta) <= tolerance * delta
    return near_delta & (np.abs(phantom.beta - beta) <= tolerance * beta)


@pytest.mark.parametrize("wall", ["silica", "silicon"])
def test_the_cone_is_a_hollow_tube_that_widens_downwards(wall: str) -> None:
    phantom = cone(size=128, wall=wall, energy=5000.0)
    tube = _material(phantom, wall)
    assert tube.sum() > 20_000
    assert _material(phantom, "titania").sum() > 500
    assert phantom.delta[63, 60:110, 63].max() == 0
    for row in (40, 64, 100):  # y = 2 (row - 63.5) in drawing units, in which the outer radius is 45 + 0.35 y
        y = 2 * (row - 63.5)
        z, x = (np.argwhere(tube[:, row]) - 63.5).T * 2
        radius = np.hypot(z, x)
        assert radius.max() == pytest.approx(45 + 0.35 * y, abs=2.5)
        assert radius.min() == pytest.approx(45 + 0.35 * y - (10 + 0.05 * y), abs=2.5)


def test_fifty_spheres_sit_on_the_cone() -> None:
    bare = render.Canvas(size=96, voxel=2e-9, energy=1000.0, oversample=2).paint(
        "cone", 0, [(find_material("silica"), _tube)]
    )
    spheres = cone(size=96).delta - bare.delta
    assert spheres.min() >= 0
    titania, silica = (MATERIALS[name].delta_beta(1000.0)[0] for name in ("titania", "silica"))
    # Half of each sphere lies in the vacuum outside, most of the other half in the wall or the hollow.
    volume = spheres.sum(dtype=np.float64) / (titania - silica / 2) * (256 / 96) ** 3
    mean_sphere = 4 / 3 * np.pi * (10**4 - 4**4) / (4 * 6)
    assert volume == pytest.approx(50 * mean_sphere, rel=0.25)


def test_the_cone_is_the_one_of_the_shared_data() -> None:
    h5py = pytest.importorskip("h5py")
    path = DATA / "cone128_holography_adorym_truth.h5"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: it comes beside the project, in ../shared/data")
    with h5py.File(path) as file:
        truth = file["delta"][()]
    canvas = render.Canvas(size=128, voxel=2e-9, energy=2000.0, oversample=2)
    bare = canvas.paint("cone", 0, [(find_material("silica"), _tube)])
    silica = MATERIALS["silica"].delta_beta(2000.0)[0]
    wall = bare.delta > 0.999 * silica
    assert (truth[wall] > 0.99 * silica).mean() > 0.999
    without_spheres = np.isclose(truth, silica, rtol=1e-3) | (truth == 0)
    agree = np.abs(bare.delta - truth) < 0.3 * silica
    assert agree[without_spheres].mean() > 0.999


def test_the_star_has_its_spokes_and_its_orientation_is_the_seeds() -> None:
    star = siemens_star(size=256, spokes=24, seed=1)
    angles = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    row, column = (np.rint(127.5 + 80 * f(angles)).astype(int) for f in (np.sin, np.cos))
    on = star.delta[0, row, column] > star.delta.max() / 2
    assert np.count_nonzero(on & ~np.roll(on, 1)) == 24
    assert on.mean() == pytest.approx(0.5, abs=0.02)


def test_every_dendrite_grows_from_the_electrode_and_branches() -> None:
    measure = pytest.importorskip("skimage.measure")
    for seed in range(3):
        cell = dendrite(size=96, seed=seed)
        lithium = _material(cell, "lithium", tolerance=0.6)
        assert 0.01 < lithium.sum() / _material(cell, "propylene carbonate").sum() < 0.1
        face = np.flatnonzero(_material(cell, "copper").any(axis=(0, 2)))[0]
        labels, count = measure.label(lithium, return_num=True)
        touching = np.unique(labels[:, face - 3 : face])
        assert 1 <= count <= 6
        assert set(range(1, count + 1)) <= set(touching.tolist())
        sections = [measure.label(lithium[:, y], return_num=True)[1] for y in range(20, face - 4)]
        assert max(sections) > 6  # more branches than roots


def test_the_cell_holds_its_parts() -> None:
    cell = dendrite(size=96, energy=2000.0)
    for name in ("polyimide", "propylene carbonate", "lithium", "copper"):
        assert _material(cell, name).sum() > 500, name
    copper = MATERIALS["copper"].delta_beta(2000.0)
    assert (cell.delta[48, 84, 48], cell.beta[48, 84, 48]) == pytest.approx(copper, rel=1e-5)


def test_the_foam_is_pmma_or_silica_with_pores_of_vacuum() -> None:
    for name in ("pmma", "silica"):
        ball = foam(size=64, material=name)
        inside = np.sum(np.square(np.indices(ball.delta.shape) - 31.5), axis=0) < 24**2
        assert (_material(ball, name) & inside).sum() > 0.3 * inside.sum()
        assert ((ball.delta == 0) & inside).sum() > 0.2 * inside.sum()
