"""How much memory this process takes, a folder on disk, and everything that runs on this machine of its cores."""

import os
import resource
from pathlib import Path

_MIB = 2**20


def resident_mib() -> float:
    """Memory in use now, in MiB."""
    return _status("VmRSS")


def peak_mib() -> float:
    """The most memory this process ever took, in MiB. (`ru_maxrss` begins with what its parent took.)"""
    return _status("VmHWM")


def busy_seconds() -> float:
    """CPU seconds that this machine has spent on anything since it started; 0 where it does not tell."""
    try:
        user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    except OSError:
        return 0.0
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _status(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # not Linux: the peak has to do for both
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))
