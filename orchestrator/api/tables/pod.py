"""Rows of pods, and the one-word status that people look at.

Source: Kubernetes pkg/printers/internalversion (printPod).
"""

from typing import Any, Final

from orchestrator.api.tables.cells import AGE, NAME, NONE, Cell, Column, Document, age_of, since

COLUMNS: Final = (
    NAME,
    Column("Ready", description="Containers that are ready, of all."),
    Column("Status", description="State of the pod in one word."),
    Column("Restarts", description="How often its containers were restarted, and when last."),
    AGE,
    Column("IP", wide=True, description="The pod's address."),
    Column("Node", wide=True, description="The node that it is bound to."),
    Column("Nominated Node", wide=True, description="The node that room is made on for it."),
    Column("Readiness Gates", wide=True, description="Readiness gates that are met, of all."),
)


def cells(pod: Document, now_s: float) -> list[Cell]:
    """One pod's row."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    summary = _Summary(spec, status)
    addresses = [item.get("ip", "") for item in status.get("podIPs") or ()]
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts += f" ({since(summary.last_restart, now_s)} ago)"
    return [
        pod["metadata"]["name"],
        f"{summary.ready}/{summary.total}",
        _word(pod, summary),
        restarts,
        age_of(pod, now_s),
        next(iter(addresses), "") or status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def status_word(pod: Document) -> str:
    """The pod's state in one word: Running, CrashLoopBackOff, Init:0/2, Terminating, ..."""
    return _word(pod, _Summary(pod.get("spec") or {}, pod.get("status") or {}))


def _word(pod: Document, summary: "_Summary") -> str:
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in {"Succeeded", "Failed"}:
            return "Terminating"
    return summary.reason


class _Summary:
    """Counts and the reason, from the container statuses."""

    def __init__(self, spec: dict[str, Any], status: dict[str, Any]) -> None:
        self.ready = 0
        self.restarts = 0
        self.last_restart = ""
        self.reason: str = status.get("reason") or status.get("phase") or "Unknown"
        self._sidecars = {
            container["name"]
            for container in spec.get("initContainers") or ()
            if container.get("restartPolicy") == "Always"
        }
        self.total = len(spec.get("containers") or ()) + len(self._sidecars)
        conditions = {c.get("type"): c for c in status.get("conditions") or ()}
        if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
            self.reason = "SchedulingGated"
        initializing = self._init_containers(spec, status)
        initialized = conditions.get("Initialized", {}).get("status") == "True"
        if not initializing or initialized:
            ready = conditions.get("Ready", {}).get("status") == "True"
            self._containers(status, pod_ready=ready)

    def _init_containers(self, spec: dict[str, Any], status: dict[str, Any]) -> bool:
        """Takes in the init containers; whether one of them holds the pod."""
        total = len(spec.get("initContainers") or ())
        for index, container in enumerate(status.get("initContainerStatuses") or ()):
            self._count_restarts(container)
            state = container.get("state") or {}
            ended = state.get("terminated")
            waiting = (state.get("waiting") or {}).get("reason", "")
            if ended is not None and not ended.get("exitCode"):
                continue
            if container.get("name") in self._sidecars and container.get("started"):
                self.ready += container.get("ready") is True
                continue
            if ended is not None:
                self.reason = f"Init:{_ended(ended)}"
            elif waiting and waiting != "PodInitializing":
                self.reason = f"Init:{waiting}"
            else:
                self.reason = f"Init:{index}/{total}"
            return True
        return False

    def _containers(self, status: dict[str, Any], *, pod_ready: bool) -> None:
        self.restarts, self.last_restart = 0, ""
        for container in status.get("initContainerStatuses") or ():
            if container.get("name") in self._sidecars:
                self._count_restarts(container)
        running = False
        for container in reversed(status.get("containerStatuses") or ()):
            self._count_restarts(container)
            state = container.get("state") or {}
            waiting = (state.get("waiting") or {}).get("reason", "")
            if waiting:
                self.reason = waiting
            elif state.get("terminated") is not None:
                self.reason = _ended(state["terminated"])
            elif container.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if pod_ready else "NotReady"

    def _count_restarts(self, container: dict[str, Any]) -> None:
        self.restarts += container.get("restartCount", 0)
        last = ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        self.last_restart = max(self.last_restart, last or "")


def _ended(terminated: dict[str, Any]) -> str:
    reason: str = terminated.get("reason", "")
    if reason:
        return reason
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _gates(spec: dict[str, Any], status: dict[str, Any]) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return NONE
    true = {c.get("type") for c in status.get("conditions") or () if c.get("status") == "True"}
    return f"{sum(gate.get('conditionType') in true for gate in gates)}/{len(gates)}"
