"""Acting as somebody else: Impersonate-User, -Group, -Uid and -Extra-KEY, each with permission.

The verb is "impersonate"; the resource says what is taken on: users, groups, serviceaccounts, uids,
or userextras/KEY. Source: Kubernetes, "Authenticating", "User impersonation".
"""

from typing import Final
from urllib.parse import unquote

from litestar.types import Scope

from orchestrator.api.rbac.index import ACCOUNT_PREFIX
from orchestrator.api.rbac.rules import Attributes
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.heads import of_head
from orchestrator.apiserver.identity import (
    ANONYMOUS_USER,
    AUTHENTICATED,
    UNAUTHENTICATED,
    Identity,
)
from orchestrator.kit.errors import BadRequest

_PREFIX: Final = b"impersonate-"
_EXTRA: Final = b"impersonate-extra-"
_AUTHENTICATION: Final = "authentication.k8s.io"
_ALL_ACCOUNTS: Final = "system:serviceaccounts"


def is_impersonating(scope: Scope) -> bool:
    """Whether a request asks to act as somebody else."""
    return any(name.startswith(_PREFIX) for name, _ in scope["headers"])


def impersonated(actor: Identity, scope: Scope, authorizer: Authorizer) -> Identity:
    """The identity to go on with: the one that the headers name, or the actor's own.

    Raises:
        BadRequest: groups, a uid or extras without a user.
        Forbidden: the actor may not take one of them on.
    """
    if not of_head(scope, is_impersonating):
        return actor
    headers = [
        (name, value.decode("latin-1"))
        for name, value in scope["headers"]
        if name.startswith(_PREFIX)
    ]
    user = _first(headers, b"impersonate-user")
    uid = _first(headers, b"impersonate-uid")
    groups = tuple(value for name, value in headers if name == b"impersonate-group")
    extra: dict[str, tuple[str, ...]] = {}
    for name, value in headers:
        if name.startswith(_EXTRA):
            key = unquote(name.removeprefix(_EXTRA).decode("latin-1")).lower()
            extra[key] = (*extra.get(key, ()), value)
    if not user:
        raise BadRequest("requested groups, uid or extra without impersonating a user")
    account = _account(user)
    _require(authorizer, actor, user, account, groups, uid, extra)
    if account is not None and not groups:
        groups = (_ALL_ACCOUNTS, f"{_ALL_ACCOUNTS}:{account[0]}")
    return Identity(
        user,
        _with_standing(user, groups),
        "impersonation",
        actor=actor.user,
        uid=uid,
        extra=tuple(extra.items()),
    )


def _require(
    authorizer: Authorizer,
    actor: Identity,
    user: str,
    account: tuple[str, str] | None,
    groups: tuple[str, ...],
    uid: str,
    extra: dict[str, tuple[str, ...]],
) -> None:
    verb = "impersonate"
    if account is not None:
        namespace, name = account
        wishes = [Attributes(verb, "", "serviceaccounts", "", namespace, name)]
    else:
        wishes = [Attributes(verb, "", "users", "", "", user)]
    wishes += [Attributes(verb, "", "groups", "", "", group) for group in groups]
    wishes += [
        Attributes(verb, _AUTHENTICATION, "userextras", key, "", value)
        for key, values in extra.items()
        for value in values
    ]
    if uid:
        wishes.append(Attributes(verb, _AUTHENTICATION, "uids", "", "", uid))
    for wish in wishes:
        authorizer.require(actor, wish)


def _account(user: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for."""
    if not user.startswith(ACCOUNT_PREFIX):
        return None
    namespace, colon, name = user.removeprefix(ACCOUNT_PREFIX).partition(":")
    return (namespace, name) if colon and namespace and name and ":" not in name else None


def _with_standing(user: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    if AUTHENTICATED in groups or UNAUTHENTICATED in groups:
        return groups
    return (*groups, UNAUTHENTICATED if user == ANONYMOUS_USER else AUTHENTICATED)


def _first(headers: list[tuple[bytes, str]], wanted: bytes) -> str:
    return next((value for name, value in headers if name == wanted), "")
