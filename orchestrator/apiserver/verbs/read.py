"""GET of one object, and lists. Source: Kubernetes API concepts, "Retrieving large results"."""

import asyncio
from typing import Final

from orchestrator.api.resources import Resource
from orchestrator.apiserver.answers import Answer, object_answer, to_yaml
from orchestrator.apiserver.forms import (
    PART_ITEMS,
    ListMeta,
    include_object,
    list_parts,
    rendered_object,
)
from orchestrator.apiserver.negotiation import answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Query, Request
from orchestrator.apiserver.selectors import read_filter
from orchestrator.apiserver.services import Services
from orchestrator.kit.errors import BadRequest, Cause, Expired, Invalid
from orchestrator.kit.ids import ObjectKey, Revision

_MATCHES: Final = frozenset({"Exact", "NotOlderThan"})


def key_of(path: ObjectPath) -> ObjectKey:
    """The key of the object that a path names."""
    return ObjectKey(path.resource.resource, path.namespace, path.name)


async def get(services: Services, request: Request, path: ObjectPath) -> Answer:
    """One object, or its status subresource (which shows the whole object).

    Raises:
        NotFound: no such object.
    """
    return shown(services, request, path)


def shown(services: Services, request: Request, path: ObjectPath) -> Answer:
    """As `get`, which never waits.

    Raises:
        ApiError: as `get`.
    """
    wanted = answer_format(request.header(b"accept"))
    include = include_object(request.query.text("includeObject"))
    found = services.registry.get(key_of(path))
    data = rendered_object(path.resource, found, wanted, include, services.clock.wall())
    return object_answer(data, wanted)


async def list_objects(services: Services, request: Request, path: ObjectPath) -> Answer:
    """A collection, filtered and in pages.

    Raises:
        BadRequest: a selector or parameter that cannot be read.
        Expired: the exact revision asked for is no longer (or not yet) known.
    """
    wanted = answer_format(request.header(b"accept"))
    query = request.query
    include = include_object(query.text("includeObject"))
    chosen = read_filter(query, path.resource)
    _check_list_options(query, path.resource, services.store.revision)
    limit = query.number("limit") or 0
    if limit < 0:
        raise BadRequest(f"limit: invalid value {limit}: must be at least 0")
    page = services.registry.list(
        path.resource.resource,
        path.namespace,
        labels=chosen.labels,
        fields=chosen.fields,
        limit=limit,
        continue_token=query.text("continue"),
    )
    remaining = None if chosen else page.remaining
    meta = ListMeta(page.revision, page.continue_token, remaining)
    parts: list[bytes] = []
    now_s = services.clock.wall()
    for part in list_parts(path.resource, page.items, meta, wanted, include, now_s):
        if parts and len(page.items) > PART_ITEMS:
            await asyncio.sleep(0)  # others have their turn; what is shown was chosen before
        parts.append(part)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    if wanted.encoding == "yaml":
        body = to_yaml(body)
    return Answer(body, content_type=wanted.content_type)


def parse_revision(text: str) -> Revision:
    """A `resourceVersion` parameter; "" and "0" are 0.

    Raises:
        Invalid: no number.
    """
    if not text:
        return Revision(0)
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        message = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise Invalid(
            f'ListOptions.meta.k8s.io "" is invalid: resourceVersion: {message}',
            group="meta.k8s.io",
            kind="ListOptions",
            causes=(Cause("FieldValueInvalid", message, "resourceVersion"),),
        )
    return Revision(int(text))


def options_invalid(field: str, message: str) -> Invalid:
    """A 422 about a list or watch parameter."""
    return Invalid(
        f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {message}',
        group="meta.k8s.io",
        kind="ListOptions",
        causes=(Cause("FieldValueForbidden", f"Forbidden: {message}", field),),
    )


def _check_list_options(query: Query, resource: Resource, current: Revision) -> None:
    if "sendInitialEvents" in query:
        raise options_invalid("sendInitialEvents", "sendInitialEvents is forbidden for list")
    asked = parse_revision(query.text("resourceVersion"))
    match = query.text("resourceVersionMatch")
    if match:
        if match not in _MATCHES:
            raise options_invalid("resourceVersionMatch", "supported values: Exact, NotOlderThan")
        if "resourceVersion" not in query:
            raise options_invalid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            )
    if asked > current or (match == "Exact" and asked != current):
        raise Expired(
            f"The resourceVersion for the provided list of {resource.plural} is not available: "
            f"asked for {asked}, now at {current}"
        )
