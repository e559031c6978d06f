"""Rows of CertificateSigningRequests. Source: Kubernetes pkg/printers/internalversion."""

from typing import Final

from orchestrator.api.certificates import APPROVED, DENIED, FAILED, certificate, condition
from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Document,
    age_of,
    human_duration,
)

CSR_COLUMNS: Final = (
    NAME,
    AGE,
    Column("SignerName", description="Who is to sign it."),
    Column("Requestor", description="Who asked."),
    Column("RequestedDuration", description="How long the certificate should hold."),
    Column("Condition", description="Pending, Approved or Denied; then Failed or Issued."),
)


def csr_cells(csr: Document, now_s: float) -> list[Cell]:
    """One request's row."""
    spec = csr.get("spec") or {}
    lifetime_s = spec.get("expirationSeconds")
    state = "Pending"
    if condition(csr, DENIED):
        state = "Denied"
    elif condition(csr, APPROVED):
        state = "Approved"
    if condition(csr, FAILED):
        state += ",Failed"
    if certificate(csr):
        state += ",Issued"
    return [
        csr["metadata"]["name"],
        age_of(csr, now_s),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        human_duration(lifetime_s) if lifetime_s is not None else NONE,
        state,
    ]
