"""The byte streams of a pod, as the API server asks its host's session for them.

The only thing that passes from the API server to a node session; everything else goes through the
store. Source: Kubernetes API, `pods/log`, `pods/exec`, `pods/attach`, `pods/portforward`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.remote.seams import ByteStream, ExecSession
from orchestrator.store.objects import StoredObject


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What to read of a container's log.

    Attributes:
        follow: go on as long as the container runs.
        previous: of the container's run before the present one.
        tail: last N lines; None for all.
        since_s: wall seconds since the epoch, fractions allowed; None for the start.
        timestamps: put an RFC 3339 time and a blank in front of each line.
    """

    follow: bool = False
    previous: bool = False
    tail: int | None = None
    since_s: float | None = None
    timestamps: bool = False


class PodStreams(Protocol):
    """The streams of the pods on one host."""

    def logs(self, pod: StoredObject, container: str, query: LogQuery) -> AsyncIterator[bytes]:
        """Yields a container's log, both of its streams mixed, in pieces of any size.

        Closing the iterator frees what it holds on the host.

        Raises:
            BadRequest: the container has no log yet, or no previous run.
            RemoteError: the host or its engine cannot be asked.
        """
        ...

    def require_running(self, pod: StoredObject, container: str) -> None:
        """Refuses a container that takes no commands now.

        Raises:
            BadRequest: the container does not run.
            RemoteError: the host is not connected.
        """
        ...

    async def exec(
        self,
        pod: StoredObject,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool,
        tty: bool,
        size: tuple[int, int] | None = None,
    ) -> ExecSession:
        """Starts a command in a running container; its caller closes the session.

        `size` is the terminal's first width and height in cells.

        Raises:
            BadRequest: the container does not run.
            RemoteError: the host or its engine cannot be asked, or the engine refuses.
        """
        ...

    async def attach(
        self, pod: StoredObject, container: str, *, stdin: bool
    ) -> tuple[ExecSession, bool]:
        """A running container's first process from now on, and whether it has a terminal.

        Raises:
            BadRequest: the container does not run.
            RemoteError: the host or its engine cannot be asked.
        """
        ...

    async def open_port(self, pod: StoredObject, port: int) -> ByteStream:
        """Connects to a TCP port of a running pod.

        Raises:
            BadRequest: the pod does not run.
            RemoteError: nothing listens there, or the host cannot be asked.
        """
        ...


class StreamsProvider(Protocol):
    """Finds the streams of a host."""

    def streams(self, node_name: str) -> PodStreams:
        """The streams of the pods on a node.

        Raises:
            RemoteError: there is no session with that node.
        """
        ...
