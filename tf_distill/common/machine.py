"""Cores and memory of the machine and of this process; memory in bytes."""

import os
import re
from pathlib import Path

STATUS, MEMINFO = Path("/proc/self/status"), Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
TENSORFLOW = 800_000_000
"""Memory of a process with TensorFlow, if the system does not tell."""


def cores() -> int:
    """The number of cores that this process may use; the machine may have more."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resident() -> int:
    """The memory of this process now."""
    return _field(STATUS, "VmRSS") or TENSORFLOW


def most_resident() -> int | None:
    """The most memory that this process has had; None if the system does not tell."""
    return _field(STATUS, "VmHWM")


def room() -> int | None:
    """The memory that this process can have, with its present memory; None if unknown.

    Memory of other processes does not count, memory that caches files does. If only the size of
    the machine is known, it is that.
    """
    free = [_field(MEMINFO, "MemAvailable"), _free_in_container()]
    known = [m for m in free if m is not None]
    return resident() + min(known) if known else _physical()


def _free_in_container() -> int | None:
    """The limit of control groups (version 2), less the memory in use that can't be dropped."""
    limit, held = (_field(CGROUP / f"memory.{name}", unit=1) for name in ("max", "current"))
    if limit is None or held is None:
        return None
    cached = _field(CGROUP / "memory.stat", "inactive_file", unit=1) or 0
    return max(0, limit - held + cached)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _field(path: Path, name: str = "", unit: int = 1024) -> int | None:
    """The number after a name at the start of a line; None without the file or the number."""
    try:
        found = re.search(rf"^{name}:?\s*(\d+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * unit if found else None
