"""Probes of the containers on this host: scheduling, thresholds, and acting on failure.

Works with the server away: a failed liveness or startup probe restarts or stops the container
through the engine right here. All state is touched on the loop's thread only; attempts and engine
calls run on workers, and what comes back is checked against the container's `run` number, because
the container may have been restarted, replaced or removed meanwhile.
"""

from __future__ import annotations

import time
from typing import Dict, List, Optional

from agentshim.attempts import Attempt, attempt
from agentshim.engine import Engine, Inspected
from agentshim.journal import Journal
from agentshim.loop import Loop, Timer
from agentshim.specs import ContainerSpec, ProbeSpec, Tally
from agentshim.watch import EngineWatch
from agentshim.wire import Failure, Message

MAX_MESSAGE = 1024
MAX_CONTAINERS = 2000
BACK_OFF_FIRST_S, BACK_OFF_CAP_S, BACK_OFF_RESET_S = 10.0, 300.0, 600.0
"""Between restarts of one container, as the kubelet's: doubled each time, forgotten after a while.

Meanwhile it runs on and its probes too; should it recover, it is left alone.
"""


class _Probe:
    """One probe at work."""

    def __init__(self, kind: str, spec: ProbeSpec) -> None:
        self.kind = kind
        self.spec = spec
        self.tally = Tally()
        self.timer: Optional[Timer] = None

    def rest(self) -> None:
        """No further attempts until it is begun again."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class _Container:
    """A container with probes."""

    def __init__(self, spec: ContainerSpec, restarts: int) -> None:
        self.spec = spec
        self.restarts = restarts
        self.run = 0
        self.running = False
        self.acting = False
        self.act_from_s = float("-inf")
        self._delay_s = 0.0
        self.started_at = ""
        self.address = ""
        self.probes = {kind: _Probe(kind, each) for kind, each in spec.probes}

    def back_off(self) -> None:
        """The container is acted on now; the next time not before a while, ever longer."""
        now_s = time.monotonic()
        if now_s > self.act_from_s + BACK_OFF_RESET_S:
            self._delay_s = 0.0
        self._delay_s = min(max(BACK_OFF_FIRST_S, 2 * self._delay_s), BACK_OFF_CAP_S)
        self.act_from_s = now_s + self._delay_s

    def rest(self) -> None:
        """Ends the present run of attempts; what is under way counts for nothing."""
        self.run += 1
        for probe in self.probes.values():
            probe.rest()


class Prober:
    """All probes of this host."""

    def __init__(self, loop: Loop, engine: Engine, journal: Journal) -> None:
        self._loop = loop
        self._engine = engine
        self._journal = journal
        self._containers: Dict[str, _Container] = {}
        self._watch = EngineWatch(
            loop, engine, lambda: bool(self._containers), self.look_at_all, self.happened
        )

    # ---- operations

    def set(self, spec: ContainerSpec) -> List[Message]:
        """Sets a container's probes; the present state of each."""
        old = self._containers.get(spec.container_id)
        if old is None or old.spec != spec:
            if old is None and len(self._containers) >= MAX_CONTAINERS:
                raise Failure("busy", "probes of %d containers are the limit" % MAX_CONTAINERS)
            if old is not None:
                old.rest()
                self._journal.forget(spec.container_id)
            container = _Container(spec, old.restarts if old is not None else 0)
            self._containers[spec.container_id] = container
            for probe in container.probes.values():
                self._publish(container, probe, None)
            self._look(container)
            self._watch.ensure()
        return self.states(spec.container_id)

    def remove(self, container_id: str) -> bool:
        """Ends a container's probes; whether there were any."""
        container = self._containers.pop(container_id, None)
        if container is None:
            return False
        container.rest()
        self._journal.forget(container_id)
        self._watch.end()
        return True

    def states(self, container_id: str = "") -> List[Message]:
        """The last event of every probe, of one container or of all."""
        found = list(self._containers.values())
        if container_id:
            found = [each for each in found if each.spec.container_id == container_id]
        return [self._journal.latest(c.spec.container_id, kind) for c in found for kind in c.probes]

    # ---- what the engine says

    def look_at_all(self) -> None:
        """Asks the engine for the state of every container with probes."""
        for container in list(self._containers.values()):
            self._look(container)

    def _look(self, container: _Container, anew: bool = False) -> None:
        """Asks the engine for the container's state, and goes by it.

        With `anew` attempts begin from the start whatever has changed.
        """

        def work() -> Optional[Inspected]:
            spec = container.spec
            info = self._engine.inspect(spec.container_id)
            if info is None:
                return None
            place = info.network_of or spec.address_of
            if not info.address and place != spec.container_id:
                other = self._engine.inspect(place)
                info = info._replace(address=other.address if other else "")
            return info

        def done(info: Optional[Inspected], error: Optional[Exception]) -> None:
            if self._containers.get(container.spec.container_id) is not container:
                return
            if error is not None:
                self._later(container, anew)
            elif info is None:
                self.remove(container.spec.container_id)
            else:
                self._observed(container, info, anew)

        if not self._loop.workers.submit(work, done):
            self._later(container, anew)

    def _later(self, container: _Container, anew: bool) -> None:
        """The engine did not answer: ask again, for the sake of what the watch has missed."""
        run = container.run
        self._loop.call_later(
            2.0, lambda: self._look(container, anew) if container.run == run else None
        )

    def _observed(self, container: _Container, info: Inspected, anew: bool) -> None:
        if container.acting:
            return  # whoever acts looks again afterwards
        container.address = info.address
        if not info.running:
            if container.running or anew:
                container.running = False
                container.rest()
                self._reset(container, "the container does not run")
            return
        if container.running and container.started_at == info.started_at and not anew:
            return
        container.running = True
        container.started_at = info.started_at
        container.rest()
        self._reset(container, "")
        startup = container.probes.get("startup")
        begin = [startup] if startup is not None else list(container.probes.values())
        for probe in begin:
            delay_s = probe.spec.initial_delay_s - _age_s(info.started_at)
            self._schedule(container, probe, delay_s)

    def _reset(self, container: _Container, message: str) -> None:
        for probe in container.probes.values():
            before, probe.tally = probe.tally, Tally()
            if before.state != "unknown":
                self._publish(container, probe, Attempt(None, message))

    # ---- attempts

    def _schedule(self, container: _Container, probe: _Probe, delay_s: float) -> None:
        probe.timer = self._loop.call_later(delay_s, lambda: self._attempt(container, probe))

    def _attempt(self, container: _Container, probe: _Probe) -> None:
        run, began = container.run, time.monotonic()
        spec, engine, address = probe.spec, self._engine, container.address
        container_id = container.spec.container_id

        def done(result: Optional[Attempt], error: Optional[Exception]) -> None:
            if container.run != run:
                return
            self._schedule(container, probe, spec.period_s - (time.monotonic() - began))
            if error is not None:
                result = Attempt(None, "%s: %s" % (type(error).__name__, error))
            if result is not None and result.ok is not None:
                self._count(container, probe, result)

        if not self._loop.workers.submit(
            lambda: attempt(spec, container_id, address, engine), done
        ):
            self._schedule(container, probe, spec.period_s)

    def _count(self, container: _Container, probe: _Probe, result: Attempt) -> None:
        changed = probe.tally.note(bool(result.ok), probe.spec)
        failed = probe.tally.state == "failure" and not result.ok and probe.kind != "readiness"
        if failed and time.monotonic() >= container.act_from_s:
            self._act(container, probe, result)
            return
        if changed or not result.ok:
            self._publish(container, probe, result)
        if probe.kind == "startup" and probe.tally.state == "success":
            probe.rest()
            for other in container.probes.values():
                if other is not probe and other.timer is None:
                    # What was due while starting is due now; initial delays count from the start.
                    delay_s = other.spec.initial_delay_s - _age_s(container.started_at)
                    self._schedule(container, other, delay_s)

    def _act(self, container: _Container, probe: _Probe, result: Attempt) -> None:
        """Restarts or stops the container; no attempts meanwhile."""
        container.rest()
        container.acting = True
        container.back_off()
        spec = container.spec
        grace_s = spec.grace_s if probe.spec.grace_s is None else probe.spec.grace_s
        action = spec.on_failure
        if action == "restart":
            container.restarts += 1
        self._publish(container, probe, result, action)

        def work() -> None:
            call = self._engine.restart if action == "restart" else self._engine.stop
            call(spec.container_id, grace_s)

        def done(_result: object, error: Optional[Exception]) -> None:
            container.acting = False
            if self._containers.get(spec.container_id) is not container:
                return
            if error is not None:
                if action == "restart":
                    container.restarts -= 1
                self._publish(container, probe, result, action, str(error))
            # Whatever came of it: a restarted container, or the same one once more.
            self._look(container, anew=True)

        if not self._loop.workers.submit(work, done):
            done(None, Failure("busy", "too much to do"))

    def _publish(
        self,
        container: _Container,
        probe: _Probe,
        result: Optional[Attempt],
        action: str = "",
        action_error: str = "",
    ) -> None:
        told = "" if result is None or result.ok is None else "success" if result.ok else "failure"
        self._journal.publish(
            {
                "event": "probe",
                "time_s": time.time(),
                "container_id": container.spec.container_id,
                "key": container.spec.key,
                "probe": probe.kind,
                "state": probe.tally.state,
                "attempt": told,
                "message": result.message[:MAX_MESSAGE] if result is not None else "",
                "action": action,
                "action_error": action_error[:MAX_MESSAGE],
                "restarts": container.restarts,
                "started_at": container.started_at,
                "replayed": False,
            }
        )

    # ---- the engine's events

    def happened(self, action: str, container_id: str) -> None:
        """The engine says that something happened to a container."""
        if action == "destroy":
            self.remove(container_id)
            return
        for container in list(self._containers.values()):
            spec = container.spec
            if container_id in (spec.container_id, spec.address_of):
                if action == "die" and container_id == spec.container_id and not container.acting:
                    container.started_at = ""
                self._look(container)


def _age_s(started_at: str) -> float:
    """Seconds since a time as the engine writes it; 0 when it cannot be read."""
    try:
        year, month, day = (int(part) for part in started_at[:10].split("-"))
        hours, minutes, seconds = (int(part) for part in started_at[11:19].split(":"))
    except ValueError:
        return 0.0
    # Days since 1970 by the calendar's rule (the datetime module is half a megabyte).
    past = year - (month <= 2)
    days = past * 365 + past // 4 - past // 100 + past // 400
    days += (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1 - 719468
    began_s = days * 86400 + hours * 3600 + minutes * 60 + seconds
    return max(0.0, time.time() - began_s)
