"""Which disruption budgets are not kept, and for how long: watched while a scenario happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.snapshot import view_as
from orchestrator.registry.eviction import BUDGETS
from orchestrator.simulation.outcome import Broken
from orchestrator.store.objects import StoredObject, StoreEvent


@dataclass(slots=True)
class _Breach:
    healthy: int
    needed: int
    began_s: float
    ended_s: float | None = None


class Budgets:
    """See the module."""

    def __init__(self, informers: Informers, clock: Clock) -> None:
        self._informers = informers
        self._clock = clock
        self._breaches: dict[ObjectKey, _Breach] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Remembers what breaks as long as the context lasts; what is broken before is left out."""
        before = {item.key for item in self._informers.snapshot.list(BUDGETS) if _missing(item) > 0}

        def note(event: StoreEvent) -> None:
            if event.object.key not in before and event.type != "DELETED":
                self._look(event.object)

        end = self._informers.on_event(BUDGETS, note, replay=False)
        try:
            yield
        finally:
            end()

    def _look(self, item: StoredObject) -> None:
        status, now = view_as(item, PodDisruptionBudget).status, self._clock.monotonic()
        breach = self._breaches.get(item.key)
        if _missing(item) <= 0:
            if breach is not None and breach.ended_s is None:
                breach.ended_s = now
            return
        if breach is None:
            made = _Breach(status.current_healthy, status.desired_healthy, now)
            self._breaches[item.key] = made
            return
        breach.ended_s = None
        if status.current_healthy < breach.healthy:
            breach.healthy, breach.needed = status.current_healthy, status.desired_healthy

    def broken(self) -> list[Broken]:
        """What was not kept, sorted."""
        return [
            Broken(
                key.namespace,
                key.name,
                breach.healthy,
                breach.needed,
                None if breach.ended_s is None else round(breach.ended_s - breach.began_s, 1),
            )
            for key, breach in sorted(self._breaches.items())
        ]


def _missing(item: StoredObject) -> int:
    status = view_as(item, PodDisruptionBudget).status
    return status.desired_healthy - status.current_healthy
