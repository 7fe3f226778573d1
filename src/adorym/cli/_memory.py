"""How much memory there is, and how a job is made to fit into it."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adorym._core import JobError, format_quantity
from adorym._core.allocator import return_freed_memory

if TYPE_CHECKING:
    from adorym.config import ResolvedJob
    from adorym.reconstruct import Task

PROGRAM, _DEVICE = 256 << 20, 96 << 20
"""What compiled kernels, looks at a run and its results add to what a process holds before it; and what further devices
of a processor do, each."""

_SHARE = 0.9
"""Of what is free, how much a run may take."""

_GROUPS = Path("/sys/fs/cgroup")


@dataclasses.dataclass(frozen=True)
class Budget:
    """Bytes that a run may take; infinite where nothing is known.

    Attributes:
        total: of a device with a memory of its own, or of the whole process.
        room: what of it is there for arrays: without what the process holds already, and the program.
        frames: of the host, for arrays and frames.
        given: whether the job told the total.
    """

    total: float
    room: float
    frames: float
    given: bool

    @classmethod
    def of(cls, memory: float | None) -> Budget:
        """What a job's `memory` gives, in bytes; `None` is what is free. JAX is set up."""
        import jax

        return_freed_memory()
        held, free = held_memory(), free_memory()
        apart = jax.default_backend() != "cpu"
        host = held + _SHARE * free if apart or memory is None else memory
        program = PROGRAM + (0 if apart else (jax.local_device_count() - 1) * _DEVICE)
        frames = max(0.0, host - held - program)
        if not apart:
            return cls(host, frames, frames, memory is not None)
        device = _SHARE * device_memory() if memory is None else memory
        return cls(device, device, frames, memory is not None)


@dataclasses.dataclass(frozen=True)
class Allotment:
    """What of a budget a job takes.

    Attributes:
        budget: all there is.
        need: bytes for arrays, on one device or of the host that all share.
        fits: whether there is room for them.
        cached: bytes of frames that are kept in memory; 0 where they are read again for every pass.
    """

    budget: Budget
    need: int
    fits: bool
    cached: int

    @property
    def total(self) -> float:
        """Bytes of all that is taken, in the terms of the budget's total."""
        return self.budget.total - self.budget.room + self.need

    def check(self, task: Task, job: ResolvedJob) -> None:
        """Refuse a job that cannot be made to fit.

        Raises:
            JobError: what it takes at least, and what to change.
        """
        if self.fits:
            return
        ways = " or ".join(f"{key} = {value}" for key, value, _ in remedies(task, job))
        raise JobError(
            f"This job takes {rounded(self.total, up=True)} at least, however it is cut, and memory is "
            f"{rounded(self.budget.total)}: set {ways or 'stages.0.binning = [2]'}, or give it more."
        )


def allotted(task: Task, job: ResolvedJob, tell: Any) -> tuple[Task, Allotment]:
    """The task cut so that it fits, what is left of the memory given to its frames.

    Args:
        task: with what its solvers would best have.
        job: what it was built from; what it says of cuts is kept.
        tell: told what is being done.
    """
    from adorym.reconstruct import Freedom, fitted, walks_back

    budget = Budget.of(job.memory)
    stages = job.tables["stages"]
    sweeps = [one.solver.sweeps for one in task.stages]
    freedom = Freedom(
        job.tables["experiment"]["backward"] == "auto",
        tuple(
            (free and not table["views_per_batch"], free and not table["frames_per_batch"])
            for free, table in zip(sweeps, stages, strict=True)
        ),
    )
    found = fitted(
        task, budget.room, freedom=freedom, walks_back=lambda: walks_back(task.model, task.dataset), tell=tell
    )
    shared = budget.room == budget.frames
    left = max(0.0, budget.frames - found.need * shared) * (1.0 if budget.given else 0.5)
    task = dataclasses.replace(found.task, cache=int(min(left, 1 << 62)))
    cached = task.feed(0).cached_bytes
    return task, Allotment(budget, found.need, found.fits, cached)


def remedies(task: Task, job: ResolvedJob) -> list[tuple[str, int, str]]:
    """Keys that would take less where all chunks are as small as they can be: with their values, and why."""
    import jax

    found: list[tuple[str, int, str]] = []
    if jax.default_backend() == "cpu" and jax.local_device_count() > 1:
        found.append(("devices", 1, "Every device holds a copy of the model: one device holds one, more slowly."))
    for i, (stage, table) in enumerate(zip(task.stages, job.tables["stages"], strict=True)):
        if table["solver"] == "l-bfgs" and table["memory"] > 3:
            why = "Remembering fewer steps keeps less, for a few steps more."
            found.append((f"stages.{i}.memory", 3, why))
        frames = stage.solver.frames_per_batch
        if frames > 1 and not stage.solver.sweeps:
            found.append((f"stages.{i}.frames_per_batch", frames // 2, "Frames of a batch take memory."))
    if job.precision == 64:
        found.append(("precision", 32, "Numbers of 64 bits take twice the memory and about twice the time."))
    return found


def rounded(count: float | int, *, up: bool = False) -> str:
    """Bytes in three digits, such as "1.23 GB"."""
    if not math.isfinite(count) or count <= 0:
        return str(count)
    unit = 10 ** max(0, math.floor(math.log10(count)) - 2)
    return str(format_quantity(float((math.ceil if up else math.floor)(count / unit) * unit), "memory"))


def free_memory() -> float:
    """Bytes that this process may still take of the machine's memory, or of its groups' shares; infinite if unknown."""
    machine = _kilobytes(Path("/proc/meminfo"), "MemAvailable")
    if not math.isfinite(machine):
        machine = _physical() - held_memory()
    return max(0.0, min([machine, *(_left(folder) for folder in _groups())]))


def held_memory(*, most: bool = False) -> int:
    """Bytes that this process holds now, or at its peak; 0 if unknown."""
    held = _kilobytes(Path("/proc/self/status"), "VmHWM" if most else "VmRSS")
    return int(held) if math.isfinite(held) else 0


def device_memory() -> float:
    """Bytes that every device may still give; infinite if unknown."""
    import jax

    free = []
    for device in jax.local_devices():
        told = device.memory_stats() or {}
        limit = told.get("bytes_limit")
        free.append(math.inf if limit is None else float(limit - told.get("bytes_in_use", 0)))
    return min(free)


def _physical() -> float:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def _groups() -> Iterator[Path]:
    """Folders of the control groups that may limit this process, of either version."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, own = (*line.split(":", 2), "", "")[:3]
        if kinds in ("", "memory"):
            place = (_GROUPS / kinds if kinds else _GROUPS) / own.strip("/")
            yield from (one for one in (place, *place.parents) if _GROUPS in (one, *one.parents))


def _left(group: Path) -> float:
    """Bytes that a group may still take; what it keeps of files is given up when needed."""
    for limit, used, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, now = _number(group / limit), _number(group / used)
        if math.isfinite(most) and math.isfinite(now):
            return most - now + min(now, _line(group / "memory.stat", files))
    return math.inf


def _line(file: Path, name: str) -> float:
    """The number of one line `name number`; 0 if there is none."""
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
        return next((float(words[1]) for words in lines if words[0] == name), 0.0)
    except (OSError, ValueError, IndexError):
        return 0.0


def _kilobytes(file: Path, name: str) -> float:
    """The bytes of one line `name: number kB`."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), math.inf)
    except (OSError, ValueError, IndexError):
        return math.inf


def _number(file: Path) -> float:
    try:
        return float(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no limit
        return math.inf
