"""Objects that every cluster has.

Source: Kubernetes concepts, "Initial namespaces", "Ingress class".
"""

from typing import Final

from orchestrator.api import names
from orchestrator.kit.errors import AlreadyExists
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.options import WriteOptions
from orchestrator.registry.writer import Writer
from orchestrator.store.store import Store

_CLASS: Final = {
    "metadata": {
        "name": "orch",
        "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
    },
    "spec": {"controller": names.INGRESS_CONTROLLER},
}
NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


async def ensure_builtins(store: Store, writer: Writer) -> None:
    """Makes the initial namespaces, and the balancer's class, where missing; idempotent."""
    resource = faults.resource_of("namespaces")
    for name in NAMESPACES:
        if store.get(ObjectKey("namespaces", "", name)) is not None:
            continue
        document = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        try:
            await writer.create(resource, "", document, WriteOptions())
        except AlreadyExists:
            continue
    key = ObjectKey("ingressclasses.networking.k8s.io", "", "orch")
    if store.get(key) is None:
        await writer.create(faults.resource_of(key.resource), "", _CLASS, WriteOptions())
