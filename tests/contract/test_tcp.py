"""TCP through a host: the laws of `open_tcp` on a fake, on SSH in this process, and on sshd."""

import asyncio
import contextlib
import dataclasses
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.remote.seams import ByteStream, HostAddress, NodeTransport
from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.ssh.login import login
from orchestrator.remote.ssh.pool import Handshakes
from tests.contract.tcp_suite import TcpRig, TcpSuite
from tests.fakes.host import Machine
from tests.rig.sshd import Sshd, free_port, running_sshd
from tests.unit.remote.sshserver import ssh_server

SETTINGS = RemoteSettings(ssh_config="", handshake_jitter_s=0.0)


class TestFakeHost(TcpSuite):
    @pytest.fixture
    async def tcp(self) -> AsyncIterator[TcpRig]:
        machine = Machine("web-1")

        async def give_back(stream: ByteStream) -> None:
            while data := await stream.read():
                await stream.write(data)
            await stream.write_eof()

        async def hang(stream: ByteStream) -> None:
            await asyncio.sleep(3600)

        async def echo() -> int:
            machine.listening["127.0.0.1", 7] = give_back
            return 7

        async def silent() -> int:
            machine.listening["127.0.0.1", 9] = hang
            return 9

        host = await machine.connect()
        yield TcpRig(host.transport, echo, silent, 8)
        await host.close()
        for task in machine.serving:
            task.cancel()


@asynccontextmanager
async def local_servers(transport: NodeTransport) -> AsyncIterator[TcpRig]:
    """Servers of this machine, which is the host too."""
    open_servers: list[asyncio.Server] = []
    hold = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    async def give_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await hold.wait()
        writer.close()

    async def start(serve: object, **more: int) -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, **more)  # type: ignore[arg-type]
        open_servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield TcpRig(transport, lambda: start(give_back), lambda: start(hang, limit=1024), free_port())
    hold.set()
    for server in open_servers:
        server.close()
    for writer in writers:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class TestSshInThisProcess(TcpSuite):
    @pytest.fixture
    async def tcp(self, tmp_path: Path) -> AsyncIterator[TcpRig]:
        async with ssh_server(tmp_path / "host") as server:
            handshakes = Handshakes(SETTINGS, random.Random(1))
            transport = await login(server.address(become=False), SETTINGS, handshakes)
            async with local_servers(transport) as rig:
                call = f"[errno 111] connect call failed ('127.0.0.1', {rig.free})"
                yield dataclasses.replace(rig, refused=(call,))
            await transport.close()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd that logs in as root needs root")
class TestRealSshd(TcpSuite):
    @pytest.fixture
    async def tcp(self, sshd: Sshd) -> AsyncIterator[TcpRig]:
        address = HostAddress(
            node="web-1", host="127.0.0.1", port=sshd.port, user="root",
            identity_file=str(sshd.identity), known_hosts=str(sshd.known_hosts),
        )  # fmt: skip
        transport = await login(address, SETTINGS, Handshakes(SETTINGS, random.Random(1)))
        async with local_servers(transport) as rig:
            yield rig
        await transport.close()
