"""Owns the HAProxy process: starts, reloads, adopts and, when asked, stops it.

The process is a daemon of its own session with a master and a worker; it outlives the server. A
server that starts finds it by its sockets and takes it over. Files are written by rename, a
configuration is checked before it replaces the one in use, and put back when the reload fails.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog

from orchestrator.kit.errors import OrchError
from orchestrator.loadbalancer import render
from orchestrator.loadbalancer.desired import Desired
from orchestrator.loadbalancer.render import Paths
from orchestrator.loadbalancer.resolver import find_haproxy
from orchestrator.loadbalancer.runtime import Master, NobodyThere, Runtime, SocketFailed
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
        exact_map=str(folder / "exact.map"),
        prefixes_map=str(folder / "prefixes.map"),
        certificates=str(folder / "certificates"),
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
        self._master = Master(self.paths.master)
        self.runtime = Runtime(self.paths.socket, self._master, settings)
        self._marker = folder / "running"

    async def alive(self) -> bool:
        """Whether a worker answers.

        Raises:
            SocketFailed: one is there but does not answer; a second one beside it would do harm.
        """
        try:
            await self.runtime.worker_pid()
        except NobodyThere:
            return False
        return True

    async def ports(self) -> set[int]:
        """Ports of Services that the process listens on; none when it does not run.

        Raises:
            SocketFailed: it runs but does not answer.
        """
        try:
            return await self.runtime.ports()
        except NobodyThere:
            return set()

    async def ensure(self, wanted: Desired) -> bool:
        """Makes the process run with everything in `wanted` but, perhaps, its servers.

        Returns whether it was started or reloaded, in which case its servers are those of `wanted`.

        Raises:
            BalancerFailed: in HAProxy's own words; what ran goes on as it was.
            SocketFailed: it runs but does not answer.
        """
        settings, paths = self._settings, self.paths
        digest = hashlib.sha256(render.shape(wanted, settings, paths).encode()).hexdigest()
        files = render.files(wanted, settings, paths)
        running = await asyncio.to_thread(self._read_marker)
        alive = await self.alive()
        if alive and running == digest:
            await asyncio.to_thread(self._write_all, files)
            return False
        before = await asyncio.to_thread(_contents, files)
        candidate = f"{paths.config}.new"
        try:
            # the configuration names the maps: they must be there when it is checked
            text = files.pop(paths.config)
            await asyncio.to_thread(self._write_all, {**files, candidate: text})
            await self._check(candidate)
            await asyncio.to_thread(os.replace, candidate, paths.config)
            await (self._reload() if alive else self._start())
        except BalancerFailed:
            await asyncio.to_thread(self._write_all, before)
            raise
        await asyncio.to_thread(self._write, str(self._marker), digest)
        await asyncio.to_thread(self._forget_certificates, files)
        return True

    async def _check(self, config: str) -> None:
        status, words = await self._run(find_haproxy(self._settings.binary), "-c", "-f", config)
        if status:
            raise BalancerFailed(f"the balancer's configuration is refused: {words}")

    async def _start(self) -> None:
        binary = find_haproxy(self._settings.binary)
        leftover = await asyncio.to_thread(_process, self.paths)
        if leftover:
            # one that lost its sockets cannot be adopted: it lets its ports go, and finishes
            with contextlib.suppress(ProcessLookupError):
                os.kill(leftover, signal.SIGUSR1)
            _log.warning("balancer.replaced", pid=leftover)
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
        before, failed = await self.runtime.worker_pid(), await self._master.failed_reloads()
        complaint = await self._master.reload()
        if complaint:
            raise BalancerFailed(f"the balancer does not reload: {complaint}")
        await self._until_worker_is_not(before, failed)
        _log.info("balancer.reloaded")

    async def _until_worker_is_not(self, before: int, failed: int = 0) -> None:
        try:
            async with asyncio.timeout(_START_S):
                while True:
                    if await self._worker_is_not(before):
                        return
                    if before and await self._reload_failed(failed):
                        raise BalancerFailed("the balancer does not reload: a port is taken")
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise BalancerFailed("the balancer does not come up with its configuration") from error

    async def _worker_is_not(self, before: int) -> bool:
        try:
            # the master may listen a little later than its worker
            await self._master.failed_reloads()
            return await self.runtime.worker_pid() != before
        except SocketFailed:
            return False  # between two workers

    async def _reload_failed(self, failed: int) -> bool:
        try:
            return await self._master.failed_reloads() > failed
        except SocketFailed:
            return False  # the master executes itself anew

    async def _run(self, *command: str) -> tuple[int, str]:
        # a file, not a pipe: the daemon keeps what it was given and a pipe would never end
        with tempfile.TemporaryFile() as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(_START_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                words = f"{' '.join(command)}: no end after {_START_S:.0f} s"
                raise BalancerFailed(words) from None
            errors.seek(0)
            lines = errors.read().decode(errors="replace").splitlines()
        said = [line for line in lines if "[NOTICE]" not in line]
        return process.returncode or 0, "; ".join(said)

    def _forget_certificates(self, files: Mapping[str, str]) -> None:
        """Removes the keys that nothing names any more."""
        for path in Path(f"{self.paths.certificates}.d").glob("*.pem"):
            if str(path) not in files:
                path.unlink(missing_ok=True)

    def _read_marker(self) -> str:
        return self._marker.read_text() if self._marker.exists() else ""

    def _write_all(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        path = Path(name)
        for folder in (path.parent, Path(self.paths.socket).parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and path.read_text() == text:
            return
        scratch = path.with_name(path.name + ".tmp")
        scratch.touch(mode=0o600)
        scratch.write_text(text)
        scratch.replace(path)


def _contents(names: Iterable[str]) -> dict[str, str]:
    """Texts of those of the files that exist."""
    return {n: Path(n).read_text() for n in names if Path(n).exists()}


def stop_balancer(folder: Path) -> bool:
    """Stops a balancer by its pid file; connections get no time to finish. Idempotent.

    Returns whether there was one to stop.
    """
    paths = balancer_paths(folder)
    pid = _process(paths)
    if not pid:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    Path(paths.pid).unlink(missing_ok=True)
    (folder / "running").unlink(missing_ok=True)
    return True


def _process(paths: Paths) -> int:
    """The process id of the running master by its pid file; 0 when it does not run."""
    try:
        pid = int(Path(paths.pid).read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return 0
    # the number alone may be another process's by now
    return pid if paths.config.encode() in command else 0
