"""The two-step pipeline that reconstructions are compared with: both techniques, measured against the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.two_step import two_step

HOLOGRAPHY = """
version = 1
precision = 64
devices = 1

[phantom]
kind = "cone"
size = 24
voxel = "4 nm"
energy = "1 keV"

[scan]
kind = "holography"
distances = ["300 nm"]
views = 24
photons = 1e6

[experiment]
kind = "holography"
ratio = 0.2
"""

PTYCHOGRAPHY = """
version = 1
precision = 64
devices = 1

[phantom]
kind = "cone"
size = 16
voxel = "8 nm"
energy = "1 keV"

[scan]
kind = "ptychography"
probe = { pixels = 12, sigma = 2.5 }
raster = { step = 4.0 }
views = 8
photons = 1e8

[experiment]
kind = "ptychography"
object_size = 16
"""


@pytest.mark.parametrize(("job", "most"), [(HOLOGRAPHY, 0.6), (PTYCHOGRAPHY, 0.7)], ids=["holography", "ptychography"])
def test_an_image_of_every_view_makes_a_volume(tmp_path: Path, job: str, most: float) -> None:
    file = tmp_path / "job.toml"
    file.write_text(job, encoding="utf-8")
    numbers = two_step(file, ["simulate.seed=1"])
    assert 0 < numbers["error"] < most
    assert numbers["seconds"] > 0
    assert numbers["peak_memory"] > 1e7
    assert numbers["resolution_half_bit"] > 0
