"""Logs in to a host, through its jump hosts, with strictly verified host keys.

Source: architecture D5: AES-GCM first (1.5 times less CPU than asyncssh's own first choice),
keep-alive on, no compression, keys from a file or the agent, certificates beside the key file.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncssh

from orchestrator.kit.errors import AuthFailed, ConfigError, RemoteError, Unreachable
from orchestrator.remote.seams import HostAddress
from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.ssh.connection import ConnectionWatch, SshTransport
from orchestrator.remote.ssh.hostkeys import PinnedKeys
from orchestrator.remote.ssh.pool import Handshakes

CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)


@dataclass(frozen=True, slots=True)
class Hop:
    """A machine on the way."""

    user: str
    host: str
    port: int
    alias: str = ""


def hops_of(address: HostAddress) -> tuple[Hop, ...]:
    """The machines on the way to a host, jump hosts first, the host itself last.

    Raises:
        ConfigError: a jump host is not "user@host:port".
    """
    hops = []
    for text in filter(None, (part.strip() for part in address.jump.split(","))):
        user, at, place = text.rpartition("@")
        host, colon, port = place.rpartition(":")
        if (place.startswith("[") and place.endswith("]")) or not colon:
            host, port = place, "22"
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigError(
                [f"node {address.node}: jump: {text!r} is wrong; must be user@host:port"]
            )
        hops.append(Hop(user if at else address.user, host.strip("[]"), int(port)))
    return (*hops, Hop(address.user, address.host, address.port, address.host_key_alias))


async def login(
    address: HostAddress, settings: RemoteSettings, handshakes: Handshakes
) -> SshTransport:
    """Connects and logs in.

    Raises:
        Unreachable: no connection to the host or a jump host.
        AuthFailed: sshd refused every key.
        HostKeyMismatch: a host key is unknown or has changed.
        ConfigError: the key file or known_hosts file cannot be used.
    """
    hops = hops_of(address)
    connections: list[asyncssh.SSHClientConnection] = []
    try:
        async with handshakes.slot(f"{hops[0].host}:{hops[0].port}"):
            for hop in hops:
                tunnel = connections[-1] if connections else None
                connection, watch = await _connect(hop, address, settings, tunnel)
                connections.append(connection)
    except BaseException:
        for connection in reversed(connections):
            connection.abort()
        raise
    return SshTransport(
        connections,
        watch,
        node=address.node,
        user=address.user,
        become=address.become,
        python=settings.python,
        sessions=settings.sessions_per_host,
    )


async def _connect(
    hop: Hop,
    address: HostAddress,
    settings: RemoteSettings,
    tunnel: asyncssh.SSHClientConnection | None,
) -> tuple[asyncssh.SSHClientConnection, ConnectionWatch]:
    pinned = PinnedKeys(address.known_hosts, hop.host, hop.port, hop.alias)
    watch = ConnectionWatch()
    place = f"{hop.host}:{hop.port}"
    operation = f"connect to {place}"
    via: dict[str, Any] = {"tunnel": tunnel} if tunnel is not None else {}
    try:
        options = asyncssh.SSHClientConnectionOptions(
            host=hop.host,
            port=hop.port,
            username=hop.user,
            known_hosts=pinned.known_hosts(),
            server_host_key_algs=pinned.algorithms(),
            encryption_algs=CIPHERS,
            compression_algs=["none"],
            client_factory=lambda: watch,
            connect_timeout=settings.connect_timeout_s,
            keepalive_interval=settings.keepalive_s,
            keepalive_count_max=settings.keepalive_count,
            preferred_auth="publickey",
            config=_config(settings),
            **_keys(address),
            **({"host_key_alias": hop.alias} if hop.alias else {}),
        )
    except (OSError, ValueError, asyncssh.Error) as error:
        raise ConfigError([f"node {address.node}: {_key_words(address, error)}"]) from error
    try:
        return await asyncssh.connect(hop.host, hop.port, options=options, **via), watch
    except asyncssh.HostKeyNotVerifiable as error:
        raise pinned.mismatch(watch.shown, address.node) from error
    except (asyncssh.PermissionDenied, asyncssh.IllegalUserName) as error:
        raise AuthFailed(_refused(hop, address), node=address.node, operation="log in") from error
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise _unreachable(error, place, operation, address.node, settings) from error


def _unreachable(
    error: Exception, place: str, operation: str, node: str, settings: RemoteSettings
) -> RemoteError:
    if isinstance(error, asyncssh.ChannelOpenError):
        words = f"the jump host cannot reach {place}: {error.reason}"
    elif isinstance(error, TimeoutError):
        words = f"no answer from {place} within {settings.connect_timeout_s:g} s"
    elif isinstance(error, asyncssh.ConnectionLost):
        words = f"{place} closed the connection during the login: {error.reason}"
    elif isinstance(error, OSError) and error.strerror:
        words = f"cannot connect to {place}: {error.strerror}"
    else:
        words = f"cannot connect to {place}: {str(error) or type(error).__name__}"
    return Unreachable(words, node=node, operation=operation)


def _refused(hop: Hop, address: HostAddress) -> str:
    tried = address.identity_file or "the agent's keys and the default ones in ~/.ssh"
    return (
        f"sshd on {hop.host}:{hop.port} refused to log in user {hop.user} with {tried};"
        " the public key must be in that user's ~/.ssh/authorized_keys"
    )


def _keys(address: HostAddress) -> dict[str, Any]:
    # Naming keys leaves the agent on; client_keys=None would switch it off.
    return {"client_keys": [address.identity_file]} if address.identity_file else {}


def _key_words(address: HostAddress, error: Exception) -> str:
    if address.identity_file:
        return f"identity_file {address.identity_file} cannot be used: {error}"
    return f"the SSH options cannot be used: {error}"


def _config(settings: RemoteSettings) -> list[str] | None:
    path = Path(settings.ssh_config).expanduser() if settings.ssh_config else None
    return [str(path)] if path is not None and path.is_file() else None


async def banner(host: str, port: int) -> bool:
    """Whether an sshd answers there right now: a new TCP connection, and its first bytes."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        return (await reader.read(4)).startswith(b"SSH")
    except OSError:
        return False
    finally:
        writer.close()
