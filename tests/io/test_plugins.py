"""Files compressed by filters beyond HDF5's own, as detectors write them; needs the extra `adorym[plugins]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

hdf5plugin = pytest.importorskip("hdf5plugin", reason="the extra adorym[plugins] is not installed")


FILTERS = ("Bitshuffle", "Blosc", "LZ4", "Zstd")

READ = """
import sys
import numpy as np
from adorym.io import read_dataset
assert "hdf5plugin" not in sys.modules
for name in sys.argv[1:]:
    data = read_dataset(name + ".h5")
    np.save(name, np.stack([data.frames.read(view, np.array([0]))[0] for view in range(3)]))
"""


def test_compressed_frames_are_read_by_a_program_that_knows_of_no_filters(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    frames = rng.poisson(9.0, (3, 8, 8)).astype(np.uint32)
    for name in FILTERS:
        options: dict[str, Any] = dict(getattr(hdf5plugin, name)())
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("exchange/data", data=frames, chunks=(1, 8, 8), **options)
            file["exchange/theta"] = np.array([0.0, 60.0, 120.0])
    subprocess.run([sys.executable, "-c", READ, *FILTERS], cwd=tmp_path, check=True)
    for name in FILTERS:
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), frames)
