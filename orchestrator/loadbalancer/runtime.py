"""HAProxy's runtime socket: reading servers, changing them, asking who is there.

Source: HAProxy Management Guide 2.6, "Unix Socket commands".
"""

import asyncio
import csv
import io

from orchestrator.kit.errors import OrchError
from orchestrator.loadbalancer.diff import Add, Change, Drain, Observed, Ready, Remove, TakeOut
from orchestrator.loadbalancer.render import check_options, endpoint
from orchestrator.loadbalancer.settings import LoadBalancerSettings

_FORCED_MAINTENANCE = 0x01
_DRAINS = 0x08 | 0x10
_LIMIT_S = 5.0


class SocketFailed(OrchError):
    """HAProxy's socket did not answer, or refused a command."""


class Runtime:
    """Commands over one Unix socket; every command is one short connection."""

    def __init__(self, socket: str, settings: LoadBalancerSettings) -> None:
        self._socket = socket
        self._settings = settings

    async def command(self, text: str) -> str:
        """Sends commands (joined by ";") and returns the whole answer.

        Raises:
            SocketFailed: nobody answers.
        """
        try:
            async with asyncio.timeout(_LIMIT_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(text.encode() + b"\n")
                    await writer.drain()
                    return (await reader.read(-1)).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise SocketFailed(f"the balancer's socket does not answer: {error}") from error

    async def worker_pid(self) -> int:
        """The process id of the worker that serves now."""
        for line in (await self.command("show info")).splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        raise SocketFailed("the balancer's socket gives no process id")

    async def servers(self) -> list[Observed]:
        """All servers of all backends."""
        sessions = await self._sessions()
        found: list[Observed] = []
        for line in (await self.command("show servers state")).splitlines():
            fields = line.split()
            if len(fields) < 8 or line.startswith("#"):
                continue
            backend, name, admin, weight = fields[1], fields[3], int(fields[6]), int(fields[7])
            found.append(
                Observed(
                    backend=backend,
                    name=name,
                    draining=bool(admin & _DRAINS) or weight == 0,
                    maintenance=bool(admin & _FORCED_MAINTENANCE),
                    sessions=sessions.get((backend, name), 0),
                )
            )
        return found

    async def _sessions(self) -> dict[tuple[str, str], int]:
        table = (await self.command("show stat -1 4 -1")).removeprefix("# ")
        return {
            (row["pxname"], row["svname"]): int(row["scur"] or 0) + int(row["qcur"] or 0)
            for row in csv.DictReader(io.StringIO(table))
        }

    async def apply(self, change: Change) -> str:
        """Carries one change out; returns HAProxy's complaint, "" when there is none."""
        settings = self._settings
        match change:
            case Add(backend, server):
                where = f"{backend}/{server.name}"
                added = await self.command(
                    f"add server {where} {endpoint(server)} {check_options(settings)}"
                )
                if "New server registered" not in added:
                    return added.strip()
                return (await self.command(f"enable health {where}; enable server {where}")).strip()
            case Ready(backend, name):
                where = f"{backend}/{name}"
                return (
                    await self.command(
                        f"set server {where} state ready; set server {where} weight 100%; "
                        f"enable health {where}"
                    )
                ).strip()
            case Drain(backend, name):
                return (await self.command(f"set server {backend}/{name} state drain")).strip()
            case TakeOut(backend, name):
                return (await self.command(f"set server {backend}/{name} state maint")).strip()
            case Remove(backend, name):
                answer = (await self.command(f"del server {backend}/{name}")).strip()
                return "" if "Server deleted" in answer else answer
