"""Who a cluster belongs to: a process, so that what a dead test run left behind can be told.

An owner is "BOOT/PID/START": the machine's boot id, the process id, and its start time in clock
ticks, because process ids come again. Source: proc(5), /proc/PID/stat field 22.
"""

import os
from pathlib import Path


def current_owner() -> str:
    """This process as an owner."""
    pid = os.getpid()
    return f"{_boot()}/{pid}/{_start(pid)}"


def is_dead(owner: str) -> bool:
    """Whether the owner is a process that is gone; "" owns for ever and is never dead."""
    boot, _, rest = owner.partition("/")
    pid, _, start = rest.partition("/")
    if not pid.isdigit():
        return False
    return boot != _boot() or _start(int(pid)) != start


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[19]
