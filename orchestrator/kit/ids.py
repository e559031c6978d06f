"""Identities: what names an object, a revision, a host.

Pure values; nothing here knows how they are stored.
"""

from typing import NamedTuple, NewType

Revision = NewType("Revision", int)
"""A point in the history of the whole store; grows by one with every write, never repeats."""

Uid = NewType("Uid", str)
"""The `metadata.uid` of one incarnation of an object (UUID version 4)."""

NodeName = NewType("NodeName", str)
"""The `metadata.name` of a Node: the host's name in the inventory."""


class ObjectKey(NamedTuple):
    """Names one object.

    Attributes:
        resource: plural and group as kubectl writes them: "pods", "deployments.apps".
        namespace: empty for cluster-scoped kinds.
        name: `metadata.name`.

    Ordering is (resource, namespace, name), which is also the order of lists.
    """

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """The key as logs show it: "pods/default/web-1" or "nodes/web-1"."""
        middle = f"/{self.namespace}" if self.namespace else ""
        return f"{self.resource}{middle}/{self.name}"
