"""The server is killed again and again at random moments, while clients write and users are served.

`scripts/test integration -k crashes --crashes 100`: more often than in everyday runs.

What must hold: no acknowledged write is lost, revisions go up in commit order and none is given
twice, a watch that goes on where it was sees every write once, containers that nobody changed run
on untouched, and no user's request fails.
"""

import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from orchestrator.bootstrap.api import ApiRefused
from orchestrator.kit.errors import Unreachable
from scripts.lib.load import Load
from tests.rig.served import Platform
from tests.rig.watching import (
    DEPLOYMENTS,
    PODS,
    Balancer,
    Watch,
    admin,
    containers,
    deployed,
    is_ready,
    nodes_ready,
    ready_pods,
    service,
    until,
    web,
)

pytestmark = [
    pytest.mark.docker,
    pytest.mark.rig,
    pytest.mark.usefixtures("busybox", "server_log"),
]
SEED = 20
STARTING_SHARE = 0.7
"""Of the kills hit a server that is still starting."""
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
SCALED = f"{DEPLOYMENTS}/scaled"


@dataclass(frozen=True)
class Ack:
    """An acknowledged write: which object and value, when sent and answered, its revision."""

    name: str
    value: int
    sent_at: float
    acked_at: float
    revision: int


@dataclass
class Writer:
    """Writes ever greater values until told to stop; keeps what was attempted and acknowledged."""

    platform: Platform
    names: list[str]
    rng: random.Random
    stop: threading.Event
    acked: threading.Event
    pause_s: float = 0.005
    acks: list[Ack] = field(default_factory=list)
    attempted: Counter[str] = field(default_factory=Counter)
    fault: str = ""

    def run(self) -> None:
        api = admin(self.platform, timeout_s=5.0)
        value = 0
        while not self.stop.is_set() and not self.fault:
            value += 1
            name, sent_at = self.rng.choice(self.names), time.monotonic()
            self.attempted[name] = value
            try:
                answer = self.write(api, name, value)
            except Unreachable:
                pass  # the server is away
            except ApiRefused as error:
                # a create that was not acknowledged was carried out, or one was not
                if error.code not in {404, 409}:
                    self.fault = f"{name}: {error.code} {error}"
            else:
                revision = int(answer["metadata"]["resourceVersion"])
                self.acks.append(Ack(name, value, sent_at, time.monotonic(), revision))
                self.acked.set()
            self.stop.wait(self.pause_s)
        api.close()

    def write(self, api, name, value):
        data = {"value": str(value)}
        if any(ack.name == name for ack in self.acks) or self.rng.random() < 0.5:
            return api.merge(f"{CONFIGMAPS}/{name}", {"data": data})
        return api.create(CONFIGMAPS, {"metadata": {"name": name}, "data": data})


@dataclass
class Scaler(Writer):
    """Scales a Deployment between two and six; the value is in an annotation, too."""

    pause_s: float = 0.3

    def write(self, api, name, value):
        return api.merge(SCALED, {
            "metadata": {"annotations": {"value": str(value)}},
            "spec": {"replicas": self.rng.randint(2, 6)},
        })  # fmt: skip


class Server:
    """The platform's server as a child of this process, killed and started at will."""

    def __init__(self, platform: Platform, bytecode: str) -> None:
        self._platform = platform
        # start-up as of an installed package, whose bytecode was compiled once
        self._environment = os.environ | {"PYTHONPYCACHEPREFIX": bytecode}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._platform.state_dir / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli.main", "server", "--state-dir",
                 str(self._platform.state_dir)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended with {self._process.returncode} by itself"
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


@pytest.fixture
def server(platform, tmp_path) -> Iterator[Server]:
    """In the place of the one that bootstrap has started."""
    assert platform.orch("stop").code == 0
    made = Server(platform, str(tmp_path))
    made.start()  # writes the bytecode
    try:
        until("it is ready", lambda: platform.orch("status").code == 0, 90)
        yield made
    finally:
        made.stop()


@pytest.mark.timeout(900)
def test_crashes_lose_nothing(platform, server, api, pytestconfig):
    crashes = pytestconfig.getoption("--crashes")
    rng = random.Random(SEED)
    balancer = Balancer(platform)
    stop, acked = threading.Event(), threading.Event()
    writers = [
        Writer(platform, [f"c{w}-{n}" for n in range(4)], random.Random(w), stop, acked)
        for w in range(3)
    ]
    scaler = Scaler(platform, ["scaled"], random.Random(9), stop, acked)
    with deployed(api, web("steady", 4), service("steady"), web("scaled", 2), service("scaled")):
        until("all is served", lambda: sum(
            len(balancer.in_service(h.address)) for h in platform.rig.hosts) == 6)  # fmt: skip
        steady = {p["metadata"]["uid"] for p in ready_pods(api, "steady")}
        before = [c for c in containers(platform) if c.pod_uid in steady]
        worker_pid = balancer.worker_pid()
        threads = [threading.Thread(target=w.run) for w in (*writers, scaler)]
        with (
            Watch(platform, CONFIGMAPS) as watch,
            Load(platform.lb_port, "/steady/", threads=2, rate=10.0, limit_s=280) as load,
            Load(platform.lb_port, "/scaled/", threads=1, rate=10.0, limit_s=280) as moving,
        ):
            for thread in threads:
                thread.start()
            began = time.monotonic()
            try:
                starts = crash(server, rng, acked, crashes)
                took_s = time.monotonic() - began
                until("all hosts are ready", lambda: len(nodes_ready(api)) == 3, 30)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            until("what was written is what runs", lambda: settled(platform, api), 30)
            last = max(a.revision for w in writers for a in w.acks)
            until("the watch has all", lambda: watch.fault or revision(watch) >= last)
        tell(crashes, took_s, starts, writers, scaler, load, moving)
        assert [w.fault for w in (*writers, scaler)] == [""] * 4
        check_values(api, writers, scaler)
        check_revisions([a for w in (*writers, scaler) for a in w.acks])
        check_watch(watch, writers)
        assert [c for c in containers(platform) if c.pod_uid in steady] == before
        assert balancer.worker_pid() == worker_pid
        assert not load.result.failures
        assert not moving.result.failures


def crash(server, rng, acked, times):
    """Kills and starts the server; returns seconds from starts to acknowledgements."""
    starts = []
    server.kill()
    for _ in range(times - 1):
        began = time.monotonic()
        acked.clear()
        server.start()
        if rng.random() < STARTING_SHARE:
            time.sleep(rng.uniform(0.2, 1.0))
        else:
            assert acked.wait(15), "the server takes no writes 15 s after its start"
            starts.append(time.monotonic() - began)
            time.sleep(rng.uniform(0.0, 0.5))
        server.kill()
    acked.clear()
    server.start()
    assert acked.wait(15), "the server takes no writes 15 s after its start"
    return starts


def settled(platform, api):
    """Whether exactly the containers that the state asks for run."""
    wanted = api.get(SCALED)["spec"]["replicas"] + 4
    pods = api.get(PODS)["items"]
    ready = sorted(p["metadata"]["uid"] for p in pods if is_ready(p))
    found = containers(platform)
    return (
        len(ready) == len(pods) == wanted
        and sorted(c.pod_uid for c in found) == ready
        and all(c.running for c in found)
    )


def revision(watch):
    return max((int(s.object["metadata"]["resourceVersion"]) for s in watch.seen), default=0)


def tell(crashes, took_s, starts, writers, scaler, load, moving):
    acks = sum(len(w.acks) for w in writers)
    print(
        f"\n{crashes} crashes in {took_s:.0f} s; {acks} writes and {len(scaler.acks)} scalings "
        f"acknowledged; from start to the first acknowledged write: median "
        f"{statistics.median(starts):.2f} s, longest {max(starts):.2f} s; requests: "
        f"{load.result.requests} + {moving.result.requests}, failed "
        f"{load.result.failures[:3]} + {moving.result.failures[:3]}, slowest "
        f"{load.result.slowest_s:.2f} s"
    )


def check_values(api, writers, scaler):
    """Every object holds its last acknowledged value, or one that was attempted after it."""
    stored = {c["metadata"]["name"]: c for c in api.get(CONFIGMAPS)["items"]}
    for writer in writers:
        for name in writer.names:
            acks = [a for a in writer.acks if a.name == name]
            value = int(stored[name]["data"]["value"])
            assert acks[-1].value <= value <= writer.attempted[name], name
            if value == acks[-1].value:
                assert int(stored[name]["metadata"]["resourceVersion"]) == acks[-1].revision
    value = int(api.get(SCALED)["metadata"]["annotations"]["value"])
    assert scaler.acks[-1].value <= value <= scaler.attempted["scaled"]


def check_revisions(acks):
    """None was given twice; whoever wrote after an acknowledgement got a greater one."""
    assert len({a.revision for a in acks}) == len(acks)
    by_sent = sorted(acks, key=lambda a: a.sent_at)
    by_acked = sorted(acks, key=lambda a: a.acked_at)
    greatest, done = 0, 0
    for ack in by_sent:
        while by_acked[done].acked_at < ack.sent_at:
            greatest = max(greatest, by_acked[done].revision)
            done += 1
        assert ack.revision > greatest, ack


def check_watch(watch, writers):
    """It saw every acknowledged write once, in order, over all crashes."""
    assert not watch.fault
    seen = [int(s.object["metadata"]["resourceVersion"]) for s in watch.seen]
    assert seen == sorted(set(seen))
    values = {
        (s.object["metadata"]["name"], s.object["data"]["value"]): int(
            s.object["metadata"]["resourceVersion"]
        )
        for s in watch.seen
    }
    for writer in writers:
        for ack in writer.acks:
            assert values.get((ack.name, str(ack.value))) == ack.revision, ack
