"""Laws of the machine on a tiny model of an engine: it comes to rest, and where it should."""

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.types.pod import Pod
from orchestrator.node.machine import (
    Create,
    Finish,
    PostStart,
    Remove,
    Restart,
    SetProbes,
    Start,
    Stop,
    Wait,
    WriteFiles,
    decide,
)
from orchestrator.node.observed import Memory, Probes, Seen, Waiting, adopt, note_runs
from orchestrator.node.spec import SANDBOX, is_sidecar, needs_sandbox, spec_hash
from orchestrator.node.status import pod_status
from tests.unit.node.objects import NOW_S, at, desired, one, pod, sidecar, there

ROUNDS = 30
STATES = ("created", "running", "paused", "restarting", "exited", "dead", "removing")


class World:
    """A host with one pod: carries instructions out as the worker and the engine do."""

    def __init__(self, of: Pod, containers: list[Seen], memory: Memory) -> None:
        self.pod = of
        self.containers = {c.info.id: c for c in containers}
        self.memory = memory
        self.probes: dict[tuple[str, str], str] = {}
        self.now_s = NOW_S
        self.finished = False
        self.starts: list[str] = []
        self._made = 0

    def note(self) -> None:
        note_runs(self.memory, self.containers.values())

    def settle(self) -> int:
        """Works until there is nothing to do; returns how many rounds that took."""
        for count in range(ROUNDS):
            self.note()
            probes = Probes(self.probes)
            todo = decide(desired(self.pod, self.now_s), self.seen(), probes, self.memory)
            if not [i for i in todo if not isinstance(i, Wait)] and not self._tick(todo):
                return count
            for instruction in sorted(todo, key=lambda i: not isinstance(i, Stop)):
                self.carry_out(instruction)
            self.note()
            if self.finished:
                return count
        raise AssertionError(f"no rest: {todo}")

    def seen(self) -> list[Seen]:
        return sorted(self.containers.values(), key=lambda c: (c.name, c.attempt))

    def _tick(self, todo: list) -> bool:
        """Only time passes: back-offs end, what the engine restarts runs again."""
        moved = False
        for wait in todo:
            self.now_s += wait.delay_s
            moved = True
        for item in list(self.containers.values()):
            if item.info.state == "restarting":
                self.run(item)
                moved = True
            elif item.info.state == "running" and self.is_plain_init(item):
                ended = at(self.now_s - NOW_S)
                self.change(item, state="exited", exit_code=0, finished_at=ended)
                moved = True
        return moved

    def change(self, item: Seen, **facts: object) -> None:
        info = dataclasses.replace(item.info, **facts)
        self.containers[info.id] = dataclasses.replace(item, info=info)

    def is_plain_init(self, item: Seen) -> bool:
        inits = self.pod.spec.init_containers
        return any(c.name == item.name and not is_sidecar(c) for c in inits)

    def run(self, item: Seen) -> None:
        self.now_s += 0.1
        self.starts.append(item.name)
        started = at(self.now_s - NOW_S)
        if self.is_plain_init(item):  # does its work and ends
            self.change(item, state="exited", exit_code=0, started_at=started, finished_at=started)
        else:
            self.change(item, state="running", exit_code=0, started_at=started)

    def carry_out(self, instruction: object) -> None:
        match instruction:
            case WriteFiles():
                self.memory.files_written = True
            case Create(name, role, attempt):
                taken = {(c.name, c.attempt) for c in self.containers.values()}
                assert (name, attempt) not in taken, "the name is taken"
                self._made += 1
                made = there(
                    self.pod, name, "created", attempt=attempt, identity=f"made-{self._made}",
                    created=self.now_s - NOW_S,
                )  # fmt: skip
                assert made.role == role
                self.run(made)
                self.memory.waiting.pop(name, None)
            case Start(item):
                assert item.info.state in {"created", "exited"}
                self.run(item)
                self.memory.waiting.pop(item.name, None)
            case Restart(item):
                self.run(item)
            case Remove(item, _):
                self.containers.pop(item.info.id, None)
            case Stop(item, _, _):
                self.change(item, state="exited", exit_code=137, finished_at=at(self.now_s - NOW_S))
                self.memory.stopped |= {item.info.id}
            case SetProbes(item, _):
                self.memory.probes_set |= {item.info.id}
                self.probes[item.info.id, "startup"] = "success"
            case PostStart(item, _):
                self.memory.hooks_done |= {f"{item.info.id}@{item.info.started_at}"}
            case Finish():
                assert not self.containers
                self.finished = True
            case Wait():
                pass

    def check(self) -> None:
        """The pod is as it should be."""
        if self.pod.metadata.deletion_timestamp:
            assert self.finished
            return
        alive = [c for c in self.containers.values() if c.info.state in {"running", "paused"}]
        if self.pod.status.phase in {"Succeeded", "Failed"}:
            assert not alive
            return
        names = [c.name for c in self.containers.values()]
        assert len(names) == len(set(names)), "two containers of one name"
        assert needs_sandbox(self.pod) == (SANDBOX in [c.name for c in alive])
        policy = self.pod.spec.restart_policy
        if any(c.info.state == "paused" and c.role == "init" for c in alive):
            return  # a human paused what the apps wait for
        here = {c.name: c for c in self.containers.values()}
        for container in self.pod.spec.containers:
            item = here.get(container.name)
            if item is not None and item in alive:
                assert item.spec_hash == spec_hash(container)
                continue
            assert policy != "Always", f"{container.name} does not run"


PROBE = {"tcpSocket": {"port": 80}}
HOOK = {"postStart": {"exec": {"command": ["true"]}}}
SHAPES = [
    pod(),
    pod(one("app", startupProbe=PROBE, lifecycle=HOOK), volumes=[{"name": "v", "emptyDir": {}}]),
    pod(one("app"), one("log")),
    pod(one("app"), inits=(one("init"),)),
    pod(one("app"), inits=(one("init"), sidecar(startupProbe=PROBE), one("last"))),
]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    of = draw(st.sampled_from(SHAPES))
    policy = draw(st.sampled_from(["Always", "OnFailure", "Never"]))
    spec = msgspec.structs.replace(of.spec, restart_policy=policy)
    of = msgspec.structs.replace(of, spec=spec)
    ending = draw(st.sampled_from(["", "", "", "deleting", "Succeeded", "Failed"]))
    if ending == "deleting":
        meta = msgspec.structs.replace(
            of.metadata, deletion_timestamp="2030-01-01T00:00:00Z", deletion_grace_period_seconds=9
        )
        of = msgspec.structs.replace(of, metadata=meta)
    elif ending:
        status = msgspec.structs.replace(of.status, phase=ending)
        of = msgspec.structs.replace(of, status=status)
    every = [c.name for c in (*of.spec.init_containers, *of.spec.containers)]
    every += [SANDBOX] if needs_sandbox(of) else []
    found: list[Seen] = []
    for name in every:
        for attempt in draw(st.sampled_from([(), (0,), (0,), (1,), (0, 1)])):
            started = draw(st.sampled_from([-80.0, -60.0, -40.0]))
            image = draw(st.sampled_from(["", "", f"{name}:0"])) if name != SANDBOX else ""
            found.append(
                there(
                    of, name, draw(st.sampled_from(STATES)),
                    exit_code=draw(st.sampled_from([0, 1, 137])), attempt=attempt, image=image,
                    started=started, created=started - draw(st.sampled_from([1.0, 30.0])),
                )
            )  # fmt: skip
    memory = Memory()
    if draw(st.booleans()):
        note_runs(memory, found)
        kept = {name for name in every if draw(st.integers(0, 3))}
        found = [c for c in found if c.name in kept]  # some were pruned since
    if draw(st.booleans()):
        memory.waiting["app"] = Waiting("ErrImagePull", "", NOW_S + 3, 1)
    return World(of, found, memory)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(worlds())
def test_from_any_state_the_pod_comes_to_rest_where_it_should(world: World) -> None:
    world.settle()
    world.check()


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(worlds())
def test_at_rest_nothing_is_done_and_a_new_server_does_nothing(world: World) -> None:
    world.settle()
    if world.finished:
        return
    assert world.settle() == 0
    starts, before = list(world.starts), list(world.seen())
    status = pod_status(
        world.pod, {"phase": world.pod.status.phase}, world.seen(), Probes(world.probes),
        world.memory, "10.0.0.1", world.now_s,
    )  # fmt: skip
    told = msgspec.structs.replace(
        world.pod, status=msgspec.convert(status, type(world.pod.status))
    )
    again = World(told, before, adopt(told))
    again.now_s, again.probes = world.now_s, world.probes
    again.settle()
    restarts = {name: run.restarts for name, run in world.memory.runs.items()}
    assert again.starts == []
    assert {c.info.id for c in again.seen()} == {c.info.id for c in before} or (
        told.status.phase in {"Succeeded", "Failed"}
    )
    assert {n: r.restarts for n, r in again.memory.runs.items() if n in restarts} == restarts
    assert starts == world.starts


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(worlds(), st.data())
def test_what_happens_behind_our_back_is_put_right(world: World, data) -> None:
    """Containers die with dockerd, are stopped, killed or pruned by hand; at rest all is well."""
    for _ in range(3):
        world.settle()
        if world.finished:
            return
        for item in world.seen():
            match data.draw(st.sampled_from(["", "", "killed", "pruned"])):
                case "killed":
                    world.change(
                        item, state="exited", exit_code=137, finished_at=at(world.now_s - NOW_S)
                    )
                    world.note()
                case "pruned":
                    del world.containers[item.info.id]
    world.settle()
    world.check()


@pytest.mark.parametrize("of", SHAPES, ids=lambda of: f"{len(of.spec.init_containers)} inits")
def test_a_pod_comes_up_in_few_rounds_and_starts_everything_once(of: Pod) -> None:
    world = World(of, [], Memory())
    assert world.settle() <= 8
    world.check()
    assert len(world.starts) == len(set(world.starts))
    assert all(run.restarts == 0 for run in world.memory.runs.values())
