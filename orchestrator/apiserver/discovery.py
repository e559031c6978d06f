"""Discovery and OpenAPI: ready-made documents, chosen by path and Accept, with ETags.

A 304 carries no Content-Type: clients would overwrite the type of what they cached and then see no
resources at all. Source: Kubernetes API concepts, "API discovery", "OpenAPI interface definition".
"""

import asyncio
from typing import Final

from orchestrator.api.catalog import Catalog
from orchestrator.api.schema import discovery, openapi_v2, openapi_v3
from orchestrator.api.schema.documents import ReadyDocument
from orchestrator.apiserver.answers import Answer
from orchestrator.apiserver.errors import no_such_path
from orchestrator.apiserver.negotiation import answer_format
from orchestrator.apiserver.paths import DiscoveryPath, OpenApiPath
from orchestrator.apiserver.request import Request

_VARY: Final = (b"vary", b"Accept")


async def answer(request: Request, path: DiscoveryPath | OpenApiPath, catalog: Catalog) -> Answer:
    """The document that a path names, or 304 when the client has it.

    Raises:
        NotFound: no such document.
        NotAcceptable: not in a form that the client takes.
    """
    accept = request.header(b"accept")
    if isinstance(path, OpenApiPath):
        # The first asker pays up to half a second of schema work: off the event loop.
        document = await asyncio.to_thread(_openapi, path, accept, catalog)
    else:
        document = _discovery(path, accept, catalog)
    if document is None:
        raise no_such_path()
    etag = document.etag.encode()
    headers = ((b"etag", etag), _VARY)
    if etag.decode() in request.header(b"if-none-match"):
        return Answer(b"", 304, content_type="", headers=headers)
    fixed = isinstance(path, OpenApiPath)
    return Answer(document.body, content_type=document.content_type, headers=headers, fixed=fixed)


def _discovery(path: DiscoveryPath, accept: str, catalog: Catalog) -> ReadyDocument | None:
    if path.version:
        answer_format(accept)
        return discovery.resources(path.group, path.version, catalog)
    if path.group:
        answer_format(accept)
        return discovery.group(path.group, catalog)
    version = discovery.aggregated_version(accept)
    if version is not None:
        return discovery.aggregated(version, core=path.core, catalog=catalog)
    answer_format(accept)
    return discovery.core_versions(catalog) if path.core else discovery.groups(catalog)


def _openapi(path: OpenApiPath, accept: str, catalog: Catalog) -> ReadyDocument | None:
    if path.version == "v2" and not path.rest:
        if openapi_v2.wants_protobuf(accept):
            return openapi_v2.protobuf_form(catalog)
        answer_format(accept)
        return openapi_v2.json_form(catalog)
    if path.version == "v3":
        answer_format(accept)
        return openapi_v3.document(path.rest, catalog) if path.rest else openapi_v3.index(catalog)
    return None
