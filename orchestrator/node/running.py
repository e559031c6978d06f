"""Which container on a host a command is for, and where a pod's ports are (pure).

Source: Kubernetes API, `pods/exec`, `pods/attach`, `pods/portforward`; the sentences are kubelet's.
"""

from collections.abc import Iterable
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.errors import BadRequest
from orchestrator.node.observed import Memory, Seen, newest
from orchestrator.node.spec import SANDBOX
from orchestrator.store.objects import Document

_YOUNG_S: Final = 10.0  # kubectl attaches within a second or two, and clocks differ by some


def running_container(containers: Iterable[Seen], memory: Memory, name: str) -> Seen:
    """The newest container of that name, which runs.

    Raises:
        BadRequest: there is none; kubelet's sentence, and why where that is known.
    """
    item = newest(containers).get(name)
    if item is not None and item.info.state == "running":
        return item
    sentence = f'container not found ("{name}")'
    if item is not None and item.info.state == "paused":
        raise BadRequest(f"{sentence}: it is paused")
    waiting = memory.waiting.get(name) or memory.waiting.get("")
    if item is None or not item.ever_started:
        reason = waiting.reason if waiting else "ContainerCreating"
        raise BadRequest(f"{sentence}: it is waiting to start: {reason}")
    if item.info.state == "restarting":
        raise BadRequest(f"{sentence}: it is waiting to start: CrashLoopBackOff")
    raise BadRequest(f"{sentence}: it has ended with exit code {item.info.exit_code}")


def stdin_once(pod: Document, name: str) -> bool:
    """Whether a container's standard input ends with the first client's."""
    return _says(pod, name, "stdinOnce")


def made_for_a_client(pod: Document, name: str, item: Seen, now_s: float) -> bool:
    """Whether whoever attaches first is the one that the container was made for.

    `kubectl run -i` makes its containers for one client, `kubectl debug -i` attaches to those that
    take input as soon as they run.
    """
    if stdin_once(pod, name):
        return True
    started = item.info.started_at
    return _says(pod, name, "stdin") and bool(started) and now_s - parse_rfc3339(started) < _YOUNG_S


def _says(pod: Document, name: str, field: str) -> bool:
    spec = pod.get("spec") or {}
    lists = (spec.get(f) or () for f in ("containers", "initContainers", "ephemeralContainers"))
    return any(c.get("name") == name and c.get(field) is True for each in lists for c in each)


def port_targets(pod: Pod, containers: Iterable[Seen], port: int) -> list[tuple[str, int]]:
    """Where a TCP port of the pod can be dialled from its host, best first: addresses and ports.

    A published port is the way where the host cannot reach containers (a rootless engine).

    Raises:
        BadRequest: nothing of the pod runs.
    """
    there = {name: item for name, item in newest(containers).items() if item.running}
    if not any(name != SANDBOX for name in there):
        raise BadRequest(
            "unable to forward port because pod is not running. "
            f"Current status={pod.status.phase or 'Pending'}"
        )
    if pod.spec.host_network:
        return [("127.0.0.1", port)]
    owner = there.get(SANDBOX) or there.get(pod.spec.containers[0].name)
    found = [(owner.info.ip, port)] if owner is not None and owner.info.ip else []
    published = owner.info.ports.get(f"{port}/tcp") if owner is not None else None
    if published:
        found.append(("127.0.0.1", published))
    if not found:
        raise BadRequest(f"pod {pod.metadata.name} has no address")
    return found
