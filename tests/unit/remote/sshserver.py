"""An SSH server in this process: runs commands and opens Unix sockets of this machine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from orchestrator.remote.seams import HostAddress


@dataclass
class SshServer:
    """A running server and what it saw."""

    port: int
    directory: Path
    host_key: asyncssh.SSHKey
    commands: list[str] = field(default_factory=list)
    logins: int = 0
    most_at_once: int = 0
    ciphers: set[str] = field(default_factory=set)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    def address(self, **changes: object) -> HostAddress:
        values: dict[str, object] = {
            "node": "web-1",
            "host": "127.0.0.1",
            "port": self.port,
            "user": "ops",
            "identity_file": str(self.directory / "identity"),
            "known_hosts": str(self.known_hosts),
        }
        return HostAddress(**{**values, **changes})  # type: ignore[arg-type]


class _Connection(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)
        self._server.most_at_once = max(
            self._server.most_at_once, len(self._server.connections) - self._server.logins
        )

    def auth_completed(self) -> None:
        self._server.logins += 1
        self._server.ciphers.add(self._server.connections[-1].get_extra_info("send_cipher"))

    def unix_connection_requested(self, dest_path: str) -> bool:
        return True

    def connection_requested(self, *_: object) -> bool:
        return True


async def _copy(source: Any, target: Any) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        if isinstance(target, asyncio.StreamWriter):
            target.close()


@asynccontextmanager
async def ssh_server(
    directory: Path, *, authorized: str = "", host_authority: asyncssh.SSHKey | None = None
) -> AsyncIterator[SshServer]:
    """Runs a server until the context is left.

    Args:
        directory: for its files.
        authorized: what is in authorized_keys instead of the identity's key.
        host_authority: signs a host certificate for "web-1".
    """
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    identity = asyncssh.generate_private_key("ssh-ed25519")
    directory.mkdir(parents=True, exist_ok=True)
    identity.write_private_key(directory / "identity")
    authorized_file = directory / "authorized"
    identity.write_public_key(authorized_file)
    if authorized:
        authorized_file.write_text(authorized)
    shown: Any = host_key
    if host_authority is not None:
        certificate = host_authority.generate_host_certificate(
            host_key, "web-1", principals=["web-1"]
        )
        shown = (host_key, certificate)
    server = SshServer(0, directory, host_key)

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        server.commands.append(command)
        child = await asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        feeding = asyncio.create_task(_copy(process.stdin, child.stdin))
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(child.stdout, process.stdout))
            group.create_task(_copy(child.stderr, process.stderr))
        process.exit(await child.wait())
        feeding.cancel()
        await process.wait_closed()

    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Connection(server),
        server_host_keys=[shown],
        authorized_client_keys=str(authorized_file),
        process_factory=run,
        encoding=None,
    )
    server.port = listener.get_port()
    public = host_key.export_public_key().decode()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public}")
    try:
        yield server
    finally:
        listener.close()
        for connection in server.connections:
            connection.abort()
        await listener.wait_closed()
        for connection in server.connections:
            await connection.wait_closed()
