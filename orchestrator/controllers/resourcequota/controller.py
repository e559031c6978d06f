"""Runs the quota plan: every write in a namespace concerns the namespace's quotas."""

import random
from collections.abc import Callable, Iterable, Sequence

from orchestrator.api.amounts import Amounts
from orchestrator.api.quota.usage import QUOTAS
from orchestrator.controllers.resourcequota.plan import COMPONENT, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import EVERY, CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.store.objects import StoreEvent

Used = Callable[[ObjectKey], tuple[Amounts, float | None]]


def resourcequota_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random, used: Used
) -> Controller:
    """The controller; `run` it. `used` is `Registry.quota_used`."""
    snapshot = informers.snapshot

    def plan_key(key: ObjectKey) -> Sequence[Intent]:
        item = snapshot.get(key)
        return plan(item, *used(key), clock.wall()) if item is not None else []

    def of_namespace(event: StoreEvent) -> Iterable[ObjectKey]:
        namespace = event.object.key.namespace
        if not namespace:
            return []
        return [quota.key for quota in snapshot.list(QUOTAS, namespace)]

    sources = (Source(EVERY, of_namespace),)
    return Controller(COMPONENT, informers, sources, plan_key, carry_out, workers=2, rng=rng)
