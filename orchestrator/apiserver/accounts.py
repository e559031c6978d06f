"""Service accounts as users: issues their tokens, and tells who shows one.

A token is good while its signature holds, it has not expired, it is meant for us, and everything
that it is bound to still lives: the account, and the pod, secret or node that it was made for.
Source: Kubernetes, "Managing Service Accounts"; KEP-1205.
"""

import base64
import binascii
import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from orchestrator.apiserver.identity import AUTHENTICATED, Extra, Identity
from orchestrator.credentials import claims as wire
from orchestrator.credentials.claims import AccountClaims, Bound
from orchestrator.credentials.signing import SigningKeys
from orchestrator.kit.clock import Clock, parse_rfc3339
from orchestrator.kit.ids import ObjectKey
from orchestrator.store.objects import StoredObject
from orchestrator.store.store import Store

ACCOUNT_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105  # a type, no secret
GROUP: Final = "system:serviceaccounts"
_LEEWAY_S: Final = 60.0
"""How long an object that is being deleted still counts after its time."""
_EXTRA: Final = "authentication.kubernetes.io"


class AccountTokens:
    """See the module.

    Attributes:
        issuer: what tokens call the cluster; also the audience that is us.
        keys: sign and check.
    """

    def __init__(self, store: Store, keys: SigningKeys, clock: Clock, issuer: str) -> None:
        self._store = store
        self._clock = clock
        self.keys: Final = keys
        self.issuer: Final = issuer

    def issue(
        self,
        account: StoredObject,
        audiences: Sequence[str],
        lifetime_s: int,
        bound: StoredObject | None,
    ) -> tuple[str, float]:
        """A new token and when it expires, seconds since the epoch.

        Args:
            account: the ServiceAccount.
            audiences: whom it is meant for; empty means us.
            lifetime_s: how long it holds.
            bound: the Pod, Secret or Node that it is bound to.
        """
        now_s = int(self._clock.wall())
        resource = bound.key.resource if bound is not None else ""
        itself = _bound(bound) if bound is not None else None
        node = itself if resource == "nodes" else None
        if resource == "pods" and bound is not None:
            node = self._node_of(bound)
        claims = AccountClaims(
            namespace=account.key.namespace,
            account=_bound(account),
            audiences=tuple(audiences) or (self.issuer,),
            not_before_s=now_s,
            expires_s=now_s + lifetime_s,
            token_id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
            pod=itself if resource == "pods" else None,
            secret=itself if resource == "secrets" else None,
            node=node,
        )
        return self.keys.sign(wire.written(claims, self.issuer)), float(claims.expires_s)

    def identify(self, token: str) -> Identity | None:
        """Who shows us this token; None when it is not ours, not for us, or does not hold."""
        found = self.review(token, (self.issuer,))
        return found[0] if found is not None else None

    def review(
        self, token: str, audiences: Sequence[str]
    ) -> tuple[Identity, tuple[str, ...]] | None:
        """Whose token it is, and which of these audiences it is meant for; None when for none."""
        document = self.keys.verified(token)
        claims = wire.read(document, self.issuer) if document is not None else None
        if claims is None:
            return None
        now_s = self._clock.wall()
        known = claims.audiences or (self.issuer,)
        meant = tuple(audience for audience in audiences if audience in known)
        if not meant:
            return None
        if claims.expires_s and not claims.not_before_s - _LEEWAY_S <= now_s < claims.expires_s:
            return None
        if not self._lives("serviceaccounts", claims.namespace, claims.account):
            return None
        held = self._holds_secret(claims, token) if claims.legacy else self._holds_bound(claims)
        if not held:
            return None
        groups = (GROUP, f"{GROUP}:{claims.namespace}", AUTHENTICATED)
        extra = _extra(claims)
        return Identity(claims.user, groups, "token", uid=claims.account.uid, extra=extra), meant

    def _node_of(self, pod: StoredObject) -> Bound | None:
        name = (pod.doc.get("spec") or {}).get("nodeName")
        node = self._store.get(ObjectKey("nodes", "", name)) if name else None
        return _bound(node) if node is not None else None

    def _holds_bound(self, claims: AccountClaims) -> bool:
        """Whether the object that the token is bound to lives; a pod's node need not."""
        if claims.pod is not None:
            return self._lives("pods", claims.namespace, claims.pod)
        if claims.secret is not None:
            return self._lives("secrets", claims.namespace, claims.secret)
        if claims.node is not None:
            return self._lives("nodes", "", claims.node)
        return True

    def _holds_secret(self, claims: AccountClaims, token: str) -> bool:
        """Whether the secret of a token that never expires still holds just this token."""
        name = claims.secret.name if claims.secret is not None else ""
        found = self._store.get(ObjectKey("secrets", claims.namespace, name))
        if found is None or found.doc.get("type") != ACCOUNT_SECRET:
            return False
        try:
            kept = base64.b64decode((found.doc.get("data") or {}).get("token", ""))
        except binascii.Error:
            return False
        return secrets.compare_digest(kept, token.encode())

    def _lives(self, resource: str, namespace: str, bound: Bound) -> bool:
        found = self._store.get(ObjectKey(resource, namespace, bound.name))
        if found is None or found.uid != bound.uid:
            return False
        deleted = found.doc["metadata"].get("deletionTimestamp")
        return not deleted or parse_rfc3339(deleted) > self._clock.wall() - _LEEWAY_S


def _bound(item: StoredObject) -> Bound:
    return Bound(item.key.name, item.uid)


def _extra(claims: AccountClaims) -> Extra:
    facts: list[tuple[str, str]] = []
    if claims.token_id:
        facts.append(("credential-id", f"JTI={claims.token_id}"))
    for word, bound in (("node", claims.node), ("pod", claims.pod)):
        if bound is not None:
            facts += [(f"{word}-name", bound.name), (f"{word}-uid", bound.uid)]
    return tuple((f"{_EXTRA}/{key}", (value,)) for key, value in facts)
