"""JAX as a job wants it: bits of a number, and on a CPU one device for each core."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from adorym._core import JobError

_MONTH = 30 * 86400

_TRANSFORMS = ("auto", "mkl", "fftw", "xla")

WHOLE_KERNELS = "--xla_disable_hlo_passes=cpu-parallel-task-assigner"
"""Has XLA leave a CPU's kernels whole."""


@contextlib.contextmanager
def prepared_jax(precision: int, devices: int) -> Iterator[int]:
    """JAX set up while the block lasts; to be entered before any array is made.

    Args:
        precision: 32 or 64.
        devices: how many share the work; 0 takes all there are.

    Yields:
        the number of devices, to be recorded: sums over another number of parts round differently.

    Raises:
        JobError: the machine does not have as many.
    """
    import jax

    _keep_compiled()
    choose_transforms()
    deal_cores_out(devices)
    with jax.enable_x64(precision == 64):
        found = jax.local_device_count()
        if devices and found != devices:
            raise JobError(
                f"devices is {devices}, but this process has {found}: set devices = 0 in the job to use what there is."
            )
        yield found


def _keep_compiled() -> None:
    """Has JAX keep what it compiles for the next run, in the user's cache, unless JAX_COMPILATION_CACHE_DIR says where.

    Machines that share a home but not their kind of processor keep it apart. What has not been used for a month is
    thrown away. `JAX_ENABLE_COMPILATION_CACHE=false` keeps nothing.
    """
    import jax

    if getattr(jax.config, "jax_compilation_cache_dir", None):
        return
    with contextlib.suppress(OSError, RuntimeError):
        folder = _cache() / f"compiled-{_processor()}-{_names()}"
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            if time.time() - max(file.stat().st_atime, file.stat().st_mtime) > _MONTH:
                file.unlink()
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # many small ones take a second in all


def choose_transforms() -> str:
    """Has a CPU's Fourier transforms made by MKL or FFTW, which are faster than XLA, where one of them is installed.

    On Intel's processors MKL is looked for first, on others FFTW. `ADORYM_FFT=xla` leaves them to XLA; `ADORYM_FFT=mkl`
    or `fftw` refuses to go on without that library, and says what is missing.

    Returns:
        who makes them, and if that is XLA, why.

    Raises:
        JobError: a library is asked for and cannot be used, or something unknown is asked for.
    """
    wanted = os.environ.get("ADORYM_FFT") or "auto"
    if wanted not in _TRANSFORMS:
        raise JobError(f'ADORYM_FFT is "{wanted}" in the environment: it may be {", ".join(_TRANSFORMS)}.')
    if wanted == "xla":
        return "XLA, by ADORYM_FFT"
    from adorym.fft import FftError, fastest_first, use_library

    missing = []
    for name in fastest_first() if wanted == "auto" else (wanted,):
        try:
            return use_library(name, _cache() / "fft")
        except (FftError, RuntimeError) as error:  # no home to keep what is compiled
            if wanted != "auto":
                raise JobError(f"ADORYM_FFT asks for {name.upper()}: {error}") from error
            missing.append(str(error))
    return f"XLA: {' '.join(dict.fromkeys(missing))}"


def _cache() -> Path:
    """The user's cache, for what is compiled.

    Raises:
        RuntimeError: the user has no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adorym"


def _processor() -> str:
    """A short name for what the processor can do."""
    told = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        told += [next((line for line in lines if line.startswith(("flags", "Features"))), "")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def _names() -> str:
    """A short name for the words that programs are marked with, which JAX's own key for what it keeps leaves out."""
    from adorym._core.words import Scope

    return hashlib.sha256(" ".join(get_args(Scope)).encode()).hexdigest()[:6]


def deal_cores_out(devices: int = 0) -> None:
    """Host devices of a CPU, before JAX has started: so many, or with 0 one for each core, which it has to itself.

    XLA cuts the kernels of every device up for all cores, and hands the parts to threads that all devices share. Where
    each device has a core that only costs: waves leave the cache that they lie in, and a device that the threads leave
    alone is waited for. Four slices, four modes: 12 ms a step in place of 19. An `XLA_FLAGS` that says which passes are
    to be left out is left as it is.
    """
    import jax

    count, cores = devices or _cores(), _cores()
    flags = os.environ.get("XLA_FLAGS", "")
    if count >= cores and "xla_disable_hlo_passes" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {WHOLE_KERNELS}".strip()
    with contextlib.suppress(RuntimeError):  # JAX has started already, and has the devices that it has
        jax.config.update("jax_num_cpu_devices", count)


def _cores() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
