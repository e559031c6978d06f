"""What a Secret of type kubernetes.io/service-account-token needs: token, ca.crt, namespace. Pure.

A secret whose account is gone, or is another one of the same name by now, is deleted. Source:
Kubernetes, "Managing Service Accounts" ("Manually create a long-lived API token for a
ServiceAccount", "Token controller").
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.credentials.claims import Bound, written_for_secret
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "account-token-controller"
TYPE: Final = "kubernetes.io/service-account-token"
NAME: Final = "kubernetes.io/service-account.name"
UID: Final = "kubernetes.io/service-account.uid"

Sign = Callable[[Mapping[str, Any]], str]
"""Makes a token of claims (`credentials.signing.SigningKeys.sign`)."""


def account_name(secret: StoredObject) -> str:
    """The account that a secret is for; "" for another kind of secret."""
    if secret.doc.get("type") != TYPE:
        return ""
    annotations = secret.doc["metadata"].get("annotations") or {}
    return str(annotations.get(NAME, ""))


def plan(
    secret: StoredObject | None, account: StoredObject | None, ca_pem: bytes, sign: Sign
) -> list[Intent]:
    """Fills what is missing or wrong; deletes what is for nobody.

    Args:
        secret: of the type.
        account: the account of the name that it carries.
        ca_pem: the cluster's root certificate.
        sign: called only when there is no token.
    """
    if secret is None or not account_name(secret) or owners.is_deleting(secret):
        return []
    annotations = secret.doc["metadata"].get("annotations") or {}
    if account is None or annotations.get(UID, account.uid) != account.uid:
        return [Delete(secret.key, uid=secret.uid)]
    data = secret.doc.get("data") or {}
    namespace = secret.key.namespace
    wanted = {"ca.crt": _b64(ca_pem), "namespace": _b64(namespace.encode())}
    lacking = {key: value for key, value in wanted.items() if data.get(key) != value}
    if not data.get("token"):
        bound = Bound(account.key.name, account.uid)
        token = sign(written_for_secret(namespace, bound, secret.key.name))
        lacking["token"] = _b64(token.encode())
    change: dict[str, Any] = {}
    if lacking:
        change["data"] = lacking
    if annotations.get(UID) != account.uid:
        change["metadata"] = {"annotations": {UID: account.uid}}
    if not change:
        return []
    return [Patch(secret.key, change, expected=secret.revision, uid=secret.uid)]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
