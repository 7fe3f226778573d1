"""JAX as a job wants it: bits of a number, and on a CPU one device for each core."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from adorym._core import JobError


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

    with contextlib.suppress(RuntimeError):  # JAX has started already, and has the devices that it has
        jax.config.update("jax_num_cpu_devices", devices or _cores())
    with jax.enable_x64(precision == 64):
        found = jax.local_device_count()
        if devices and found != devices:
            raise JobError(
                f"devices is {devices}, but this process has {found}: set devices = 0 in the job to use what there is."
            )
        yield found


def _cores() -> int:
    """Cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
