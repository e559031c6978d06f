"""Discovery: which groups, versions and resources there are, in every form that clients ask for.

All of it follows from a catalogue; each document is made once for it. Source: Kubernetes API
concepts, "API discovery" and "Aggregated discovery"; APIResourceList in meta/v1,
APIGroupDiscoveryList in apidiscovery.k8s.io.
"""

from typing import Any, Final, Literal

from orchestrator.api.catalog import STATIC, Catalog
from orchestrator.api.resources import Resource, Subresource
from orchestrator.api.schema.documents import ReadyDocument, json_document

AggregatedVersion = Literal["v2", "v2beta1"]

_GROUP: Final = "apidiscovery.k8s.io"


def content_type(version: AggregatedVersion) -> str:
    """The Content-Type of an aggregated document; clients compare it byte by byte."""
    return f"application/json;g={_GROUP};v={version};as=APIGroupDiscoveryList"


def aggregated_version(accept: str) -> AggregatedVersion | None:
    """The aggregated form that an Accept header asks for first; None: it wants plain JSON.

    Preference is the header's order: no client states qualities there.
    """
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        values = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media != "application/json":
            continue
        if values.get("as") != "APIGroupDiscoveryList":
            return None
        if values.get("g") == _GROUP:
            match values.get("v"):
                case "v2":
                    return "v2"
                case "v2beta1":
                    return "v2beta1"
                case _:
                    continue
    return None


def group_versions(catalog: Catalog = STATIC) -> tuple[tuple[str, str], ...]:
    """Every served (group, version), core first, in the order of the table."""
    return catalog.group_versions


def _groups(catalog: Catalog) -> dict[str, list[str]]:
    """Versions by group, without core; the first version is the preferred one."""
    found: dict[str, list[str]] = {}
    for group, version in catalog.group_versions:
        if group:
            found.setdefault(group, []).append(version)
    return found


def _group_entry(group: str, versions: list[str]) -> dict[str, Any]:
    rows = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": rows, "preferredVersion": rows[0]}


def core_versions(catalog: Catalog = STATIC) -> ReadyDocument:
    """`GET /api`: APIVersions."""

    def make() -> ReadyDocument:
        versions = [version for group, version in catalog.group_versions if not group]
        return json_document(
            {"kind": "APIVersions", "versions": versions, "serverAddressByClientCIDRs": []}
        )

    return catalog.once("core versions", make)


def groups(catalog: Catalog = STATIC) -> ReadyDocument:
    """`GET /apis`: APIGroupList."""

    def make() -> ReadyDocument:
        rows = [_group_entry(group, versions) for group, versions in _groups(catalog).items()]
        return json_document({"kind": "APIGroupList", "apiVersion": "v1", "groups": rows})

    return catalog.once("groups", make)


def group(name: str, catalog: Catalog = STATIC) -> ReadyDocument | None:
    """`GET /apis/{group}`: APIGroup; None when it is not served."""
    documents = catalog.once("group documents", lambda: _group_documents(catalog))
    return documents.get(name)  # one table: clients' words must not fill a cache


def _group_documents(catalog: Catalog) -> dict[str, ReadyDocument]:
    head = {"kind": "APIGroup", "apiVersion": "v1"}
    return {
        name: json_document(head | _group_entry(name, versions))
        for name, versions in _groups(catalog).items()
    }


def resources(group: str, version: str, catalog: Catalog = STATIC) -> ReadyDocument | None:
    """`GET /api/v1` (group "") and `/apis/{group}/{version}`: APIResourceList; None if unknown."""
    if not catalog.of(group, version):
        return None
    return catalog.once_for(
        group, version, "resources", lambda one: _resource_list(one, group, version)
    )


def _resource_list(catalog: Catalog, group: str, version: str) -> ReadyDocument:
    rows: list[dict[str, Any]] = []
    for resource in catalog.of(group, version):
        rows.append(_plain_resource(resource))
        rows += [_plain_subresource(resource, sub) for sub in resource.subresources]
    rows.sort(key=lambda row: str(row["name"]))
    head = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group else {})
    name = f"{group}/{version}" if group else version
    return json_document({**head, "groupVersion": name, "resources": rows})


def _plain_resource(resource: Resource) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": resource.verbs,
    }
    if resource.short_names:
        row["shortNames"] = resource.short_names
    if resource.categories:
        row["categories"] = resource.categories
    return row


def _plain_subresource(resource: Resource, sub: Subresource) -> dict[str, Any]:
    foreign = {"group": sub.group, "version": sub.version} if sub.version else {}
    return {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        **foreign,
        "kind": sub.kind,
        "verbs": sub.verbs,
    }


def aggregated(
    version: AggregatedVersion, *, core: bool, catalog: Catalog = STATIC
) -> ReadyDocument:
    """`GET /api` (core) or `/apis` as one APIGroupDiscoveryList of that version."""
    return catalog.once(
        ("aggregated", version, core), lambda: _aggregated(version, catalog, core=core)
    )


def _aggregated(version: AggregatedVersion, catalog: Catalog, *, core: bool) -> ReadyDocument:
    items = []
    for name, versions in ({"": ["v1"]} if core else _groups(catalog)).items():
        metadata: dict[str, str | None] = {"name": name} if name else {}
        metadata["creationTimestamp"] = None
        rows = [
            {
                "version": each,
                "resources": [_aggregated_resource(r) for r in catalog.of(name, each)],
                "freshness": "Current",
            }
            for each in versions
        ]
        items.append({"metadata": metadata, "versions": rows})
    document = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{_GROUP}/{version}",
        "metadata": {},
        "items": items,
    }
    return json_document(document, content_type(version))


def _aggregated_resource(resource: Resource) -> dict[str, Any]:
    row: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": resource.verbs,
    }
    if resource.short_names:
        row["shortNames"] = resource.short_names
    if resource.categories:
        row["categories"] = resource.categories
    if resource.subresources:
        row["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": _kind(
                    sub.group or resource.group, sub.version or resource.version, sub.kind
                ),
                "verbs": sub.verbs,
            }
            for sub in resource.subresources
        ]
    return row


def _kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}
