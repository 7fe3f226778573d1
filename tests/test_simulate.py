"""Simulated frames do not depend on how many devices share the work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from adorym.experiment import GaussianProbe, Raster, plan_holography, plan_ptychography
from adorym.phantoms import cone, siemens_star
from adorym.simulate import _sharing, simulate

_ON_THREE_DEVICES = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 3)
jax.config.update("jax_enable_x64", True)
import numpy as np
from adorym.simulate import _sharing
from tests.test_simulate import KINDS, expected

assert [_sharing(np.zeros(2), parts).size for parts in (2, 9)] == [2, 3]
assert [_sharing(np.zeros(size, np.uint8), 9).size for size in (2**30, 3 * 2**30)] == [3, 1]
np.savez(sys.argv[1], **{kind: expected(kind, []) for kind in KINDS})
"""

KINDS = ("full field", "scan", "one view")


def expected(kind: str, told: list[int]) -> np.ndarray:
    """Expected counts: of seven views, of two that are scanned, or of many frames of one."""
    sample = cone(size=32, voxel=2e-9, energy=1e3)
    if kind == "full field":
        plan = plan_holography((16, 16), pixel=4e-9, energy=1e3, distances=(3e-7,), views=7, photons=1e4)
    elif kind == "scan":
        plan = plan_ptychography(
            (16, 16), pixel=4e-9, energy=1e3, probe=GaussianProbe(16, 3.0), raster=Raster(6.0), views=2
        )
    else:
        sample = siemens_star(size=64, voxel=2e-9, energy=1e3)
        plan = plan_ptychography((32, 32), pixel=4e-9, energy=1e3, probe=GaussianProbe(16, 3.0), raster=Raster(3.0))
    thick = 1 if kind == "one view" else 4
    found = simulate(plan, sample.delta, sample.beta, refine=2, slab_voxels=thick, noise=False, advance=told.append)
    views, frames = plan.frames.shape[:2]
    return np.stack([found.frames.read(view, np.arange(frames)) for view in range(views)])


def test_views_and_frames_come_in_their_order(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Also where devices do not divide them, and where a view takes several turns; progress is told view by view."""
    assert len(jax.local_devices()) == _sharing(np.zeros(2), 9).size == 1
    file = tmp_path / "three.npz"
    command = [sys.executable, "-c", _ON_THREE_DEVICES, str(file)]
    run = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    three = np.load(file)
    for kind in KINDS:
        told: list[int] = []
        one = expected(kind, told)
        assert told == list(range(len(one)))
        assert min(np.ptp(one, axis=(0, 1)).max(), np.ptp(one, axis=(2, 3)).max()) > 0
        np.testing.assert_allclose(three[kind], one, rtol=1e-6, atol=1e-9 * one.max(), err_msg=kind)
    assert three["one view"].shape[1] > 2 * 32 > three["scan"].shape[1] > 0
