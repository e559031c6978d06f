"""Fabric connections for hosts of an inventory: keys pinned, errors in words, jump hosts shared.

Everything that a connection does here is bounded in time; third-party exceptions end here.
"""

import getpass
import logging
import socket
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import paramiko
from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut

from orchestrator.bootstrap.hostkeys import HostKeys, Pin, PinningPolicy, address_name
from orchestrator.bootstrap.inventory.model import InventoryNode
from orchestrator.bootstrap.inventory.values import split_port
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.kit.errors import (
    AuthFailed,
    ChannelLost,
    HostKeyMismatch,
    RemoteError,
    Unreachable,
)
from orchestrator.remote.seams import CommandResult, HostAddress

# paramiko reports every failure to its logger as well as to its caller
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class Connector:
    """Opens connections to hosts; one for a whole run, safe across threads.

    Jump hosts are connected once and shared; `close` ends those connections.
    """

    def __init__(self, keys: HostKeys, settings: BootstrapSettings) -> None:
        self._keys = keys
        self._settings = settings
        self._config = Config(lazy=False)
        self._lock = threading.Lock()
        self._gateways: dict[tuple[str, str, str], _Gateway] = {}

    @property
    def keys(self) -> HostKeys:
        """The pins."""
        return self._keys

    def open(self, node: InventoryNode) -> "HostConnection":
        """A connection to a host, its key verified or pinned.

        Raises:
            Unreachable, AuthFailed, HostKeyMismatch: in words for the user.
        """
        gateway = self._gateway(node, node.jump) if node.jump else None
        connection = Connection(
            host=node.host,
            user=node.user or None,
            port=node.port if node.port != 22 else None,
            config=self._config.clone(),  # opening merges into it: one for each thread
            gateway=gateway,
            connect_timeout=int(self._settings.connect_timeout_s),
            connect_kwargs=self._authentication(node.identity_file),
        )
        pin = self._connect(connection, alias=node.name, node=node.name)
        return HostConnection(node, connection, pin, self._settings, self._keys.path)

    def close(self) -> None:
        """Ends the connections to jump hosts; idempotent."""
        with self._lock:
            gateways, self._gateways = self._gateways, {}
        for gateway in reversed(gateways.values()):
            if gateway.connection is not None:
                gateway.connection.close()

    def _authentication(self, identity_file: str) -> dict[str, object]:
        kwargs: dict[str, object] = {
            "banner_timeout": self._settings.connect_timeout_s,
            "auth_timeout": self._settings.connect_timeout_s,
            "channel_timeout": self._settings.connect_timeout_s,
        }
        if identity_file:
            kwargs |= {"key_filename": identity_file, "look_for_keys": False}
        return kwargs

    def _gateway(self, node: InventoryNode, jump: str) -> Connection:
        """The connection to the last of these hops, opened through the ones before it."""
        before, _, last = jump.rpartition(",")
        with self._lock:
            slot = self._gateways.setdefault((jump, node.user, node.identity_file), _Gateway())
        with slot.lock:
            if slot.failure is not None:
                raise slot.failure
            if slot.connection is None:
                try:
                    slot.connection = self._open_gateway(node, before, last)
                except RemoteError as error:
                    slot.failure = error
                    raise
            return slot.connection

    def _open_gateway(self, node: InventoryNode, before: str, last: str) -> Connection:
        user, _, rest = last.rpartition("@")
        host, port = split_port(rest)
        connection = Connection(
            host=host,
            user=user or node.user or None,
            port=int(port) if port else None,
            config=self._config.clone(),  # opening merges into it: one for each thread
            gateway=self._gateway(node, before) if before else None,
            connect_timeout=int(self._settings.connect_timeout_s),
            connect_kwargs=self._authentication(node.identity_file),
        )
        self._connect(connection, alias="", node=f"jump host {last}")
        return connection

    def _connect(self, connection: Connection, *, alias: str, node: str) -> Pin:
        address = address_name(connection.host, connection.port)
        alias = alias or address
        client = connection.client
        for kind, key in self._keys.expected(alias, address).items():
            client.get_host_keys().add(address, kind, key)
        policy = PinningPolicy(self._keys, alias, address)
        client.set_missing_host_key_policy(policy)
        where = f"{connection.user}@{connection.host}:{connection.port}"
        try:
            connection.open()
            shown = connection.transport.get_remote_server_key()
            return policy.pin or self._keys.accept(alias, address, shown)
        except paramiko.BadHostKeyException as error:
            connection.close()
            self._keys.accept(alias, address, error.key)
            raise HostKeyMismatch(str(error), node=node, operation="connect") from error
        except RemoteError:
            connection.close()
            raise
        except (paramiko.SSHException, OSError, EOFError) as error:
            connection.close()
            raise _in_words(error, where, node) from error


class _Gateway:
    """A jump host's connection, or why there is none; whoever comes second waits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: Connection | None = None
        self.failure: RemoteError | None = None


class HostConnection(AbstractContextManager["HostConnection"]):
    """An open connection to one host.

    Attributes:
        node: the inventory's entry.
        pin: how its key was accepted.
    """

    def __init__(
        self,
        node: InventoryNode,
        connection: Connection,
        pin: Pin,
        settings: BootstrapSettings,
        pins: Path,
    ) -> None:
        self.node = node
        self.pin = pin
        self._connection = connection
        self._settings = settings
        self._pins = pins

    def address(self) -> HostAddress:
        """How the server is to reach this host; what ssh_config filled in included."""
        return HostAddress(
            node=self.node.name,
            host=self._connection.host,
            port=self._connection.port,
            user=self._connection.user or getpass.getuser(),
            identity_file=self.node.identity_file or self._configured_key(),
            jump=self.node.jump,
            become=self.node.become,
            known_hosts=str(self._pins),
            host_key_alias=self.node.name,
        )

    def _configured_key(self) -> str:
        found = self._connection.ssh_config.get("identityfile") or []
        return next((str(p) for x in found if (p := Path(x).expanduser()).is_file()), "")

    def run(self, command: str, timeout_s: float = 0.0) -> CommandResult:
        """Runs a command line; its status and what it printed.

        Raises:
            ChannelLost: the connection broke, or the command did not end in time.
        """
        limit_s = timeout_s or self._settings.command_timeout_s
        try:
            result = self._connection.run(
                command, hide=True, warn=True, in_stream=False, timeout=limit_s, encoding="utf-8"
            )
        except CommandTimedOut as error:
            raise ChannelLost(
                f"not done after {limit_s:.0f} s", node=self.node.name, operation="run command"
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ChannelLost(
                f"the connection broke: {error or type(error).__name__}",
                node=self.node.name,
                operation="run command",
            ) from error
        return CommandResult(result.exited, result.stdout, result.stderr)

    def close(self) -> None:
        """Ends the connection; jump hosts stay."""
        # fabric would close the gateway too, which other hosts use
        self._connection.gateway = None
        self._connection.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the connection."""
        self.close()


def _in_words(error: Exception, where: str, node: str) -> RemoteError:
    operation = "connect"
    if isinstance(error, paramiko.PasswordRequiredException):
        return AuthFailed(
            f"{where}: the private key is encrypted; load it into ssh-agent and leave "
            "identity_file out, or use a key without passphrase",
            node=node,
            operation=operation,
        )
    if isinstance(error, paramiko.AuthenticationException):
        return AuthFailed(
            f"{where}: sshd accepts none of the keys offered; put the public key into "
            "~/.ssh/authorized_keys of that user, or name another identity_file or user "
            f"({error})",
            node=node,
            operation=operation,
        )
    if isinstance(error, socket.gaierror):
        words = f"the name is not known ({error.strerror}); correct host, or use an IP address"
    elif isinstance(error, TimeoutError):
        words = "no answer in time; is the host up, and the port open to this machine?"
    elif isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        words = f"{'; '.join(str(e) for e in error.errors.values())}; does sshd run there?"
    elif isinstance(error, paramiko.ChannelException):
        words = f"the jump host cannot reach it: {error.text}"
    elif "Error reading SSH protocol banner" in str(error) or isinstance(error, EOFError):
        words = "something answers that is not sshd, or sshd hangs"
    else:
        words = str(error) or type(error).__name__
    return Unreachable(f"{where}: {words}", node=node, operation=operation)
