"""A pod's status from what is observed (pure): phase, conditions, container states.

Equal input gives an equal document, so that nothing is written when nothing changed.
Source: Kubernetes API, core/v1 PodStatus; kubelet's words for reasons and messages.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from orchestrator.api import quantity
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod, StateTerminated
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.node.hooks import is_acted_on
from orchestrator.node.observed import Memory, Probes, Run, Seen, has_passed, newest
from orchestrator.node.spec import SANDBOX, is_sidecar
from orchestrator.reconcile.pods import ENDED_PHASES

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
    if pod.status.phase in ENDED_PHASES:
        status |= {k: current[k] for k in ("reason", "message") if current.get(k)}
    elif memory.deadline_passed:
        status["reason"] = "DeadlineExceeded"
        status["message"] = "Pod was active on the node longer than the specified deadline"
    if inits:
        status["initContainerStatuses"] = inits
    debuggers = [
        _ephemeral_status(pod, c, there.get(c.name), probes, memory)
        for c in pod.spec.ephemeral_containers
    ]
    if debuggers:
        status["ephemeralContainerStatuses"] = debuggers
    address = _address(pod, there, host_ip) or current.get("podIP", "")
    if address:
        status["podIP"], status["podIPs"] = address, [{"ip": address}]
    status["conditions"] = _conditions(pod, current, status, inits, apps, now_s)
    return status


_OURS = frozenset(
    {
        "phase", "hostIP", "hostIPs", "startTime", "containerStatuses", "initContainerStatuses",
        "ephemeralContainerStatuses", "podIP", "podIPs", "conditions", "reason", "message",
        "qosClass",
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
    started = ready = running
    if running and item is not None:
        if is_acted_on(container.startup_probe):
            started = has_passed(item, "startup", probes, memory)
        ready = started
        if is_acted_on(container.readiness_probe):
            ready = started and has_passed(item, "readiness", probes, memory)
    if container in pod.spec.init_containers and not is_sidecar(container):
        ended = state.get("terminated")
        ready = ended is not None and ended["exitCode"] == 0
    last = run.ended if "waiting" in state and run.ended is not None else run.last
    status: Document = {
        "name": container.name,
        "image": item.info.image if item is not None else container.image,
        "imageID": item.info.image_id if item is not None else "",
        "state": state,
        "lastState": {"terminated": _terminated(last)} if last is not None else {},
        "ready": ready,
        "started": started,
        "restartCount": run.restarts,
    }
    container_id = item.info.id if item is not None else run.container_id
    if container_id:
        status["containerID"] = f"docker://{container_id}"
    return status


def _ephemeral_status(
    pod: Pod, container: Container, item: Seen | None, probes: Probes, memory: Memory
) -> Document:
    """Of a container that nobody waits for: it is never ready, and says nothing of a start."""
    status = _container_status(pod, container, item, probes, memory)
    del status["started"]
    return {**status, "ready": False}


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
        reason = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
        return {"waiting": {"reason": reason}}
    info = item.info
    if item.running:
        return {"running": {"startedAt": rfc3339(parse_rfc3339(info.started_at))}}
    if info.state == "restarting":
        meta = pod.metadata
        words = BACK_OFF.format(
            name=container.name, pod=f"{meta.name}_{meta.namespace}({meta.uid})"
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
    if pod.status.phase in ENDED_PHASES:
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
    if pod.status.phase == "Running":
        return "Running"
    never_ran = ["waiting" in s["state"] and not s["lastState"] for s in apps]
    if any(n and not s["restartCount"] for n, s in zip(never_ran, apps, strict=True)):
        return "Pending"
    return "Running"


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
    sidecars = [s for c, s in zip(pod.spec.init_containers, inits, strict=True) if is_sidecar(c)]
    unready = [s["name"] for s in (*sidecars, *apps) if not s["ready"]]
    waiting = [
        s["name"]
        for c, s in zip(pod.spec.init_containers, inits, strict=True)
        if not (s["started"] if is_sidecar(c) else s["ready"])
    ]
    reason = message = ""
    is_ready = not unready and phase not in ENDED_PHASES
    if phase in ENDED_PHASES:
        reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
    elif unready:
        reason = "ContainersNotReady"
        message = f"containers with unready status: [{' '.join(unready)}]"
    initialized = phase == "Succeeded" or not waiting or any(s["started"] for s in apps)
    not_initialized = f"containers with incomplete status: [{' '.join(waiting)}]"
    why = "PodCompleted" if phase == "Succeeded" else ""
    made = [
        ("PodReadyToStartContainers", bool(status.get("podIP")) or phase == "Running", "", ""),
        (
            "Initialized",
            initialized,
            why if initialized else "ContainersNotInitialized",
            "" if initialized else not_initialized,
        ),
        ("Ready", is_ready, reason, message),
        ("ContainersReady", is_ready, reason, message),
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
    guaranteed, anything = True, False
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        limits, requests = container.resources.limits or {}, container.resources.requests or {}
        for name in ("cpu", "memory"):
            limit = quantity.parse(limits.get(name, 0))
            request = quantity.parse(requests.get(name, limits.get(name, 0)))
            anything = anything or limit > 0 or request > 0
            guaranteed = guaranteed and limit > 0 and limit == request
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
