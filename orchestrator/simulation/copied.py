"""The copy of the state: which kinds matter, and how they get into a store as they are.

Time that passes for no reason of the scenario is to change nothing: a Job's deadline and the life
of what has finished are left out of the copy.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.api.resources import by_resource
from orchestrator.kit.aio.tasks import all_of
from orchestrator.kit.ids import ObjectKey
from orchestrator.store.objects import Draft, Put
from orchestrator.store.store import Store

Document = dict[str, Any]
Copied = Mapping[str, Sequence[Document]]
"""Objects by group-resource, as the API lists them."""

NEEDED: Final = ("nodes", "pods")
KINDS: Final = (
    "namespaces", *NEEDED, "serviceaccounts", "limitranges", "resourcequotas",
    "controllerrevisions.apps", "daemonsets.apps", "deployments.apps", "replicasets.apps",
    "statefulsets.apps", "jobs.batch", "poddisruptionbudgets.policy",
    "priorityclasses.scheduling.k8s.io",
)  # fmt: skip
"""What decides where pods are, and how many; all but the needed ones may be missing."""
_AT_ONCE: Final = 2000
_TIMED: Final = ("activeDeadlineSeconds", "ttlSecondsAfterFinished")


def key_of(resource: str, document: Document) -> ObjectKey:
    """The key of a document."""
    meta = document["metadata"]
    return ObjectKey(resource, meta.get("namespace", ""), meta["name"])


async def load(store: Store, copied: Copied) -> None:
    """Writes all objects, with their uids and statuses as they are."""
    for resource, documents in copied.items():
        row = by_resource(resource)
        typed = {"kind": row.kind, "apiVersion": row.api_version}
        puts = [
            Put(key_of(resource, made), Draft.of({**typed, **made}), None)
            for made in (_timeless(resource, document) for document in documents)
        ]
        for start in range(0, len(puts), _AT_ONCE):
            await all_of(_write(store, put) for put in puts[start : start + _AT_ONCE])


async def _write(store: Store, put: Put) -> None:
    await store.write(put)


def _timeless(resource: str, document: Document) -> Document:
    if resource != "jobs.batch":
        return document
    spec = {name: value for name, value in document["spec"].items() if name not in _TIMED}
    return {**document, "spec": spec}
