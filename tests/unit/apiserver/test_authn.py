"""Who a request comes from."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from orchestrator.apiserver.authn import (
    PEER_KEY,
    Authenticator,
    Credential,
    Peer,
    require_own_page,
)
from orchestrator.apiserver.identity import ANONYMOUS, Identity
from orchestrator.credentials.authority import create_authority, issue_client
from orchestrator.credentials.tokens import TokenOwner
from orchestrator.kit.errors import Forbidden, Unauthorized


class Tokens:
    def owner_of(self, token):
        return {
            "root": TokenOwner("orch-admin", ("system:masters",)),
            "dev": TokenOwner("ann", ("dev",)),
        }.get(token)


def identify(*headers, method="GET", peer=None):
    state = {PEER_KEY: peer} if peer is not None else {}
    scope = {"type": "http", "method": method, "headers": list(headers), "state": state}
    return Authenticator(Tokens()).identify(scope)


def bearer(token):
    return b"authorization", f"Bearer {token}".encode()


def basic(token):
    return b"authorization", b"Basic " + base64.b64encode(f"me:{token}".encode())


@pytest.fixture(scope="module")
def peer():
    authority = create_authority("test", 1.8e9)
    pem = issue_client(authority, "ann", ("dev", "ops"), 1.8e9).cert_pem
    return Peer(load_pem_x509_certificate(pem).public_bytes(Encoding.DER))


def test_nothing_shown():
    assert identify() is ANONYMOUS
    assert identify(peer=Peer(None)) is ANONYMOUS


def test_certificate(peer):
    found = identify(peer=peer)
    assert (found.user, found.groups, found.proved_by) == (
        "ann", ("dev", "ops", "system:authenticated"), "certificate"
    )  # fmt: skip
    [(key, [shown])] = found.extra
    assert key == "authentication.kubernetes.io/credential-id"
    assert re.fullmatch("X509SHA256=[0-9a-f]{64}", shown)


def test_bearer_goes_before_certificate(peer):
    assert identify(bearer("root"), peer=peer).user == "orch-admin"


def test_unknown_token_is_refused_even_with_certificate(peer):
    with pytest.raises(Unauthorized):
        identify(bearer("nope"), peer=peer)


def test_browser_password_reads_only():
    assert identify(basic("dev")).proved_by == "password"
    with pytest.raises(Unauthorized):
        identify(basic("dev"), method="POST")
    with pytest.raises(Unauthorized):
        identify((b"authorization", b"Basic !!"))


@pytest.mark.parametrize(
    ("kind", "proved_by", "origin", "refused"),
    [
        ("websocket", "certificate", b"https://evil.example", True),
        ("websocket", "certificate", b"null", True),
        ("websocket", "certificate", b"https://orch.example:8080", False),
        ("websocket", "certificate", b"", False),
        ("websocket", "token", b"https://dashboard.example", False),
        ("http", "certificate", b"https://evil.example", False),
    ],
)
def test_pages_of_others_may_not_use_a_certificate_in_websockets(kind, proved_by, origin, refused):
    headers = [(b"host", b"Orch.example:8080"), *([(b"origin", origin)] if origin else [])]
    identity = Identity("admin", ("system:masters",), proved_by)
    if not refused:
        require_own_page({"type": kind, "headers": headers}, identity)
        return
    with pytest.raises(Forbidden, match="may not use your certificate"):
        require_own_page({"type": kind, "headers": headers}, identity)


def test_a_credential_does_not_show_its_token():
    assert "secret" not in repr(Credential(None, "secret", "token"))
