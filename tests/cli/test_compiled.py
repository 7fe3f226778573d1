"""What was compiled is kept for the next run, where the user or the system says."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import jax
import pytest

from adorym.cli._jax import prepared_jax


@pytest.fixture
def no_folder(monkeypatch, tmp_path):
    """JAX as it starts where nobody has chosen a folder."""
    before = jax.config.jax_compilation_cache_dir
    least = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)


def test_it_lies_in_the_users_cache_and_old_parts_are_thrown_away(no_folder):
    with prepared_jax(64, 0):
        chosen = jax.config.jax_compilation_cache_dir
    (folder,) = (no_folder / "adorym").glob("compiled-*")
    assert chosen == str(folder)
    for name, days in (("old", 40), ("new", 5)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    jax.config.update("jax_compilation_cache_dir", None)
    with prepared_jax(64, 0):
        assert [file.name for file in folder.iterdir()] == ["new"]


def test_a_folder_that_was_chosen_stays(no_folder):
    jax.config.update("jax_compilation_cache_dir", str(no_folder / "mine"))
    with prepared_jax(64, 0):
        assert jax.config.jax_compilation_cache_dir == str(no_folder / "mine")
    assert not list((no_folder / "adorym").glob("compiled-*"))


def test_a_home_that_cannot_be_written_is_no_error(no_folder, monkeypatch):
    (no_folder / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(no_folder / "file"))
    with prepared_jax(64, 0):
        assert jax.config.jax_compilation_cache_dir is None


_KERNEL = """
import sys
from adorym.cli._jax import deal_cores_out
deal_cores_out(int(sys.argv[1]))
import jax, jax.numpy as jnp
loop = jax.jit(lambda x: jax.lax.fori_loop(0, 3, lambda i, x: jnp.fft.fft2(jnp.exp(x) * x + 1), x))
told = loop.lower(jnp.ones((8, 256, 256), complex)).compile().as_text()
print(jax.local_device_count(), "outer_dimension_partitions" in told)
"""


def kernels_of(devices, flags=""):
    """How many devices there are, and whether XLA cuts a kernel up for several cores."""
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, "-c", _KERNEL, str(devices)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    return int(told[0]), told[1] == "True"


def test_kernels_are_whole_where_each_core_has_a_device():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert kernels_of(0) == (cores, False)
    if cores > 1:
        assert kernels_of(1) == (1, True)
        assert kernels_of(0, "--xla_disable_hlo_passes=none") == (cores, True)
