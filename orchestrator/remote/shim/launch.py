"""Makes sure that the shim runs on a host: one session, the first on every connection.

The launcher says whether it needs the zip; when it has it already (every reconnect), the zip is
not sent. Idempotent; an older shim is replaced in place.
"""

from typing import Final, Protocol

import msgspec

from orchestrator.kit.errors import ShimError, Unreachable
from orchestrator.remote.seams import CommandResult
from orchestrator.remote.shim.build import ShimBuild

_NO_PYTHON: Final = 127


class Conversation(Protocol):
    """The part of the transport that is needed: a command that may ask for data."""

    async def converse(
        self, argv: list[str], *, when: bytes, send: bytes, privileged: bool
    ) -> CommandResult:
        """Runs a command; sends it data if its first line of output is `when`."""
        ...


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the shim.

    Attributes:
        socket: path of its socket on the host.
        zip: path of its zip there.
        directory: where both are.
        pid: its process id.
        started: whether it was started just now.
    """

    socket: str = ""
    zip: str = ""
    directory: str = ""
    pid: int = 0
    started: bool = False
    error: str = ""


async def launch_shim(
    transport: Conversation,
    build: ShimBuild,
    *,
    node: str,
    directory: str,
    engine_socket: str,
    privileged: bool,
    python: str,
) -> Launched:
    """Starts the shim on a host, or finds it running.

    Raises:
        ShimError: the host has no Python, no sudo, no room, ...; the message has its words.
        ChannelLost: the connection broke.
    """
    argv = [python, "-I", "-S", "-c", build.launcher, build.digest, str(len(build.data))]
    argv += [directory, engine_socket, "1" if privileged else "0"]
    done = await transport.converse(argv, when=b"need\n", send=build.data, privileged=privileged)
    if done.status != 0:
        raise _failed(done, node, python, privileged)
    launched = _last_line(done.stdout)
    if launched.error:
        raise ShimError(launched.error, node=node, operation="start the shim", code="failed")
    if not launched.socket:
        words = f"the host says {done.stdout[-300:]!r}; is something printed by the login shell?"
        raise ShimError(words, node=node, operation="start the shim", code="failed")
    return launched


def _last_line(output: str) -> Launched:
    for line in reversed(output.splitlines()):
        try:
            return msgspec.json.decode(line, type=Launched)
        except msgspec.MsgspecError:
            continue
    return Launched()


def _failed(done: CommandResult, node: str, python: str, privileged: bool) -> Exception:
    words = done.stderr.strip()[-1000:] or done.stdout.strip()[-300:] or f"status {done.status}"
    operation = "start the shim"
    if done.status == _NO_PYTHON or "command not found" in words:
        message = f"{python} is not on the host ({words}); orch needs Python 3.8 or newer there"
        return ShimError(message, node=node, operation=operation, code="no_python")
    if privileged and "sudo" in words:
        message = (
            f"sudo refuses ({words}); allow the user to run sudo without a password, or set"
            " become: false for this host"
        )
        return ShimError(message, node=node, operation=operation, code="no_sudo")
    return Unreachable(f"the shim does not start: {words}", node=node, operation=operation)
