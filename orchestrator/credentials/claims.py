"""What a service account's token says: made and read, as values.

Source: Kubernetes, "Managing Service Accounts" ("Schema for service account private claims"),
KEP-1205 (bound service account tokens).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ACCOUNT_PREFIX: Final = "system:serviceaccount:"
LEGACY_ISSUER: Final = "kubernetes/serviceaccount"
_LEGACY: Final = "kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class Bound:
    """An object by name and uid."""

    name: str
    uid: str

    def document(self) -> dict[str, str]:
        """As claims carry it."""
        return {"name": self.name, "uid": self.uid}


@dataclass(frozen=True, slots=True)
class AccountClaims:
    """What is said about a service account.

    Attributes:
        namespace: of the account.
        account: the service account.
        audiences: whom the token is meant for; empty in tokens of secrets.
        not_before_s: seconds since the epoch; 0 for ever since.
        expires_s: seconds since the epoch; 0 for never (tokens of secrets).
        token_id: of this one token; "" in tokens of secrets.
        pod: the pod that it is bound to.
        secret: the secret that it is bound to, or (token of a secret) kept in.
        node: the node of that pod, or the node that it is bound to.
        legacy: whether it is a token of a secret.
    """

    namespace: str
    account: Bound
    audiences: tuple[str, ...] = ()
    not_before_s: int = 0
    expires_s: int = 0
    token_id: str = ""
    pod: Bound | None = None
    secret: Bound | None = None
    node: Bound | None = None
    legacy: bool = False

    @property
    def user(self) -> str:
        """The account's user name."""
        return f"{ACCOUNT_PREFIX}{self.namespace}:{self.account.name}"


def written(claims: AccountClaims, issuer: str) -> dict[str, Any]:
    """The claims of a token that expires."""
    about: dict[str, Any] = {"namespace": claims.namespace}
    for word, bound in (("node", claims.node), ("pod", claims.pod), ("secret", claims.secret)):
        if bound is not None:
            about[word] = bound.document()
    about["serviceaccount"] = claims.account.document()
    return {
        "aud": list(claims.audiences),
        "exp": claims.expires_s,
        "iat": claims.not_before_s,
        "iss": issuer,
        "jti": claims.token_id,
        "kubernetes.io": about,
        "nbf": claims.not_before_s,
        "sub": claims.user,
    }


def written_for_secret(namespace: str, account: Bound, secret: str) -> dict[str, Any]:
    """The claims of a token that is kept in a secret and holds as long as that."""
    return {
        "iss": LEGACY_ISSUER,
        f"{_LEGACY}/namespace": namespace,
        f"{_LEGACY}/secret.name": secret,
        f"{_LEGACY}/service-account.name": account.name,
        f"{_LEGACY}/service-account.uid": account.uid,
        "sub": f"{ACCOUNT_PREFIX}{namespace}:{account.name}",
    }


def read(document: Mapping[str, Any], issuer: str) -> AccountClaims | None:
    """The claims of a token whose signature holds; None when it is about nobody we know."""
    try:
        if document.get("iss") == LEGACY_ISSUER:
            found = _read_legacy(document)
        elif document.get("iss") == issuer:
            found = _read_bound(document)
        else:
            return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if document.get("sub") == found.user else None


def _read_bound(document: Mapping[str, Any]) -> AccountClaims:
    about = document["kubernetes.io"]
    account = _bound(about.get("serviceaccount"))
    if account is None:
        raise ValueError("a token without a service account")
    audience = document["aud"]
    return AccountClaims(
        namespace=str(about["namespace"]),
        account=account,
        audiences=tuple(map(str, [audience] if isinstance(audience, str) else audience)),
        not_before_s=int(document["nbf"]),
        expires_s=int(document["exp"]),
        token_id=str(document.get("jti", "")),
        pod=_bound(about.get("pod")),
        secret=_bound(about.get("secret")),
        node=_bound(about.get("node")),
    )


def _read_legacy(document: Mapping[str, Any]) -> AccountClaims:
    return AccountClaims(
        namespace=str(document[f"{_LEGACY}/namespace"]),
        account=Bound(
            str(document[f"{_LEGACY}/service-account.name"]),
            str(document[f"{_LEGACY}/service-account.uid"]),
        ),
        secret=Bound(str(document[f"{_LEGACY}/secret.name"]), ""),
        legacy=True,
    )


def _bound(document: Any) -> Bound | None:
    return None if document is None else Bound(str(document["name"]), str(document["uid"]))
