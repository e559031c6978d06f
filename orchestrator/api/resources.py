"""The table of kinds that the API serves: one row per resource.

Discovery, routing, the registry, table printers and the CLI read this table; a kind is added here
first. Source: Kubernetes API concepts, "Resource types"; APIResource in meta/v1.
"""

from dataclasses import dataclass, field

ALL_VERBS = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource as discovery lists it.

    Attributes:
        name: "status", "scale", "log", ...
        kind: kind of its body ("Scale", "Eviction"); the parent's kind for status.
        verbs: as discovery lists them.
        group: group of the body's kind where it differs from the parent's ("autoscaling").
        version: version of the body's kind where it differs.
    """

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource.

    Attributes:
        group: "" for core.
        version: the served (and stored) version.
        kind: "Deployment".
        plural: "deployments".
        singular: "deployment".
        namespaced: whether names live in a namespace.
        short_names: "deploy".
        categories: "all" puts a kind into `kubectl get all`.
        verbs: as discovery lists them.
        subresources: of this resource.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = field(default=())

    @property
    def resource(self) -> str:
        """The group-resource, which is `ObjectKey.resource`: "pods", "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """What objects carry as apiVersion: "v1", "apps/v1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, or None."""
        return next((s for s in self.subresources if s.name == name), None)
