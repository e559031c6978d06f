"""Runs the service account plan: a namespace, or its account, has changed."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.controllers.serviceaccount.plan import COMPONENT, DEFAULT, account_key, plan
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.store.objects import StoreEvent

_NAMESPACES: Final = "namespaces"


def serviceaccount_controller(
    informers: Informers, carry_out: CarryOut, rng: random.Random
) -> Controller:
    """The controller; `run` it."""

    def plan_key(key: ObjectKey) -> Sequence[Intent]:
        snapshot = informers.snapshot
        return plan(snapshot.get(key), snapshot.get(account_key(key.name)))

    sources = (Source(_NAMESPACES, own_key), Source("serviceaccounts", _around_lost))
    return Controller(COMPONENT, informers, sources, plan_key, carry_out, workers=1, rng=rng)


def _around_lost(event: StoreEvent) -> Iterable[ObjectKey]:
    """The namespace whose own account has gone."""
    key = event.object.key
    if event.type == "DELETED" and key.name == DEFAULT:
        yield ObjectKey(_NAMESPACES, "", key.namespace)
