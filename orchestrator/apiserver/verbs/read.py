"""GET of one object, and lists. Source: Kubernetes API concepts, "Retrieving large results"."""

import asyncio

from orchestrator.apiserver.answers import Answer, object_answer, to_yaml
from orchestrator.apiserver.forms import (
    PART_ITEMS,
    ListMeta,
    include_object,
    list_parts,
    rendered_object,
)
from orchestrator.apiserver.list_options import list_options, parse_revision, require_known
from orchestrator.apiserver.negotiation import AnswerFormat, answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.selectors import read_filter
from orchestrator.apiserver.services import Services
from orchestrator.kit.ids import ObjectKey


def key_of(path: ObjectPath) -> ObjectKey:
    """The key of the object that a path names."""
    return ObjectKey(path.resource.resource, path.namespace, path.name)


async def get(services: Services, request: Request, path: ObjectPath) -> Answer:
    """One object, or its status subresource (which shows the whole object).

    Raises:
        NotFound: no such object.
        RequestTimeout: asked for a revision that the store has not come to.
    """
    wanted = answer_format(request.header(b"accept"))
    if "resourceVersion" in request.query:
        asked = parse_revision(request.query.text("resourceVersion"))
        require_known(asked, services.store.revision)
    include = include_object(request.query.text("includeObject"))
    return rendered(services, path, wanted, include)


def rendered(services: Services, path: ObjectPath, wanted: AnswerFormat, include: str) -> Answer:
    """An object in the wanted form; `include` is what a Table's row says of it.

    Raises:
        NotFound: no such object.
    """
    found = services.registry.get(key_of(path))
    data = rendered_object(path.resource, found, wanted, include, services.clock.wall())
    return object_answer(data, wanted)


async def list_objects(services: Services, request: Request, path: ObjectPath) -> Answer:
    """A collection, filtered and in pages.

    Raises:
        BadRequest: a selector or parameter that cannot be read.
        Expired: the exact revision asked for is no longer known.
        Invalid: parameters that do not go together.
        RequestTimeout: asked for a revision that the store has not come to.
    """
    wanted = answer_format(request.header(b"accept"))
    query = request.query
    include = include_object(query.text("includeObject"))
    chosen = read_filter(query, path.resource)
    options = list_options(query, services.store.revision)
    page = services.registry.list(
        path.resource.resource,
        path.namespace,
        labels=chosen.labels,
        fields=chosen.fields,
        limit=options.limit,
        continue_token=options.token,
        at=options.at,
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
