"""The certificate authority: one self-signed root that signs server and client certificates.

Works on PEM bytes; which file holds what is `ensure`'s business. Keys are ECDSA P-256: small, quick
to make, understood by every client. Subject O is the group and CN the user, as Kubernetes reads
client certificates. Source: RFC 5280; Kubernetes authentication, "X509 client certificates".
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS: Final = 3650
LEAF_DAYS: Final = 730
RENEW_DAYS: Final = 90
"""A leaf with fewer days left than this is issued anew."""
_BACKDATE: Final = timedelta(minutes=10)
"""How far certificates reach back, for clients whose clock is behind ours."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its private key.

    Attributes:
        cert_pem: the certificate, PEM.
        key_pem: the key, PKCS #8 PEM without a passphrase.
    """

    cert_pem: bytes
    key_pem: bytes


def create_authority(cluster: str, now_s: float) -> KeyPair:
    """A new root for a cluster, valid ten years from `now_s` (seconds since the epoch)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("orch", f"{cluster} CA")
    builder = _builder(subject, subject, key.public_key(), now_s, CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(ski, critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue_server(authority: KeyPair, names: Sequence[str], now_s: float) -> KeyPair:
    """A server certificate for host names and IP addresses, signed by the authority."""
    return _issue(
        authority, _name("orch", "orch-server"), ExtendedKeyUsageOID.SERVER_AUTH, now_s, names
    )


def issue_client(authority: KeyPair, user: str, groups: Sequence[str], now_s: float) -> KeyPair:
    """A client certificate: CN is the user, one O for each group."""
    subject = x509.Name([
        *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
        x509.NameAttribute(NameOID.COMMON_NAME, user),
    ])  # fmt: skip
    return _issue(authority, subject, ExtendedKeyUsageOID.CLIENT_AUTH, now_s, ())


def subject_names(cert_pem: bytes) -> frozenset[str]:
    """The names of a certificate's subjectAltName, DNS names and IP addresses as text."""
    cert = x509.load_pem_x509_certificate(cert_pem)
    try:
        extension = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    dns = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return frozenset([*dns, *(str(address) for address in addresses)])


def usable(pair: KeyPair, authority: KeyPair, now_s: float) -> bool:
    """Whether a leaf is this authority's, fits its key, and has `RENEW_DAYS` or more to go."""
    try:
        cert = x509.load_pem_x509_certificate(pair.cert_pem)
        key = serialization.load_pem_private_key(pair.key_pem, None)
        root = x509.load_pem_x509_certificate(authority.cert_pem)
        cert.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False  # whatever is wrong with it, it is issued anew
    if key.public_key() != cert.public_key():
        return False
    left = cert.not_valid_after_utc - datetime.fromtimestamp(now_s, UTC)
    return left >= timedelta(days=RENEW_DAYS)


def normal_name(name: str) -> str:
    """A DNS name in lower case, or an IP address in its shortest form.

    Raises:
        ValueError: `name` is neither.
    """
    text = name.strip().strip("[]")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        pass
    dns = text.rstrip(".").lower()
    labels = dns.split(".")
    if not dns or len(dns) > 253 or not all(_is_label(label) for label in labels):
        raise ValueError(f"{name!r} is no host name and no IP address")
    return dns


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= 63
        and label.isascii()
        and label.replace("-", "a").replace("_", "a").isalnum()
    )


def _issue(
    authority: KeyPair,
    subject: x509.Name,
    purpose: x509.ObjectIdentifier,
    now_s: float,
    names: Sequence[str],
) -> KeyPair:
    root = x509.load_pem_x509_certificate(authority.cert_pem)
    root_key = serialization.load_pem_private_key(authority.key_pem, None)
    if not isinstance(root_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is no elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject, root.subject, key.public_key(), now_s, LEAF_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
    )
    if names:
        san = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(san, critical=False)
    return _pair(builder.sign(root_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now_s: float,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(int(now_s), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(organization: str, common_name: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
    ])  # fmt: skip


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    return KeyPair(
        cert_pem=cert.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
