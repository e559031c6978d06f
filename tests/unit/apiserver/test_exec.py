"""exec and attach over WebSockets: what is asked of the host, what comes through, how it ends."""

import asyncio
import base64
import json

import pytest

from orchestrator.apiserver.connect import statuses
from orchestrator.kit.errors import BadRequest, ChannelLost
from tests.fakes.programs import CAT, FOREVER, Program, ends
from tests.fakes.sessions import FakeExec
from tests.unit.apiserver.sockets import Refused, websocket

PODS = "/api/v1/namespaces/default/pods"
EXEC = f"{PODS}/web/exec?command=x&stdout=true&stderr=true"
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


class Commands:
    """A host whose containers run `program`, whatever the command."""

    def __init__(self, program):
        self.program = program
        self.asked = []
        self.sessions = []
        self.fault = None
        self.tty = False
        self.first_sizes = []

    def streams(self, node):
        self.node = node
        return self

    def require_running(self, pod, container):
        if self.fault is not None:
            raise self.fault

    async def exec(self, pod, container, command, *, stdin, tty, size=None):
        self.asked.append((pod.key.name, container, list(command), stdin, tty))
        session = self._session(tty)
        self.first_sizes.append(size)
        return session

    async def attach(self, pod, container, *, stdin):
        self.asked.append((pod.key.name, container, stdin))
        return self._session(self.tty), self.tty

    def _session(self, tty):
        if self.fault is not None:
            raise self.fault
        session = Watched(self.program, tty=tty)
        self.sessions.append(session)
        return session


class Watched(FakeExec):
    closed = False

    async def close(self):
        self.closed = True
        await super().close()


@pytest.fixture
async def pods(world):
    """Makes a pod "web" with containers; returns what its host was asked."""

    async def make(program, *containers, annotations=None, node="n1"):
        spec = {"containers": [{"name": c, "image": "i"} for c in containers or ("main",)]}
        if node:
            spec["nodeName"] = node
        meta = {"name": "web", "annotations": annotations or {}}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        await world.create(PODS, document)
        commands = Commands(program)
        object.__setattr__(world.api.services, "pod_streams", commands)
        return commands

    return make


async def test_output_and_success(world, pods):
    asked = await pods(ends(0, 0.0, ("stdout", b"out"), ("stderr", b"err")))
    path = f"{PODS}/web/exec?command=echo&command=a%20b&stdout=true&stderr=true"
    async with websocket(world.api, path, V5) as socket:
        assert socket.subprotocol == V5
        assert await socket.receive() == b"\x01", "the connection is there"
        said = await socket.rest()
        assert said == {1: b"out", 2: b"err", 3: b'{"metadata":{},"status":"Success"}'}
        assert socket.closed == 1000
    assert asked.asked == [("web", "main", ["echo", "a b"], False, False)]
    assert asked.sessions[0].closed


@pytest.mark.parametrize("protocol", [V5, V4])
async def test_exit_code(world, pods, protocol):
    await pods(ends(3))
    async with websocket(world.api, EXEC, protocol) as socket:
        status = json.loads((await socket.rest())[3])
    assert status["status"] == "Failure"
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert status == statuses.exited(3)


async def test_input_comes_back_and_its_end_is_the_end(world, pods):
    asked = await pods(CAT)
    async with websocket(world.api, f"{EXEC}&stdin=true", V5, V4) as socket:
        socket.send(b"\x00hello ")
        socket.send(b"\x00world")
        socket.send(b"\xff\x00")
        assert (await socket.rest())[1] == b"hello world"
    assert asked.asked[0][3] is True


async def test_input_that_was_not_announced_is_dropped(world, pods):
    await pods(CAT)
    async with websocket(world.api, EXEC, V5) as socket:
        socket.send(b"\x00hello")
        socket.send(b"\xff\x00")
        assert await socket.receive() == b"\x01"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await socket.receive()


async def test_a_terminal_has_no_second_stream_and_a_size(world, pods):
    program = Program(output=(("stdout", b"$ "), ("stderr", b"!")), echo=True)
    asked = await pods(program)
    path = f"{PODS}/web/exec?command=sh&stdin=true&stdout=true&stderr=true&tty=true"
    async with websocket(world.api, path, V5) as socket:
        socket.send(b'\x04{"Width":81,"Height":25}')
        socket.send(b'\x04{"Width":80,"Height":24}')
        socket.send(b"\x04nonsense")
        socket.send(b'\x04{"Width":0,"Height":0}')
        socket.send(b"\x00x")
        socket.send(b"\xff\x00")
        assert set(await socket.rest()) == {1, 3}
    assert asked.first_sizes == [(81, 25)]
    assert asked.sessions[0].size == (80, 24)


async def test_a_terminal_without_a_size_loses_no_input(world, pods):
    asked = await pods(CAT)
    path = f"{PODS}/web/exec?command=sh&stdin=true&stdout=true&tty=true"
    async with websocket(world.api, path, V5) as socket:
        socket.send(b"\x00first ")
        socket.send(b"\x00second")
        socket.send(b"\xff\x00")
        assert (await socket.rest())[1] == b"first second"
    assert asked.first_sizes == [None]


async def test_a_terminal_that_cannot_be_started(world, pods):
    asked = await pods(FOREVER)
    path = f"{PODS}/web/exec?command=sh&stdout=true&tty=true"
    asked.fault = BadRequest('container not found ("main"): it is paused')
    with pytest.raises(Refused, match="it is paused"):
        async with websocket(world.api, path, V5):
            pass
    asked.require_running = lambda pod, container: None
    async with websocket(world.api, path, V5) as socket:
        socket.send(b'\x04{"Width":81,"Height":25}')
        status = json.loads((await socket.rest())[3])
    assert status["message"].endswith('container not found ("main"): it is paused')


async def test_base64_and_no_subprotocol(world, pods):
    await pods(ends(2, 0.0, ("stdout", b"out")))
    async with websocket(world.api, EXEC, "v4.base64.channel.k8s.io") as socket:
        assert await socket.receive() == "1"
        assert await socket.receive() == "1" + base64.b64encode(b"out").decode()
        assert (await socket.receive())[0] == "3"
    async with websocket(world.api, EXEC) as socket:
        assert socket.subprotocol is None
        said = await socket.rest()
    assert said[3] == b"command terminated with non-zero exit code: exit status 2"


async def test_the_clients_going_closes_the_session(world, pods):
    asked = await pods(FOREVER)
    async with websocket(world.api, EXEC, V5) as socket:
        assert await socket.receive() == b"\x01"
    assert asked.sessions[0].closed
    assert len(world.api.services.open_streams) == 0


async def test_the_servers_stop_ends_it(world, pods):
    asked = await pods(FOREVER)
    async with websocket(world.api, EXEC, V5) as socket:
        assert await socket.receive() == b"\x01"
        world.api.end_streams()
        assert await socket.rest() == {}
        assert socket.closed == 1001
    assert asked.sessions[0].closed


async def test_a_lost_host_is_told(world, pods):
    asked = await pods(FOREVER)

    async def lost():
        yield_nothing = ()
        for each in yield_nothing:
            yield each
        raise ChannelLost("connection reset", node="n1")

    async with websocket(world.api, EXEC, V5) as socket:
        assert await socket.receive() == b"\x01"
    asked.fault = None
    Watched.output, original = lambda self: lost(), FakeExec.output
    try:
        async with websocket(world.api, EXEC, V5) as socket:
            status = json.loads((await socket.rest())[3])
    finally:
        Watched.output = original
    assert status["reason"] == "InternalError"
    assert "error executing command in container: connection reset" in status["message"]


async def test_attach_takes_the_containers_terminal_and_has_no_exit_code(world, pods):
    asked = await pods(ends(4, 0.0, ("stdout", b"hi")))
    asked.tty = True
    path = f"{PODS}/web/attach?stdout=true&stderr=true&stdin=true&command=no"
    async with websocket(world.api, path, V5) as socket:
        said = await socket.rest()
    assert said == {1: b"hi", 3: b'{"metadata":{},"status":"Success"}'}
    assert asked.asked == [("web", "main", True)]


async def test_an_unused_stream_is_ended(world, pods, settings):
    asked = await pods(FOREVER)
    object.__setattr__(world.api.services.settings, "stream_idle_s", 0.02)
    async with websocket(world.api, EXEC, V5) as socket:
        assert await socket.rest() == {1: b""}
    assert asked.sessions[0].closed


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("web/exec?stdout=true", "you must specify at least one command for the container"),
        ("web/exec?command=x", "you must specify at least 1 of stdin, stdout, stderr"),
        ("web/exec?command=x&stdout=1&container=z", "container z is not valid for pod web"),
        ("web/exec?command=x&stdout=1",
         "a container name must be specified for pod web, choose one of: [a b]"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_request(world, pods, path, message):
    await pods(FOREVER, "a", "b")
    with pytest.raises(Refused) as refused:
        async with websocket(world.api, f"{PODS}/{path}", V5):
            pass
    assert (refused.value.code, refused.value.status["message"]) == (400, message)
    posted = await world.client("POST", f"{PODS}/{path}")
    assert posted.json["message"] == message, "kubectl's second try shows the same"


async def test_default_container_annotation(world, pods):
    asked = await pods(
        ends(0), "a", "b", annotations={"kubectl.kubernetes.io/default-container": "b"}
    )
    async with websocket(world.api, EXEC, V5) as socket:
        await socket.rest()
    assert asked.asked[0][1] == "b"


async def test_refusals(world, pods):
    asked = await pods(FOREVER, node="")
    with pytest.raises(Refused, match="pod web does not have a host assigned"):
        async with websocket(world.api, EXEC, V5):
            pass
    with pytest.raises(Refused, match=r'pods "none" not found'):
        async with websocket(world.api, f"{PODS}/none/exec?command=x&stdout=1", V5):
            pass
    assert not asked.asked


async def test_a_container_that_does_not_run(world, pods):
    asked = await pods(FOREVER)
    asked.fault = BadRequest('container not found ("main"): it is waiting to start: ErrImagePull')
    with pytest.raises(Refused) as refused:
        async with websocket(world.api, EXEC, V5):
            pass
    assert refused.value.status["message"] == asked.fault.message


async def test_unknown_subprotocols_and_no_upgrade(world, pods):
    await pods(FOREVER)
    with pytest.raises(Refused, match=r"requested protocol.* not supported: .v9.channel.k8s.io"):
        async with websocket(world.api, EXEC, "v9.channel.k8s.io"):
            pass
    reply = await world.client.get(EXEC)
    assert (reply.status, reply.json["message"]) == (400, "Upgrade request required")


async def test_who_may(world, pods):
    await pods(ends(0))
    bearer = "base64url.bearer.authorization.k8s.io."
    root = bearer + base64.urlsafe_b64encode(b"root").decode().rstrip("=")
    async with websocket(world.api, EXEC, root, V5, token="") as socket:
        assert socket.subprotocol == V5
    for protocols, token, code in [
        ((V5,), "", 403), ((V5,), "wrong", 401), ((V5,), "ann", 403), ((root,), "", 401),
        ((bearer + "!", V5), "", 401), ((root, root, V5), "", 401),
    ]:  # fmt: skip
        with pytest.raises(Refused) as refused:
            async with websocket(world.api, EXEC, *protocols, token=token):
                pass
        assert refused.value.code == code
    with pytest.raises(Refused) as refused:
        async with websocket(world.api, "/api/v1/namespaces/default/pods/web", V5):
            pass
    assert refused.value.code == 400
