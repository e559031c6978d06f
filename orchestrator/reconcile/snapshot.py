"""What controllers read: the store's memory with indices on top.

The store is the cache. A `Snapshot` adds what the store does not know how to find: dependents by
owner, pods by node and by label. `Informers` feeds it every committed write in the same step in
which the store's memory changes, so a controller that has written sees its own write at once, and
what is read between two awaits is one consistent state.

Objects and their views are shared: nobody may change them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from orchestrator.api import labels
from orchestrator.api.types.meta import LabelSelector, ObjectMeta, View
from orchestrator.api.types.pod import Pod
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject, StoreEvent
from orchestrator.store.store import Store

ViewT = TypeVar("ViewT", bound=View)
_LabelPlace = tuple[str, str, str]
Objects = list[StoredObject]
_Keys = dict[ObjectKey, None]

PODS: Final = "pods"


def view_as(item: StoredObject, kind: type[ViewT]) -> ViewT:
    """The object's shared view, as the view type that belongs to its resource."""
    return item.view  # type: ignore[return-value]  # the caller knows; a cast would be a call


def metadata_of(item: StoredObject) -> ObjectMeta:
    """`metadata` of any object, typed."""
    return item.view.metadata  # type: ignore[attr-defined,no-any-return]  # every view has it


class Snapshot:
    """Read-only for everyone but `Informers`, which calls `apply`.

    Attributes:
        get: one object, or None.
    """

    get: Callable[[ObjectKey], StoredObject | None]

    def __init__(self, store: Store) -> None:
        self._store = store
        self.get = store.get
        self._owned: dict[str, dict[str, _Keys]] = {}
        self._on_node: dict[str, _Keys] = {}
        self._labelled: dict[_LabelPlace, _Keys] = {}

    @property
    def revision(self) -> Revision:
        """The store's revision: everything up to it is visible here."""
        return self._store.revision

    def list(self, resource: str, namespace: str = "") -> Objects:
        """Objects sorted by namespace and name; "" for all namespaces."""
        return self._store.list(resource, namespace)

    def resources(self) -> tuple[str, ...]:
        """The group-resources of which there are objects, sorted."""
        return self._store.resources()

    def owned_by(self, uid: str, resource: str) -> Objects:
        """Objects of one resource that carry an owner reference with this uid, sorted by key.

        Any owner reference counts, not only the controller's.
        """
        return self._objects(self._owned.get(uid, {}).get(resource, {}))

    def count_owned(self, uid: str, resource: str) -> int:
        """How many objects `owned_by` gives."""
        return len(self._owned.get(uid, {}).get(resource, ()))

    def dependents(self, uid: str) -> Objects:
        """Objects of every resource that carry an owner reference with this uid."""
        found = self._owned.get(uid, {})
        return [item for keys in found.values() for item in self._objects(keys)]

    def pods_on(self, node_name: str) -> Objects:
        """Pods bound to a node, sorted by key, ended ones too."""
        return self._objects(self._on_node.get(node_name, {}))

    def nodes_with_pods(self) -> tuple[str, ...]:
        """Names that pods are bound to, whether such a node exists or not."""
        return tuple(sorted(name for name, keys in self._on_node.items() if keys))

    def pods_selected(self, namespace: str, selector: LabelSelector) -> Objects:
        """Pods of a namespace that a workload's selector matches; an empty one matches all."""
        matcher = labels.from_view(selector)
        wanted = selector.match_labels or {}
        return [
            item
            for item in self._candidates(namespace, wanted)
            if matcher.matches(metadata_of(item).labels)
        ]

    def claimable_pods(self, uid: str, namespace: str, selector: LabelSelector) -> Objects:
        """Pods with an owner reference to this uid, in no order, then others that are selected."""
        owned = self._owned.get(uid, {}).get(PODS, {})
        found = [item for key in owned if (item := self.get(key)) is not None]
        wanted = selector.match_labels
        if not wanted:
            return found + [
                item for item in self.pods_selected(namespace, selector) if item.key not in owned
            ]
        matcher = labels.from_view(selector)
        rest = sorted(self._posted(namespace, wanted).keys() - owned.keys())
        return found + [
            item
            for key in rest
            if (item := self.get(key)) is not None and matcher.matches(metadata_of(item).labels)
        ]

    def pods_labelled(self, namespace: str, wanted: Mapping[str, str]) -> Objects:
        """Pods of a namespace that carry all these labels, as a Service selects them."""
        return self.pods_selected(namespace, LabelSelector(match_labels=dict(wanted)))

    def _candidates(self, namespace: str, wanted: Mapping[str, str]) -> Objects:
        if not wanted:
            return self._store.list(PODS, namespace)
        return self._objects(self._posted(namespace, wanted))

    def _posted(self, namespace: str, wanted: Mapping[str, str]) -> _Keys:
        """Keys of the pods under the rarest of some labels."""
        posts = [self._labelled.get((namespace, key, value), {}) for key, value in wanted.items()]
        return min(posts, key=len)

    def _objects(self, keys: Mapping[ObjectKey, None]) -> Objects:
        found = map(self.get, sorted(keys))
        return [item for item in found if item is not None]

    # ------------------------------------------------------------ upkeep

    def fill(self, resources: Iterable[str]) -> None:
        """Indexes what the store holds already."""
        for resource in resources:
            for item in self._store.list(resource):
                self._index(item)

    def apply(self, event: StoreEvent) -> None:
        """Brings the indices to the state after a write."""
        if event.previous is not None:
            if event.type == "MODIFIED" and _places(event.previous) == _places(event.object):
                return  # most writes change a status
            self._drop(event.previous)
        if event.type != "DELETED":
            self._index(event.object)

    def _index(self, item: StoredObject) -> None:
        for keys in self._posts(item):
            keys[item.key] = None

    def _drop(self, item: StoredObject) -> None:
        for keys in self._posts(item):
            keys.pop(item.key, None)
        self._prune(item)

    def _posts(self, item: StoredObject) -> Iterable[_Keys]:
        for owner in metadata_of(item).owner_references:
            by_resource = self._owned.setdefault(owner.uid, {})
            yield by_resource.setdefault(item.key.resource, {})
        if item.key.resource != PODS:
            return
        node = node_of(item)
        if node:
            yield self._on_node.setdefault(node, {})
        for key, value in (metadata_of(item).labels or {}).items():
            yield self._labelled.setdefault((item.key.namespace, key, value), {})

    def _prune(self, item: StoredObject) -> None:
        """Takes away index entries that have become empty, so that old uids cost nothing."""
        for owner in metadata_of(item).owner_references:
            by_resource = self._owned.get(owner.uid, {})
            if not by_resource.get(item.key.resource, True):
                del by_resource[item.key.resource]
            if not by_resource:
                self._owned.pop(owner.uid, None)
        if item.key.resource != PODS:
            return
        node = node_of(item)
        if not self._on_node.get(node, True):
            del self._on_node[node]
        for key, value in (metadata_of(item).labels or {}).items():
            place = (item.key.namespace, key, value)
            if not self._labelled.get(place, True):
                del self._labelled[place]


def _places(item: StoredObject) -> tuple[object, ...]:
    """All that says under what an object is found."""
    meta = metadata_of(item)
    node = node_of(item) if item.key.resource == PODS else ""
    return meta.owner_references, meta.labels, node


def node_of(pod: StoredObject) -> str:
    """`spec.nodeName` of a pod; "" while it is not bound."""
    return view_as(pod, Pod).spec.node_name
