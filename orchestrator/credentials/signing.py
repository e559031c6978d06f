"""Signs and checks JSON Web Tokens with the cluster's own keys: ES256, compact form.

One key signs. Every public key that is kept checks, so that a signing key can be replaced without
making the tokens of the old one worthless: put a new key into pki/sa.key (or remove it: one is
made), and the old one's public half stays in pki/sa.pub until somebody removes it there.

Source: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 section 3.4 (ES256); Kubernetes, "Managing Service
Accounts".
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from orchestrator.credentials.files import (
    PRIVATE_FILE,
    PUBLIC_FILE,
    write_atomic,
    write_if_changed,
)
from orchestrator.kit.errors import ConfigError

ALGORITHM: Final = "ES256"
_HALF: Final = 32
"""Bytes of each of the two numbers of a P-256 signature."""
_MOST_TOKEN_BYTES: Final = 16 * 1024
_HASH: Final = ec.ECDSA(hashes.SHA256())
_PEM_END: Final = b"-----END PUBLIC KEY-----\n"

Claims = dict[str, Any]


class SigningKeys:
    """The key that signs and those that check."""

    def __init__(
        self, private: ec.EllipticCurvePrivateKey, public: tuple[ec.EllipticCurvePublicKey, ...]
    ) -> None:
        self._private = private
        self._kid = key_id(private.public_key())
        self._public = {key_id(key): key for key in (private.public_key(), *public)}

    @classmethod
    def fresh(cls) -> "SigningKeys":
        """A new key that is kept nowhere."""
        return cls(ec.generate_private_key(ec.SECP256R1()), ())

    @classmethod
    def read(cls, private: Path, public: Path) -> "SigningKeys":
        """The keys in two files as `ensure_signing_keys` leaves them.

        Raises:
            ConfigError: a file is missing or holds something else.
        """
        try:
            return cls(_private_key(private), tuple(_public_keys(public)))
        except FileNotFoundError as error:
            raise ConfigError([f"{error.filename}: the file is missing"]) from error

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token that says these claims."""
        header = {"alg": ALGORITHM, "kid": self._kid}
        text = f"{_encoded(msgspec.json.encode(header))}.{_encoded(msgspec.json.encode(claims))}"
        r, s = decode_dss_signature(self._private.sign(text.encode(), _HASH))
        return f"{text}.{_encoded(r.to_bytes(_HALF, 'big') + s.to_bytes(_HALF, 'big'))}"

    def verified(self, token: str) -> Claims | None:
        """The claims of a token that one of our keys has signed; None of any other text.

        Only the signature is looked at: times and audiences are the caller's business.
        """
        if len(token) > _MOST_TOKEN_BYTES or token.count(".") != 2:
            return None
        text, _, signature = token.rpartition(".")
        head, _, body = text.partition(".")
        try:
            header, raw = msgspec.json.decode(_decoded(head)), _decoded(signature)
            if header.get("alg") != ALGORITHM or len(raw) != 2 * _HALF:
                return None
            key = self._public[header["kid"]]
            r, s = int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big")
            key.verify(encode_dss_signature(r, s), text.encode(), _HASH)
            claims = msgspec.json.decode(_decoded(body))
        except (
            msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError,
            InvalidSignature,
        ):  # fmt: skip
            return None
        return claims if isinstance(claims, dict) else None

    def key_set(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set, the signing one first."""
        return {"keys": [_web_key(kid, key) for kid, key in self._public.items()]}


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """A key's name: the SHA-256 of its public half."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _encoded(hashlib.sha256(der).digest())


def ensure_signing_keys(private: Path, public: Path) -> None:
    """Makes the signing key where there is none, and keeps its public half among the others.

    Raises:
        ConfigError: a file holds something else.
    """
    if not private.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_atomic(private, pem, PRIVATE_FILE)
    known = _public_keys(public) if public.exists() else []
    own = _private_key(private).public_key()
    keys = {key_id(key): key for key in (own, *known)}
    pem = b"".join(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for key in keys.values()
    )
    write_if_changed(public, pem, PUBLIC_FILE)


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise ConfigError([f"{path}: no private key in PEM form: {error}"]) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError([f"{path}: the key that signs tokens must be on the curve P-256"])
    return key


def _public_keys(path: Path) -> list[ec.EllipticCurvePublicKey]:
    keys: list[ec.EllipticCurvePublicKey] = []
    for part in path.read_bytes().split(_PEM_END):
        if not part.strip():
            continue
        try:
            key = serialization.load_pem_public_key(part + _PEM_END)
        except ValueError as error:
            raise ConfigError([f"{path}: no public key in PEM form: {error}"]) from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise ConfigError([f"{path}: keys that check tokens must be on the curve P-256"])
        keys.append(key)
    return keys


def _web_key(kid: str, key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    numbers = key.public_numbers()
    return {
        "use": "sig",
        "kty": "EC",
        "kid": kid,
        "crv": "P-256",
        "alg": ALGORITHM,
        "x": _encoded(numbers.x.to_bytes(_HALF, "big")),
        "y": _encoded(numbers.y.to_bytes(_HALF, "big")),
    }


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    # strict: another spelling of the same signature must not be another valid token
    plain = text.replace("-", "+").replace("_", "/")
    data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    if _encoded(data) != text:
        raise binascii.Error("not the only spelling")
    return data
