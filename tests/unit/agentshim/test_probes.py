"""The prober on a loop whose time is turned by hand, with an engine that is a table."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from agentshim import attempts, probes, watch
from agentshim.attempts import Attempt
from agentshim.engine import Inspected
from agentshim.journal import Journal
from agentshim.loop import Timer
from agentshim.probes import Prober
from agentshim.specs import read_container
from agentshim.wire import Failure

CONTAINER = "c" * 64
SANDBOX = "d" * 64


class HandLoop:
    """The loop's calls, with time that only goes on when told."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self.workers = self
        self.held: list[Callable[[], None]] | None = None

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self.now + max(0, delay_s), next(self._order), timer))
        return timer

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()

    def submit(self, work: Callable[[], Any], done: Callable[[Any, Any], None]) -> bool:
        def job() -> None:
            try:
                result, error = work(), None
            except Exception as caught:  # as the real workers do
                result, error = None, caught
            done(result, error)

        if self.held is not None:
            self.held.append(job)
        else:
            job()
        return True

    def release(self) -> None:
        held, self.held = self.held or [], None
        for job in held:
            job()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now, _, timer = heapq.heappop(self._timers)
            timer.fire()
        self.now = end


class TableEngine:
    """Containers by id; a restart gives a new start time."""

    def __init__(self) -> None:
        self.containers: dict[str, Inspected] = {}
        self.calls: list[str] = []
        self.starts = itertools.count(1)
        self.refuses = ""

    def put(self, container_id: str = CONTAINER, *, running: bool = True, **more: str) -> None:
        started_at = f"start-{next(self.starts)}"
        values = {"address": "10.0.0.2", "network_of": "", **more}
        self.containers[container_id] = Inspected(running, started_at, **values)

    def inspect(self, container_id: str) -> Inspected | None:
        return self.containers.get(container_id)

    def restart(self, container_id: str, grace_s: int) -> None:
        self.calls.append(f"restart {grace_s}")
        if self.refuses:
            raise Failure("engine", self.refuses)
        self.put(container_id)

    def stop(self, container_id: str, grace_s: int) -> None:
        self.calls.append(f"stop {grace_s}")
        self.put(container_id, running=False)


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = HandLoop()
        self.engine = TableEngine()
        self.journal = Journal()
        self.results: dict[str, bool | None] = {}
        self.tried: list[str] = []
        monkeypatch.setattr(probes, "attempt", self._attempt)
        monkeypatch.setattr(probes.time, "monotonic", lambda: self.loop.now)
        monkeypatch.setattr(watch.EngineWatch, "ensure", lambda _self: None)
        self.prober = Prober(self.loop, self.engine, self.journal)  # type: ignore[arg-type]
        self.events: list[dict[str, Any]] = []
        self.journal.listeners.append(self.events.append)

    def _attempt(self, spec: Any, _id: str, address: str, _engine: Any) -> Attempt:
        self.tried.append(f"{spec.path}@{address}")
        return Attempt(self.results.get(spec.path, True), "words")

    def set(self, **more: Any) -> None:
        given = {
            kind: {"http_get": {"port": 80, "path": f"/{kind}"}, **more.pop(kind)}
            for kind in ("startup", "readiness", "liveness")
            if kind in more
        }
        self.prober.set(read_container({"container_id": CONTAINER, "probes": given, **more}))

    def states(self) -> dict[str, str]:
        return {each["probe"]: each["state"] for each in self.prober.states()}

    def told(self) -> list[tuple[str, str, str]]:
        """Events since the last call: probe, state, action."""
        told = [(e["probe"], e["state"], e["action"]) for e in self.events]
        self.events.clear()
        return told


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    assert attempts.attempt is not None
    return Rig(monkeypatch)


def test_first_attempt_after_the_initial_delay_then_every_period(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={"initial_delay_s": 5, "period_s": 10})
    rig.loop.advance(4.9)
    assert rig.tried == []
    rig.loop.advance(0.1)
    assert rig.tried == ["/readiness@10.0.0.2"]
    rig.loop.advance(30)
    assert len(rig.tried) == 4
    assert rig.told() == [("readiness", "unknown", ""), ("readiness", "success", "")]


def test_failed_attempts_are_told_and_counted(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={"period_s": 1, "failure_threshold": 2})
    rig.loop.advance(0)
    rig.results["/readiness"] = False
    rig.told()
    rig.loop.advance(2)
    assert rig.told() == [("readiness", "success", ""), ("readiness", "failure", "")]
    rig.results["/readiness"] = True
    rig.loop.advance(2)
    assert rig.told() == [("readiness", "success", "")]


def test_an_attempt_that_says_nothing_counts_for_nothing(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/liveness"] = None
    rig.set(liveness={"period_s": 1, "failure_threshold": 1})
    rig.loop.advance(10)
    assert rig.states() == {"liveness": "unknown"}
    assert rig.engine.calls == []


def test_liveness_restarts_and_begins_anew(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/liveness"] = False
    rig.set(liveness={"period_s": 1, "failure_threshold": 3, "initial_delay_s": 2}, grace_s=7)
    rig.loop.advance(3.5)
    assert rig.engine.calls == []
    rig.loop.advance(0.5)
    assert rig.engine.calls == ["restart 7"]
    acted = next(e for e in rig.events if e["action"])
    assert (acted["state"], acted["action"], acted["restarts"]) == ("failure", "restart", 1)
    assert acted["started_at"] == "start-1"
    assert rig.states() == {"liveness": "unknown"}
    rig.results["/liveness"] = True
    rig.loop.advance(2)
    assert rig.states() == {"liveness": "success"}


def test_restarts_keep_apart_ever_longer(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/liveness"] = False
    rig.set(liveness={"period_s": 1, "failure_threshold": 1})
    at = []
    while rig.loop.now < 700:
        before = len(rig.engine.calls)
        rig.loop.advance(1)
        if len(rig.engine.calls) > before:
            at.append(rig.loop.now)
    gaps = [two - one for one, two in itertools.pairwise(at)]
    assert gaps[:6] == pytest.approx([10, 20, 40, 80, 160, 300], abs=1.5)


def test_a_container_that_recovers_while_backing_off_is_left_alone(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/liveness"] = False
    rig.set(liveness={"period_s": 1, "failure_threshold": 1})
    rig.loop.advance(5)
    assert rig.states() == {"liveness": "failure"}
    rig.results["/liveness"] = True
    rig.loop.advance(20)
    assert rig.states() == {"liveness": "success"}
    assert len(rig.engine.calls) == 1


def test_the_probes_own_grace_wins(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/liveness"] = False
    rig.set(liveness={"failure_threshold": 1, "grace_s": 0})
    rig.loop.advance(0)
    assert rig.engine.calls == ["restart 0"]


def test_stop_where_that_is_asked_for(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/liveness"] = False
    rig.set(liveness={"failure_threshold": 1, "period_s": 1}, on_failure="stop")
    rig.loop.advance(20)
    assert rig.engine.calls == ["stop 30"]
    assert rig.states() == {"liveness": "unknown"}


def test_a_refused_restart_is_told_and_tried_again(rig: Rig) -> None:
    rig.engine.put()
    rig.engine.refuses = "no space left"
    rig.results["/liveness"] = False
    rig.set(liveness={"failure_threshold": 2, "period_s": 1})
    rig.loop.advance(1)
    refused = next(e for e in rig.events if e["action_error"])
    assert (refused["action_error"], refused["restarts"]) == ("no space left", 0)
    rig.engine.refuses = ""
    rig.loop.advance(9)
    assert rig.engine.calls == ["restart 30"]
    rig.loop.advance(2)
    assert rig.engine.calls == ["restart 30", "restart 30"]


def test_the_others_wait_for_startup(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/startup"] = False
    rig.set(
        startup={"period_s": 1, "failure_threshold": 9},
        readiness={"period_s": 1},
        liveness={"period_s": 1},
    )
    rig.loop.advance(3)
    assert set(rig.tried) == {"/startup@10.0.0.2"}
    rig.results["/startup"] = True
    rig.loop.advance(1)
    rig.tried.clear()
    rig.loop.advance(1)
    assert set(rig.tried) == {"/readiness@10.0.0.2", "/liveness@10.0.0.2"}
    assert rig.states() == dict.fromkeys(("startup", "readiness", "liveness"), "success")


def test_startup_failure_acts(rig: Rig) -> None:
    rig.engine.put()
    rig.results["/startup"] = False
    rig.set(startup={"period_s": 1, "failure_threshold": 2}, readiness={})
    rig.loop.advance(1)
    assert rig.engine.calls == ["restart 30"]


def test_a_container_that_dies_is_unknown_until_it_starts(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={"period_s": 1})
    rig.loop.advance(1)
    rig.engine.put(running=False)
    rig.prober.happened("die", CONTAINER)
    assert rig.states() == {"readiness": "unknown"}
    rig.tried.clear()
    rig.loop.advance(10)
    assert rig.tried == []
    rig.engine.put()
    rig.prober.happened("start", CONTAINER)
    rig.loop.advance(0)
    assert rig.states() == {"readiness": "success"}


def test_a_restart_between_two_looks_is_noticed(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={"period_s": 1, "initial_delay_s": 3})
    rig.loop.advance(3)
    assert rig.states() == {"readiness": "success"}
    rig.engine.put()
    rig.prober.look_at_all()
    assert rig.states() == {"readiness": "unknown"}
    rig.loop.advance(3)
    assert rig.states() == {"readiness": "success"}


def test_a_late_result_of_the_run_before_counts_for_nothing(rig: Rig) -> None:
    rig.engine.put()
    rig.set(liveness={"failure_threshold": 1, "period_s": 1, "initial_delay_s": 1})
    rig.results["/liveness"] = False
    rig.loop.held = []
    rig.loop.advance(1)
    late, rig.loop.held = rig.loop.held, None
    rig.engine.put()
    rig.prober.happened("start", CONTAINER)
    for job in late:
        job()
    assert rig.engine.calls == []


def test_removal_ends_it(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={"period_s": 1})
    rig.loop.advance(1)
    assert rig.prober.remove(CONTAINER)
    assert not rig.prober.remove(CONTAINER)
    rig.tried.clear()
    rig.loop.advance(10)
    assert rig.tried == []
    assert rig.prober.states() == []
    assert rig.journal.missed("", 0) == []


def test_a_destroyed_container_takes_its_probes_with_it(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={})
    rig.prober.happened("destroy", CONTAINER)
    assert rig.prober.states() == []


def test_a_container_that_is_not_there_is_dropped(rig: Rig) -> None:
    rig.set(readiness={})
    assert rig.prober.states() == []


def test_the_same_probes_again_change_nothing(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={"initial_delay_s": 5})
    rig.loop.advance(4)
    rig.told()
    rig.set(readiness={"initial_delay_s": 5})
    rig.loop.advance(1)
    assert rig.told() == [("readiness", "success", "")]


def test_other_probes_replace_the_old(rig: Rig) -> None:
    rig.engine.put()
    rig.set(readiness={}, liveness={})
    rig.loop.advance(0)
    rig.set(readiness={"period_s": 7})
    assert rig.states() == {"readiness": "unknown"}
    rig.loop.advance(0)
    assert rig.states() == {"readiness": "success"}


def test_the_address_is_the_sandboxs(rig: Rig) -> None:
    rig.engine.put(address="", network_of=SANDBOX)
    rig.engine.put(SANDBOX, address="10.9.9.9")
    rig.set(readiness={})
    rig.loop.advance(0)
    assert rig.tried == ["/readiness@10.9.9.9"]
