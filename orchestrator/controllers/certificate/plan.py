"""What a CertificateSigningRequest needs: a certificate, a failure, or its removal. Pure.

Only the signer of the API's clients is ours; requests to others wait for whoever runs those. Done
requests are removed after an hour, pending ones after a day. Source: Kubernetes documentation,
"Certificates and Certificate Signing Requests".
"""

import base64
from collections.abc import Callable
from typing import Final

from orchestrator.api.certificates import (
    API_CLIENT_SIGNER,
    APPROVED,
    CLIENT_USAGES,
    DENIED,
    FAILED,
    certificate,
    condition,
    conditions,
)
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch, RequeueAfter
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "certificate-controller"
DONE_S: Final = 3600.0
PENDING_S: Final = 86_400.0
LONGEST_S: Final = 365 * 86_400
"""How long a certificate holds when nobody asks for less."""

Issue = Callable[[bytes, frozenset[str], int], bytes]
"""A certificate (PEM) for a request (PEM), its usages and its lifetime in seconds.

Raises ValueError for a request that cannot be signed.
"""


def plan(item: StoredObject | None, issue: Issue, now_s: float) -> list[Intent]:
    """One step: sign, fail, remove, or wait until it is time to remove.

    Args:
        item: the request.
        issue: called only for an approved request that has no certificate yet.
        now_s: wall time, seconds.
    """
    if item is None or owners.is_deleting(item):
        return []
    left_s = _since_s(item) + _kept_s(item.doc) - now_s
    if left_s <= 0:
        return [Delete(item.key, uid=item.uid)]
    wait = RequeueAfter(left_s)
    if not _is_to_be_signed(item.doc):
        return [wait]
    return [_signed(item, issue, now_s), wait]


def _is_to_be_signed(csr: Document) -> bool:
    done = condition(csr, DENIED) or condition(csr, FAILED) or certificate(csr)
    ours = csr["spec"].get("signerName") == API_CLIENT_SIGNER
    return ours and condition(csr, APPROVED) is not None and not done


def _signed(item: StoredObject, issue: Issue, now_s: float) -> Patch:
    spec = item.doc["spec"]
    usages = frozenset(spec.get("usages") or ())
    lifetime_s = min(int(spec.get("expirationSeconds") or LONGEST_S), LONGEST_S)
    try:
        _check_usages(usages)
        pem = issue(base64.b64decode(spec["request"]), usages, lifetime_s)
    except ValueError as error:
        failure = {
            "type": FAILED,
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": str(error),
            "lastUpdateTime": rfc3339(now_s),
        }
        change: Document = {"conditions": [*conditions(item.doc), failure]}
    else:
        change = {"certificate": base64.b64encode(pem).decode()}
    return Patch(item.key, {"status": change}, "status", expected=item.revision, uid=item.uid)


def _check_usages(usages: frozenset[str]) -> None:
    if "client auth" not in usages:
        raise ValueError('usages must include "client auth"')
    others = ", ".join(sorted(usages - CLIENT_USAGES))
    if others:
        raise ValueError(f"usages may not include: {others}")


def _kept_s(csr: Document) -> float:
    done = condition(csr, DENIED) or condition(csr, FAILED)
    if done or (condition(csr, APPROVED) and certificate(csr)):
        return DONE_S
    return PENDING_S


def _since_s(item: StoredObject) -> float:
    """When it came into the state that it is in."""
    times = [
        one.get("lastUpdateTime") or one.get("lastTransitionTime") for one in conditions(item.doc)
    ]
    known = [parse_rfc3339(time) for time in times if time]
    return max(known, default=parse_rfc3339(item.doc["metadata"]["creationTimestamp"]))
