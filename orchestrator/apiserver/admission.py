"""What the API server says to a write because of who asks, once the object is as it would be.

Nobody may hand out permissions that they do not hold: roles and bindings are compared with the
asker's own rules. Certificates are approved and signed by those who may do so for the signer.
Source: Kubernetes documentation, "Privilege escalation prevention and bootstrapping", "Certificates
and Certificate Signing Requests" ("Authorization").
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.certificates import (
    API_CLIENT_SIGNER,
    CSRS,
    GROUP,
    certificate,
    organizations,
)
from orchestrator.api.rbac import escalation
from orchestrator.api.rbac.aggregation import is_aggregated
from orchestrator.api.rbac.rules import RBAC_GROUP, Attributes, rules_of
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.identity import MASTERS, Identity
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.options import Review

Document = Mapping[str, Any]
_Check = Callable[[Authorizer, Identity, ObjectKey, Document, Document | None], ApiError | None]


def review_for(authorizer: Authorizer, identity: Identity, path: ObjectPath) -> Review | None:
    """What looks at the finished object before it is written; None when nothing has to."""
    place = (path.resource.resource, path.subresource)
    check = _CHECKS.get(place)
    if check is None or (identity.master and place not in _FOR_MASTERS):
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


def _request(
    _authorizer: Authorizer,
    _identity: Identity,
    key: ObjectKey,
    document: Document,
    stored: Document | None,
) -> ApiError | None:
    spec = document["spec"]
    if stored is not None or spec["signerName"] != API_CLIENT_SIGNER:
        return None
    if MASTERS not in organizations(spec["request"]):
        return None
    return faults.forbidden(
        key, f"use of {API_CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
    )


def _approval(
    authorizer: Authorizer,
    identity: Identity,
    key: ObjectKey,
    document: Document,
    stored: Document | None,
) -> ApiError | None:
    return _for_signer(authorizer, identity, key, document, "approve")


def _signature(
    authorizer: Authorizer,
    identity: Identity,
    key: ObjectKey,
    document: Document,
    stored: Document | None,
) -> ApiError | None:
    if stored is None or certificate(document) == certificate(stored):
        return None
    return _for_signer(authorizer, identity, key, document, "sign")


def _for_signer(
    authorizer: Authorizer, identity: Identity, key: ObjectKey, document: Document, verb: str
) -> ApiError | None:
    """Permission for a signer by its name, or for all of its domain ("example.com/*")."""
    name = document["spec"]["signerName"]
    domain = f"{name.partition('/')[0]}/*"
    for signer in (name, domain):
        if authorizer.allows(identity, Attributes(verb, GROUP, "signers", "", "", signer)):
            return None
    return faults.forbidden(key, f'user not permitted to {verb} requests with signerName "{name}"')


def _same(document: Document, stored: Document | None, *fields: str) -> bool:
    return stored is not None and all(
        (document.get(field) or None) == (stored.get(field) or None) for field in fields
    )


_CHECKS: Final[Mapping[tuple[str, str], _Check]] = MappingProxyType({
    (CSRS, ""): _request,
    (CSRS, "approval"): _approval,
    (CSRS, "status"): _signature,
    (f"clusterrolebindings.{RBAC_GROUP}", ""): _binding,
    (f"clusterroles.{RBAC_GROUP}", ""): _role,
    (f"rolebindings.{RBAC_GROUP}", ""): _binding,
    (f"roles.{RBAC_GROUP}", ""): _role,
})  # fmt: skip
_FOR_MASTERS: Final = frozenset({(CSRS, "")})
"""Where even a master is looked at: such a certificate could not be taken back."""
