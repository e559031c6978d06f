"""Runs the token plan: a secret, or the account that it is for, has changed."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.controllers.accounttoken.plan import COMPONENT, Sign, account_name, plan
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.store.objects import StoreEvent

_SECRETS: Final = "secrets"
_ACCOUNTS: Final = "serviceaccounts"


def accounttoken_controller(
    informers: Informers, carry_out: CarryOut, rng: random.Random, ca_pem: bytes, sign: Sign
) -> Controller:
    """The controller; `run` it."""
    snapshot = informers.snapshot

    def plan_key(key: ObjectKey) -> Sequence[Intent]:
        secret = snapshot.get(key)
        name = account_name(secret) if secret is not None else ""
        account = snapshot.get(ObjectKey(_ACCOUNTS, key.namespace, name)) if name else None
        return plan(secret, account, ca_pem, sign)

    def of_account(event: StoreEvent) -> Iterable[ObjectKey]:
        namespace, name = event.object.key.namespace, event.object.key.name
        return [
            item.key for item in snapshot.list(_SECRETS, namespace) if account_name(item) == name
        ]

    def own(event: StoreEvent) -> Iterable[ObjectKey]:
        return [event.object.key] if account_name(event.object) else []

    sources = (Source(_SECRETS, own), Source(_ACCOUNTS, of_account))
    return Controller(COMPONENT, informers, sources, plan_key, carry_out, workers=1, rng=rng)
