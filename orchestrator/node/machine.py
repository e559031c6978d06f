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
from orchestrator.node.hooks import grace_of, has_probes, is_acted_on
from orchestrator.node.observed import Memory, Probes, Seen, newest
from orchestrator.node.spec import SANDBOX, Role, is_sidecar, needs_sandbox, spec_hash
from orchestrator.reconcile.pods import has_ended


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


_ALIVE = frozenset({"running", "paused", "restarting"})
_GIVEN_UP = frozenset({"dead", "removing"})


def reads(pod: Pod) -> tuple[bool, str]:
    """What of a pod's own status `decide` goes by: equal where a new status changes nothing."""
    timed = pod.spec.active_deadline_seconds is not None
    return has_ended(pod), (pod.status.start_time or "") if timed else ""


def decide(
    desired: Desired, containers: Sequence[Seen], probes: Probes, memory: Memory
) -> list[Instruction]:
    """What to do now; see the module."""
    pod = desired.pod
    if pod.metadata.deletion_timestamp:
        return _leave(desired, containers, memory)
    if has_ended(pod):
        return _rest(pod, containers)
    found: list[Instruction] = []
    deadline = _deadline(desired)
    if deadline is not None and deadline <= 0:
        memory.deadline_passed = True
        return _rest(pod, containers)
    if deadline is not None:
        found.append(Wait(deadline))
    if pod.spec.volumes and not memory.files_written:
        return [*found, *_when_due(desired, memory, "", [WriteFiles()])]
    there = newest(containers)
    found += [Remove(c, "replaced") for c in containers if there[c.name] is not c]
    if needs_sandbox(pod):
        step = _sandbox(desired, there.get(SANDBOX), memory)
        if step is not None:
            return [*found, *step]
    for container in pod.spec.init_containers:
        step = _init(desired, container, there, probes, memory)
        if step is not None:
            return [*found, *step]
    for container in pod.spec.containers:
        found += _app(desired, container, "app", there, memory)
    for container in pod.spec.ephemeral_containers:
        found += _ephemeral(desired, container, there, memory)
    return found


def _sandbox(desired: Desired, item: Seen | None, memory: Memory) -> list[Instruction] | None:
    """Instructions until the sandbox runs; None then."""
    if item is None:
        return _when_due(desired, memory, SANDBOX, [Create(SANDBOX, "sandbox", 0)])
    if item.info.state in _GIVEN_UP:
        return [Remove(item, "the engine gave it up")]
    if item.info.state == "restarting":
        return []
    return None if item.running else _when_due(desired, memory, SANDBOX, [Start(item)])


def _init(
    desired: Desired,
    container: Container,
    there: dict[str, Seen],
    probes: Probes,
    memory: Memory,
) -> list[Instruction] | None:
    """Instructions while this init container is in the way; None when the next one's turn is."""
    name, item, sandbox = container.name, there.get(container.name), there.get(SANDBOX)
    if is_sidecar(container):
        todo = _app(desired, container, "init", there, memory)
        if item is None or not item.running:
            return todo
        probe = container.startup_probe
        if is_acted_on(probe) and probes.state(item.info.id, "startup") != "success":
            return todo
        return todo or None
    if item is not None and sandbox is not None and _is_stranded(item, sandbox, memory):
        return [Remove(item, "its sandbox was replaced")]
    if item is not None and item.info.state == "exited" and item.info.exit_code == 0:
        return None
    if any(_has_run(c.name, there, memory) for c in desired.pod.spec.containers):
        return None  # they ran already: inits are not run again when one was removed
    if item is None:
        return _when_due(desired, memory, name, [Create(name, "init", 0)])
    if item.info.state in _GIVEN_UP:
        return [Remove(item, "the engine gave it up")]
    if item.spec_hash != spec_hash(container):
        return _replace(desired.pod, container, item, memory)
    if item.info.state == "created" or (
        item.info.state == "exited" and desired.pod.spec.restart_policy != "Never"
    ):
        return _when_due(desired, memory, name, [Start(item)])
    if item.running and sandbox is not None and _is_cut_off(item, sandbox, memory):
        return [Restart(item)]
    return []


def _app(
    desired: Desired,
    container: Container,
    role: Role,
    there: dict[str, Seen],
    memory: Memory,
) -> list[Instruction]:
    name, item, sandbox = container.name, there.get(container.name), there.get(SANDBOX)
    if item is None:
        run = memory.runs.get(name)
        known = run is not None and bool(run.container_id)
        if known and name not in memory.replaced and _is_done(desired.pod, container, memory):
            return []
        attempt = run.restarts + 1 if run is not None and known else 0
        return _when_due(desired, memory, name, [Create(name, role, attempt)])
    state = item.info.state
    if state == "exited" and _stays_ended(desired.pod, container, item.info.exit_code):
        memory.is_back(name)
        return []
    if state in _GIVEN_UP:
        return [Remove(item, "the engine gave it up")]
    if item.spec_hash != spec_hash(container):
        return _replace(desired.pod, container, item, memory)
    if sandbox is not None and _is_stranded(item, sandbox, memory):
        return [Remove(item, "its sandbox was replaced")]
    if state in {"created", "exited"}:
        return _when_due(desired, memory, name, [Start(item)])
    memory.is_back(name)
    if item.running and sandbox is not None and _is_cut_off(item, sandbox, memory):
        return [Restart(item)]
    if state != "running":
        return []
    found: list[Instruction] = []
    run_key = f"{item.info.id}@{item.info.started_at}"
    if container.lifecycle and container.lifecycle.post_start and run_key not in memory.hooks_done:
        found.append(PostStart(item, container))
    if has_probes(container) and item.info.id not in memory.probes_set:
        found.append(SetProbes(item, container))
    return found


def _ephemeral(
    desired: Desired, container: Container, there: dict[str, Seen], memory: Memory
) -> list[Instruction]:
    """Made once, beside what runs already, and never started again.

    Source: Kubernetes concepts, "Ephemeral Containers".
    """
    name, item, run = container.name, there.get(container.name), memory.runs.get(container.name)
    if item is None:
        owner = there.get(SANDBOX) or there.get(desired.pod.spec.containers[0].name)
        if (run is not None and run.container_id) or owner is None or not owner.running:
            return []
        return _when_due(desired, memory, name, [Create(name, "ephemeral", 0)])
    if item.info.state == "created":
        return _when_due(desired, memory, name, [Start(item)])
    return []


def _replace(pod: Pod, container: Container, item: Seen, memory: Memory) -> list[Instruction]:
    """Another image: the container is made anew, whatever the restart policy says."""
    memory.replaced |= {container.name}
    why = "its image was changed"
    return [Stop(item, container, grace_of(pod)), Remove(item, why)]


def _stays_ended(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended so is not started again."""
    policy = "Always" if is_sidecar(container) else pod.spec.restart_policy
    return policy == "Never" or (policy == "OnFailure" and exit_code == 0)


def _is_done(pod: Pod, container: Container, memory: Memory) -> bool:
    """Whether a container that is not there any more had ended for good."""
    ended = memory.runs[container.name].ended
    return ended is not None and _stays_ended(pod, container, ended.exit_code)


def _has_run(name: str, there: dict[str, Seen], memory: Memory) -> bool:
    """Whether an app container ran already, in the present sandbox."""
    item, sandbox = there.get(name), there.get(SANDBOX)
    if item is not None and item.ever_started:
        return True
    run = memory.runs.get(name)
    if run is None or not run.started_at or sandbox is None:
        return False
    # a status has whole seconds only
    return parse_rfc3339(run.started_at) >= int(parse_rfc3339(sandbox.info.created_at))


def _is_stranded(item: Seen, sandbox: Seen, memory: Memory) -> bool:
    """Whether the container joined another sandbox, one that is gone: it cannot start again."""
    older = parse_rfc3339(item.info.created_at) < parse_rfc3339(sandbox.info.created_at)
    return older and _once(memory, ("made", item.name), sandbox.info.id, item.info.id)


def _is_cut_off(item: Seen, sandbox: Seen, memory: Memory) -> bool:
    """Whether the container runs in the network that the sandbox had before its last start."""
    if parse_rfc3339(item.info.started_at) >= parse_rfc3339(sandbox.info.started_at):
        return False
    cause = f"{sandbox.info.id}@{sandbox.info.started_at}"
    return _once(memory, ("started", item.name), cause, f"{item.info.id}@{item.info.started_at}")


def _once(memory: Memory, place: tuple[str, str], cause: str, subject: str) -> bool:
    """False when another subject was dealt with for the same cause already.

    The host's clock may go back: what is made or started for a cause then still looks older than
    it, and would be made or started for ever.
    """
    before = memory.dealt_with.get(place)
    if before is not None and before[0] == cause and before[1] != subject:
        return False
    memory.dealt_with[place] = (cause, subject)
    return True


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


def _rest(pod: Pod, containers: Sequence[Seen]) -> list[Instruction]:
    """What of a finished pod still runs is stopped, its sandbox at last; it stays for its logs."""
    alive = [c for c in containers if c.info.state in _ALIVE]
    return _stops(pod, alive, grace_of(pod)) or [Stop(c, None, 0) for c in alive]


def _stops(pod: Pod, alive: Sequence[Seen], grace_s: int) -> list[Instruction]:
    """The next stops: every container, but sidecars only after those, last one first.

    Source: Kubernetes concepts, "Sidecar Containers".
    """
    spec = pod.spec
    every = (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)
    specs = {c.name: c for c in every}
    members = [c for c in alive if c.role != "sandbox"]
    sidecars = [c.name for c in pod.spec.init_containers if is_sidecar(c)]
    first = [c for c in members if c.name not in sidecars]
    if not first:
        first = sorted(members, key=lambda c: sidecars.index(c.name))[-1:]
    return [Stop(item, specs.get(item.name), grace_s) for item in first]


def _leave(desired: Desired, containers: Sequence[Seen], memory: Memory) -> list[Instruction]:
    pod = desired.pod
    grace = pod.metadata.deletion_grace_period_seconds
    grace_s = 30 if grace is None else grace
    if memory.stopping_since is None:
        memory.stopping_since = desired.now_s
    gone_s = desired.now_s - memory.stopping_since
    alive = [c for c in containers if c.info.state in _ALIVE]
    if alive and desired.in_service and not memory.drained:
        left_s = min(desired.drain_s, grace_s / 2) - gone_s
        if left_s > 0:
            return [Wait(left_s)]
    left = max(0, round(grace_s - gone_s))
    stops = _stops(pod, [c for c in alive if c.info.id not in memory.stopped], left)
    if stops:
        return stops
    if containers:
        return [Remove(item, "") for item in containers]
    return [Finish()]
