"""A namespace's own service account: there as long as the namespace is. Pure.

Source: Kubernetes, "Managing Service Accounts" ("ServiceAccount controller").
"""

from typing import Final

from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create, Intent
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "serviceaccount-controller"
DEFAULT: Final = "default"


def account_key(namespace: str) -> ObjectKey:
    """The account that pods run as when they name none."""
    return ObjectKey("serviceaccounts", namespace, DEFAULT)


def plan(namespace: StoredObject | None, account: StoredObject | None) -> list[Intent]:
    """Creates the account where it is missing and the namespace stays."""
    if namespace is None or account is not None or owners.is_deleting(namespace):
        return []
    document = {"metadata": {"name": DEFAULT, "namespace": namespace.key.name}}
    return [Create("serviceaccounts", namespace.key.name, document)]
