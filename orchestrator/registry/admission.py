"""What the cluster says to a write, beyond the object's own validity: pure functions.

Source: Kubernetes' NamespaceLifecycle and DefaultTolerationSeconds admission plugins.
"""

from typing import Any, Final

from orchestrator.api.defaults.pod import default_tolerations
from orchestrator.api.types.config import Namespace
from orchestrator.kit.errors import ApiError, Cause
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults

Document = dict[str, Any]

IMMORTAL_NAMESPACES: Final = frozenset({"default", "kube-system", "kube-public"})


def namespace_refusal(key: ObjectKey, namespace: Namespace | None) -> ApiError | None:
    """Why nothing can be created in a namespace: it is not there, or is being deleted."""
    if namespace is None:
        return faults.not_found(ObjectKey("namespaces", "", key.namespace))
    if namespace.metadata.deletion_timestamp is None:
        return None
    return faults.forbidden(
        key,
        f"unable to create new content in namespace {key.namespace} because it is being terminated",
        (
            Cause(
                "NamespaceTerminating",
                f"namespace {key.namespace} is being terminated",
                "metadata.namespace",
            ),
        ),
    )


def delete_refusal(key: ObjectKey) -> ApiError | None:
    """Why an object can never be deleted."""
    if key.resource == "namespaces" and key.name in IMMORTAL_NAMESPACES:
        return faults.forbidden(key, "this namespace may not be deleted")
    return None


def admit_created(resource: str, document: Document, lost_node_toleration_s: int) -> None:
    """Adds what the cluster gives to every new object of a kind, in place."""
    if resource == "pods":
        default_tolerations(document, lost_node_toleration_s)
