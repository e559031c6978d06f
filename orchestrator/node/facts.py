"""A Node's status from what its host and engine say (pure).

Source: Kubernetes API, core/v1 NodeStatus.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.api import names, quantity
from orchestrator.kit.clock import rfc3339
from orchestrator.remote.seams import EngineInfo, ImageInfo

Document = dict[str, Any]
_MOST_IMAGES = 50
_KUBELET_VERSION = "v1.33.0"


def node_status(
    node: Document,
    facts: Mapping[str, Any],
    engine: EngineInfo,
    images: Sequence[ImageInfo],
    address: str,
    pods: int,
    now_s: float,
) -> Document:
    """The status document of a connected host; condition times are kept while they hold."""
    caps = json.loads((node["metadata"].get("annotations") or {}).get(names.NODE_CAPACITY, "{}"))
    disk = _disk(facts, engine.root_dir)
    capacity = {
        "cpu": str(engine.cpus),
        "memory": f"{engine.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{disk.get('size_bytes', 0) // 1024}Ki",
        "pods": str(pods),
    }
    allocatable = dict(capacity)
    for name, cap in caps.items():
        if quantity.parse(cap) < quantity.parse(capacity.get(name, cap)):
            allocatable[name] = str(cap)
    os = facts.get("os") or {}
    pressure = disk.get("size_bytes", 0) and disk.get("free_bytes", 0) < disk["size_bytes"] * 0.05
    wanted = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "the host has enough memory"),
        (
            "DiskPressure",
            "True" if pressure else "False",
            "KubeletHasDiskPressure" if pressure else "KubeletHasNoDiskPressure",
            "less than 5% of the disk is free" if pressure else "the host has enough disk space",
        ),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "the host has enough process ids"),
        ("Ready", "True", "KubeletReady", "the host, its engine and its shim answer"),
    ]
    old = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or []}
    hostname = str(facts.get("hostname") or node["metadata"]["name"])
    return {
        "capacity": capacity,
        "allocatable": allocatable,
        "conditions": [
            condition(old.get(kind), kind, status, reason, message, now_s)
            for kind, status, reason, message in wanted
        ],
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": hostname},
        ],
        "nodeInfo": {
            "machineID": str(facts.get("machine_id", "")),
            "systemUUID": str(facts.get("machine_id", "")),
            "bootID": str(facts.get("boot_id", "")),
            "kernelVersion": engine.kernel_version,
            "osImage": str(os.get("name") or engine.operating_system),
            "containerRuntimeVersion": f"docker://{engine.server_version}",
            "kubeletVersion": _KUBELET_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": _architecture(engine.architecture),
        },
        "images": image_list(images),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
    }


def image_list(images: Sequence[ImageInfo]) -> list[Document]:
    """`status.images`, largest first."""
    ordered = sorted(images, key=lambda i: (-i.size_bytes, i.id))[:_MOST_IMAGES]
    return [{"names": [*i.repo_digests, *i.repo_tags], "sizeBytes": i.size_bytes} for i in ordered]


def lost_conditions(node: Document, status: str, reason: str, message: str, now_s: float) -> Any:
    """All conditions of a host that cannot be reached; Ready gets `status` ("Unknown", "False")."""
    old = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or []}
    kinds = ["MemoryPressure", "DiskPressure", "PIDPressure"] if status == "Unknown" else []
    found = [
        condition(old.get(k), k, "Unknown", "NodeStatusUnknown", "the host does not answer", now_s)
        for k in kinds
    ]
    kept = [c for t, c in old.items() if t != "Ready" and t not in kinds]
    return [*found, *kept, condition(old.get("Ready"), "Ready", status, reason, message, now_s)]


def condition(
    old: Document | None, kind: str, status: str, reason: str, message: str, now_s: float
) -> Document:
    """A node condition; unchanged but for its message it keeps its times."""
    same = old is not None and old.get("status") == status
    since = old.get("lastTransitionTime") if same and old else None
    beat = old.get("lastHeartbeatTime") if same and old else None
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": beat or rfc3339(now_s),
        "lastTransitionTime": since or rfc3339(now_s),
        "reason": reason,
        "message": message,
    }


def standard_labels(name: str, architecture: str) -> dict[str, str]:
    """Labels that every Node has."""
    return {
        names.NODE_HOSTNAME_LABEL: name,
        names.NODE_OS_LABEL: "linux",
        names.NODE_ARCH_LABEL: _architecture(architecture),
    }


def _architecture(machine: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}.get(machine, machine)


def _disk(facts: Mapping[str, Any], root_dir: str) -> Mapping[str, Any]:
    """The disk that the engine's data is on: the longest mount point above it."""
    best: Mapping[str, Any] = {}
    for disk in facts.get("disks") or ():
        mount = str(disk.get("mount", ""))
        below = root_dir == mount or root_dir.startswith(mount.rstrip("/") + "/")
        if below and len(mount) >= len(str(best.get("mount", ""))):
            best = disk
    return best
