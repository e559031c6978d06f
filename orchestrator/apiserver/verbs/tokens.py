"""POST serviceaccounts/NAME/token: a token for a service account.

Source: authentication.k8s.io/v1 TokenRequest; KEP-1205.
"""

from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.validation.collector import Faults
from orchestrator.apiserver.answers import Answer, json_answer
from orchestrator.apiserver.bodies import read_document
from orchestrator.apiserver.options import is_dry_run
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.asking import ask_about_body
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.apiserver.verbs.write import metadata_of, require_type
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.errors import BadRequest, Conflict, Invalid
from orchestrator.kit.ids import ObjectKey
from orchestrator.store.objects import Document, StoredObject

_GROUP: Final = "authentication.k8s.io"
_DEFAULT_S: Final = 3600
_SHORTEST_S: Final = 600
_LONGEST_S: Final = 1 << 32
_BOUND_TO: Final = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


@dataclass(frozen=True, slots=True)
class _Wish:
    audiences: list[str]
    lifetime_s: int
    bound: Document | None


async def create_token(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Issues the token: 201 with the request and `status.token`.

    Raises:
        BadRequest: bound to something that the account has nothing to do with.
        Conflict: bound to another incarnation of the object.
        Invalid: too short or too long a life.
        NotFound: no such account, or nothing to bind to.
    """
    body = await read_document(request, services.settings.max_depth)
    require_type(body, f"{_GROUP}/v1", "TokenRequest")
    account = services.registry.get(key_of(path))
    if metadata_of(body).get("name", path.name) != path.name:
        raise BadRequest(
            f"must match the service account name: {path.name}, not {metadata_of(body)['name']}"
        )
    wish = _read(body)
    bound = _bound_object(services, path, wish.bound) if wish.bound else None
    ask_about_body(services, request, path, body)
    spec: Document = {
        "audiences": wish.audiences or [services.accounts.issuer],
        "expirationSeconds": wish.lifetime_s,
    }
    if bound is not None:
        spec["boundObjectRef"] = {**(wish.bound or {}), "uid": bound.uid}
    meta = {
        "name": path.name,
        "namespace": path.namespace,
        "creationTimestamp": rfc3339(services.clock.wall()),
    }
    status: Document = {}
    if not is_dry_run(request.query, "CreateOptions"):
        token, expires_s = services.accounts.issue(account, wish.audiences, wish.lifetime_s, bound)
        status = {"token": token, "expirationTimestamp": rfc3339(expires_s)}
    answer = {
        "kind": "TokenRequest",
        "apiVersion": f"{_GROUP}/v1",
        "metadata": meta,
        "spec": spec,
        "status": status,
    }
    return json_answer(answer, 201)


def _read(body: Document) -> _Wish:
    spec: Any = body.get("spec") or {}
    if not isinstance(spec, dict):
        raise BadRequest("spec must be an object")
    audiences: Any = spec.get("audiences") or []
    lifetime_s: Any = spec.get("expirationSeconds", _DEFAULT_S)
    bound: Any = spec.get("boundObjectRef")
    if lifetime_s is None:
        lifetime_s = _DEFAULT_S
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        raise BadRequest("spec.audiences must be a list of strings")
    if not isinstance(lifetime_s, int) or isinstance(lifetime_s, bool):
        raise BadRequest("spec.expirationSeconds must be an integer")
    if bound is not None and (
        not isinstance(bound, dict) or not all(isinstance(one, str) for one in bound.values())
    ):
        raise BadRequest("spec.boundObjectRef must be an object of strings")
    wrong = Faults()
    field = "spec.expirationSeconds"
    if lifetime_s < _SHORTEST_S:
        wrong.invalid(field, lifetime_s, "may not specify a duration less than 10 minutes")
    if lifetime_s > _LONGEST_S:
        wrong.invalid(field, lifetime_s, "may not specify a duration larger than 2^32 seconds")
    if wrong.causes:
        cause = wrong.causes[0]
        raise Invalid(
            f'TokenRequest.{_GROUP} "" is invalid: {cause.field}: {cause.message}',
            group=_GROUP,
            kind="TokenRequest",
            causes=wrong.causes,
        )
    return _Wish(audiences, lifetime_s, bound)


def _bound_object(services: Services, path: ObjectPath, wanted: Document) -> StoredObject:
    kind, version = wanted.get("kind", ""), wanted.get("apiVersion", "")
    resource = _BOUND_TO.get(kind) if version == "v1" else None
    if resource is None:
        raise BadRequest(
            f'cannot bind token for serviceaccount "{path.name}" to {version}, Kind={kind}'
        )
    namespace = "" if resource == "nodes" else path.namespace
    found = services.registry.get(ObjectKey(resource, namespace, wanted.get("name", "")))
    if resource == "pods":
        runs_as = (found.doc.get("spec") or {}).get("serviceAccountName", "")
        if runs_as != path.name:
            raise BadRequest(
                f'cannot bind token for serviceaccount "{path.name}" to pod running with '
                f'different serviceaccount name "{runs_as}"'
            )
    uid = wanted.get("uid", "")
    if uid and uid != found.uid:
        raise Conflict(
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated",
            name=found.key.name,
            kind=resource,
        )
    return found
