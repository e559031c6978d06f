"""Runs the rebalance plan: at an interval, and at once when a host comes or changes."""

import random
from collections.abc import Sequence
from typing import Final

from orchestrator.controllers.rebalance.mirror import Mirror
from orchestrator.controllers.rebalance.plan import COMPONENT, Facts, History, plan
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.snapshot import PODS, Snapshot
from orchestrator.scheduler.preemption import budgets_of
from orchestrator.scheduler.settings import SchedulerSettings

BUDGETS: Final = "poddisruptionbudgets.policy"


def rebalance_controller(
    informers: Informers,
    carry_out: CarryOut,
    clock: Clock,
    rng: random.Random,
    settings: RebalanceSettings,
    scheduler: SchedulerSettings,
) -> Controller:
    """The controller; `run` it, where `settings.enabled`.

    Args:
        informers: tells of writes.
        carry_out: `Executor.carry_out`.
        clock: tells when.
        rng: spreads retries.
        settings: what is moved, and how much of it.
        scheduler: the scheduler's own settings: it is asked where pods would go.
    """
    reader = _Reader(informers.snapshot, clock, settings, scheduler)
    sources = (
        Source("namespaces", reader.mirror.on_namespace),
        Source("nodes", reader.mirror.on_node),
        Source(PODS, reader.mirror.on_pod),
    )
    return Controller(COMPONENT, informers, sources, reader.plan, carry_out, workers=1, rng=rng)


class _Reader:
    def __init__(
        self,
        snapshot: Snapshot,
        clock: Clock,
        settings: RebalanceSettings,
        scheduler: SchedulerSettings,
    ) -> None:
        self.mirror = Mirror(scheduler)
        self._snapshot = snapshot
        self._clock = clock
        self._settings = settings
        self._scheduler = scheduler
        self._history = History()

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        del key  # there is one only
        mirror = self.mirror
        facts = Facts(
            mirror.fleet,
            mirror.standing,
            self._snapshot.list(PODS),
            budgets_of(self._snapshot.list(BUDGETS)),
            self._scheduler,
            mirror.hosts,
        )
        outcome = plan(facts, self._settings, self._history, self._clock.wall())
        self._history = outcome.history
        return outcome.intents
