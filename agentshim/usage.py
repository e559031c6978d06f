"""What is used right now: by the host, and by single containers from their cgroups. Blocking.

Source: cgroup v1 and v2 documentation of the kernel; proc(5).
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Tuple

from agentshim.facts import cores, disks, memory_info, read_text

ROOT = "/sys/fs/cgroup"
_CONTROLLERS = ("cpuacct", "memory", "blkio", "pids")
_PARENTS = ("docker", "system.slice")
"""Where the engine usually puts its containers."""
_MOST_PARENTS = 16
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
        self._parents = list(_PARENTS)

    def usage(self, container_ids: List[str]) -> Dict[str, Any]:
        """Usage of those containers that have cgroups."""
        known = {cid: self._places.get(cid, {}) for cid in container_ids}
        self._places = {
            cid: places
            for cid, places in known.items()
            if places and all(os.path.isdir(place) for place in places.values())
        }
        self._look([cid for cid in container_ids if cid not in self._places])
        return {
            cid: _version2(places["unified"]) if "unified" in places else _version1(places)
            for cid, places in self._places.items()
        }

    def _look(self, wanted: List[str]) -> None:
        """Finds cgroups: where others were found, else anywhere, in one walk for all of them."""
        if not wanted:
            return
        tops = self._tops()
        missing = {cid for cid in wanted if not self._place(tops, cid)}
        main = tops.get("unified") or tops.get("memory") or ""
        if not missing or not main:
            return
        names = {name for cid in missing for name in _names(cid)}
        for place, directories, _ in os.walk(main):
            if not names.isdisjoint(directories):
                self._parents.insert(0, os.path.relpath(place, main))
        del self._parents[_MOST_PARENTS:]
        for cid in missing:
            self._place(tops, cid)

    def _tops(self) -> Dict[str, str]:
        """The hierarchies' directories by controller."""
        if os.path.exists(os.path.join(self._root, "cgroup.controllers")):
            return {"unified": self._root}
        tops = {name: os.path.join(self._root, name) for name in _CONTROLLERS}
        return {name: top for name, top in tops.items() if os.path.isdir(top)}

    def _place(self, tops: Dict[str, str], container_id: str) -> bool:
        """Notes where a container's cgroups are, if they are below known parents."""
        for parent in self._parents:
            for name in _names(container_id):
                places = {c: os.path.join(top, parent, name) for c, top in tops.items()}
                places = {c: place for c, place in places.items() if os.path.isdir(place)}
                if places:
                    self._places[container_id] = places
                    return True
        return False


def _names(container_id: str) -> Tuple[str, str]:
    """Of a container's directory, by who makes it: the engine, systemd."""
    return container_id, "docker-%s.scope" % container_id


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
        "monotonic_s": time.monotonic(),
        "host": host_usage(),
        "containers": cgroups.usage(container_ids),
    }
