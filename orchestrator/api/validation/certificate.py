"""CertificateSigningRequests. Source: Kubernetes pkg/apis/certificates/validation."""

from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.certificates import (
    APPROVED,
    DENIED,
    FAILED,
    USAGES,
    certificate,
    conditions,
    parse_request,
)
from orchestrator.api.validation.collector import Faults

Document = dict[str, Any]

_SHORTEST_S: Final = 600
_ALWAYS_TRUE: Final = frozenset({APPROVED, DENIED, FAILED})


def validate_request(faults: Faults, document: Document) -> None:
    """A new request: PKCS #10 inside, usages, signer, duration."""
    spec = document.get("spec") or {}
    encoded = spec.get("request", "")
    if not encoded:
        faults.required("spec.request")
    else:
        try:
            parse_request(encoded)
        except ValueError as error:
            faults.invalid("spec.request", encoded, str(error))
    usages = spec.get("usages") or ()
    if not usages:
        faults.required("spec.usages", "usages cannot be empty")
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            faults.unsupported(f"spec.usages[{index}]", usage, USAGES)
        elif usage in usages[:index]:
            faults.duplicate(f"spec.usages[{index}]", usage)
    _signer(faults, spec.get("signerName", ""))
    lifetime_s = spec.get("expirationSeconds")
    if lifetime_s is not None and lifetime_s < _SHORTEST_S:
        faults.invalid(
            "spec.expirationSeconds",
            lifetime_s,
            "may not specify a duration less than 600 seconds (10 minutes)",
        )


def validate_approval(faults: Faults, new: Document, old: Document) -> None:
    """Conditions of an approval: none is taken back, and one excludes the other."""
    _conditions(faults, new)
    for kind in (APPROVED, DENIED):
        _kept(faults, new, old, kind)
    known = {one.get("type") for one in conditions(new)}
    if {APPROVED, DENIED} <= known:
        faults.invalid(
            "status.conditions", DENIED, "Approved and Denied conditions are mutually exclusive"
        )


def validate_status(faults: Faults, new: Document, old: Document) -> None:
    """A signer's words: a failure stays, and so does a certificate."""
    _conditions(faults, new)
    _kept(faults, new, old, FAILED)
    if certificate(old) and certificate(new) != certificate(old):
        faults.forbidden(
            "status.certificate", "updates may not modify existing certificate content"
        )


def _signer(faults: Faults, name: str) -> None:
    field = "spec.signerName"
    domain, slash, path = name.partition("/")
    if not name:
        faults.required(field)
    elif not slash or not path or "." not in domain or metadata.is_subdomain(domain):
        faults.invalid(
            field,
            name,
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        )
    else:
        faults.check_words(field, name, metadata.is_subdomain(path.replace("/", ".")))


def _conditions(faults: Faults, document: Document) -> None:
    seen: set[str] = set()
    for index, one in enumerate(conditions(document)):
        field = f"status.conditions[{index}]"
        kind, status = one.get("type", ""), one.get("status", "")
        if not kind:
            faults.required(f"{field}.type")
        elif kind in seen:
            faults.duplicate(f"{field}.type", kind)
        seen.add(kind)
        allowed = {"True"} if kind in _ALWAYS_TRUE else {"True", "False", "Unknown"}
        faults.check_choice(f"{field}.status", status, allowed)


def _kept(faults: Faults, new: Document, old: Document, kind: str) -> None:
    before = [one for one in conditions(old) if one.get("type") == kind]
    after = [one for one in conditions(new) if one.get("type") == kind]
    if before and not after:
        faults.forbidden(
            "status.conditions", f'updates may not remove a condition of type "{kind}"'
        )
    elif before and before != after:
        faults.forbidden(
            "status.conditions", f'updates may not modify a condition of type "{kind}"'
        )
