"""What this host is: operating system, processors, memory, disks, addresses. Blocking.

Source: proc(5), os-release(5), netdevice(7).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import time
from typing import Any, Dict, List

_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
# None that may hang because another machine does not answer.
_DISK_TYPES = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay"))
MAX_DISKS = 32


def facts() -> Dict[str, Any]:
    """Operation `facts`."""
    memory = memory_info()
    return {
        "hostname": socket.gethostname(),
        "os": _os_release(),
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "cores": cores(),
        "memory_bytes": memory.get("MemTotal", 0),
        "swap_bytes": memory.get("SwapTotal", 0),
        "disks": disks(),
        "addresses": _addresses(),
        "boot_id": boot_id(),
        "machine_id": read_text("/etc/machine-id").strip(),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "time_s": time.time(),
        "uptime_s": float((read_text("/proc/uptime").split() or ["0"])[0]),
        "init": read_text("/proc/1/comm").strip(),
        "cgroup": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
        "user": os.environ.get("USER", "") or ("root" if os.geteuid() == 0 else ""),
        "uid": os.geteuid(),
    }


def read_text(path: str) -> str:
    """A file's text; "" when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def cores() -> int:
    """Processors that may be used."""
    try:
        return len(os.sched_getaffinity(0))
    except OSError:
        return os.cpu_count() or 1


def boot_id() -> str:
    """Changes with every boot."""
    return read_text("/proc/sys/kernel/random/boot_id").strip()


def memory_info() -> Dict[str, int]:
    """/proc/meminfo in bytes."""
    found = {}
    for line in read_text("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def disks() -> List[Dict[str, Any]]:
    """Mounted disks, one entry per device (its shortest mount point)."""
    found: Dict[str, Dict[str, Any]] = {}
    for line in read_text("/proc/mounts").splitlines():
        words = line.split()
        if len(words) < 3 or words[2] not in _DISK_TYPES:
            continue
        device, mount, kind = words[0], _unescape(words[1]), words[2]
        if kind == "overlay" and mount != "/":
            continue  # the containers' own
        known = found.get(device)
        if known is not None and len(known["mount"]) <= len(mount):
            continue
        try:
            now = os.statvfs(mount)
        except OSError:
            continue
        found[device] = {
            "mount": mount,
            "device": device,
            "type": kind,
            "size_bytes": now.f_blocks * now.f_frsize,
            "free_bytes": now.f_bavail * now.f_frsize,
        }
    return sorted(found.values(), key=lambda disk: str(disk["mount"]))[:MAX_DISKS]


def _unescape(mount: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        mount = mount.replace(code, char)
    return mount


def _os_release() -> Dict[str, str]:
    values = {}
    for line in read_text("/etc/os-release").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name.strip()] = value.strip().strip("\"'")
    return {
        "id": values.get("ID", ""),
        "version_id": values.get("VERSION_ID", ""),
        "name": values.get("PRETTY_NAME", values.get("NAME", "")),
    }


def _addresses() -> List[Dict[str, Any]]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                address = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)[20:24]
                mask = fcntl.ioctl(probe.fileno(), _SIOCGIFNETMASK, request)[20:24]
            except OSError:
                continue  # the interface has no IPv4 address
            prefix = bin(struct.unpack(">I", mask)[0]).count("1")
            found.append(_address(name, "ipv4", socket.inet_ntoa(address), prefix))
    for line in read_text("/proc/net/if_inet6").splitlines():
        words = line.split()
        if len(words) >= 6:
            text = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[0]))
            found.append(_address(words[5], "ipv6", text, int(words[2], 16)))
    return found


def _address(interface: str, family: str, address: str, prefix: int) -> Dict[str, Any]:
    return {"interface": interface, "family": family, "address": address, "prefix": prefix}
