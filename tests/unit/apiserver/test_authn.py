"""Who a request comes from, and what that allows."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from orchestrator.apiserver import authz
from orchestrator.apiserver.authn import PEER_KEY, Authenticator, Peer
from orchestrator.apiserver.authz import Attributes
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
    assert identify(peer=peer) == Identity(
        "ann", ("dev", "ops", "system:authenticated"), "certificate"
    )


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


def test_impersonation_is_for_masters():
    asked = ((b"impersonate-user", b"bob"), (b"impersonate-group", b"qa"))
    found = identify(bearer("root"), *asked)
    assert found == Identity("bob", ("qa", "system:authenticated"), "impersonation", "orch-admin")
    with pytest.raises(Forbidden, match='User "ann" cannot impersonate'):
        identify(bearer("dev"), *asked)
    with pytest.raises(Forbidden):
        identify(*asked)


def test_forbidden_sentences():
    ann = Identity("ann", ("dev",), "token")
    with pytest.raises(Forbidden) as caught:
        authz.require(ann, Attributes("get", "", "pods", "log", "prod", "web"))
    assert caught.value.message == (
        'pods "web" is forbidden: User "ann" cannot get resource "pods/log" in API group "" '
        'in the namespace "prod"'
    )
    with pytest.raises(Forbidden) as caught:
        authz.require(ann, Attributes("list", "apps", "deployments"))
    assert caught.value.message == (
        'deployments.apps is forbidden: User "ann" cannot list resource "deployments" '
        'in API group "apps" at the cluster scope'
    )


@pytest.mark.parametrize(
    ("path", "public"),
    [("/healthz", True), ("/readyz/store", True), ("/version", True), ("/versions", False),
     ("/metrics", False), ("/api", False), ("/docs", False)],
)  # fmt: skip
def test_public_paths(path, public):
    assert authz.is_public(path) is public


@pytest.mark.parametrize(("path", "fine"), [("/api", True), ("/docs", True), ("/metrics", False)])
def test_known_users_may_look_around(path, fine):
    ann = Identity("ann", ("dev",), "token")
    if fine:
        authz.require_path(ann, "GET", path)
    else:
        with pytest.raises(Forbidden, match='User "ann" cannot get path "/metrics"'):
            authz.require_path(ann, "GET", path)
