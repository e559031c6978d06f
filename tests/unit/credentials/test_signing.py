"""Tokens that only our keys can make, and that survive a change of the signing key."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from orchestrator.credentials.claims import AccountClaims, Bound, read, written, written_for_secret
from orchestrator.credentials.signing import SigningKeys, ensure_signing_keys
from orchestrator.kit.errors import ConfigError

CLAIMS = {"sub": "somebody", "n": 1}


@pytest.fixture
def files(tmp_path):
    return tmp_path / "sa.key", tmp_path / "sa.pub"


def test_what_is_signed_is_verified():
    keys = SigningKeys.fresh()
    token = keys.sign(CLAIMS)
    assert keys.verified(token) == CLAIMS
    head, _, signature = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "ES256"
    assert len(base64.urlsafe_b64decode(signature + "==")) == 64
    assert SigningKeys.fresh().verified(token) is None


def forged(token, what):
    head, body, signature = token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    other = base64.urlsafe_b64encode(b'{"sub":"root"}').rstrip(b"=").decode()
    return {
        "body": f"{head}.{other}.{signature}",
        "algorithm": f"{none}.{body}.",
        "no signature": f"{head}.{body}.",
        "cut": token[:-4],
        "padded": f"{token}==",
        "spelled otherwise": f"{token[:-1]}{'B' if token[-1] != 'B' else 'C'}",
        "parts": f"{token}.x",
        "text": "opaque",
        "nothing": "",
        "no base64": "ä.ö.ü",
        "no object": ".".join([base64.urlsafe_b64encode(b"[]").decode().rstrip("=")] * 3),
        "long": "a." * 20_000,
        "deep": base64.urlsafe_b64encode(b"[" * 11_000).decode().rstrip("=") + ".a.b",
    }[what]


@pytest.mark.parametrize(
    "what",
    ["body", "algorithm", "no signature", "cut", "padded", "spelled otherwise", "parts", "text",
     "nothing", "no base64", "no object", "long",
     "deep"],
)  # fmt: skip
def test_forgeries(what):
    keys = SigningKeys.fresh()
    assert keys.verified(forged(keys.sign(CLAIMS), what)) is None


def test_tokens_of_a_former_key_hold_until_it_is_taken_away(files):
    private, public = files
    ensure_signing_keys(private, public)
    before = private.read_bytes(), public.read_bytes()
    ensure_signing_keys(private, public)
    assert (private.read_bytes(), public.read_bytes()) == before
    old = SigningKeys.read(private, public).sign(CLAIMS)
    private.unlink()
    ensure_signing_keys(private, public)
    keys = SigningKeys.read(private, public)
    assert keys.verified(old) == CLAIMS
    assert keys.verified(keys.sign(CLAIMS)) == CLAIMS
    shown = keys.key_set()["keys"]
    assert len(shown) == 2
    assert {(key["kty"], key["crv"], key["alg"]) for key in shown} == {("EC", "P-256", "ES256")}
    public.unlink()
    ensure_signing_keys(private, public)
    assert SigningKeys.read(private, public).verified(old) is None


def test_broken_key_files_are_said(files):
    private, public = files
    with pytest.raises(ConfigError, match=r"sa\.key: the file is missing"):
        SigningKeys.read(private, public)
    private.write_text("nonsense")
    with pytest.raises(ConfigError, match="no private key in PEM form"):
        ensure_signing_keys(private, public)
    key = ec.generate_private_key(ec.SECP384R1())
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match="P-256"):
        ensure_signing_keys(private, public)
    private.unlink()
    public.write_text("nonsense")
    with pytest.raises(ConfigError, match="no public key"):
        ensure_signing_keys(private, public)


CLAIMED = AccountClaims(
    "ns", Bound("bot", "u1"), ("us",), 100, 700, "id", pod=Bound("p", "u2"), node=Bound("n", "u3")
)


def test_claims_as_kubernetes_writes_them():
    document = written(CLAIMED, "https://issuer")
    assert document == {
        "aud": ["us"],
        "exp": 700,
        "iat": 100,
        "iss": "https://issuer",
        "jti": "id",
        "kubernetes.io": {
            "namespace": "ns",
            "node": {"name": "n", "uid": "u3"},
            "pod": {"name": "p", "uid": "u2"},
            "serviceaccount": {"name": "bot", "uid": "u1"},
        },
        "nbf": 100,
        "sub": "system:serviceaccount:ns:bot",
    }
    assert read(document, "https://issuer") == CLAIMED
    assert read(document, "https://other") is None
    assert read({**document, "sub": "system:serviceaccount:ns:root"}, "https://issuer") is None
    assert read({**document, "exp": "soon"}, "https://issuer") is None
    assert read({**document, "kubernetes.io": []}, "https://issuer") is None


def test_claims_of_a_secret():
    found = read(written_for_secret("ns", Bound("bot", "u1"), "s"), "https://issuer")
    assert found is not None
    assert (found.legacy, found.user, found.account.uid) == (
        True, "system:serviceaccount:ns:bot", "u1"
    )  # fmt: skip
    assert found.secret == Bound("s", "")
