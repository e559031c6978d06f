"""Port-forwarding: raw SPDY, SPDY in a WebSocket, and channels; errors, half-closes, bounds."""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest

from orchestrator.apiserver.connect.portchannels import read_ports
from orchestrator.apiserver.connect.spdy.connection import STREAM_BYTES
from orchestrator.apiserver.connect.spdy.frames import Data, Reset
from orchestrator.apiserver.request import Query
from orchestrator.kit.errors import BadRequest, Unreachable
from tests.fakes.pipes import connected
from tests.unit.apiserver.sockets import Refused, websocket
from tests.unit.apiserver.spdyclient import SpdyPeer
from tests.unit.apiserver.test_spdy_commands import upgraded

PODS = "/api/v1/namespaces/default/pods"
FORWARD = f"{PODS}/web/portforward"
TUNNEL, V4 = "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io"


class Ports:
    """A pod that echoes on every port below 9000; `held` keeps the other ends of the rest."""

    def __init__(self):
        self.opened = []
        self.held = []
        self.serving = set()

    def streams(self, node):
        return self

    async def open_port(self, pod, port):
        self.opened.append(port)
        if port == 9999:
            raise Unreachable(f"dial tcp 10.0.0.9:{port}: connect: connection refused")
        ours, theirs = connected()
        if port >= 9000:
            self.held.append(theirs)
        else:
            task = asyncio.ensure_future(self._echo(theirs))
            self.serving.add(task)
            task.add_done_callback(self.serving.discard)
        return ours

    async def _echo(self, stream):
        while data := await stream.read():
            await stream.write(data)
        await stream.write_eof()


@pytest.fixture
async def ports(world):
    spec = {"containers": [{"name": "main", "image": "i"}], "nodeName": "n1"}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    made = await world.create(PODS, document)
    made["status"] = {"phase": "Running"}
    assert (await world.client("PUT", f"{PODS}/web/status", made)).status == 200
    found = Ports()
    object.__setattr__(world.api.services, "pod_streams", found)
    return found


class InMessages:
    """A byte stream in the binary messages of a WebSocket, at the client's end."""

    def __init__(self, socket):
        self.socket = socket

    async def read(self):
        return await self.socket.receive() or b""

    async def write(self, data):
        self.socket.send(data)

    async def close(self):
        self.socket.leave()


@asynccontextmanager
async def tunnelled(app, path, *_):
    async with websocket(app, path, TUNNEL) as socket:
        assert socket.subprotocol == TUNNEL
        peer = SpdyPeer(InMessages(socket))
        yield peer, b""
        peer.task.cancel()


@pytest.fixture(params=[upgraded, tunnelled], ids=["raw", "tunnel"])
def forwarded(request, world):
    return lambda: request.param(world.api, FORWARD, "portforward.k8s.io")


async def pair(peer, port, request="0", order=("error", "data")):
    headers = {"port": str(port), "requestid": request} if request else {"port": str(port)}
    numbers = {kind: await peer.open(streamtype=kind, **headers) for kind in order}
    return numbers["error"], numbers["data"]


async def test_data_goes_both_ways_and_half_closes(forwarded, ports):
    async with forwarded() as (peer, _):
        error, data = await pair(peer, 8080)
        await peer.send(Data(data, b"hello"))
        await peer.until(lambda: peer.got.get(data) == b"hello")
        await peer.send(Data(data, b" world", fin=True))
        assert await peer.whole(data) == b"hello world"
        assert await peer.whole(error) == b""
    assert ports.opened == [8080]


async def test_several_connections_at_once(forwarded, ports):
    async with forwarded() as (peer, _):
        pairs = [await pair(peer, 8000 + n, str(n), ("data", "error")) for n in range(20)]
        for n, (_, data) in enumerate(pairs):
            await peer.send(Data(data, b"%d" % n, fin=True))
        assert [await peer.whole(data) for _, data in pairs] == [b"%d" % n for n in range(20)]
    assert sorted(ports.opened) == list(range(8000, 8020))


async def test_clients_without_request_ids(forwarded, ports):
    async with forwarded() as (peer, _):
        _, data = await pair(peer, 8080, "")
        await peer.send(Data(data, b"x", fin=True))
        assert await peer.whole(data) == b"x"


async def test_a_refused_port_is_told_and_the_others_go_on(forwarded, ports):
    async with forwarded() as (peer, _):
        error, data = await pair(peer, 9999, "0")
        said = (await peer.whole(error)).decode()
        assert said.startswith("error forwarding port 9999 to pod web_default, uid ")
        assert said.endswith(": dial tcp 10.0.0.9:9999: connect: connection refused")
        assert await peer.whole(data) == b""
        _, other = await pair(peer, 8080, "1")
        await peer.send(Data(other, b"x", fin=True))
        assert await peer.whole(other) == b"x"


async def test_the_backends_end_is_told_at_once(forwarded, ports):
    """kubectl waits for the end of the error stream before it ends its own side."""
    async with forwarded() as (peer, _):
        error, data = await pair(peer, 9000)
        await peer.until(lambda: {error, data} <= peer.replied)
        while not ports.held:
            await asyncio.sleep(0)
        await ports.held[0].write(b"bye")
        await ports.held[0].write_eof()
        assert await peer.whole(data) == b"bye"
        assert await peer.whole(error) == b""


async def test_a_reset_closes_the_backend(forwarded, ports):
    async with forwarded() as (peer, _):
        _, data = await pair(peer, 9000)
        await peer.send(Data(data, b"x"))
        while not ports.held:
            await asyncio.sleep(0)
        assert await ports.held[0].read() == b"x"
        await peer.send(Reset(data, 5))
        assert await ports.held[0].read() == b""


async def test_leaving_closes_the_backends(forwarded, ports, world):
    async with forwarded() as (peer, _):
        await pair(peer, 9000)
        while not ports.held:
            await asyncio.sleep(0)
    assert await ports.held[0].read() == b""
    assert len(world.api.services.open_streams) == 0


async def test_the_servers_stop_ends_it(forwarded, ports, world):
    async with forwarded() as (peer, _):
        await pair(peer, 9000)
        await peer.until(lambda: len(peer.replied) == 2)
        world.api.end_streams()
        await peer.until(lambda: peer.over)


async def test_a_backend_that_does_not_read_holds_the_client_up(world, ports):
    async with upgraded(world.api, FORWARD, "portforward.k8s.io") as (peer, _):
        _, data = await pair(peer, 9000)
        written = 0

        async def flood():
            nonlocal written
            while True:
                await peer.send(Data(data, bytes(16384)))
                written += 16384

        flooding = asyncio.ensure_future(flood())
        for _ in range(2000):
            await asyncio.sleep(0)
        before = written
        for _ in range(500):
            await asyncio.sleep(0)
        assert written == before < STREAM_BYTES + (1 << 20)
        got = 0
        while got <= before:
            got += len(await ports.held[0].read())
        flooding.cancel()


@pytest.mark.parametrize("headers", [
    {"streamtype": "other", "port": "80"}, {"streamtype": "data", "port": "0"},
    {"streamtype": "data", "port": "x"}, {"streamtype": "data"},
    {"streamtype": "data", "port": "65536"}, {"streamtype": "data", "port": "9" * 30},
])  # fmt: skip
async def test_streams_that_mean_nothing_are_refused(forwarded, ports, headers):
    async with forwarded() as (peer, _):
        number = await peer.open(**headers)
        await peer.until(lambda: number in peer.reset)


async def test_channels(world, ports):
    async with websocket(world.api, f"{FORWARD}?ports=8080,9999", V4) as socket:
        assert socket.subprotocol == V4
        first = [await socket.receive() for _ in range(4)]
        numbers = {m[0]: struct.unpack("<H", m[1:])[0] for m in first}
        assert numbers == {0: 8080, 1: 8080, 2: 9999, 3: 9999}
        said = await socket.receive()
        assert said[:1] == b"\x03"
        assert b"connection refused" in said
        socket.send(b"\x00hello")
        assert await socket.receive() == b"\x00hello"


async def test_channels_without_a_subprotocol_end_with_the_last_backend(world, ports):
    async with websocket(world.api, f"{FORWARD}?ports=9000") as socket:
        assert socket.subprotocol is None
        assert await socket.receive() == b"\x00" + struct.pack("<H", 9000)
        assert await socket.receive() == b"\x01" + struct.pack("<H", 9000)
        socket.send(b"\x00hi")
        while not ports.held:
            await asyncio.sleep(0)
        assert await ports.held[0].read() == b"hi"
        await ports.held[0].write(b"bye")
        await ports.held[0].close()
        assert await socket.receive() == b"\x00bye"
        assert await socket.receive() is None
        assert socket.closed == 1000


def test_ports_of_a_query():
    assert read_ports(Query(b"ports=80,81&ports=82")) == [80, 81, 82]
    for bad in (b"", b"ports=", b"ports=0", b"ports=x", b"ports=65536", b"ports=-1"):
        with pytest.raises(BadRequest):
            read_ports(Query(bad))


async def test_a_pod_that_does_not_run(world, ports):
    made = (await world.client.get(f"{PODS}/web")).json
    made["status"]["phase"] = "Succeeded"
    await world.client("PUT", f"{PODS}/web/status", made)
    with pytest.raises(Refused, match=r"pod is not running. Current status=Succeeded"):
        async with websocket(world.api, FORWARD, TUNNEL):
            pass
    reply = await world.client("POST", FORWARD)
    assert "Current status=Succeeded" in reply.json["message"]


async def test_no_upgrade(world, ports):
    reply = await world.client("POST", FORWARD)
    assert (reply.status, reply.json["message"]) == (400, "Upgrade request required")
