"""Runs the aggregation plan: a change of any ClusterRole concerns every aggregated one."""

import random
from collections.abc import Iterable, Sequence

from orchestrator.api.rbac.aggregation import is_aggregated
from orchestrator.controllers.clusterrole.plan import CLUSTER_ROLES, COMPONENT, plan
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.store.objects import StoreEvent


def clusterrole_controller(
    informers: Informers, carry_out: CarryOut, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    snapshot = informers.snapshot

    def plan_key(key: ObjectKey) -> Sequence[Intent]:
        return plan(snapshot.get(key), snapshot.list(CLUSTER_ROLES))

    def all_aggregated(_event: StoreEvent) -> Iterable[ObjectKey]:
        return [item.key for item in snapshot.list(CLUSTER_ROLES) if is_aggregated(item.doc)]

    sources = (Source(CLUSTER_ROLES, all_aggregated),)
    return Controller(COMPONENT, informers, sources, plan_key, carry_out, workers=1, rng=rng)
