"""HAProxy's runtime socket: reading servers, changing them, asking who is there.

Source: HAProxy Management Guide 2.6, "Unix Socket commands".
"""

import asyncio
import csv
import io
import re
from typing import Final

from orchestrator.kit.errors import OrchError
from orchestrator.loadbalancer.diff import Add, Change, Cut, Drain, Observed, Ready, Remove, TakeOut
from orchestrator.loadbalancer.render import check_options, endpoint
from orchestrator.loadbalancer.settings import LoadBalancerSettings

_FORCED_MAINTENANCE: Final = 0x01
_DRAINS: Final = 0x08 | 0x10
_LIMIT_S: Final = 5.0
_STATISTICS: Final = "show stat -1 4 -1"
"""Of all servers (type 4) of all proxies."""


class SocketFailed(OrchError):
    """HAProxy's socket did not answer, or refused a command."""


class NobodyThere(SocketFailed):
    """No process listens on HAProxy's socket, as opposed to one that is slow."""


class Socket:
    """Commands over one Unix socket of HAProxy; every command is one short connection."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def command(self, text: str) -> str:
        """Sends commands (joined by ";") and returns the whole answer.

        Raises:
            NobodyThere: nobody listens.
            SocketFailed: no answer in time.
        """
        try:
            async with asyncio.timeout(_LIMIT_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
                try:
                    writer.write(text.encode() + b"\n")
                    writer.write_eof()  # the master's socket would wait for more commands
                    return (await reader.read(-1)).decode(errors="replace")
                finally:
                    writer.close()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NobodyThere(f"nobody listens on {self._path}") from error
        except (OSError, TimeoutError) as error:
            what = f"{self._path} does not answer: {type(error).__name__} {error}"
            raise SocketFailed(what.rstrip()) from error


class Master(Socket):
    """The master's socket: which workers there are, and reloading."""

    async def reload(self) -> str:
        """Asks for a reload; returns HAProxy's complaint, "" when there is none (yet).

        Before 2.7 the master says nothing here: see `failed_reloads`.
        """
        try:
            answer = await self.command("reload")
        except SocketFailed:
            return ""  # the master executes itself anew and may drop the connection
        if not answer.startswith("Success=0"):
            return ""
        return answer.partition("--")[2].strip() or "it gives no reason"

    async def failed_reloads(self) -> int:
        """How many reloads have failed since the last one that did not."""
        found = re.search(r" master +\d+ \[failed: (\d+)\]", await self.command("show proc"))
        return int(found[1]) if found else 0

    async def replaced_workers(self) -> list[int]:
        """Process ids of workers that finish their connections after a reload."""
        _, _, old = (await self.command("show proc")).partition("# old workers")
        return [int(pid) for pid in re.findall(r"^(\d+) +worker ", old, re.MULTILINE)]


class Runtime(Socket):
    """The serving worker's socket: servers, and changing them."""

    def __init__(self, path: str, master: Master, settings: LoadBalancerSettings) -> None:
        super().__init__(path)
        self._master = master
        self._settings = settings

    async def worker_pid(self) -> int:
        """The process id of the worker that serves now."""
        for line in (await self.command("show info")).splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        raise SocketFailed("the balancer's socket gives no process id")

    async def backends(self) -> set[str]:
        """Names of all backends, those without servers included."""
        return {x for x in (await self.command("show backend")).split() if x not in {"#", "name"}}

    async def ports(self) -> set[int]:
        """Ports of Services that it listens on."""
        frontends = await self.command("show stat -1 1 -1")
        return {int(port) for port in re.findall(r"^port_(\d+),", frontends, re.MULTILINE)}

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
        tables = [await self.command(_STATISTICS)]
        # a replaced worker takes no changes, but what it still serves must be waited for
        replaced = await self._master.replaced_workers()
        tables += [await self._master.command(f"@!{pid} {_STATISTICS}") for pid in replaced]
        found: dict[tuple[str, str], int] = {}
        for table in tables:
            rows = csv.DictReader(io.StringIO(table.removeprefix("# ")))
            for row in rows if "scur" in (rows.fieldnames or ()) else ():
                where = row["pxname"], row["svname"]
                busy = int(row["scur"] or 0) + int(row["qcur"] or 0)
                found[where] = found.get(where, 0) + busy
        return found

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
                        f"set server {where} state ready; set server {where} weight 1; "
                        f"enable health {where}"
                    )
                ).strip()
            case Drain(backend, name):
                return (await self.command(f"set server {backend}/{name} state drain")).strip()
            case TakeOut(backend, name):
                return (await self.command(f"set server {backend}/{name} state maint")).strip()
            case Cut(backend, name):
                where = f"shutdown sessions server {backend}/{name}"
                return (await self.command(where)).strip()
            case Remove(backend, name):
                answer = (await self.command(f"del server {backend}/{name}")).strip()
                return "" if "Server deleted" in answer else answer
