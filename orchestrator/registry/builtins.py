"""Objects that every cluster has.

Source: Kubernetes concepts, "Initial namespaces", "Ingress class"; "Using RBAC Authorization".
"""

import asyncio
from typing import Final

from orchestrator.api import names
from orchestrator.api.rbac import builtin
from orchestrator.api.validation.policy import SYSTEM_CLASSES
from orchestrator.kit.errors import (
    AlreadyExists,
    Forbidden,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
)
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import admission, faults
from orchestrator.registry.creator import Creator
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.registry.writer import Writer
from orchestrator.store.objects import Document
from orchestrator.store.store import Store

_CLASS: Final = {
    "metadata": {
        "name": "orch",
        "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
    },
    "spec": {"controller": names.INGRESS_CONTROLLER},
}
NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


async def ensure_builtins(store: Store, creator: Creator, writer: Writer) -> None:
    """Makes what is missing of the initial namespaces, accounts, roles and ingress class."""
    resource = faults.resource_of("namespaces")
    for name in NAMESPACES:
        if store.get(ObjectKey("namespaces", "", name)) is not None:
            continue
        document = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        try:
            await creator.create(resource, "", document, WriteOptions())
        except AlreadyExists:
            continue
    for namespace in store.list("namespaces"):
        await ensure_account(store, creator, namespace.key.name)
    key = ObjectKey("ingressclasses.networking.k8s.io", "", "orch")
    if store.get(key) is None:
        await creator.create(faults.resource_of(key.resource), "", _CLASS, WriteOptions())
    classes = faults.resource_of("priorityclasses.scheduling.k8s.io")
    for name, value in SYSTEM_CLASSES.items():
        if store.get(ObjectKey(classes.resource, "", name)) is None:
            made: Document = {"metadata": {"name": name}, "value": value}
            made["description"] = "Used for system critical pods that must not be moved."
            await creator.create(classes, "", made, WriteOptions())
    async with asyncio.TaskGroup() as group:
        for role in builtin.cluster_roles():
            group.create_task(_ensure_whole(store, creator, writer, builtin.CLUSTER_ROLES, role))
        for binding in builtin.cluster_role_bindings():
            group.create_task(
                _ensure_whole(store, creator, writer, builtin.CLUSTER_ROLE_BINDINGS, binding)
            )


async def ensure_account(store: Store, creator: Creator, namespace: str) -> None:
    """Makes the service account that pods of a namespace run as by default; idempotent.

    Does nothing in a namespace that is gone or going. What fails here is made by the controller.
    """
    key = ObjectKey("serviceaccounts", namespace, admission.DEFAULT_ACCOUNT)
    if store.get(key) is not None:
        return
    try:
        document = {"metadata": {"name": key.name}}
        await creator.create(faults.resource_of(key.resource), namespace, document, WriteOptions())
    except (AlreadyExists, Forbidden, NotFound, ServiceUnavailable, TooManyRequests):
        return


async def _ensure_whole(
    store: Store, creator: Creator, writer: Writer, name: str, wanted: Document
) -> None:
    """Makes a role or binding, or gives a stored one back what it lacks."""
    resource = faults.resource_of(name)
    key = ObjectKey(name, "", wanted["metadata"]["name"])
    stored = store.get(key)
    try:
        if stored is None:
            await creator.create(resource, "", wanted, WriteOptions())
        elif (lacking := builtin.completed(stored.doc, wanted)) is not None:
            await writer.patch(resource, key, Patch("merge", lacking), "", WriteOptions())
    except (AlreadyExists, NotFound):
        pass  # somebody else was faster; the next start looks again
