"""Signs certificates for clients of the API, for keys that others hold.

The subject is the request's: CN is the user, each O a group; of its extensions only subjectAltName
counts. Source: Kubernetes documentation, "Certificates and Certificate Signing Requests"
("Kubernetes signers"); RFC 2986, RFC 5280.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from orchestrator.credentials.authority import KeyPair

_BACKDATE: Final = timedelta(minutes=5)
"""How far certificates reach back, for clocks that differ."""
_LEAST_RSA_BITS: Final = 2048
_Key = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    | dsa.DSAPublicKey
)  # fmt: skip


def sign_client(
    authority: KeyPair, request_pem: bytes, usages: frozenset[str], lifetime_s: int, now_s: float
) -> bytes:
    """A client certificate (PEM) for a request, never longer than its root holds.

    Args:
        authority: the root with its key.
        request_pem: PKCS #10.
        usages: Kubernetes' words; "client auth" is always in the certificate.
        lifetime_s: from now on.
        now_s: wall time, seconds.

    Raises:
        ValueError: no such request, or a key that is too weak.
    """
    request = x509.load_pem_x509_csr(request_pem)
    if not request.is_signature_valid:
        raise ValueError("the request is not signed by its own key")
    key = _checked(request)
    root = x509.load_pem_x509_certificate(authority.cert_pem)
    root_key = serialization.load_pem_private_key(authority.key_pem, None)
    if not isinstance(root_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is no elliptic curve key")
    now = datetime.fromtimestamp(int(now_s), UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(root.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - _BACKDATE, root.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(seconds=lifetime_s), root.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(usages), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
    )
    names = _names(request)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _checked(request: x509.CertificateSigningRequest) -> _Key:
    key = request.public_key()
    if not isinstance(key, _Key):
        raise ValueError("a key of this kind cannot be certified")  # noqa: TRY004  # the user's key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise ValueError(f"an RSA key needs at least {_LEAST_RSA_BITS} bits")
    return key


def _names(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    return found.value


def _key_usage(usages: frozenset[str]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment="key encipherment" in usages,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
