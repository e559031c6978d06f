"""What is used right now: by the host, and by single containers from their cgroups. Blocking.

Source: cgroup v1 and v2 documentation of the kernel; proc(5).
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Optional

from agentshim.facts import cores, disks, memory_info, read_text

ROOT = "/sys/fs/cgroup"
_UNLIMITED = 1 << 60
_HZ = os.sysconf("SC_CLK_TCK")


def host_usage() -> Dict[str, Any]:
    """Processor, memory, disks and network of the host."""
    memory = memory_info()
    total = memory.get("MemTotal", 0)
    words = (read_text("/proc/stat").splitlines() or [""])[0].split()[1:9]
    ticks = [int(word) for word in words]
    idle = sum(ticks[3:5])  # idle and waiting for disks
    return {
        "cpu_s": (sum(ticks) - idle) / _HZ,
        "cores": cores(),
        "load_1m": os.getloadavg()[0],
        "memory_bytes": total - memory.get("MemAvailable", 0),
        "memory_total_bytes": total,
        "disks": disks(),
        "network": _network(),
    }


class Cgroups:
    """Finds and reads the cgroups of containers."""

    def __init__(self, root: str = ROOT) -> None:
        self._root = root
        self._places: Dict[str, Dict[str, str]] = {}

    def usage(self, container_ids: List[str]) -> Dict[str, Any]:
        """Usage of those containers that have cgroups."""
        known = {cid: self._places[cid] for cid in container_ids if cid in self._places}
        self._places = known
        found = {}
        for container_id in container_ids:
            numbers = self._read(container_id)
            if numbers is not None:
                found[container_id] = numbers
        return found

    def _read(self, container_id: str) -> Optional[Dict[str, Any]]:
        places = self._places.get(container_id)
        if places is None or not all(os.path.isdir(place) for place in places.values()):
            places = self._find(container_id)
            if not places:
                self._places.pop(container_id, None)
                return None
            self._places[container_id] = places
        return _version2(places["unified"]) if "unified" in places else _version1(places)

    def _find(self, container_id: str) -> Dict[str, str]:
        if os.path.exists(os.path.join(self._root, "cgroup.controllers")):
            place = _search(self._root, container_id)
            return {"unified": place} if place else {}
        found = {}
        for controller in ("cpuacct", "memory", "blkio", "pids"):
            top = os.path.join(self._root, controller)
            place = _search(top, container_id) if os.path.isdir(top) else ""
            if place:
                found[controller] = place
        return found


def _search(top: str, container_id: str) -> str:
    """The container's directory: where the engine usually puts it, else anywhere."""
    names = (container_id, "docker-%s.scope" % container_id)
    for parent in ("docker", "system.slice"):
        for name in names:
            place = os.path.join(top, parent, name)
            if os.path.isdir(place):
                return place
    for place, directories, _ in os.walk(top):
        for name in names:
            if name in directories:
                return os.path.join(place, name)
        directories[:] = [d for d in directories if not (len(d) == 64 or d.startswith("docker-"))]
    return ""


def _version2(place: str) -> Dict[str, Any]:
    cpu, memory = _table(place, "cpu.stat"), _table(place, "memory.stat")
    used = _number(place, "memory.current")
    read, written = 0, 0
    for line in read_text(os.path.join(place, "io.stat")).splitlines():
        for word in line.split()[1:]:
            name, _, value = word.partition("=")
            read += int(value) if name == "rbytes" else 0
            written += int(value) if name == "wbytes" else 0
    return {
        "cpu_s": cpu.get("usage_usec", 0) / 1e6,
        "memory_bytes": used,
        "working_set_bytes": max(0, used - memory.get("inactive_file", 0)),
        "memory_limit_bytes": _number(place, "memory.max"),
        "pids": _number(place, "pids.current"),
        "read_bytes": read,
        "written_bytes": written,
    }


def _version1(places: Dict[str, str]) -> Dict[str, Any]:
    memory = places.get("memory", "")
    used = _number(memory, "memory.usage_in_bytes")
    limit = _number(memory, "memory.limit_in_bytes")
    transfers = {"Read": 0, "Write": 0}
    file = os.path.join(places.get("blkio", ""), "blkio.throttle.io_service_bytes")
    for line in read_text(file).splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in transfers:
            transfers[words[1]] += int(words[2])
    inactive = _table(memory, "memory.stat").get("total_inactive_file", 0)
    return {
        "cpu_s": _number(places.get("cpuacct", ""), "cpuacct.usage") / 1e9,
        "memory_bytes": used,
        "working_set_bytes": max(0, used - inactive),
        "memory_limit_bytes": 0 if limit >= _UNLIMITED else limit,
        "pids": _number(places.get("pids", ""), "pids.current"),
        "read_bytes": transfers["Read"],
        "written_bytes": transfers["Write"],
    }


def _number(place: str, name: str) -> int:
    text = read_text(os.path.join(place, name)).strip() if place else ""
    return int(text) if text.isdigit() else 0


def _table(place: str, name: str) -> Dict[str, int]:
    found = {}
    for line in read_text(os.path.join(place, name)).splitlines() if place else ():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found


def _network() -> Dict[str, int]:
    received = sent = 0
    for line in read_text("/proc/net/dev").splitlines()[2:]:
        name, _, rest = line.partition(":")
        words = rest.split()
        if name.strip() != "lo" and len(words) >= 9:
            received += int(words[0])
            sent += int(words[8])
    return {"received_bytes": received, "sent_bytes": sent}


def usage(cgroups: Cgroups, container_ids: List[str]) -> Dict[str, Any]:
    """Operation `usage`."""
    return {
        "time_s": time.time(),
        "host": host_usage(),
        "containers": cgroups.usage(container_ids),
    }
