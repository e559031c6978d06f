"""Asks the cluster about a write: looks up what `admission`'s pure rules need.

Source: Kubernetes concepts, "Admission Control".
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from orchestrator.api.resources import Resource
from orchestrator.api.types.config import Namespace
from orchestrator.api.types.policy import PriorityClass
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import admission, limits
from orchestrator.registry.settings import RegistrySettings
from orchestrator.store.objects import Document
from orchestrator.store.store import Store

_PRIORITY_CLASSES: Final = "priorityclasses.scheduling.k8s.io"
_SIZED: Final = frozenset({"persistentvolumeclaims", "pods"})


class Admitter:
    """See the module; its methods read the store's memory and write nothing."""

    def __init__(self, store: Store, settings: RegistrySettings) -> None:
        self._store = store
        self._settings = settings

    def complete(self, resource: Resource, key: ObjectKey, document: Document) -> None:
        """Adds what the cluster gives to a new object, in place; before it is validated.

        Raises:
            Forbidden: the cluster does not take it.
        """
        tolerated_s = self._settings.lost_node_toleration_s
        admission.admit_created(resource.resource, document, tolerated_s)
        if resource.resource == "pods":
            self._give_priority(key, document)
            account = self._store.get(admission.account_key(document))
            admission.admit_account(document, account.doc if account is not None else None)
            limits.admit_limits(document, self._limit_ranges(key.namespace))
        self.check(key, document)

    def check(self, key: ObjectKey, document: Document) -> None:
        """Holds a new or changed object against others of its kind.

        Raises:
            Forbidden: the cluster does not take it.
        """
        if key.resource == _PRIORITY_CLASSES:
            there = self._default_class()
            _raise(admission.default_class_refusal(key, document, there))

    def surroundings(self, pod: Mapping[str, Any], namespace: str) -> tuple[object, ...]:
        """What decides, besides a pod itself, what `complete` and `require_place` make of it.

        Returns:
            Values that compare equal while that is the same; none where it depends on the pod, or
            where it is refused.
        """
        spec = pod.get("spec")
        if type(spec) is not dict or self._store.list(limits.LIMIT_RANGES, namespace):
            return ()
        name = spec.get("serviceAccountName") or spec.get("serviceAccount")
        if name is not None and type(name) is not str:
            return ()
        key = ObjectKey("serviceaccounts", namespace, name or admission.DEFAULT_ACCOUNT)
        account = self._store.get(key)
        if account is None:
            return ()
        return (account.revision, self._store.changed(_PRIORITY_CLASSES))

    def require_namespace(self, key: ObjectKey) -> None:
        """Refuses an object whose namespace is not there, or is being deleted.

        Raises:
            ApiError: says which.
        """
        if key.namespace:
            _raise(admission.namespace_refusal(key, self._namespace(key.namespace)))

    def require_place(self, key: ObjectKey, document: Document) -> None:
        """Refuses an object whose namespace or service account is not there, or takes none so big.

        Raises:
            ApiError: says which.
        """
        self.require_namespace(key)
        if key.resource == "pods":
            account = admission.account_key(document)
            if self._store.get(account) is None:
                raise admission.account_refusal(key, account)
        if key.resource in _SIZED:
            _raise(limits.limits_refusal(key, document, self._limit_ranges(key.namespace)))

    def _limit_ranges(self, namespace: str) -> list[Document]:
        return [item.doc for item in self._store.list(limits.LIMIT_RANGES, namespace)]

    def _namespace(self, name: str) -> Namespace | None:
        found = self._store.get(ObjectKey("namespaces", "", name))
        return cast("Namespace", found.view) if found is not None else None

    def _give_priority(self, key: ObjectKey, document: Document) -> None:
        name = document["spec"].get("priorityClassName", "")
        found = self._store.get(ObjectKey(_PRIORITY_CLASSES, "", name)) if name else None
        named = cast("PriorityClass", found.view) if found is not None else None
        _raise(admission.admit_priority(key, document, named, self._default_class()))

    def _default_class(self) -> PriorityClass | None:
        for item in self._store.list(_PRIORITY_CLASSES):
            if item.doc.get("globalDefault"):
                return cast("PriorityClass", item.view)
        return None


def _raise(refusal: ApiError | None) -> None:
    if refusal is not None:
        raise refusal
