"""A pod's status from what is observed (pure): phase, conditions, container states.

Equal input gives an equal document, so that nothing is written when nothing changed.
Source: Kubernetes API, core/v1 PodStatus; kubelet's words for reasons and messages.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod, StateTerminated
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.node.observed import Memory, Probes, Run, Seen, newest
from orchestrator.node.spec import SANDBOX, is_sidecar

Document = dict[str, Any]
BACK_OFF = "back-off restarting failed container={name} pod={pod}"


def pod_status(
    pod: Pod,
    current: Document,
    containers: Sequence[Seen],
    probes: Probes,
    memory: Memory,
    host_ip: str,
    now_s: float,
) -> Document:
    """The whole status document; times of unchanged conditions are kept from `current`."""
    there = newest(containers)
    inits = [
        _container_status(pod, c, there.get(c.name), probes, memory)
        for c in pod.spec.init_containers
    ]
    apps = [
        _container_status(pod, c, there.get(c.name), probes, memory) for c in pod.spec.containers
    ]
    status: Document = {
        **{k: v for k, v in current.items() if k not in _OURS},
        "phase": _phase(pod, inits, apps, memory),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": current.get("startTime") or rfc3339(now_s),
        "containerStatuses": apps,
        "qosClass": current.get("qosClass") or qos_class(pod),
    }
    if memory.deadline_passed:
        status["reason"] = "DeadlineExceeded"
        status["message"] = "Pod was active on the node longer than the specified deadline"
    if inits:
        status["initContainerStatuses"] = inits
    address = _address(pod, there, host_ip) or current.get("podIP", "")
    if address:
        status["podIP"], status["podIPs"] = address, [{"ip": address}]
    status["conditions"] = _conditions(pod, current, status, inits, apps, now_s)
    return status


_OURS = frozenset(
    {
        "phase", "hostIP", "hostIPs", "startTime", "containerStatuses", "initContainerStatuses",
        "podIP", "podIPs", "conditions", "reason", "message", "qosClass",
    }
)  # fmt: skip


def _address(pod: Pod, there: dict[str, Seen], host_ip: str) -> str:
    if pod.spec.host_network:
        return host_ip
    owner = there.get(SANDBOX) or (
        there.get(pod.spec.containers[0].name) if pod.spec.containers else None
    )
    return owner.info.ip if owner is not None else ""


def _container_status(
    pod: Pod, container: Container, item: Seen | None, probes: Probes, memory: Memory
) -> Document:
    run = memory.runs.get(container.name, Run())
    state = _state(pod, container, item, memory)
    running = "running" in state
    started = running
    ready = running
    if running and item is not None:
        if container.startup_probe is not None:
            started = probes.state(item.info.id, "startup") == "success"
        ready = started
        if container.readiness_probe is not None:
            ready = started and probes.state(item.info.id, "readiness") == "success"
    if container in pod.spec.init_containers and not is_sidecar(container):
        ended = state.get("terminated") or {}
        ready, started = ended.get("exitCode") == 0, False
    status: Document = {
        "name": container.name,
        "image": container.image,
        "imageID": item.info.image_id if item is not None else "",
        "state": state,
        "lastState": {"terminated": _terminated(run.last)} if run.last is not None else {},
        "ready": ready,
        "started": started,
        "restartCount": run.restarts,
    }
    if item is not None:
        status["containerID"] = f"docker://{item.info.id}"
    if "waiting" in state and run.ended is not None and item is not None:
        status["lastState"] = {"terminated": _terminated(run.ended)}
    return status


def _state(pod: Pod, container: Container, item: Seen | None, memory: Memory) -> Document:
    waiting = memory.waiting.get(container.name)
    if waiting is None:
        waiting = memory.waiting.get("") or memory.waiting.get(SANDBOX)
    if item is None or not item.ever_started:
        run = memory.runs.get(container.name)
        if item is None and run is not None and run.ended is not None and waiting is None:
            return {"terminated": _terminated(run.ended)}
        if waiting is not None:
            return {"waiting": {"reason": waiting.reason, "message": waiting.message}}
        reason = "ContainerCreating"
        if container in pod.spec.containers and pod.spec.init_containers:
            reason = "PodInitializing"
        return {"waiting": {"reason": reason}}
    info = item.info
    if item.running:
        return {"running": {"startedAt": rfc3339(parse_rfc3339(info.started_at))}}
    if info.state == "restarting":
        words = BACK_OFF.format(
            name=container.name, pod=f"{pod.metadata.name}_{pod.metadata.namespace}"
        )
        return {"waiting": {"reason": "CrashLoopBackOff", "message": words}}
    run = memory.runs.get(container.name, Run())
    if waiting is not None:
        return {"waiting": {"reason": waiting.reason, "message": waiting.message}}
    return {"terminated": _terminated(run.ended or StateTerminated(exit_code=info.exit_code))}


def _terminated(ended: StateTerminated) -> Document:
    document: Document = msgspec.to_builtins(ended)
    document.setdefault("exitCode", 0)
    return {k: v for k, v in document.items() if v not in ("", None)}


def _phase(pod: Pod, inits: list[Document], apps: list[Document], memory: Memory) -> str:
    if pod.status.phase in {"Succeeded", "Failed"}:
        return pod.status.phase
    if memory.deadline_passed:
        return "Failed"
    policy = pod.spec.restart_policy
    for container, status in zip(pod.spec.init_containers, inits, strict=True):
        ended = status["state"].get("terminated")
        if ended and ended["exitCode"] and policy == "Never" and not is_sidecar(container):
            return "Failed"
    ends = [s["state"].get("terminated") for s in apps]
    if policy != "Always" and ends and all(ends):
        codes = [e["exitCode"] for e in ends if e]
        if policy == "Never" or not any(codes):
            return "Failed" if any(codes) else "Succeeded"
    if any("running" in s["state"] or s["restartCount"] or s["lastState"] for s in apps):
        return "Running"
    if any(ends):
        return "Running"
    return "Pending"


def _conditions(
    pod: Pod,
    current: Document,
    status: Document,
    inits: list[Document],
    apps: list[Document],
    now_s: float,
) -> list[Document]:
    old = {c["type"]: c for c in current.get("conditions") or []}
    phase = status["phase"]
    unready = [s["name"] for s in apps if not s["ready"]]
    waiting = [
        s["name"]
        for c, s in zip(pod.spec.init_containers, inits, strict=True)
        if not (s["started"] if is_sidecar(c) else s["ready"])
    ]
    reason = message = ""
    if phase == "Succeeded":
        reason, unready = "PodCompleted", unready or [s["name"] for s in apps]
    elif unready:
        reason = "ContainersNotReady"
        message = f"containers with unready status: [{' '.join(unready)}]"
    initialized = phase == "Succeeded" or not waiting or any(s["started"] for s in apps)
    made = [
        ("PodReadyToStartContainers", bool(status.get("podIP")) or phase == "Running", "", ""),
        (
            "Initialized",
            initialized,
            "" if initialized else "ContainersNotInitialized",
            "" if initialized else f"containers with incomplete status: [{' '.join(waiting)}]",
        ),
        ("Ready", not unready, reason, message),
        ("ContainersReady", not unready, reason, message),
    ]
    found = [
        _condition(old.get(kind), kind, holds, why, words, now_s)
        for kind, holds, why, words in made
    ]
    scheduled = old.get("PodScheduled") or _condition(None, "PodScheduled", True, "", "", now_s)
    others = [c for t, c in old.items() if t not in _KINDS]
    return [*found, scheduled, *others]


_KINDS = frozenset(
    {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"}
)


def _condition(
    old: Document | None, kind: str, holds: bool, reason: str, message: str, now_s: float
) -> Document:
    status = "True" if holds else "False"
    since = rfc3339(now_s)
    if old is not None and old.get("status") == status:
        since = old.get("lastTransitionTime") or since
    made: Document = {"type": kind, "status": status, "lastTransitionTime": since}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made


def qos_class(pod: Pod) -> str:
    """Guaranteed, Burstable or BestEffort. Source: Kubernetes concepts, "Pod QoS Classes"."""
    every = [*pod.spec.init_containers, *pod.spec.containers]
    given = [(c.resources.requests or {}, c.resources.limits or {}) for c in every]
    if not any(r or limits for r, limits in given):
        return "BestEffort"
    for requests, limits in given:
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"
