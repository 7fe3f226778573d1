"""What all tests share: 64-bit physics with strict promotion, real data where there are any, repeatable examples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker keeps to one core; JAX reads this when it starts
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

# What was compiled is kept in the project, not in the user's cache; JAX reads this when it starts.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "compiled")
)
os.environ.setdefault("XDG_CACHE_HOME", str(Path(__file__).resolve().parents[1] / ".pytest_cache"))

import hypothesis
import jax
import pytest

from adorym.cli._jax import choose_transforms

# For the whole session, not in a fixture: arrays made by fixtures of wider scope must be of 64 bits too.
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# As the command does, before anything is compiled: whatever order tests run in, they have the same transforms.
choose_transforms()

hypothesis.settings.register_profile("adorym", deadline=None, derandomize=True, database=None, max_examples=25)
hypothesis.settings.load_profile("adorym")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """64 bits, unless the test is marked `single_precision`, which shows what users get by default."""
    single = request.node.get_closest_marker("single_precision") is not None
    with jax.enable_x64(not single):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured and independently simulated data, which lies beside the project, not in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no data: this test reads ../shared/data, which is not part of the project")
    return SHARED_DATA
