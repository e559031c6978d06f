"""Payloads for the shim's probes, and commands of lifecycle hooks (pure)."""

from typing import Any, TypeGuard

from orchestrator.api.types.container import Container, HttpGetAction, LifecycleHandler, Probe
from orchestrator.api.types.pod import Pod
from orchestrator.node.observed import Seen

PROBES = ("startup", "readiness", "liveness")


def grace_of(pod: Pod) -> int:
    """Seconds that a container of the pod has to stop; 30 where nothing is said."""
    grace = pod.spec.termination_grace_period_seconds
    return 30 if grace is None else grace


def is_acted_on(probe: Probe | None) -> TypeGuard[Probe]:
    """Whether there is a probe of a kind that the shim knows; gRPC's are kept in the spec only."""
    return probe is not None and probe.grpc is None


def has_probes(container: Container) -> bool:
    """Whether any probe of the container is acted on."""
    return any(is_acted_on(getattr(container, f"{kind}_probe")) for kind in PROBES)


def port_number(container: Container, port: int | str) -> int:
    """The number behind a port given by number or by the name of a container port; 0 if unknown."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    return next((p.container_port for p in container.ports if p.name == port), 0)


def probes_payload(pod: Pod, container: Container, item: Seen, sandbox_id: str) -> dict[str, Any]:
    """The payload of `probes.set` (see agentshim)."""
    policy = "Always" if container.restart_policy == "Always" else pod.spec.restart_policy
    payload: dict[str, Any] = {
        "container_id": item.info.id,
        "key": f"{pod.metadata.uid}/{container.name}",
        "on_failure": "stop" if policy == "Never" else "restart",
        "grace_s": grace_of(pod),
        "probes": {
            kind: _probe(container, probe)
            for kind in PROBES
            if is_acted_on(probe := getattr(container, f"{kind}_probe"))
        },
    }
    if sandbox_id:
        payload["address_of"] = sandbox_id
    return payload


def _probe(container: Container, probe: Probe) -> dict[str, Any]:
    found: dict[str, Any] = {
        "initial_delay_s": probe.initial_delay_seconds,
        "period_s": probe.period_seconds,
        "timeout_s": probe.timeout_seconds,
        "success_threshold": probe.success_threshold,
        "failure_threshold": probe.failure_threshold,
    }
    if probe.termination_grace_period_seconds is not None:
        found["grace_s"] = probe.termination_grace_period_seconds
    if probe.exec is not None:
        found["exec"] = {"argv": list(probe.exec.command)}
    elif probe.http_get is not None:
        found["http_get"] = _http(container, probe.http_get)
    elif probe.tcp_socket is not None:
        found["tcp_socket"] = {
            "port": port_number(container, probe.tcp_socket.port),
            "host": probe.tcp_socket.host,
        }
    return found


def _http(container: Container, action: HttpGetAction) -> dict[str, Any]:
    return {
        "port": port_number(container, action.port),
        "path": action.path or "/",
        "scheme": action.scheme or "HTTP",
        "host": action.host,
        "headers": [[h.name, h.value] for h in action.http_headers],
    }


def hook_command(container: Container, handler: LifecycleHandler) -> list[str]:
    """What to run in the container for a hook; [] when there is nothing to run there."""
    if handler.exec is not None:
        return list(handler.exec.command)
    return []
