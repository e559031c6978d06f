"""Lists in pages. A token names the last object seen, so it never expires.

All pages of one list carry the first page's revision and show how things were then, as long as the
history reaches back so far. Later pages show how things are: who watches from that revision misses
nothing all the same, and sees again at most what a page already showed. Source: Kubernetes API
concepts, "Retrieving large results sets in chunks".
"""

import base64
import binascii
from collections.abc import Iterator

import msgspec

from orchestrator.api.fields import FieldSelector
from orchestrator.api.labels import Selector
from orchestrator.kit.errors import BadRequest, Expired
from orchestrator.kit.ids import Revision
from orchestrator.registry.options import Page
from orchestrator.store.objects import StoredObject
from orchestrator.store.store import Store


class _Token(msgspec.Struct, array_like=True):
    version: int
    revision: int
    namespace: str
    name: str


def read_page(
    store: Store,
    resource: str,
    namespace: str,
    labels: Selector | None,
    fields: FieldSelector | None,
    limit: int,
    continue_token: str,
    at: Revision | None = None,
) -> Page:
    """One page of the chosen objects; all of them when `limit` is 0.

    Raises:
        BadRequest: a token that is not ours.
        Expired: `at` is older than the history.
    """
    after, revision = None, store.revision
    if continue_token:
        token = _decode(continue_token)
        after, revision = (token.namespace, token.name), Revision(token.revision)
        try:
            found = store.list_at(resource, revision, namespace, after)
        except Expired:
            found = store.list(resource, namespace, after)
    elif at is not None:
        found, revision = store.list_at(resource, at, namespace), at
    else:
        found = store.list(resource, namespace)
    selecting = bool(labels) or bool(fields)
    if not selecting and not limit:
        return Page(found, revision)
    chosen = _chosen(found, labels, fields)
    if not limit:
        return Page(list(chosen), revision)
    items = [item for item, _ in zip(chosen, range(limit + 1), strict=False)]
    if len(items) <= limit:
        return Page(items, revision)
    items.pop()
    last = items[-1].key
    token_text = _encode(_Token(1, revision, last.namespace, last.name))
    return Page(items, revision, token_text, None if selecting else len(found) - limit)


def _chosen(
    items: list[StoredObject], labels: Selector | None, fields: FieldSelector | None
) -> Iterator[StoredObject]:
    for item in items:
        if labels and not labels.matches(item.labels):
            continue
        if fields and not fields.matches(item.field):
            continue
        yield item


def _encode(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _decode(text: str) -> _Token:
    try:
        token = msgspec.json.decode(
            base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token
        )
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise BadRequest("continue key is not valid: it is not a token of this server") from error
    if token.version != 1:
        raise BadRequest(f"continue key is not valid: unknown version {token.version}")
    return token
