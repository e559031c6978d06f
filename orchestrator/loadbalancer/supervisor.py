"""Owns the HAProxy process: starts, reloads, adopts and, when asked, stops it.

The process is a daemon of its own session with a master and a worker; it outlives the server. A
server that starts finds it by its sockets and takes it over. Files are written by rename, and a
configuration is checked before it replaces the one in use.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import tempfile
from pathlib import Path
from typing import Final

import structlog

from orchestrator.kit.errors import OrchError
from orchestrator.loadbalancer.desired import Desired
from orchestrator.loadbalancer.render import Paths, render, render_map, shape
from orchestrator.loadbalancer.resolver import find_haproxy
from orchestrator.loadbalancer.runtime import Runtime, SocketFailed
from orchestrator.loadbalancer.settings import LoadBalancerSettings

_log: Final = structlog.get_logger("loadbalancer")
_LONGEST_SOCKET: Final = 90
_START_S: Final = 10.0


class BalancerFailed(OrchError):
    """HAProxy refused a configuration or did not start; carries its own words."""


def balancer_paths(folder: Path) -> Paths:
    """Where the balancer's files are; sockets move to the temporary folder when paths are long."""
    sockets = folder
    if len(str(folder)) > _LONGEST_SOCKET - len("/worker.sock"):
        digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        sockets = Path(tempfile.gettempdir()) / f"orch-lb-{os.getuid()}-{digest}"
    return Paths(
        config=str(folder / "haproxy.cfg"),
        hosts_map=str(folder / "hosts.map"),
        paths_map=str(folder / "paths.map"),
        socket=str(sockets / "worker.sock"),
        master=str(sockets / "master.sock"),
        pid=str(folder / "haproxy.pid"),
    )


class Supervisor:
    """The one owner of the process; all methods are called from one task."""

    def __init__(self, folder: Path, settings: LoadBalancerSettings) -> None:
        self._folder = folder
        self._settings = settings
        self.paths = balancer_paths(folder)
        self.runtime = Runtime(self.paths.socket, settings)
        self._marker = folder / "running"

    async def alive(self) -> bool:
        """Whether a worker answers."""
        if not await asyncio.to_thread(Path(self.paths.socket).exists):
            return False
        try:
            await self.runtime.worker_pid()
        except SocketFailed:
            return False
        return True

    async def ensure(self, wanted: Desired) -> bool:
        """Makes the process run with everything in `wanted` but, perhaps, its servers.

        Returns whether it was started or reloaded, in which case its servers are those of `wanted`.

        Raises:
            BalancerFailed: in HAProxy's own words.
        """
        digest = hashlib.sha256(repr(shape(wanted)).encode()).hexdigest()
        text = render(wanted, self._settings, self.paths)
        running = await asyncio.to_thread(self._read_marker)
        alive = await self.alive()
        if alive and running == digest:
            await asyncio.to_thread(self._write, self.paths.config, text)
            return False
        await asyncio.to_thread(self._write_maps, wanted)
        candidate = f"{self.paths.config}.new"
        await asyncio.to_thread(self._write, candidate, text)
        await self._check(candidate)
        await asyncio.to_thread(os.replace, candidate, self.paths.config)
        if alive:
            await self._reload()
        else:
            await self._start()
        await asyncio.to_thread(self._write, str(self._marker), digest)
        return True

    async def _check(self, config: str) -> None:
        status, words = await self._run(find_haproxy(self._settings.binary), "-c", "-f", config)
        if status:
            raise BalancerFailed(f"the balancer's configuration is refused: {words}")

    async def _start(self) -> None:
        binary = find_haproxy(self._settings.binary)
        for stale in (self.paths.socket, self.paths.master):
            await asyncio.to_thread(Path(stale).unlink, missing_ok=True)
        status, words = await self._run(
            binary, "-D", "-W", "-S", f"{self.paths.master},level,admin",
            "-f", self.paths.config, "-p", self.paths.pid,
        )  # fmt: skip
        if status:
            raise BalancerFailed(f"the balancer does not start: {words}")
        await self._until_worker_is_not(0)
        _log.info("balancer.started", binary=binary, port=self._settings.port)

    async def _reload(self) -> None:
        before = await self.runtime.worker_pid()
        # before 2.7 the master closes the connection at once and reports nothing: the worker tells
        with contextlib.suppress(SocketFailed):
            await Runtime(self.paths.master, self._settings).command("reload")
        await self._until_worker_is_not(before)
        _log.info("balancer.reloaded")

    async def _until_worker_is_not(self, before: int) -> None:
        try:
            async with asyncio.timeout(_START_S):
                while True:
                    with contextlib.suppress(SocketFailed):
                        if await self.runtime.worker_pid() != before:
                            return
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise BalancerFailed("the balancer does not come up with its configuration") from error

    async def _run(self, *command: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START_S):
                _, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            raise BalancerFailed(f"{' '.join(command)}: no end after {_START_S:.0f} s") from None
        words = [x for x in errors.decode(errors="replace").splitlines() if "[NOTICE]" not in x]
        return process.returncode or 0, "; ".join(words)

    def _read_marker(self) -> str:
        return self._marker.read_text() if self._marker.exists() else ""

    def _write_maps(self, wanted: Desired) -> None:
        self._write(self.paths.hosts_map, render_map(dict(wanted.hosts)))
        self._write(self.paths.paths_map, render_map(dict(wanted.paths)))

    def _write(self, name: str, text: str) -> None:
        path = Path(name)
        for folder in (path.parent, Path(self.paths.socket).parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and path.read_text() == text:
            return
        scratch = path.with_name(path.name + ".tmp")
        scratch.write_text(text)
        scratch.replace(path)


def stop_balancer(folder: Path) -> bool:
    """Stops a balancer by its pid file; connections get no time to finish. Idempotent.

    Returns whether there was one to stop.
    """
    pid_file = Path(balancer_paths(folder).pid)
    try:
        pid = int(pid_file.read_text().split()[0])
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError, IndexError):
        return False
    if not name.startswith("haproxy"):
        return False
    os.kill(pid, signal.SIGTERM)
    pid_file.unlink(missing_ok=True)
    (folder / "running").unlink(missing_ok=True)
    return True
