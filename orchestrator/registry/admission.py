"""What the cluster says to a write, beyond the object's own validity: pure functions.

Source: Kubernetes' NamespaceLifecycle, DefaultTolerationSeconds and ServiceAccount admission
plugins.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api.defaults.pod import default_tolerations
from orchestrator.api.types.config import Namespace
from orchestrator.api.types.policy import PriorityClass
from orchestrator.kit.errors import ApiError, Cause
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults

Document = dict[str, Any]

DEFAULT_ACCOUNT: Final = "default"
"""The service account that every namespace has."""
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


def account_key(pod: Mapping[str, Any]) -> ObjectKey:
    """The service account that a pod runs as."""
    name = (pod.get("spec") or {}).get("serviceAccountName") or DEFAULT_ACCOUNT
    return ObjectKey("serviceaccounts", pod["metadata"]["namespace"], name)


def admit_account(pod: Document, account: Mapping[str, Any] | None) -> None:
    """Names the service account in a new pod, and gives it the account's pull secrets, in place.

    Args:
        pod: with its namespace.
        account: the ServiceAccount; None when it is not there, which `account_refusal` tells.
    """
    spec = pod["spec"]
    spec["serviceAccountName"] = spec["serviceAccount"] = account_key(pod).name
    if account is not None and not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(item) for item in account["imagePullSecrets"]]


def account_refusal(key: ObjectKey, account: ObjectKey) -> ApiError:
    """Why a pod cannot be made for a service account that is not there."""
    return faults.forbidden(
        key,
        f"error looking up service account {account.namespace}/{account.name}: "
        f'serviceaccount "{account.name}" not found',
    )


def admit_priority(
    key: ObjectKey, pod: Document, named: PriorityClass | None, default: PriorityClass | None
) -> ApiError | None:
    """Gives a new pod the priority of its class, in place; or says why it cannot be made.

    Args:
        key: of the pod.
        pod: the document, with defaults.
        named: the class that it names; None when there is none of that name.
        default: the class of pods that name none; None without one.

    Source: Kubernetes' Priority admission plugin.
    """
    spec = pod["spec"]
    name = spec.get("priorityClassName", "")
    if name and named is None:
        return faults.forbidden(key, f"no PriorityClass with name {name} was found")
    found = named or default
    if found is not None:
        spec["priorityClassName"] = found.metadata.name
    value = found.value if found is not None else 0
    if spec.get("priority", 0) not in {0, value}:
        return faults.forbidden(
            key,
            f"the integer value of priority ({spec['priority']}) must not be provided in pod "
            f"spec; priority admission controller computed {value} from the given PriorityClass "
            "name",
        )
    spec["priority"] = value
    policy = found.preemption_policy if found is not None else "PreemptLowerPriority"
    spec.setdefault("preemptionPolicy", policy)
    return None


def default_class_refusal(
    key: ObjectKey, document: Mapping[str, Any], there: PriorityClass | None
) -> ApiError | None:
    """Why a class cannot be the default of all pods: another one is."""
    if not document.get("globalDefault") or there is None or there.metadata.name == key.name:
        return None
    name = there.metadata.name
    return faults.forbidden(
        key,
        f"PriorityClass {name} is already marked as default. Only one default can exist",
    )


def admit_created(resource: str, document: Document, lost_node_toleration_s: int) -> None:
    """Adds what the cluster gives to every new object of a kind, in place."""
    if resource == "pods":
        default_tolerations(document, lost_node_toleration_s)
