"""CertificateSigningRequests: the words of their fields, and the request inside.

Source: Kubernetes documentation, "Certificates and Certificate Signing Requests".
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

Document = Mapping[str, Any]

CSRS: Final = "certificatesigningrequests.certificates.k8s.io"
GROUP: Final = "certificates.k8s.io"
API_CLIENT_SIGNER: Final = "kubernetes.io/kube-apiserver-client"
APPROVED: Final = "Approved"
DENIED: Final = "Denied"
FAILED: Final = "Failed"
USAGES: Final = frozenset({
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement",
    "data encipherment", "cert sign", "crl sign", "encipher only", "decipher only", "any",
    "server auth", "client auth", "code signing", "email protection", "s/mime", "ipsec end system",
    "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing", "microsoft sgc", "netscape sgc",
})  # fmt: skip
CLIENT_USAGES: Final = frozenset({"client auth", "digital signature", "key encipherment"})
"""What a certificate for the API's clients may be used for; the first one must be asked for."""


def parse_request(encoded: str) -> x509.CertificateSigningRequest:
    """The PKCS #10 request in `spec.request` (base64 of PEM).

    Raises:
        ValueError: it is none, in words for the user.
    """
    try:
        pem = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"illegal base64 data: {error}") from error
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        raise ValueError("PEM block type must be CERTIFICATE REQUEST")
    try:
        request = x509.load_pem_x509_csr(pem)
        sound = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(f"asn1: the request cannot be read: {error}") from error
    if not sound:
        raise ValueError("the request is not signed by its own key")
    return request


def organizations(encoded: str) -> tuple[str, ...]:
    """The groups that a certificate for this request would name.

    Raises:
        ValueError: it is no request.
    """
    subject = parse_request(encoded).subject
    return tuple(str(a.value) for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))


def conditions(csr: Document) -> list[dict[str, Any]]:
    """`status.conditions`; shared, never mutate."""
    found: list[dict[str, Any]] = (csr.get("status") or {}).get("conditions") or []
    return found


def condition(csr: Document, kind: str) -> dict[str, Any] | None:
    """The condition of that type, or None."""
    return next((one for one in conditions(csr) if one.get("type") == kind), None)


def certificate(csr: Document) -> str:
    """`status.certificate`, base64 of PEM; "" before it was issued."""
    return str((csr.get("status") or {}).get("certificate") or "")


def requested_by(spec: Document, requester: Document) -> dict[str, Any]:
    """A new request's spec with what it says about who made it, which only the server knows.

    Args:
        spec: as the client sent it; not changed.
        requester: username, uid, groups and extra of the client.
    """
    kept = {k: v for k, v in spec.items() if k not in {"username", "uid", "groups", "extra"}}
    return {**kept, **requester}


def with_stamps(current: Document, wanted: dict[str, Any], now: str) -> dict[str, Any]:
    """A document whose new or changed conditions carry the time.

    Args:
        current: as stored.
        wanted: not changed.
        now: RFC 3339 time.
    """
    status = wanted.get("status") or {}
    if not status.get("conditions"):
        return wanted
    known = {one.get("type"): one for one in conditions(current)}
    stamped: list[dict[str, Any]] = []
    for one in status["conditions"]:
        before = known.get(one.get("type"))
        if one == before:
            stamped.append(one)
            continue
        since = before or {}
        moved = since.get("status") != one.get("status")
        stamped.append(
            {
                **one,
                "lastUpdateTime": one.get("lastUpdateTime") or now,
                "lastTransitionTime": one.get("lastTransitionTime")
                or (now if moved else since.get("lastTransitionTime") or now),
            }
        )
    return {**wanted, "status": {**status, "conditions": stamped}}
