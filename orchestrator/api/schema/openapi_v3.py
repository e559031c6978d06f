"""OpenAPI v3: the index and one document for each group and version.

kubectl's explain, validation and apply, and Helm's validation read these. Hashes depend on the
content alone, so that clients' caches outlive a restart. Source: Kubernetes API concepts, "OpenAPI
V3"; OpenAPI Specification 3.0.0.
"""

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.api.catalog import STATIC, Catalog
from orchestrator.api.resources import Resource
from orchestrator.api.schema.bundle import (
    KUBERNETES_VERSION,
    REF_PREFIX,
    Definition,
    definitions,
    name_of_kind,
)
from orchestrator.api.schema.documents import ReadyDocument, json_document
from orchestrator.api.schema.operations import path_items

INFO: Final = {"title": "Kubernetes", "version": f"v{KUBERNETES_VERSION}"}
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ALWAYS: Final = (f"{_META}DeleteOptions", f"{_META}Status", f"{_META}Patch", f"{_META}WatchEvent")


def path_of(group: str, version: str) -> str:
    """How the index names a group and version: "api/v1", "apis/apps/v1"."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index(catalog: Catalog = STATIC) -> ReadyDocument:
    """`GET /openapi/v3`: which documents there are, and under which hash."""

    def make() -> ReadyDocument:
        paths: dict[str, dict[str, str]] = {}
        for each in catalog.group_versions:
            path, digest = path_of(*each), document_of(*each, catalog).digest
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return json_document({"paths": paths})

    return catalog.once("openapi v3 index", make)


def document(path: str, catalog: Catalog = STATIC) -> ReadyDocument | None:
    """`GET /openapi/v3/{path}`, path being "api/v1" or "apis/apps/v1"; None when not served.

    The `hash` parameter needs no look: the answer is the same for each.
    """
    known = {path_of(*each): each for each in catalog.group_versions}
    return document_of(*known[path], catalog) if path in known else None


def document_of(group: str, version: str, catalog: Catalog = STATIC) -> ReadyDocument:
    """The document of a served group and version."""
    return catalog.once_for(
        group, version, "openapi v3", lambda one: _document(one.of(group, version))
    )


def custom_definitions(resources: Sequence[Resource]) -> dict[str, Definition]:
    """The definitions of custom kinds and their lists, by name."""
    found: dict[str, Definition] = {}
    for resource in resources:
        if resource.custom is not None:
            found[resource.custom.definition] = resource.custom.published
            found[f"{resource.custom.definition}List"] = resource.custom.published_list
    return found


def _document(resources: Sequence[Resource]) -> ReadyDocument:
    paths = {each: item for r in resources for each, item in path_items(r).items()}
    custom = custom_definitions(resources)
    roots = {*_ALWAYS, *custom}
    for r in resources:
        kinds = [(r.api_version, r.kind)]
        if "list" in r.verbs:
            kinds.append((r.api_version, r.list_kind))
        for sub in r.subresources:
            own = f"{sub.group}/{sub.version}" if sub.group else sub.version
            kinds.append((own or r.api_version, sub.kind))
        roots.update(name for kind in kinds if (name := name_of_kind(*kind)))
    return json_document(
        {
            "openapi": "3.0.0",
            "info": INFO,
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": reachable(roots, custom),
                "securitySchemes": {
                    "BearerToken": {
                        "type": "apiKey",
                        "description": "Bearer Token authentication",
                        "name": "authorization",
                        "in": "header",
                    }
                },
            },
        }
    )


def reachable(
    roots: set[str], custom: dict[str, Definition] | None = None
) -> dict[str, Definition]:
    """The definitions that `roots` and whatever they refer to need, sorted by name; shared."""
    todo, kept = sorted(roots), {}
    everything = {**definitions(), **(custom or {})}
    while todo:
        name = todo.pop()
        if name not in kept:
            kept[name] = everything[name]
            todo.extend(_references(everything[name]))
    return dict(sorted(kept.items()))


def _references(schema: Definition) -> set[str]:
    """What a schema refers to; walks by meaning, since a property may be called "$ref"."""
    reference = schema.get("$ref")
    found = {reference.removeprefix(REF_PREFIX)} if isinstance(reference, str) else set()
    parts: list[Any] = [*schema.get("allOf", ()), *schema.get("properties", {}).values()]
    parts += [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    parts += [schema.get("items"), schema.get("additionalProperties"), schema.get("not")]
    return found.union(*(_references(part) for part in parts if isinstance(part, dict)))
