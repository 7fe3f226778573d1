"""How much memory there is."""

from __future__ import annotations

import math
from pathlib import Path


def free_memory() -> float:
    """Bytes that this process may still take of the machine's memory, or of its group's share; infinite if unknown."""
    machine = _kilobytes(Path("/proc/meminfo"), "MemAvailable")
    group = Path("/sys/fs/cgroup")
    limit, used = (_number(group / name) for name in ("memory.max", "memory.current"))
    return min(machine, limit - used if math.isfinite(limit) and math.isfinite(used) else math.inf)


def held_memory() -> int:
    """Bytes that this process holds now; 0 if unknown."""
    held = _kilobytes(Path("/proc/self/status"), "VmRSS")
    return int(held) if math.isfinite(held) else 0


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
