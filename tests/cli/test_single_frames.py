"""Measurements of one frame: a hologram and a diffraction pattern, from a file to a report."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from adorym.cli._evaluate import _spread
from adorym.experiment import GaussianProbe, Raster, plan_holography, plan_ptychography
from adorym.io import read_arrays, read_image, read_volume, write_dataset
from adorym.simulate import simulate

JOB = """
version = 1
[data]
file = "one.h5"
[[stages]]
solver = "{solver}"
epochs = {epochs}
"""


def measured(technique):
    """One frame of a small disc."""
    plan = plan_holography((16, 16), pixel=8e-9, energy=1e3, distances=(3e-7,), views=1, photons=1e4)
    if technique == "cdi":
        plan = dataclasses.replace(plan, technique="cdi", regime="far field", distances=np.zeros(0))
    y, x = np.mgrid[:16, :16] - 7.5
    delta = np.zeros((16, 16, 16))
    delta[6:10] = 1e-2 * (np.hypot(y, x) < 4)
    return simulate(plan, delta, delta / 10)


@pytest.mark.parametrize(
    ("technique", "solver", "epochs"), [("holography", "gauss-newton", 3), ("cdi", "first order", 40)]
)
def test_one_frame_is_a_measurement(command, tmp_path, technique, solver, epochs):
    write_dataset(tmp_path / "one.h5", measured(technique))
    (tmp_path / "job.toml").write_text(JOB.format(solver=solver, epochs=epochs))
    ended = command("reconstruct", "job.toml", "-o", "run")
    assert ended.code == 0, ended.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["relative_misfit"] < 0.9
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    if technique == "cdi":
        assert read_image(tmp_path / "run" / "image.zarr").phase.shape == (16, 16)
    else:
        assert read_volume(tmp_path / "run" / "volume.zarr").delta.shape == (16, 16, 16)


def test_slices_are_written_one_by_one_and_together(command, tmp_path):
    plan = plan_ptychography((12, 12), pixel=8e-9, energy=1e3, probe=GaussianProbe(16, 3.0), raster=Raster(6.0))
    delta = np.zeros((1, 20, 20))
    delta[0, 6:12, 6:12] = 1e-2
    write_dataset(tmp_path / "scan.h5", simulate(plan, delta, delta / 10))
    job = JOB.format(solver="first order", epochs=2).replace("one.h5", "scan.h5")
    (tmp_path / "job.toml").write_text(job + '[experiment]\nslices = 2\nspacing = "2 um"\n')
    ended = command("reconstruct", "job.toml", "-o", "run")
    assert ended.code == 0, ended.err
    arrays, facts = read_arrays(tmp_path / "run" / "slices.h5")
    image = read_image(tmp_path / "run" / "image.zarr")
    assert arrays["phase"].shape == (2, *image.phase.shape)
    assert facts["spacing"] == pytest.approx(2e-6)
    np.testing.assert_allclose(arrays["phase"].sum(0), image.phase, atol=1e-5)
    np.testing.assert_allclose(arrays["amplitude"].prod(0), image.amplitude, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (9, 3)])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_a_share_of_the_frames_is_never_empty(shape, share):
    chosen = _spread(np.ones(shape, bool), share, (1, 1))
    assert chosen.shape == shape
    assert share * chosen.size <= chosen.sum() <= max(share * chosen.size + chosen.size / max(shape), 1)


@pytest.mark.parametrize(("share", "views"), [(0.1, 2), (0.2, 4), (0.3, 4), (0.5, 8), (0.99, 20), (1.0, 20)])
def test_a_share_fills_whole_batches(share, views):
    """What is short of a batch takes as long as one; but all are all."""
    for frames, sizes in ((np.ones((20, 3), bool), (4, 3)), (np.ones((1, 20), bool), (1, 4))):
        chosen = _spread(frames, share, sizes)
        assert np.count_nonzero(chosen.any(axis=1 if frames.shape[0] > 1 else 0)) == views
