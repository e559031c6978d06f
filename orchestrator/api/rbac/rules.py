"""Policy rules, what requests ask for, and whether one allows the other.

Source: Kubernetes documentation, "Using RBAC Authorization"; rbac.authorization.k8s.io/v1
PolicyRule.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

RBAC_GROUP: Final = "rbac.authorization.k8s.io"
ALL: Final = "*"


class Attributes(msgspec.Struct, frozen=True):
    """What a request wants to do to an object.

    Attributes:
        verb: "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
            or a special one: "impersonate", "bind", "escalate", "approve".
        group: API group.
        resource: plural.
        subresource: "" or "log", ...
        namespace: "" for cluster scope and for all namespaces.
        name: "" for a collection.
    """

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def full_resource(self) -> str:
        """As rules name it: "pods", "pods/log"."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule of a Role or ClusterRole; all its lists are alternatives.

    Attributes:
        verbs: "*" for every verb.
        groups: API groups; "*" for every one.
        resources: "pods", "pods/exec", "*/scale", "*".
        names: the only objects it holds for; empty for all.
        paths: instead of the three above: "/metrics", "/healthz/*", "*".
    """

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As objects carry it; empty lists are left out."""
        lists = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.paths,
        }
        return {field: list(values) for field, values in lists.items() if values}

    def text(self) -> str:
        """As messages show it: `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}`."""
        lists = {
            "APIGroups": self.groups,
            "Resources": self.resources,
            "NonResourceURLs": self.paths,
            "ResourceNames": self.names,
            "Verbs": self.verbs,
        }
        parts = (f"{word}:{quoted(values)}" for word, values in lists.items() if values)
        return "{" + ", ".join(parts) + "}"


FULL_AUTHORITY: Final = (
    PolicyRule(verbs=(ALL,), groups=(ALL,), resources=(ALL,)),
    PolicyRule(verbs=(ALL,), paths=(ALL,)),
)
"""What cluster-admin holds."""


def quoted(values: Iterable[str]) -> str:
    """A list as Go's %q prints it: `["a" "b"]`."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "[" + " ".join(f'"{value}"' for value in escaped) + "]"


def rule_of(document: Mapping[str, Any]) -> PolicyRule:
    """A rule from its JSON form."""
    return PolicyRule(
        verbs=tuple(document.get("verbs") or ()),
        groups=tuple(document.get("apiGroups") or ()),
        resources=tuple(document.get("resources") or ()),
        names=tuple(document.get("resourceNames") or ()),
        paths=tuple(document.get("nonResourceURLs") or ()),
    )


def rules_of(role: Mapping[str, Any]) -> tuple[PolicyRule, ...]:
    """The rules of a Role or ClusterRole."""
    return tuple(rule_of(rule) for rule in role.get("rules") or ())


def allows(rule: PolicyRule, wish: Attributes) -> bool:
    """Whether a rule allows something to be done to an object."""
    return (
        _has(rule.verbs, wish.verb)
        and _has(rule.groups, wish.group)
        and _has_resource(rule.resources, wish)
        and (not rule.names or wish.name in rule.names)
    )


def allows_path(rule: PolicyRule, verb: str, path: str) -> bool:
    """Whether a rule allows a request to a path outside the resource tree; verbs in lower case."""
    return _has(rule.verbs, verb) and any(path_matches(known, path) for known in rule.paths)


def path_matches(pattern: str, path: str) -> bool:
    """Whether a `nonResourceURLs` entry is the path, or ends in "*" and begins it."""
    return pattern == path or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def _has(values: tuple[str, ...], wanted: str) -> bool:
    return ALL in values or wanted in values


def _has_resource(resources: tuple[str, ...], wish: Attributes) -> bool:
    if ALL in resources or wish.full_resource in resources:
        return True
    return bool(wish.subresource) and f"*/{wish.subresource}" in resources
