"""Questions about permissions: who am I, who is that, may I (or they) do this, what may I do.

Source: authentication.k8s.io/v1 SelfSubjectReview, TokenReview; authorization.k8s.io/v1
SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview, LocalSubjectAccessReview.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.rbac.rules import Attributes
from orchestrator.api.validation.collector import Faults
from orchestrator.apiserver.answers import Answer, json_answer
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.bodies import read_document
from orchestrator.apiserver.identity import Identity
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.write import (
    body_namespace,
    metadata_of,
    require_kind,
    write_options,
)
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.errors import BadRequest
from orchestrator.registry import faults
from orchestrator.registry.documents import admit_document
from orchestrator.store.objects import Document

Question = Callable[[Services, Request, ObjectPath, Document], Document]
"""Answers with the `status`; gets the body without what is unknown, of the right types."""


async def review(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Answers a question: 201 with the question and its `status`.

    Raises:
        BadRequest: a body of the wrong types.
        Invalid: a question that cannot be answered.
    """
    given = await read_document(request, services.settings.max_depth)
    require_kind(given, path.resource)
    options = write_options(request, path.resource)
    body = admit_document(path.resource, given, options, consumes=True)
    meta: Document = {**metadata_of(body)}
    if path.resource.namespaced:
        meta["namespace"] = body_namespace(body, path)
    status = _QUESTIONS[path.resource.kind](services, request, path, body)
    if path.resource.kind == "SelfSubjectReview":
        meta = {"creationTimestamp": rfc3339(services.clock.wall())}  # nothing else comes back
    answer: Document = {
        "kind": path.resource.kind,
        "apiVersion": path.resource.api_version,
        "metadata": meta,
    }
    if path.resource.kind != "SelfSubjectReview":
        answer["spec"] = body.get("spec") or {}
    return json_answer({**answer, "status": status}, 201)


def _who(_services: Services, request: Request, _path: ObjectPath, _body: Document) -> Document:
    return {"userInfo": request.identity.document()}


def _may_i(services: Services, request: Request, path: ObjectPath, body: Document) -> Document:
    spec = body.get("spec") or {}
    _require_one_wish(path, spec)
    return access_status(services.authorizer, request.identity, spec)


def _may_they(services: Services, _request: Request, path: ObjectPath, body: Document) -> Document:
    spec = body.get("spec") or {}
    _require_one_wish(path, spec)
    if not spec.get("user") and not spec.get("groups"):
        wrong = Faults()
        wrong.invalid("spec.user", "", "at least one of user or group must be specified")
        raise faults.invalid(path.resource, "", wrong.causes)
    identity = Identity(spec.get("user") or "", tuple(spec.get("groups") or ()), "review")
    return access_status(services.authorizer, identity, spec)


def _may_they_here(
    services: Services, request: Request, path: ObjectPath, body: Document
) -> Document:
    spec = body.get("spec") or {}
    namespace = body_namespace(body, path)
    wrong = Faults()
    if spec.get("nonResourceAttributes"):
        wrong.invalid(
            "spec.nonResourceAttributes",
            spec["nonResourceAttributes"],
            "disallowed on this kind of request",
        )
    elif (given := (spec.get("resourceAttributes") or {}).get("namespace") or "") != namespace:
        wrong.invalid("spec.resourceAttributes.namespace", given, "must match metadata.namespace")
    if wrong.causes:
        raise faults.invalid(path.resource, "", wrong.causes)
    return _may_they(services, request, path, body)


def _what_may_i(
    services: Services, request: Request, _path: ObjectPath, body: Document
) -> Document:
    namespace = (body.get("spec") or {}).get("namespace") or ""
    if not namespace:
        raise BadRequest("no namespace on request")
    objects: list[Document] = []
    paths: list[Document] = []
    for rule in services.authorizer.rules(request.identity, namespace):
        (paths if rule.paths else objects).append(rule.document())
    trouble = services.authorizer.trouble(request.identity, namespace)
    status: Document = {
        "resourceRules": objects,
        "nonResourceRules": paths,
        "incomplete": bool(trouble),
    }
    return {**status, "evaluationError": trouble} if trouble else status


def _whose_token(
    services: Services, _request: Request, _path: ObjectPath, body: Document
) -> Document:
    spec = body.get("spec") or {}
    if not spec.get("token"):
        raise BadRequest("token is required for TokenReview in authentication")
    us = services.accounts.issuer
    audiences = spec.get("audiences") or [us]
    identity = services.authenticator.by_file(spec["token"]) if us in audiences else None
    meant: Sequence[str] = (us,)
    if identity is None:
        found = services.accounts.review(spec["token"], audiences)
        if found is None:
            return {"user": {}, "error": "invalid bearer token"}
        identity, meant = found
    return {"authenticated": True, "user": identity.document(), "audiences": list(meant)}


def access_status(authorizer: Authorizer, identity: Identity, spec: Document) -> Document:
    """The `status` of an access review.

    Args:
        authorizer: who may do what.
        identity: whom it is about.
        spec: with one of resourceAttributes and nonResourceAttributes.
    """
    wish: Any = spec.get("resourceAttributes")
    if wish is not None:
        asked = Attributes(
            verb=wish.get("verb") or "",
            group=wish.get("group") or "",
            resource=wish.get("resource") or "",
            subresource=wish.get("subresource") or "",
            namespace=wish.get("namespace") or "",
            name=wish.get("name") or "",
        )
        allowed = authorizer.allows(identity, asked)
        because = authorizer.because(identity, asked) if allowed else ""
        namespace = asked.namespace
    else:
        path = spec["nonResourceAttributes"]
        there = (path.get("verb") or "").lower(), path.get("path") or ""
        allowed = authorizer.allows_path(identity, *there)
        because = authorizer.because(identity, there) if allowed else ""
        namespace = ""
    if allowed:
        return {"allowed": True, **({"reason": because} if because else {})}
    trouble = authorizer.trouble(identity, namespace)
    return {"allowed": False, **({"reason": f"RBAC: {trouble}"} if trouble else {})}


def _require_one_wish(path: ObjectPath, spec: Document) -> None:
    if (spec.get("resourceAttributes") is None) != (spec.get("nonResourceAttributes") is None):
        return
    wrong = Faults()
    wrong.invalid(
        "spec.resourceAttributes",
        spec.get("nonResourceAttributes"),
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    )
    raise faults.invalid(path.resource, "", wrong.causes)


_QUESTIONS: Final[Mapping[str, Question]] = MappingProxyType({
    "LocalSubjectAccessReview": _may_they_here,
    "SelfSubjectAccessReview": _may_i,
    "SelfSubjectReview": _who,
    "SelfSubjectRulesReview": _what_may_i,
    "SubjectAccessReview": _may_they,
    "TokenReview": _whose_token,
})  # fmt: skip
