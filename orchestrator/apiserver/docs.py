"""The documentation pages under /docs: Litestar's OpenAPI site, rendered here and self-contained.

Litestar's own renderers load scripts from the internet, which a private cluster may not have. These
pages are plain HTML: every resource with its operations, every definition with its fields, and the
server's own endpoints from Litestar's OpenAPI document (also at /docs/openapi.json). All text comes
from the same data that /openapi/v3 serves.
"""

from collections.abc import Callable
from html import escape
from typing import Any, Final

from litestar import MediaType, Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_404_NOT_FOUND

from orchestrator.api.catalog import Catalog
from orchestrator.api.resources import Resource
from orchestrator.api.schema.bundle import Definition, definitions, name_of, reference_of
from orchestrator.api.schema.openapi_v3 import custom_definitions

_METHODS: Final = {
    "create": "POST", "get": "GET", "list": "GET", "watch": "GET ?watch=true", "update": "PUT",
    "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE (collection)",
}  # fmt: skip
_ON_COLLECTION: Final = frozenset({"create", "list", "watch", "deletecollection"})

_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
td,th{border-bottom:1px solid var(--line);padding:.3rem .6rem;text-align:left;vertical-align:top}
code{font:13px ui-monospace,monospace}th{font-weight:600}a{color:inherit}
.kind{white-space:nowrap}p.about{max-width:60rem}
"""


def docs_config(version: str, catalog: Callable[[], Catalog]) -> OpenAPIConfig:
    """Litestar's OpenAPI settings: the site at /docs with our own pages.

    Args:
        version: of the server.
        catalog: gives what is served right now.
    """
    return OpenAPIConfig(
        title="orch",
        version=version,
        path="/docs",
        description="The Kubernetes API of this cluster, and the server's own endpoints.",
        render_plugins=[DocsPages(catalog)],
    )


class DocsPages(OpenAPIRenderPlugin):
    """Renders the site's first page, and adds the pages of single definitions."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        super().__init__(path="/", media_type=MediaType.HTML, favicon="", style=_STYLE)
        self._catalog = catalog

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The first page: resources by group, then the server's own endpoints."""
        return index_page(openapi_schema, self._catalog())

    def receive_router(self, router: Router) -> None:
        """Adds /docs/definitions/NAME."""
        router.register(_definition_route(self._catalog))


def _definition_route(catalog: Callable[[], Catalog]) -> HTTPRouteHandler:
    @get("/definitions/{name:str}", include_in_schema=False, sync_to_thread=False)
    def definition(name: FromPath[str]) -> Response[bytes]:
        schema = definitions().get(name) or custom_definitions(catalog().rows).get(name)
        if schema is None:
            page = _page("No such definition", f"<p>There is no definition {escape(name)}.</p>")
            return Response(page, status_code=HTTP_404_NOT_FOUND, media_type=MediaType.HTML)
        page = definition_page(name, schema)
        return Response(page, status_code=HTTP_200_OK, media_type=MediaType.HTML)

    return definition


def index_page(own: dict[str, Any], catalog: Catalog) -> bytes:
    """Every resource of a catalogue with its operations, and Litestar's own endpoints."""
    parts = [
        "<p class=about>This cluster speaks the Kubernetes API: use kubectl, Helm or any client "
        "library with the kubeconfig that <code>orch kubeconfig</code> prints, or plain HTTPS with "
        "a bearer token. Machine-readable: <a href='/openapi/v3'>/openapi/v3</a>, "
        "<a href='/openapi/v2'>/openapi/v2</a>, "
        "<a href='/docs/openapi.json'>/docs/openapi.json</a>."
        "</p>"
    ]
    by_version: dict[str, list[Resource]] = {}
    for resource in catalog.rows:
        by_version.setdefault(resource.api_version, []).append(resource)
    for api_version, resources in by_version.items():
        rows = "".join(_resource_row(resource) for resource in resources)
        parts.append(
            f"<h2>{escape(api_version)}</h2><table><tr><th>Kind<th>Names<th>Paths and methods</tr>"
            f"{rows}</table>"
        )
    parts.append("<h2>Server</h2><table><tr><th>Path<th>Method<th>What it does</tr>")
    for path, operations in sorted((own.get("paths") or {}).items()):
        for method, operation in operations.items():
            if isinstance(operation, dict):
                parts.append(
                    f"<tr><td><code>{escape(path)}</code><td>{escape(method.upper())}"
                    f"<td>{escape(str(operation.get('summary') or ''))}</tr>"
                )
    parts.append("</table>")
    return _page("orch API", "".join(parts))


def definition_page(name: str, schema: Definition) -> bytes:
    """One definition: its description and a table of its fields, each linked to its own type."""
    required = frozenset(schema.get("required") or ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{' (required)' if field in required else ''}"
        f"<td class=kind>{_type_of(inner)}<td>{escape(str(inner.get('description') or ''))}</tr>"
        for field, inner in sorted((schema.get("properties") or {}).items())
    )
    about = f"<p class=about>{escape(str(schema.get('description') or ''))}</p>"
    table = f"<table><tr><th>Field<th>Type<th>Description</tr>{rows}</table>" if rows else ""
    return _page(name, f"<p><a href='/docs'>All resources</a></p>{about}{table}")


def _resource_row(resource: Resource) -> str:
    names = ", ".join((resource.plural, resource.singular, *resource.short_names))
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    if resource.namespaced:
        root += "/namespaces/{namespace}"
    collection = f"{root}/{resource.plural}"
    lines = [
        f"<code>{escape(collection)}</code> {_methods(resource.verbs, _ON_COLLECTION, True)}",
    ]
    single = _methods(resource.verbs, _ON_COLLECTION, False)
    if single:
        lines.append(f"<code>{escape(collection)}/{{name}}</code> {single}")
    lines += [
        f"<code>{escape(collection)}/{{name}}/{escape(sub.name)}</code> "
        + _methods(sub.verbs, frozenset(), False)
        for sub in resource.subresources
    ]
    definition = name_of(resource)
    return (
        f"<tr><td class=kind><a href='/docs/definitions/{escape(definition)}'>"
        f"{escape(resource.kind)}</a><td>{escape(names)}<td>{'<br>'.join(lines)}</tr>"
    )


def _methods(verbs: tuple[str, ...], collection: frozenset[str], on_collection: bool) -> str:
    chosen = [_METHODS[verb] for verb in verbs if (verb in collection) is on_collection]
    return ", ".join(escape(method) for method in dict.fromkeys(chosen))


def _type_of(schema: Definition) -> str:
    reference = reference_of(schema)
    if reference is not None:
        short = reference.rpartition(".")[2]
        return f"<a href='/docs/definitions/{escape(reference)}'>{escape(short)}</a>"
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items') or {})}"
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        return f"map of {_type_of(inner)}"
    return escape(str(schema.get("format") or schema.get("type") or "any"))


def _page(title: str, body: str) -> bytes:
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1>{body}"
    ).encode()
