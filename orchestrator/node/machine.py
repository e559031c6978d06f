"""What to do next for one pod (pure): desired and observed in, instructions out.

Level-triggered: each call looks at everything and says all that can be done now; when an
instruction has been carried out the machine is asked again, until it has nothing more to say. An
empty answer means that the pod is as it should be, or waits for something that will wake it: an
engine event, a probe, a write, or the time in `Wait`.

Stages of a living pod: files → sandbox → init containers, one after the other → app containers, all
at once → probes and hooks. Of a leaving pod: drain → stop every container with its preStop hook →
remove containers and files → tell the API. Of a finished pod: nothing; its containers stay for
their logs.

Source: Kubernetes concepts, "Pod Lifecycle"; Docker's restart policies do the restarting (D8).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.node.observed import Memory, Probes, Seen, newest
from orchestrator.node.spec import SANDBOX, Role, is_sidecar, needs_sandbox, spec_hash


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """Write the pod's volumes."""


@dataclass(frozen=True, slots=True)
class Create:
    """Pull if needed, create and start a container."""

    name: str
    role: Role
    attempt: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container that exists."""

    item: Seen


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart a running container, because what it stands on was restarted."""

    item: Seen


@dataclass(frozen=True, slots=True)
class Remove:
    """Kill and remove a container that must not be there (any more)."""

    item: Seen
    reason: str


@dataclass(frozen=True, slots=True)
class SetProbes:
    """Tell the shim the probes of a container."""

    item: Seen
    container: Container


@dataclass(frozen=True, slots=True)
class PostStart:
    """Run a container's postStart hook."""

    item: Seen
    container: Container


@dataclass(frozen=True, slots=True)
class Stop:
    """Run the preStop hook, then TERM, then KILL when the grace is over; seconds."""

    item: Seen
    container: Container | None
    grace_s: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything of the pod is gone from the host: remove files, free ports, remove the object."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again after this many seconds, because only time has to pass."""

    delay_s: float


Instruction = (
    WriteFiles | Create | Start | Restart | Remove | SetProbes | PostStart | Stop | Finish | Wait
)


@dataclass(frozen=True, slots=True)
class Desired:
    """What the machine is given of the world around the pod.

    Attributes:
        pod: the pod.
        in_service: whether the balancer may still send it requests: it is in a slice and the
            balancer has not said that it is drained.
        drain_s: longest wait for that.
        now_s: wall seconds.
    """

    pod: Pod
    in_service: bool
    drain_s: float
    now_s: float


def decide(
    desired: Desired, containers: Sequence[Seen], probes: Probes, memory: Memory
) -> list[Instruction]:
    """What to do now; see the module."""
    pod = desired.pod
    if pod.metadata.deletion_timestamp:
        return _leave(desired, containers, memory)
    if pod.status.phase in {"Succeeded", "Failed"}:
        return [
            Stop(item, None, 0) for item in containers if item.running and item.role != "sandbox"
        ]
    found: list[Instruction] = []
    deadline = _deadline(desired)
    if deadline is not None and deadline <= 0:
        memory.deadline_passed = True
        return [Stop(item, None, 0) for item in containers if item.running]
    if deadline is not None:
        found.append(Wait(deadline))
    if pod.spec.volumes and not memory.files_written:
        return [*found, *_when_due(desired, memory, "", [WriteFiles()])]
    there = newest(containers)
    found += [Remove(c, "replaced") for c in containers if there[c.name] is not c]
    sandbox = there.get(SANDBOX)
    if needs_sandbox(pod):
        if sandbox is None:
            return [*found, *_when_due(desired, memory, SANDBOX, [Create(SANDBOX, "sandbox", 0)])]
        if not sandbox.running:
            return [*found, *_when_due(desired, memory, SANDBOX, [Start(sandbox)])]
    for container in pod.spec.init_containers:
        step = _init(desired, container, there, sandbox, probes, memory)
        if step is not None:
            return [*found, *step]
    for container in pod.spec.containers:
        found += _app(desired, container, "app", there, sandbox, memory)
    return found


def _init(
    desired: Desired,
    container: Container,
    there: dict[str, Seen],
    sandbox: Seen | None,
    probes: Probes,
    memory: Memory,
) -> list[Instruction] | None:
    """Instructions while this init container is in the way; None when the next one's turn is."""
    item = there.get(container.name)
    if is_sidecar(container):
        todo = _app(desired, container, "init", there, sandbox, memory)
        if item is None or not item.running:
            return todo
        if container.startup_probe and probes.state(item.info.id, "startup") != "success":
            return todo
        return todo or None
    if item is not None and item.info.state == "exited" and item.info.exit_code == 0:
        return None
    if any(c.name in there and there[c.name].ever_started for c in desired.pod.spec.containers):
        return None  # they ran already: inits are not run again when one was removed
    if item is None:
        return _when_due(desired, memory, container.name, [Create(container.name, "init", 0)])
    if item.info.state == "created" or (
        item.info.state in {"exited", "dead"} and desired.pod.spec.restart_policy != "Never"
    ):
        return _when_due(desired, memory, container.name, [Start(item)])
    return []


def _app(
    desired: Desired,
    container: Container,
    role: Role,
    there: dict[str, Seen],
    sandbox: Seen | None,
    memory: Memory,
) -> list[Instruction]:
    name, item = container.name, there.get(container.name)
    if item is None:
        attempt = 1 if name in memory.runs and memory.runs[name].container_id else 0
        if attempt and _is_done(desired.pod, container, memory):
            return []
        if attempt:
            attempt = memory.runs[name].restarts + 1
        return _when_due(desired, memory, name, [Create(name, role, attempt)])
    if item.spec_hash != spec_hash(container):
        return [Stop(item, container, desired.pod.spec.termination_grace_period_seconds or 30),
                Remove(item, "its image was changed")]  # fmt: skip
    state = item.info.state
    if state in {"dead", "removing"}:
        return [Remove(item, "the engine gave it up")]
    if state == "created":
        return _when_due(desired, memory, name, [Start(item)])
    if state == "exited":
        policy = "Always" if is_sidecar(container) else desired.pod.spec.restart_policy
        if policy == "Never" or (policy == "OnFailure" and item.info.exit_code == 0):
            return []
        return _when_due(desired, memory, name, [Start(item)])
    if sandbox is not None and item.info.started_at < sandbox.info.started_at:
        return [Restart(item)]
    if state != "running":
        return []
    found: list[Instruction] = []
    run = f"{item.info.id}@{item.info.started_at}"
    if container.lifecycle and container.lifecycle.post_start and run not in memory.hooks_done:
        found.append(PostStart(item, container))
    has_probes = container.startup_probe or container.readiness_probe or container.liveness_probe
    if has_probes and item.info.id not in memory.probes_set:
        found.append(SetProbes(item, container))
    return found


def _is_done(pod: Pod, container: Container, memory: Memory) -> bool:
    """Whether a container that is not there any more had ended for good."""
    ended = memory.runs[container.name].ended
    if ended is None or is_sidecar(container):
        return False
    policy = pod.spec.restart_policy
    return policy == "Never" or (policy == "OnFailure" and ended.exit_code == 0)


def _when_due(
    desired: Desired, memory: Memory, name: str, todo: list[Instruction]
) -> list[Instruction]:
    waiting = memory.waiting.get(name)
    if waiting is None or waiting.retry_at <= desired.now_s:
        return todo
    return [Wait(waiting.retry_at - desired.now_s)]


def _deadline(desired: Desired) -> float | None:
    pod = desired.pod
    limit, start = pod.spec.active_deadline_seconds, pod.status.start_time
    if limit is None or not start:
        return None
    return parse_rfc3339(start) + limit - desired.now_s


def _leave(desired: Desired, containers: Sequence[Seen], memory: Memory) -> list[Instruction]:
    pod = desired.pod
    grace = pod.metadata.deletion_grace_period_seconds
    grace_s = 30 if grace is None else grace
    if memory.stopping_since is None:
        memory.stopping_since = desired.now_s
    gone_s = desired.now_s - memory.stopping_since
    running = [c for c in containers if c.info.state in {"running", "paused", "restarting"}]
    if running and desired.in_service and not memory.drained:
        left_s = min(desired.drain_s, grace_s / 2) - gone_s
        if left_s > 0:
            return [Wait(left_s)]
    specs = {c.name: c for c in (*pod.spec.init_containers, *pod.spec.containers)}
    left = max(0, round(grace_s - gone_s))
    apps = [c for c in running if c.role != "sandbox" and c.info.id not in memory.stopped]
    if apps:
        return [Stop(item, specs.get(item.name), left) for item in apps]
    if containers:
        return [Remove(item, "") for item in containers]
    return [Finish()]
