"""Fake hosts do what their Protocols say, and sessions can work on them in virtual time."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import pytest

from orchestrator.api import names
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ChannelLost, ShimError, Unreachable
from orchestrator.kit.ids import ObjectKey
from orchestrator.node.manager import NodeManager
from orchestrator.node.settings import NodeSettings
from orchestrator.reconcile.informers import Informers
from orchestrator.registry.options import DeleteOptions
from orchestrator.registry.registry import Registry
from orchestrator.remote.seams import (
    SILENT,
    SUBSCRIBED,
    Engine,
    Host,
    HostAddress,
    HostConnector,
    NodeTransport,
    Shim,
)
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store
from tests.fakes.host import FakeConnector, Machine
from tests.fakes.programs import IMAGE, ends
from tests.sim.clock import LoopClock

pytestmark = pytest.mark.looptime

ADDRESS = HostAddress(node="host-1", host="10.0.0.1", port=22, user="root")
PROBES = {"readiness": {"tcp_socket": {"port": 80}}}


def check(connector: HostConnector, host: Host, engine: Engine, shim: Shim) -> None:
    """The fakes are what mypy takes for the Protocols."""


async def running(machine: Machine, name: str = "a", **host: Any) -> str:
    body = {"Image": IMAGE, "Cmd": ["app"], "HostConfig": host}
    made = await machine.engine.create_container(name, body)
    await machine.engine.start_container(made)
    return made


async def test_a_line_that_is_cut() -> None:
    machine = Machine("host-1")
    host = await FakeConnector({"host-1": machine}).connect(ADDRESS)
    transport: NodeTransport = host.transport
    check(FakeConnector({}), host, machine.engine, machine.shim)
    events = host.engine.events({})
    assert await anext(events) == SUBSCRIBED
    hanging = asyncio.ensure_future(anext(events))
    await asyncio.sleep(1)
    machine.cut("reset")
    assert await host.wait_lost() == await transport.wait_closed() == "reset"
    for work in (hanging, host.engine.ping(), host.shim.call("ping", {}), transport.run(["true"])):
        with pytest.raises(ChannelLost, match="reset"):
            await work
    await events.aclose()
    again = await machine.connect()
    await again.engine.ping()
    assert machine.connects == 2


async def test_what_was_begun_goes_on_when_the_line_breaks() -> None:
    machine = Machine("host-1")
    machine.engine.faults.latency_s = (1.0, 1.0)
    host = await machine.connect()
    making = asyncio.ensure_future(host.engine.create_container("a", {"Image": IMAGE}))
    await asyncio.sleep(0.5)
    machine.cut()
    with pytest.raises(ChannelLost):
        await making
    await asyncio.sleep(1)
    assert [c.name for c in machine.engine.all_containers()] == ["a"]


async def test_a_host_that_vanishes() -> None:
    machine, loop = Machine("host-1"), asyncio.get_running_loop()
    host = await machine.connect()
    machine.vanish()
    with pytest.raises(ChannelLost, match=SILENT):
        await host.engine.ping()
    assert (await host.wait_lost()).startswith(SILENT)
    assert loop.time() == pytest.approx(3.5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await machine.connect()
    machine.reach()
    await machine.connect()


async def test_hosts_that_cannot_be_reached() -> None:
    machine = Machine("host-1")
    machine.refusing = Unreachable("no route")
    connector = FakeConnector({"host-1": machine})
    with pytest.raises(Unreachable, match="no route"):
        await connector.connect(ADDRESS)
    with pytest.raises(Unreachable, match="no such host"):
        await FakeConnector({}).connect(ADDRESS)


async def test_probes_follow_the_container() -> None:
    machine, seen = Machine("host-1"), []
    made = await running(machine, RestartPolicy={"Name": "always"})
    end = machine.shim.subscribe(lambda event: seen.append(event["state"]))
    spec = {"container_id": made, "key": "u/a", "probes": PROBES}
    told = await machine.shim.call("probes.set", spec)
    assert [e["state"] for e in told["probes"]] == ["unknown"]
    await asyncio.sleep(1)
    machine.engine.container(made).end(1)
    await asyncio.sleep(1)
    machine.shim.fail(made, "readiness")
    assert seen == ["success", "unknown", "success", "failure"]
    await machine.engine.remove_container(made)
    assert await machine.shim.call("probes.list", {}) == {"probes": []}
    end()


async def test_a_liveness_probe_that_fails_restarts_the_container() -> None:
    machine = Machine("host-1")
    made = await running(machine)
    probes = {"liveness": {"tcp_socket": {"port": 80}}}
    await machine.shim.call("probes.set", {"container_id": made, "probes": probes})
    await asyncio.sleep(1)
    machine.shim.fail(made, "liveness")
    assert machine.engine.container(made).starts == 2
    await asyncio.sleep(1)
    states = (await machine.shim.call("probes.list", {}))["probes"]
    assert [e["state"] for e in states] == ["success"]


@pytest.mark.parametrize(
    ("operation", "payload", "code"),
    [
        pytest.param("nonsense", {}, "unknown_operation", id="unknown"),
        pytest.param("probes.set", {"container_id": "a" * 64}, "bad_request", id="no probes"),
        pytest.param("files.write_tree", {"path": "a", "more": 1}, "bad_request", id="a field"),
    ],
)
async def test_what_the_shim_refuses(operation: str, payload: dict[str, Any], code: str) -> None:
    with pytest.raises(ShimError) as caught:
        await Machine("host-1").shim.call(operation, payload)
    assert caught.value.code == code


async def test_files() -> None:
    shim = Machine("host-1").shim
    tree = {"path": "pods/u/volumes/v", "files": {"a": {"data": "eA==", "mode": 420}}}
    assert (await shim.call("files.write_tree", tree))["changed"]
    assert not (await shim.call("files.write_tree", tree))["changed"]
    await shim.call("files.make_dir", {"path": "pods/u/volumes/w", "mode": 511})
    listed = await shim.call("files.list", {"path": ""})
    assert listed["trees"][0] == {"path": "pods/u/volumes/v", "files": ["a"]}
    assert shim.trees["pods/u/volumes/v"] == {"a": b"x"}
    assert await shim.call("files.remove", {"path": "pods/u"}) == {"removed": True}
    assert shim.trees == {}


# ---------------------------------------------------------------- with real sessions


class World:
    """A registry, one host, and the sessions' manager."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = LoopClock()
        self.registry = Registry(store, self.clock, random.Random(1))
        self.informers = Informers(store)
        self.machine = Machine("host-1")
        self.manager: NodeManager

    async def pod(self, name: str, **container: Any) -> ObjectKey:
        spec = {"nodeName": "host-1", "containers": [{"name": "c", "image": IMAGE, **container}]}
        document = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
        await self.registry.create("pods", "default", document)
        return ObjectKey("pods", "default", name)

    def status(self, key: ObjectKey) -> dict[str, Any]:
        return self.registry.get(key).doc.get("status", {})

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def world(settings: NodeSettings | None = None) -> AsyncIterator[World]:
    store = await Store.open(InlineSqlite())
    made = World(store)
    await made.registry.ensure_builtins()
    address = {names.NODE_SSH: json.dumps(asdict(ADDRESS))}
    node = {"metadata": {"name": "host-1", "annotations": address}}
    await made.registry.create("nodes", "", node)
    connector = FakeConnector({"host-1": made.machine})
    manager = NodeManager(
        made.registry, made.informers, connector, made.clock, random.Random(1), settings
    )
    made.manager = manager
    task = spawn(manager.run(), name="sessions")
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])
        await store.close()


def is_ready(status: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ()))


async def test_a_session_drives_a_fake_host() -> None:
    async with world() as here:
        probe = {"tcpSocket": {"port": 80}}
        key = await here.pod("web", readinessProbe=probe, ports=[{"containerPort": 80}])
        await here.until(lambda: is_ready(here.status(key)))
        here.machine.cut()
        await here.until(lambda: here.machine.connects == 2)
        (container,) = here.machine.engine.all_containers()
        assert container.starts == 1
        await here.registry.delete(key, options=DeleteOptions(grace_s=1))
        await here.until(lambda: not here.machine.engine.all_containers())


async def test_a_crash_loop_is_counted_by_a_session() -> None:
    async with world() as here:
        here.machine.engine.program_of = lambda _: ends(3, 0.5)
        key = await here.pod("loop")

        def told() -> dict[str, Any]:
            return (here.status(key).get("containerStatuses") or [{}])[0]

        await here.until(lambda: told().get("restartCount", 0) >= 3)
        assert told()["lastState"]["terminated"]["exitCode"] == 3
        await here.until(lambda: "waiting" in told()["state"])
        assert told()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
