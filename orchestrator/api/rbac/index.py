"""All roles and bindings of the cluster, indexed by whom they are about.

A decision looks only at the bindings of the asker's own user and groups. What they grant together
is worked out at the first question (`Grants`) and kept until one of those bindings or roles
changes. Cluster-wide bindings hold everywhere; a namespace's bindings in that namespace only, and
never for paths outside the resource tree.

Source: Kubernetes documentation, "Using RBAC Authorization".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.rbac.grants import Grants
from orchestrator.api.rbac.rules import RBAC_GROUP, Attributes, PolicyRule, rules_of

Document = Mapping[str, Any]
_Key = tuple[str, str]
"""Namespace ("" for cluster-wide) and name."""
_Place = tuple[str, str]
"""Namespace ("" for cluster-wide) and subject."""

ACCOUNT_PREFIX: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding or ClusterRoleBinding.

    Attributes:
        namespace: "" for a ClusterRoleBinding.
        name: of the binding.
        role: the role's namespace ("" for a ClusterRole) and name.
        subjects: whom it is about, and how messages call them: `User "ann"`.
    """

    namespace: str
    name: str
    role: _Key
    subjects: Mapping[str, str]


def user_subject(user: str) -> str:
    """The subject that a user is."""
    return f"u:{user}"


def group_subject(group: str) -> str:
    """The subject that a group is."""
    return f"g:{group}"


def account_user(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def binding_of(document: Document) -> Binding:
    """A binding from its JSON form."""
    meta, role = document["metadata"], document.get("roleRef") or {}
    namespace = meta.get("namespace") or ""
    role_namespace = namespace if role.get("kind") == "Role" else ""
    subjects: dict[str, str] = {}
    for subject in document.get("subjects") or ():
        subjects.update(_subject(subject, namespace))
    return Binding(namespace, meta["name"], (role_namespace, role.get("name", "")), subjects)


class RuleIndex:
    """See the module. Single-threaded; every method returns at once."""

    def __init__(self) -> None:
        self._roles: dict[_Key, tuple[PolicyRule, ...]] = {}
        self._bindings: dict[_Key, Binding] = {}
        self._of_role: dict[_Key, set[_Key]] = {}
        self._of_subject: dict[_Place, dict[_Key, None]] = {}
        self._grants: dict[_Place, Grants] = {}

    # ------------------------------------------------------------ upkeep

    def put_role(self, document: Document) -> None:
        """A Role or ClusterRole is there, or has changed."""
        key = _key(document)
        self._roles[key] = rules_of(document)
        self._forget_role(key)

    def drop_role(self, document: Document) -> None:
        """A Role or ClusterRole is gone."""
        key = _key(document)
        self._roles.pop(key, None)
        self._forget_role(key)

    def put_binding(self, document: Document) -> None:
        """A RoleBinding or ClusterRoleBinding is there, or has changed."""
        self.drop_binding(document)
        binding = binding_of(document)
        key = (binding.namespace, binding.name)
        self._bindings[key] = binding
        self._of_role.setdefault(binding.role, set()).add(key)
        for subject in binding.subjects:
            place = (binding.namespace, subject)
            self._of_subject.setdefault(place, {})[key] = None
            self._grants.pop(place, None)

    def drop_binding(self, document: Document) -> None:
        """A RoleBinding or ClusterRoleBinding is gone; one that is unknown is fine."""
        key = _key(document)
        binding = self._bindings.pop(key, None)
        if binding is None:
            return
        _discard(self._of_role, binding.role, key)
        for subject in binding.subjects:
            place = (binding.namespace, subject)
            self._grants.pop(place, None)
            known = self._of_subject.get(place, {})
            known.pop(key, None)
            if not known:
                self._of_subject.pop(place, None)

    def _forget_role(self, role: _Key) -> None:
        for key in self._of_role.get(role, ()):
            binding = self._bindings[key]
            for subject in binding.subjects:
                self._grants.pop((binding.namespace, subject), None)

    # ------------------------------------------------------------ questions

    def allow(self, subjects: Sequence[str], wish: Attributes) -> bool:
        """Whether somebody who is all of these subjects may do it."""
        if any(grants.allow(wish) for grants in self._held("", subjects)):
            return True
        return bool(wish.namespace) and any(
            grants.allow(wish) for grants in self._held(wish.namespace, subjects)
        )

    def allow_path(self, subjects: Sequence[str], verb: str, path: str) -> bool:
        """Whether they may send a request to a path outside the resource tree."""
        return any(grants.allow_path(verb, path) for grants in self._held("", subjects))

    def bindings(self, subjects: Iterable[str], namespace: str) -> Iterator[tuple[Binding, str]]:
        """The bindings that hold for them there, each once, with the subject's words.

        Cluster-wide ones first; in order of names.
        """
        wanted = tuple(subjects)
        for scope in dict.fromkeys(("", namespace)):
            found: dict[_Key, str] = {}
            for subject in wanted:
                for key in self._of_subject.get((scope, subject), ()):
                    found.setdefault(key, self._bindings[key].subjects[subject])
            for key in sorted(found):
                yield self._bindings[key], found[key]

    def role(self, key: tuple[str, str]) -> tuple[PolicyRule, ...] | None:
        """The rules of a role by namespace ("" for a ClusterRole) and name; None without one."""
        return self._roles.get(key)

    def rules(self, subjects: Iterable[str], namespace: str) -> list[PolicyRule]:
        """Every rule that holds for them in a namespace, with those that hold everywhere."""
        return [
            rule
            for binding, _ in self.bindings(subjects, namespace)
            for rule in self._roles.get(binding.role, ())
        ]

    def _held(self, namespace: str, subjects: Sequence[str]) -> Iterator[Grants]:
        for subject in subjects:
            place = (namespace, subject)
            known = self._of_subject.get(place)
            if known is None:
                continue
            grants = self._grants.get(place)
            if grants is None:
                roles = dict.fromkeys(self._bindings[key].role for key in known)
                grants = Grants(rule for role in roles for rule in self._roles.get(role, ()))
                self._grants[place] = grants
            yield grants


def role_words(binding: Binding) -> str:
    """The role of a binding in messages: `ClusterRole "view"`."""
    kind = "Role" if binding.role[0] else "ClusterRole"
    return f'{kind} "{binding.role[1]}"'


def _key(document: Document) -> _Key:
    meta = document["metadata"]
    return meta.get("namespace") or "", meta["name"]


def _subject(subject: Document, namespace: str) -> dict[str, str]:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "ServiceAccount":
        where = subject.get("namespace") or namespace
        if not where:
            return {}
        return {user_subject(account_user(where, name)): f'ServiceAccount "{name}/{where}"'}
    if subject.get("apiGroup", RBAC_GROUP) != RBAC_GROUP:
        return {}
    if kind == "User":
        return {user_subject(name): f'User "{name}"'}
    if kind == "Group":
        return {group_subject(name): f'Group "{name}"'}
    return {}


def _discard(table: dict[_Key, set[_Key]], place: _Key, key: _Key) -> None:
    keys = table.get(place)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del table[place]
