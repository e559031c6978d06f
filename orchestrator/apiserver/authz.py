"""What an identity may do: system:masters everything, others what everyone known may.

Everyone who is authenticated may look around: discovery, OpenAPI, health, version, and questions
about itself. Health and version need no credential at all. Source: Kubernetes, "Authorization"
(system:masters, system:basic-user, system:discovery, system:public-info-viewer).
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.apiserver.identity import Identity
from orchestrator.kit.errors import Forbidden, Unauthorized

_PUBLIC: Final = ("/healthz", "/readyz", "/livez", "/version")
_FOR_ALL_KNOWN: Final = ("/api", "/apis", "/openapi", "/docs")
_SELF_REVIEWS: Final = frozenset({
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request wants to do to an object.

    Attributes:
        verb: "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection".
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


def is_public(path: str) -> bool:
    """Whether a path is served to everyone."""
    return any(path == root or path.startswith(f"{root}/") for root in _PUBLIC)


def require_known(identity: Identity) -> None:
    """Refuses an anonymous request.

    Raises:
        Unauthorized: no credential was shown.
    """
    if identity.anonymous:
        raise Unauthorized("Unauthorized")


def require_path(identity: Identity, method: str, path: str) -> None:
    """Refuses a path outside the resource tree ("/metrics") to those who may not see it.

    Raises:
        Forbidden: not allowed.
    """
    if identity.master or is_public(path):
        return
    if any(path == root or path.startswith(f"{root}/") for root in _FOR_ALL_KNOWN):
        return
    raise Forbidden(f'forbidden: User "{identity.user}" cannot {method.lower()} path "{path}"')


def allowed(identity: Identity, wish: Attributes) -> bool:
    """Whether the identity may do it."""
    if identity.master:
        return True
    is_question = (wish.group, wish.resource) in _SELF_REVIEWS and wish.verb == "create"
    return is_question and not identity.anonymous


def require(identity: Identity, wish: Attributes) -> None:
    """Refuses what the identity may not do.

    Raises:
        Forbidden: with the sentence that kubectl prints.
    """
    if allowed(identity, wish):
        return
    resource = f"{wish.resource}/{wish.subresource}" if wish.subresource else wish.resource
    scope = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    what = f"{wish.resource}.{wish.group}" if wish.group else wish.resource
    subject = f'{what} "{wish.name}"' if wish.name else what
    raise Forbidden(
        f'{subject} is forbidden: User "{identity.user}" cannot {wish.verb} resource "{resource}" '
        f'in API group "{wish.group}" {scope}',
        name=wish.name,
        group=wish.group,
        kind=wish.resource,
    )
