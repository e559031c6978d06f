"""One container of a fake engine: its states, its log, its restart policy with back-off.

State changes are synchronous; time is the loop's, so that virtual time works. The back-off is
Docker's: 100 ms, doubled at each end up to a minute, forgotten after a run of ten seconds.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.kit.clock import rfc3339_micro
from orchestrator.remote.seams import ContainerInfo
from tests.fakes.programs import KILLED, Line, Program

FIRST_S, CAP_S, FORGET_S = 0.1, 60.0, 10.0

Tell = Callable[["FakeContainer", str, Mapping[str, str]], None]


class FakeContainer:
    """See the module.

    Args:
        container_id: 64 hex digits.
        name: unique on the engine.
        body: of `POST /containers/create`.
        image_id: of its image.
        program: says what the container runs, anew at each start.
        now_ns: the engine's clock; never says the same twice.
        tell: is told every event: container, action, more attributes.
    """

    def __init__(
        self,
        container_id: str,
        name: str,
        body: Mapping[str, Any],
        image_id: str,
        program: Callable[["FakeContainer"], Program],
        now_ns: Callable[[], int],
        tell: Tell,
    ) -> None:
        self.id = container_id
        self.name = name
        self.body = body
        self.labels: dict[str, str] = dict(body.get("Labels") or {})
        self.host: Mapping[str, Any] = body.get("HostConfig") or {}
        self.argv = [*(body.get("Entrypoint") or ()), *(body.get("Cmd") or ())]
        self.tty = bool(body.get("Tty"))
        self.image_id = image_id
        self.state = "created"
        self.exit_code = 0
        self.oom_killed = False
        self.error = ""
        self.started_ns = 0
        self.finished_ns = 0
        self.created_ns = now_ns()
        self.restart_count = 0
        self.starts = 0
        self.ip = ""
        self.pid = 0
        self.log: list[tuple[int, Line]] = []
        self.changed = asyncio.Event()
        self.program = Program()
        self._program_of = program
        self._now_ns = now_ns
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None
        self._backoff_s = 0.0

    # ------------------------------------------------------------ facts

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.state in {"running", "paused"}

    @property
    def ports(self) -> dict[str, int]:
        """Published ports."""
        return {
            port: int(bindings[0]["HostPort"])
            for port, bindings in (self.host.get("PortBindings") or {}).items()
            if bindings and bindings[0].get("HostPort")
        }

    @property
    def joined(self) -> str:
        """Id or name of the container whose network it joins; "" for its own."""
        mode = str(self.host.get("NetworkMode") or "")
        return mode.removeprefix("container:") if mode.startswith("container:") else ""

    def info(self) -> ContainerInfo:
        """As inspected."""
        return ContainerInfo(
            id=self.id,
            name=self.name,
            labels=dict(self.labels),
            image=str(self.body["Image"]),
            image_id=self.image_id,
            state=self.state,
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
            error=self.error,
            started_at=_time(self.started_ns),
            finished_at=_time(self.finished_ns),
            created_at=_time(self.created_ns),
            restart_count=self.restart_count,
            pid=self.pid,
            ip=self.ip if self.running else "",
            ports=self.ports,
            tty=self.tty,
        )

    # ------------------------------------------------------------ life

    def start(self, *, by_engine: bool = False) -> None:
        """Its process begins; a start by hand sets the engine's count of restarts back."""
        self._cancel_timer()
        if by_engine:
            self.restart_count += 1
        else:
            self.restart_count, self._backoff_s = 0, 0.0
        self.program = self._program_of(self)
        self.starts += 1
        self.state, self.exit_code, self.error, self.oom_killed = "running", 0, "", False
        self.started_ns = self._now_ns()
        self.pid = 1000 + self.starts
        self._tell(self, "start", {})
        for line in self.program.output:
            self.write(line)
        if self.program.runs_s is not None:
            code = self.program.exit_code
            self._timer = asyncio.get_running_loop().call_later(
                self.program.runs_s, lambda: self.end(code)
            )
        self._wake()

    def end(self, exit_code: int, *, oom: bool = False, by_hand: bool = False) -> None:
        """Its process ends; the restart policy says what comes next."""
        if not self.running:
            return
        self._cancel_timer()
        self.finished_ns = self._now_ns()
        self.exit_code, self.oom_killed, self.pid = exit_code, oom, 0
        again = not by_hand and self._restarts(exit_code)
        self.state = "restarting" if again else "exited"
        if oom:
            self._tell(self, "oom", {})
        self._tell(self, "die", {"exitCode": str(exit_code)})
        if again:
            ran_s = (self.finished_ns - self.started_ns) / 1e9
            doubled = min(CAP_S, self._backoff_s * 2) if self._backoff_s else FIRST_S
            self._backoff_s = FIRST_S if ran_s >= FORGET_S else doubled
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._backoff_s, lambda: self.start(by_engine=True))
        self._wake()

    def signal(self, name: str) -> None:
        """A signal by hand: what ends so is not restarted."""
        if not self.running:
            return
        self._tell(self, "kill", {"signal": name})
        if name == "KILL":
            self.end(KILLED, by_hand=True)
        elif name == "TERM" and self.program.on_term is not None:
            self.end(self.program.on_term, by_hand=True)

    def halt(self) -> None:
        """Stops waiting for a restart."""
        self._cancel_timer()
        if self.state == "restarting":
            self.state = "exited"
            self._wake()

    def forget_timers(self) -> None:
        """The engine is gone: nothing happens to the container by itself."""
        self._cancel_timer()

    def write(self, line: Line) -> None:
        """Its process writes."""
        self.log.append((self._now_ns(), ("stdout", line[1]) if self.tty else line))
        self._wake()

    async def wait_ended(self) -> None:
        """Returns when its process does not run."""
        while self.running:
            await self.wait_changed()

    async def wait_changed(self) -> None:
        """Returns at the next change of state or log."""
        await self.changed.wait()

    # ------------------------------------------------------------ inside

    def _restarts(self, exit_code: int) -> bool:
        policy = self.host.get("RestartPolicy") or {}
        if policy.get("Name") in {"always", "unless-stopped"}:
            return True
        most = policy.get("MaximumRetryCount") or 0
        enough = bool(most) and self.restart_count >= most
        return policy.get("Name") == "on-failure" and exit_code != 0 and not enough

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


def _time(time_ns: int) -> str:
    return rfc3339_micro(time_ns / 1e9) if time_ns else ""
