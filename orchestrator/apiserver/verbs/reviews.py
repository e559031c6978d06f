"""Questions about oneself: who am I, may I do this, what may I do.

Source: authentication.k8s.io/v1 SelfSubjectReview; authorization.k8s.io/v1
SelfSubjectAccessReview, SelfSubjectRulesReview.
"""

from typing import Any

from orchestrator.apiserver import authz
from orchestrator.apiserver.answers import Answer, json_answer
from orchestrator.apiserver.authz import Attributes
from orchestrator.apiserver.bodies import read_document
from orchestrator.apiserver.identity import Identity
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.write import require_kind
from orchestrator.kit.errors import BadRequest, Forbidden
from orchestrator.store.objects import Document


async def review(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Answers one of the three questions: 201 with the question and its `status`."""
    body = await read_document(request, services.settings.max_depth)
    require_kind(body, path.resource)
    spec = body.get("spec") or {}
    if not isinstance(spec, dict):
        raise BadRequest("spec must be an object")
    kind = path.resource.kind
    if kind == "SelfSubjectReview":
        status = _who(request.identity)
    elif kind == "SelfSubjectRulesReview":
        status = _rules(request.identity)
    else:
        status = _access(request.identity, spec)
    answer: Document = {"kind": kind, "apiVersion": path.resource.api_version, "metadata": {}}
    if kind != "SelfSubjectReview":
        answer["spec"] = spec
    return json_answer({**answer, "status": status}, 201)


def _who(identity: Identity) -> Document:
    return {"userInfo": {"username": identity.user, "groups": list(identity.groups)}}


def _access(identity: Identity, spec: Document) -> Document:
    wish: Any = spec.get("resourceAttributes")
    path: Any = spec.get("nonResourceAttributes")
    if isinstance(wish, dict):
        allowed = authz.allowed(
            identity,
            Attributes(
                verb=str(wish.get("verb") or ""),
                group=str(wish.get("group") or ""),
                resource=str(wish.get("resource") or ""),
                subresource=str(wish.get("subresource") or ""),
                namespace=str(wish.get("namespace") or ""),
                name=str(wish.get("name") or ""),
            ),
        )
    elif isinstance(path, dict):
        allowed = _path_allowed(identity, str(path.get("verb") or ""), str(path.get("path") or ""))
    else:
        raise BadRequest("spec: exactly one of resourceAttributes, nonResourceAttributes is needed")
    return {"allowed": allowed, **({} if allowed else {"reason": "only system:masters may"})}


def _path_allowed(identity: Identity, verb: str, path: str) -> bool:
    try:
        authz.require_path(identity, verb, path)
    except Forbidden:
        return False
    return True


def _rules(identity: Identity) -> Document:
    resource_rules: list[Document] = [
        {
            "verbs": ["create"],
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        },
        {
            "verbs": ["create"],
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["selfsubjectreviews"],
        },
    ]
    path_rules: list[Document] = [
        {
            "verbs": ["get"],
            "nonResourceURLs": [
                "/api", "/api/*", "/apis", "/apis/*", "/docs", "/docs/*", "/healthz", "/livez",
                "/openapi", "/openapi/*", "/readyz", "/version", "/version/",
            ],
        }
    ]  # fmt: skip
    if identity.master:
        resource_rules.insert(0, {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        path_rules.insert(0, {"verbs": ["*"], "nonResourceURLs": ["*"]})
    return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}
