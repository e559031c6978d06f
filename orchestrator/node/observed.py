"""What a session knows of a pod's containers: engine facts, probe states, its memory (values).

`Memory` is what cannot be read back from the engine: back-offs, hooks done, how often a container
has run. It starts empty with the server; `adopt` fills it from the pod's last status, so that a
restart of the server neither restarts nor recounts anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.api import names
from orchestrator.api.types.pod import ContainerStatus, Pod, StateTerminated
from orchestrator.kit.clock import parse_rfc3339, rfc3339, rfc3339_micro
from orchestrator.remote.seams import ContainerInfo

NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Seen:
    """One container of a pod on the host."""

    info: ContainerInfo
    name: str
    role: str
    attempt: int
    spec_hash: str

    @property
    def running(self) -> bool:
        """Whether its process runs (a paused one does)."""
        return self.info.state in {"running", "paused"}

    @property
    def ever_started(self) -> bool:
        """Whether it was started at least once."""
        return self.info.started_at not in {"", NEVER}


def seen(info: ContainerInfo) -> Seen:
    """A container with its labels read."""
    attempt = info.labels.get(names.CONTAINER_ATTEMPT, "0")
    return Seen(
        info=info,
        name=info.labels.get(names.CONTAINER_NAME, ""),
        role=info.labels.get(names.CONTAINER_ROLE, "app"),
        attempt=int(attempt) if attempt.isdigit() else 0,
        spec_hash=info.labels.get(names.CONTAINER_SPEC_HASH, ""),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run: a reason of kubelet's, its message, when to try again."""

    reason: str
    message: str
    retry_at: float
    failures: int


@dataclass(slots=True)
class Run:
    """The runs of one container by name.

    Attributes:
        container_id: of the run known last.
        started_at: of that run, as the engine says it.
        engine_restarts: the engine's own count then; None when unknown.
        restarts: how often the container was started again, in all.
        last: how the last run that is known to have ended before the present one did.
        ended: how the present run ended, once it did.
        ended_at: when, as precisely as is known; "" while it runs.
        cut: when the run before ended, if the container is the same: where its log is cut.
    """

    container_id: str = ""
    started_at: str = ""
    engine_restarts: int | None = None
    restarts: int = 0
    last: StateTerminated | None = None
    ended: StateTerminated | None = None
    ended_at: str = ""
    cut: str = ""


@dataclass(slots=True)
class Memory:
    """See the module. Owned by the pod's worker.

    Most sets of most pods are empty, and there are many pods: they share the empty one.

    Attributes:
        runs: by container name.
        waiting: by container name; "" for the pod's files.
        hooks_done: "id@started_at" of runs whose postStart hook was run.
        probes_set: ids of containers whose probes the shim has.
        pulled: names of containers whose image was pulled for this pod.
        files_written: whether the volumes hold what they should.
        stopping_since: when the end of the pod began, wall seconds.
        drained: whether the balancer has let go of the pod.
        stopped: ids of containers that were stopped for good.
        deadline_passed: whether `activeDeadlineSeconds` are over.
        ports: container port to published host port.
        replaced: names of containers that were taken away for another image.
        attached: ids of containers that a client has attached to.
        dealt_with: what was done for a cause that may show itself again (see `machine`).
    """

    runs: dict[str, Run] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    hooks_done: frozenset[str] = frozenset()
    probes_set: frozenset[str] = frozenset()
    trusted: frozenset[tuple[str, str]] = frozenset()
    pulled: frozenset[str] = frozenset()
    files_written: bool = False
    stopping_since: float | None = None
    drained: bool = False
    stopped: frozenset[str] = frozenset()
    deadline_passed: bool = False
    ports: dict[str, int] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    attached: frozenset[str] = frozenset()
    dealt_with: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def is_back(self, name: str) -> None:
        """A container that may have been taken away for another image is there again."""
        if name in self.replaced:
            self.replaced -= {name}


def adopt(pod: Pod) -> Memory:
    """Memory as the pod's last status tells it."""
    memory = Memory()
    said = pod.status
    for status in (
        *said.init_container_statuses, *said.container_statuses, *said.ephemeral_container_statuses
    ):  # fmt: skip
        run = memory.runs[status.name] = Run(
            container_id=_id(status.container_id),
            engine_restarts=None,
            restarts=status.restart_count,
            last=status.last_state.terminated,
        )
        if status.state.running is not None:
            run.started_at = status.state.running.started_at or ""
            continue
        run.ended = status.state.terminated
        if run.ended is None:  # it waits: its last state is how the run known last ended
            run.ended, run.last = run.last, None
        if run.ended is not None:
            run.container_id = _id(run.ended.container_id) or run.container_id
            run.started_at = run.ended.started_at or ""
    return memory


def note_runs(memory: Memory, containers: Iterable[Seen]) -> None:
    """Counts runs: another start than the one known is a restart."""
    for item in newest(containers).values():
        if item.role == "sandbox":
            continue
        info, run = item.info, memory.runs.setdefault(item.name, Run())
        if not item.ever_started:
            run.container_id = run.container_id or info.id
            continue
        if same_run(run, info):
            run.started_at, run.engine_restarts = info.started_at, info.restart_count
        else:
            _begin(run, item)
        if info.state in {"exited", "restarting", "dead"}:
            run.ended, run.ended_at = _ended(info), info.finished_at


def _begin(run: Run, item: Seen) -> None:
    """Takes note of a run that is not the one known."""
    info = item.info
    if not run.started_at and run.container_id:  # it was seen before it ever ran
        run.restarts += info.restart_count
    elif not run.started_at:  # nothing is known: attempt and the engine's count are all there is
        run.restarts = max(run.restarts, item.attempt + info.restart_count)
    elif run.container_id != info.id:
        run.restarts += 1 + info.restart_count
    elif run.engine_restarts is None:  # a start by hand set the engine's count back, perhaps
        run.restarts = max(run.restarts + 1, item.attempt + info.restart_count)
    elif info.restart_count > run.engine_restarts:
        run.restarts += info.restart_count - run.engine_restarts
    else:
        run.restarts += 1 + info.restart_count
    run.cut = run.ended_at if run.container_id == info.id else ""
    run.container_id, run.started_at = info.id, info.started_at
    run.engine_restarts = info.restart_count
    run.last, run.ended, run.ended_at = run.ended or run.last, None, ""


def note_death(memory: Memory, item: Seen, exit_code: int, finished_s: float, oom: bool) -> None:
    """Remembers how a run ended, as the engine's event told it."""
    run = memory.runs.setdefault(item.name, Run())
    run.ended = StateTerminated(
        exit_code=exit_code,
        reason=_reason(exit_code, oom),
        started_at=_seconds(item.info.started_at),
        finished_at=rfc3339(finished_s),
        container_id=f"docker://{item.info.id}",
    )
    run.ended_at = rfc3339_micro(finished_s)


def same_run(run: Run | None, info: ContainerInfo) -> bool:
    """Whether a container's present run is the one that is known."""
    if run is None or run.container_id != info.id:
        return False
    # a status has whole seconds only: compare as far as both go
    return run.started_at == info.started_at or run.started_at == _seconds(info.started_at)


def _ended(info: ContainerInfo) -> StateTerminated:
    return StateTerminated(
        exit_code=info.exit_code,
        reason=_reason(info.exit_code, info.oom_killed),
        message=info.error,
        started_at=_seconds(info.started_at),
        finished_at=_seconds(info.finished_at),
        container_id=f"docker://{info.id}",
    )


def _id(container_id: str) -> str:
    return container_id.removeprefix("docker://")


def _reason(exit_code: int, oom: bool) -> str:
    if oom:
        return "OOMKilled"
    return "Error" if exit_code else "Completed"


def _seconds(text: str) -> str:
    return rfc3339(parse_rfc3339(text)) if text and text != NEVER else ""


def newest(containers: Iterable[Seen]) -> dict[str, Seen]:
    """The newest container per name."""
    found: dict[str, Seen] = {}
    for item in containers:
        known = found.get(item.name)
        if known is None or item.attempt >= known.attempt:
            found[item.name] = item
    return found


def run_of(item: Seen) -> str:
    """Names one run of a container: another start is another run."""
    return f"{item.info.id}@{item.info.started_at}"


def has_passed(item: Seen, kind: str, probes: "Probes", memory: Memory) -> bool:
    """Whether a probe has succeeded, or had before nobody knew its state any more.

    A new shim (a new release, a crash) begins its probes anew; until one of them has a verdict,
    what the pod's status said of the same run holds, or every upgrade would empty the balancer.
    """
    state = probes.state(item.info.id, kind)
    return state == "success" or (state == "unknown" and (run_of(item), kind) in memory.trusted)


@dataclass(frozen=True, slots=True)
class Probes:
    """States of probes: (container id, kind) to "unknown", "success" or "failure"."""

    states: Mapping[tuple[str, str], str]

    def state(self, container_id: str, kind: str) -> str:
        """The state of one probe; "unknown" before the first word of it."""
        return self.states.get((container_id, kind), "unknown")


def restart_total(statuses: Iterable[ContainerStatus]) -> int:
    """All restarts of a pod's containers."""
    return sum(s.restart_count for s in statuses)
