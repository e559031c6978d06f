"""Certificates from Secrets, as HAProxy takes them (pure).

HAProxy refuses a whole configuration for one certificate that it cannot read: each is checked here
first. Source: Kubernetes concepts, "TLS Secrets"; RFC 7468.
"""

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from orchestrator.api.types.config import Secret


def bundle(secret: Secret | None) -> tuple[str, str]:
    """Certificate chain and key as one PEM text, or "" and why there is none."""
    if secret is None:
        return "", "is not there"
    data = secret.data or {}
    try:
        chain = base64.b64decode(data.get("tls.crt", ""))
        key = base64.b64decode(data.get("tls.key", ""))
        leaf = x509.load_pem_x509_certificates(chain)[0]
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, IndexError, binascii.Error, UnsupportedAlgorithm) as error:
        return "", f"holds no certificate with its key in tls.crt and tls.key: {error}"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        return "", "holds a key in tls.key that is not that of the certificate in tls.crt"
    return f"{chain.decode().rstrip()}\n{key.decode().rstrip()}\n", ""
