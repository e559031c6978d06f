"""Who writes a policy with parameters must be able to read them: its messages could tell them.

Source: Kubernetes docs, "Validating Admission Policy", "Authorization check"; the sentences are
Kubernetes'.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api.admission.words import BINDINGS, POLICIES
from orchestrator.api.rbac.rules import ALL, Attributes
from orchestrator.api.validation.collector import Faults
from orchestrator.apiserver.identity import Identity
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.services import Services
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.options import Review

Document = Mapping[str, Any]
_WITH_PARAMETERS: Final = frozenset({POLICIES, BINDINGS})


def params_review(services: Services, identity: Identity, path: ObjectPath) -> Review | None:
    """What looks at a policy or a binding before it is written; None when nothing has to."""
    resource = path.resource.resource
    if resource not in _WITH_PARAMETERS or path.subresource or identity.master:
        return None

    def review(key: ObjectKey, document: Document, stored: Document | None) -> None:
        found = Faults()
        if resource == POLICIES:
            _policy(found, services, identity, document, stored)
        else:
            _binding(found, services, identity, document, stored)
        if found.causes:
            raise faults.invalid(path.resource, key.name, found.causes)

    return review


def _policy(
    found: Faults,
    services: Services,
    identity: Identity,
    document: Document,
    stored: Document | None,
) -> None:
    kind = document["spec"].get("paramKind")
    if kind is None or (stored is not None and stored["spec"].get("paramKind") == kind):
        return
    if not services.authorizer.allows(identity, _reading(services, kind)):
        found.forbidden(
            "spec.paramKind",
            f'user {identity.user} must have "get" permission on all objects of the referenced '
            f"paramKind (kind={kind['kind']}, apiVersion={kind['apiVersion']})",
        )


def _binding(
    found: Faults,
    services: Services,
    identity: Identity,
    document: Document,
    stored: Document | None,
) -> None:
    spec = document["spec"]
    reference = spec.get("paramRef")
    before = stored["spec"] if stored is not None else {}
    same = [before.get(word) == spec.get(word) for word in ("paramRef", "policyName")]
    if reference is None or all(same):
        return
    kind: Document = {}  # of a policy that is not there yet it may be any
    name = ObjectKey(POLICIES, "", spec["policyName"])
    if services.registry.exists(name):
        kind = services.registry.get(name).doc["spec"].get("paramKind") or {}
        if not kind:
            return
    place = (reference.get("namespace", ""), reference.get("name", ""))
    if not services.authorizer.allows(identity, _reading(services, kind, *place)):
        found.forbidden(
            "spec.paramRef",
            f'user {identity.user} does not have "get" permission on the object referenced by '
            "paramRef",
        )


def _reading(services: Services, kind: Document, namespace: str = "", name: str = "") -> Attributes:
    """To read an object of a kind, or all; of a kind that is not served: everything there is."""
    catalog = services.registry.catalog.current
    row = catalog.by_kind(kind.get("apiVersion", ""), kind.get("kind", ""))
    if row is None:
        return Attributes("get", ALL, ALL, "", namespace, name)
    return Attributes("get", row.group, row.plural, "", namespace, name)
