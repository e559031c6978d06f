"""Who a request comes from: client certificate, bearer token, or (pages only) a browser's password.

A bearer token is one of the token file or a service account's.

A certificate was already verified against our root in the TLS handshake; here only its subject is
read: CN is the user, each O a group. A browser cannot send bearer tokens, so GET requests may carry
the token as the password of HTTP Basic authentication; never others, because browsers send it
along unasked. Acting as somebody else is `impersonation`.
Source: Kubernetes, "Authenticating"; RFC 7617.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID
from litestar.types import Scope

from orchestrator.apiserver.heads import of_head
from orchestrator.apiserver.identity import ANONYMOUS, AUTHENTICATED, Identity
from orchestrator.credentials.tokens import TokenOwner
from orchestrator.kit.errors import Forbidden, Unauthorized

_BEARER_SUBPROTOCOL = "base64url.bearer.authorization.k8s.io."
PEER_KEY = "orch.peer"
"""Where the connection's `Peer` is in `scope["state"]`."""


class TokenSource(Protocol):
    """Looks a bearer token up (`credentials.tokens.TokenFile`)."""

    def owner_of(self, token: str) -> TokenOwner | None:
        """Who the token stands for, or None."""
        ...


class AccountSource(Protocol):
    """Looks a service account's token up (`accounts.AccountTokens`)."""

    def identify(self, token: str) -> Identity | None:
        """Who shows the token, or None."""
        ...


class Peer:
    """The client certificate of one connection; parsed once, at its first request."""

    __slots__ = ("_der", "_identity", "_parsed")

    def __init__(self, der: bytes | None) -> None:
        self._der = der
        self._parsed = False
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity | None:
        """Who the certificate names; None without one or when it names no user."""
        if not self._parsed:
            self._parsed = True
            self._identity = _subject(self._der) if self._der else None
        return self._identity


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows.

    Attributes:
        identity: whom its connection proves, or `ANONYMOUS`; None when it shows a token.
        token: that token.
        how: it came as "token" or as "password".
    """

    identity: Identity | None = None
    token: str = field(default="", repr=False)  # never in a log or a traceback
    how: str = ""


def credential_of(scope: Scope) -> Credential:
    """What a request shows; of a WebSocket's subprotocols, one that is a token is taken out.

    Raises:
        Unauthorized: it cannot be read.
    """
    authorization = _authorization(scope) or _take_subprotocol_token(scope)
    fields: Any = scope
    if authorization:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return Credential(None, rest.strip(), "token")
        if scheme.lower() == "basic" and fields.get("method") in {"GET", "HEAD"}:
            return Credential(None, _basic_password(rest.strip()), "password")
    state = fields.get("state") or {}
    peer = state.get(PEER_KEY)
    if peer is not None and peer.identity is not None:
        return Credential(peer.identity)
    if authorization:
        raise Unauthorized("Unauthorized")
    return Credential(ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Tells who asks.

    Attributes:
        tokens: where bearer tokens are looked up.
        accounts: where service accounts' are; None where there are none.
    """

    tokens: TokenSource
    accounts: AccountSource | None = None
    _shown: dict[str, tuple[TokenOwner, Identity]] = field(default_factory=dict, repr=False)

    def identify(self, scope: Scope) -> Identity:
        """The request's identity; `ANONYMOUS` when it carries no credential.

        Raises:
            Unauthorized: a bearer token or password that is not ours.
        """
        return self.prove(of_head(scope, credential_of))

    def prove(self, credential: Credential) -> Identity:
        """Who shows a credential now.

        Raises:
            Unauthorized: a token or password that is not ours, or not any more.
        """
        if credential.identity is not None:
            return credential.identity
        return self._by_token(credential.token, credential.how)

    def by_file(self, token: str) -> Identity | None:
        """Who a token of the token file stands for, or None."""
        owner = self.tokens.owner_of(token) if token else None
        if owner is None:
            return None
        known = self._shown.get(token)
        if known is None or known[0] is not owner:
            known = owner, Identity(owner.user, (*owner.groups, AUTHENTICATED), "token")
            self._shown[token] = known
        return known[1]

    def _by_token(self, token: str, how: str) -> Identity:
        found = self.by_file(token)
        if found is None and self.accounts is not None:
            found = self.accounts.identify(token)
        if found is None:
            raise Unauthorized("Unauthorized")
        return found if found.proved_by == how else replace(found, proved_by=how)


def _authorization(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return value.decode("latin-1")
    return ""


def require_own_page(scope: Scope, identity: Identity) -> None:
    """Refuses a WebSocket that another site's page opens with its reader's certificate.

    Browsers add a certificate unasked, and WebSockets know no same-origin policy but this header.

    Raises:
        Forbidden: the page is not ours.
    """
    kind: Any = scope["type"]
    if kind != "websocket" or identity.proved_by != "certificate":
        return
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    origin = headers.get(b"origin", "")
    if origin and urlsplit(origin).netloc.lower() != headers.get(b"host", "").lower():
        raise Forbidden(f"pages of {origin} may not use your certificate here")


def _take_subprotocol_token(scope: Scope) -> str:
    """The `Authorization` that a browser's WebSocket offers as a subprotocol, else "".

    It is taken out of those offered, so that it is never answered.

    Raises:
        Unauthorized: it cannot be read, or is not the only one.
    """
    fields: Any = scope
    named: list[str] = list(fields.get("subprotocols") or ())
    tokens = [name for name in named if name.startswith(_BEARER_SUBPROTOCOL)]
    if not tokens:
        return ""
    fields["subprotocols"] = [name for name in named if name not in tokens]
    encoded = tokens[0].removeprefix(_BEARER_SUBPROTOCOL)
    try:
        token = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized("Unauthorized") from error
    if len(tokens) > 1 or not fields["subprotocols"]:
        raise Unauthorized("Unauthorized")
    return f"Bearer {token}"


def _basic_password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthorized("Unauthorized") from error
    return text.partition(":")[2]


def _subject(der: bytes) -> Identity | None:
    subject = x509.load_der_x509_certificate(der).subject
    names = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if not names or not names[0]:
        return None
    shown = f"X509SHA256={hashlib.sha256(der).hexdigest()}"
    extra = (("authentication.kubernetes.io/credential-id", (shown,)),)
    return Identity(names[0], (*groups, AUTHENTICATED), "certificate", extra=extra)
