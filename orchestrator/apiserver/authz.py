"""What an identity may do: role-based access control over the stored roles and bindings.

system:masters may do everything, whatever is stored; health and version need no permission at all.
Everything else is a role that is bound to the user, to one of its groups, or to nobody. The rules
are in memory (`api.rbac.index`) and follow the store's events, so a binding counts from the moment
its write was answered.

Source: Kubernetes, "Authorization", "Using RBAC Authorization".
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.api.rbac.index import RuleIndex, role_words
from orchestrator.api.rbac.rules import (
    FULL_AUTHORITY,
    RBAC_GROUP,
    Attributes,
    PolicyRule,
    allows,
    allows_path,
)
from orchestrator.apiserver.identity import Identity
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.kit.errors import Forbidden
from orchestrator.store.objects import StoreEvent
from orchestrator.store.store import Store

_PUBLIC: Final = ("/healthz", "/readyz", "/livez", "/version")
_ROLES: Final = (f"clusterroles.{RBAC_GROUP}", f"roles.{RBAC_GROUP}")
_BINDINGS: Final = (f"clusterrolebindings.{RBAC_GROUP}", f"rolebindings.{RBAC_GROUP}")


def is_public(path: str) -> bool:
    """Whether a path is served to everyone."""
    return path.startswith(_PUBLIC) and any(
        path == root or path.startswith(f"{root}/") for root in _PUBLIC
    )


def wish_of(path: ObjectPath, verb: str, name: str) -> Attributes:
    """What a request for a path wishes to do, to the object of a name ("" for any)."""
    resource = path.resource
    is_namespace = resource.resource == "namespaces"
    return Attributes(
        verb,
        resource.group,
        resource.plural,
        path.subresource,
        path.name if is_namespace else path.namespace,
        name,
    )


class Authorizer:
    """See the module. Follows the store from its creation until `close`."""

    def __init__(self, store: Store) -> None:
        self.index: Final = RuleIndex()
        for resource in _ROLES:
            for item in store.list(resource):
                self.index.put_role(item.doc)
        for resource in _BINDINGS:
            for item in store.list(resource):
                self.index.put_binding(item.doc)
        self.close: Final = store.subscribe(self._follow)

    def _follow(self, event: StoreEvent) -> None:
        resource, gone = event.object.key.resource, event.type == "DELETED"
        if resource in _ROLES:
            change = self.index.drop_role if gone else self.index.put_role
        elif resource in _BINDINGS:
            change = self.index.drop_binding if gone else self.index.put_binding
        else:
            return
        change(event.object.doc)

    def allows(self, identity: Identity, wish: Attributes) -> bool:
        """Whether the identity may do it."""
        return identity.master or self.index.allow(identity.subjects, wish)

    def may(self, user: Mapping[str, Any], wish: Attributes | tuple[str, str]) -> bool:
        """As `allows` and `allows_path`, for a UserInfo; controllers have no permissions here."""
        identity = Identity(user.get("username", ""), tuple(user.get("groups") or ()))
        if isinstance(wish, Attributes):
            return self.allows(identity, wish)
        return self.allows_path(identity, *wish)

    def allows_path(self, identity: Identity, verb: str, path: str) -> bool:
        """Whether the identity may send such a request; `verb` in lower case."""
        if identity.master or is_public(path):
            return True
        return self.index.allow_path(identity.subjects, verb, path)

    def require(self, identity: Identity, wish: Attributes) -> None:
        """Refuses what the identity may not do.

        Raises:
            Forbidden: with the sentence that kubectl prints.
        """
        if not self.allows(identity, wish):
            why = self.trouble(identity, wish.namespace)
            raise refusal(identity, wish, f"RBAC: {why}" if why else "")

    def require_path(self, identity: Identity, method: str, path: str) -> None:
        """Refuses a path outside the resource tree ("/metrics") to those who may not see it.

        Raises:
            Forbidden: not allowed.
        """
        verb = method.lower()
        if not self.allows_path(identity, verb, path):
            raise Forbidden(f'forbidden: User "{identity.user}" cannot {verb} path "{path}"')

    def rules(self, identity: Identity, namespace: str) -> list[PolicyRule]:
        """Every rule that holds for the identity in a namespace and everywhere."""
        own = list(FULL_AUTHORITY) if identity.master else []
        found = self.index.rules(identity.subjects, namespace)
        return [*own, *(rule for rule in found if rule not in own)]

    def because(self, identity: Identity, wish: Attributes | tuple[str, str]) -> str:
        """Which binding allows it, in words; "" when none does, or none is needed.

        Args:
            identity: who.
            wish: what, or verb and path outside the resource tree.
        """
        if identity.master:
            return ""
        namespace = wish.namespace if isinstance(wish, Attributes) else ""
        for binding, subject in self.index.bindings(identity.subjects, namespace):
            rules = self.index.role(binding.role) or ()
            if any(_rule_allows(rule, wish) for rule in rules):
                kind = "RoleBinding" if binding.namespace else "ClusterRoleBinding"
                name = f"{binding.name}/{binding.namespace}" if binding.namespace else binding.name
                return f'RBAC: allowed by {kind} "{name}" of {role_words(binding)} to {subject}'
        return ""

    def trouble(self, identity: Identity, namespace: str) -> str:
        """What is wrong with the identity's bindings: the roles that are not there."""
        missing = dict.fromkeys(
            f'{"role" if binding.role[0] else "clusterrole"}.{RBAC_GROUP} "{binding.role[1]}" '
            "not found"
            for binding, _ in self.index.bindings(identity.subjects, namespace)
            if self.index.role(binding.role) is None
        )
        return _listed(missing)


def refusal(identity: Identity, wish: Attributes, why: str = "") -> Forbidden:
    """The 403 for something that an identity may not do."""
    scope = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    what = f"{wish.resource}.{wish.group}" if wish.group else wish.resource
    subject = f'{what} "{wish.name}"' if wish.name else what
    return Forbidden(
        f'{subject} is forbidden: User "{identity.user}" cannot {wish.verb} resource '
        f'"{wish.full_resource}" in API group "{wish.group}" {scope}' + (f": {why}" if why else ""),
        name=wish.name,
        group=wish.group,
        kind=wish.resource,
    )


def _rule_allows(rule: PolicyRule, wish: Attributes | tuple[str, str]) -> bool:
    return allows(rule, wish) if isinstance(wish, Attributes) else allows_path(rule, *wish)


def _listed(sentences: Iterable[str]) -> str:
    known = list(sentences)
    return known[0] if len(known) == 1 else f"[{', '.join(known)}]" if known else ""
