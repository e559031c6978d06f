"""What the API server says to a write because of who asks, once the object is as it would be.

Nobody may hand out permissions that they do not hold: roles and bindings are compared with the
asker's own rules. Source: Kubernetes documentation, "Privilege escalation prevention and
bootstrapping".
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.rbac import escalation
from orchestrator.api.rbac.aggregation import is_aggregated
from orchestrator.api.rbac.rules import RBAC_GROUP, Attributes, rules_of
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.identity import Identity
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.options import Review

Document = Mapping[str, Any]
_Check = Callable[[Authorizer, Identity, ObjectKey, Document, Document | None], ApiError | None]


def review_for(authorizer: Authorizer, identity: Identity, path: ObjectPath) -> Review | None:
    """What looks at the finished object before it is written; None when nothing has to."""
    check = _CHECKS.get((path.resource.resource, path.subresource))
    if check is None or identity.master:
        return None

    def review(key: ObjectKey, document: Document, stored: Document | None) -> None:
        refusal = check(authorizer, identity, key, document, stored)
        if refusal is not None:
            raise refusal

    return review


def _role(
    authorizer: Authorizer,
    identity: Identity,
    key: ObjectKey,
    document: Document,
    stored: Document | None,
) -> ApiError | None:
    name = key.name if stored is not None else ""
    plural = key.resource.partition(".")[0]
    wish = Attributes("escalate", RBAC_GROUP, plural, "", key.namespace, name)
    if authorizer.allows(identity, wish) or _same(document, stored, "rules", "aggregationRule"):
        return None
    held = authorizer.rules(identity, key.namespace)
    if is_aggregated(document) or (stored is not None and is_aggregated(stored)):
        if not escalation.covers_everything(held):
            return faults.forbidden(
                key, "must have cluster-admin privileges to use the aggregationRule"
            )
        return None
    missing = escalation.uncovered(held, rules_of(document))
    if not missing:
        return None
    return faults.forbidden(key, escalation.sentence(identity.user, identity.groups, missing))


def _binding(
    authorizer: Authorizer,
    identity: Identity,
    key: ObjectKey,
    document: Document,
    stored: Document | None,
) -> ApiError | None:
    role = document["roleRef"]
    plural, namespace = "clusterroles", ""
    if role["kind"] == "Role":
        plural, namespace = "roles", key.namespace
    wish = Attributes("bind", RBAC_GROUP, plural, "", key.namespace, role["name"])
    if authorizer.allows(identity, wish) or _same(document, stored, "roleRef", "subjects"):
        return None
    rules = authorizer.index.role((namespace, role["name"]))
    if rules is None:
        return faults.not_found(ObjectKey(f"{plural}.{RBAC_GROUP}", namespace, role["name"]))
    missing = escalation.uncovered(authorizer.rules(identity, key.namespace), rules)
    if not missing:
        return None
    return faults.forbidden(key, escalation.sentence(identity.user, identity.groups, missing))


def _same(document: Document, stored: Document | None, *fields: str) -> bool:
    return stored is not None and all(
        (document.get(field) or None) == (stored.get(field) or None) for field in fields
    )


_CHECKS: Final[Mapping[tuple[str, str], _Check]] = MappingProxyType({
    (f"clusterrolebindings.{RBAC_GROUP}", ""): _binding,
    (f"clusterroles.{RBAC_GROUP}", ""): _role,
    (f"rolebindings.{RBAC_GROUP}", ""): _binding,
    (f"roles.{RBAC_GROUP}", ""): _role,
})  # fmt: skip
