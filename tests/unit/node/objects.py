"""Pods and containers for tests of the deciding half, as short as a table row."""

from typing import Any

import msgspec

from orchestrator.api import names
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import rfc3339, rfc3339_micro
from orchestrator.node.machine import Desired, decide
from orchestrator.node.observed import Memory, Probes, Seen, note_runs, seen
from orchestrator.node.spec import SANDBOX, is_sidecar, spec_hash
from orchestrator.node.status import pod_status
from orchestrator.remote.seams import ContainerInfo

NOW_S = 1_700_000_000.0
UID = "11111111-2222-3333-4444-555555555555"
HOST = "10.0.0.1"
NO_PROBES = Probes({})


def at(offset_s: float) -> str:
    """A time as the engine writes it, so many seconds from NOW_S."""
    return rfc3339_micro(NOW_S + offset_s)


def second(offset_s: float) -> str:
    """A time as a status has it."""
    return rfc3339(NOW_S + offset_s)


def one(name: str = "app", **more: Any) -> dict[str, Any]:
    """A container's document."""
    return {"name": name, "image": f"{name}:1", **more}


def sidecar(name: str = "proxy", **more: Any) -> dict[str, Any]:
    """An init container that goes on running."""
    return one(name, restartPolicy="Always", **more)


def pod(
    *containers: dict[str, Any],
    inits: tuple[dict[str, Any], ...] = (),
    policy: str = "Always",
    deleting: int | None = None,
    meta: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> Pod:
    """A pod; `deleting` is the grace in seconds of its deletion."""
    metadata = {"name": "web", "namespace": "default", "uid": UID, **(meta or {})}
    if deleting is not None:
        metadata["deletionTimestamp"] = rfc3339(NOW_S + deleting)
        metadata["deletionGracePeriodSeconds"] = deleting
    document = {
        "metadata": metadata,
        "spec": {
            "containers": list(containers) or [one()],
            "initContainers": list(inits),
            "restartPolicy": policy,
            **spec,
        },
        "status": {"phase": "Pending", **(status or {})},
    }
    return msgspec.convert(document, Pod)


def named(of: Pod, name: str) -> Container:
    """A container of a pod."""
    spec = of.spec
    every = (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)
    return next(c for c in every if c.name == name)


def there(
    of: Pod,
    name: str = "app",
    state: str = "running",
    *,
    exit_code: int = 0,
    started: float | None = -60.0,
    finished: float | None = None,
    attempt: int = 0,
    restarts: int = 0,
    identity: str = "",
    image: str = "",
    created: float = -90.0,
    **info: Any,
) -> Seen:
    """A container of a pod on the host; `image` is the one it was made with, if it was another."""
    role, digest, reference = "sandbox", "", ""
    if name != SANDBOX:
        container = named(of, name)
        plain_init = container in of.spec.init_containers
        role = "init" if plain_init or is_sidecar(container) else "app"
        reference = image or container.image
        digest = spec_hash(msgspec.structs.replace(container, image=reference))
    if state == "created":
        started = None
    elif state in {"exited", "restarting", "dead"} and finished is None:
        finished = -1.0
    labels = {
        names.CONTAINER_NAME: name,
        names.CONTAINER_ROLE: role,
        names.CONTAINER_SPEC_HASH: digest,
        names.CONTAINER_ATTEMPT: str(attempt),
    }
    return seen(
        ContainerInfo(
            id=identity or f"{name}-{attempt}",
            name=f"{name}-{attempt}",
            labels=labels,
            image=reference,
            image_id="sha256:1",
            state=state,
            exit_code=exit_code,
            oom_killed=info.get("oom_killed", False),
            error=info.get("error", ""),
            started_at="" if started is None else at(started),
            finished_at="" if finished is None else at(finished),
            created_at=at(created),
            restart_count=restarts,
            pid=7 if state in {"running", "paused"} else 0,
            ip=info.get("ip", "172.17.0.2" if state == "running" else ""),
            ports={},
        )
    )


def desired(of: Pod, now_s: float = NOW_S, *, in_service: bool = False) -> Desired:
    """What the machine is given of the world."""
    return Desired(pod=of, in_service=in_service, drain_s=10.0, now_s=now_s)


def todo(of, *containers, memory=None, probes=NO_PROBES, now_s=NOW_S, in_service=False):
    """What the machine says."""
    wanted = desired(of, now_s, in_service=in_service)
    return decide(wanted, containers, probes, memory or Memory())


def kinds(instructions) -> list[str]:
    """Names of the instructions and of the containers they are about."""
    about = [i.item.name if hasattr(i, "item") else getattr(i, "name", "") for i in instructions]
    return [f"{type(i).__name__} {n}".strip() for i, n in zip(instructions, about, strict=True)]


def status(of, *containers: Seen, memory=None, probes=None, now_s=NOW_S, current=None):
    """The document after the containers were looked at."""
    memory = memory or Memory()
    note_runs(memory, containers)
    told = Probes({(c, k): s for (c, k), s in (probes or {}).items()})
    return pod_status(of, current or {}, containers, told, memory, HOST, now_s)


def conditions(document) -> dict[str, str]:
    return {c["type"]: c["status"] for c in document["conditions"]}


def condition(document, kind: str) -> dict[str, Any]:
    return next(c for c in document["conditions"] if c["type"] == kind)
