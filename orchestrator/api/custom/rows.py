"""From an established definition to rows of the table of kinds.

Source: Kubernetes docs, "Versions in CustomResourceDefinitions"; apiextensions.k8s.io/v1.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api.custom import jsonpath
from orchestrator.api.custom.columns import read_columns
from orchestrator.api.custom.defaulting import has_defaults
from orchestrator.api.custom.published import definition_name, published_list, published_schema
from orchestrator.api.custom.version import CustomVersion, ScalePaths
from orchestrator.api.custom.words import ESTABLISHED, TERMINATING
from orchestrator.api.resources import ALL_VERBS, Resource, Subresource

Document = Mapping[str, Any]

_STATUS_VERBS: Final = ("get", "patch", "update")
_VERSION: Final = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STAGES: Final = {"alpha": 0, "beta": 1, None: 2}


def version_order(version: str) -> tuple[Any, ...]:
    """A sort key: v2 before v1 before v2beta1 before v1beta1 before v1alpha1; the rest by name.

    Source: Kubernetes docs, "Version priority".
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        return (1, version)
    return (0, -_STAGES[match[2]], -int(match[1]), -int(match[3] or 0))


def has_condition(definition: Document, kind: str) -> bool:
    """Whether a condition of that type is True."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def rows_of(definition: Document, since: int = 0) -> tuple[list[Resource], list[Resource]]:
    """The rows that a definition is served at, and those that are stored and not served.

    Both are empty until it is established. A row whose version is not the stored one says where its
    objects are stored, as a further version of a built-in kind does.

    Args:
        definition: the document.
        since: revision from which on its schemas are as they are now.
    """
    if not has_condition(definition, ESTABLISHED):
        return [], []
    spec, status = definition["spec"], definition.get("status") or {}
    storage = next(v for v in spec["versions"] if v.get("storage"))
    stored_in = status.get("storedVersions") or [storage["name"]]
    verbs: tuple[str, ...] = ALL_VERBS
    if has_condition(definition, TERMINATING):
        verbs = tuple(verb for verb in ALL_VERBS if verb != "create")
    served: list[Resource] = []
    hidden: list[Resource] = []
    for version in sorted(spec["versions"], key=lambda one: version_order(one["name"])):
        if version.get("served") or version is storage:
            row = _row(definition, version, storage, stored_in, verbs, since)
            (served if version.get("served") else hidden).append(row)
    return served, hidden


def _row(
    definition: Document, version: Document, storage: Document, stored_in: list[str],
    verbs: tuple[str, ...], since: int,
) -> Resource:  # fmt: skip
    spec = definition["spec"]
    names = (definition.get("status") or {}).get("acceptedNames") or spec["names"]
    group, plural, kind = spec["group"], names["plural"], names["kind"]
    custom = _custom(spec, names, version, storage, stored_in, since)
    subresources: list[Subresource] = []
    if custom.scale is not None:
        subresources.append(
            Subresource("scale", "Scale", _STATUS_VERBS, group="autoscaling", version="v1")
        )
    if custom.status:
        subresources.append(Subresource("status", kind, _STATUS_VERBS))
    return Resource(
        group, version["name"], kind, plural, names.get("singular") or kind.lower(),
        spec["scope"] == "Namespaced", tuple(names.get("shortNames") or ()),
        tuple(names.get("categories") or ()), verbs, tuple(subresources),
        stored_as="" if version is storage else f"{plural}.{group}", custom=custom,
    )  # fmt: skip


def _custom(
    spec: Document,
    names: Document,
    version: Document,
    storage: Document,
    stored_in: list[str],
    since: int,
) -> CustomVersion:
    group, kind = spec["group"], names["kind"]
    list_kind = names.get("listKind") or f"{kind}List"
    schema = schema_of_version(version)
    stored_schema = schema if version is storage else schema_of_version(storage)
    subresources = version.get("subresources") or {}
    api_version = f"{group}/{version['name']}"
    name = definition_name(group, version["name"], kind)
    return CustomVersion(
        api_version=api_version,
        stored_version=f"{group}/{storage['name']}",
        mixed=list(stored_in) != [version["name"]],
        list_kind=list_kind,
        schema=schema,
        stored_schema=schema if stored_schema == schema else stored_schema,
        published=published_schema(schema, group, version["name"], kind),
        published_list=published_list(name, group, version["name"], kind, list_kind),
        definition=name,
        columns=read_columns(version.get("additionalPrinterColumns") or ()),
        status="status" in subresources,
        scale=_scale(subresources.get("scale")),
        selectable={
            one["jsonPath"].removeprefix("."): _fields(one["jsonPath"])
            for one in version.get("selectableFields") or ()
        },
        since=since if has_defaults(schema) else 0,
        deprecation=_deprecation(version, api_version, kind),
    )


def schema_of_version(version: Document) -> dict[str, Any]:
    """The structural schema of a version, as its definition gives it."""
    found: dict[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return found


def _scale(given: Document | None) -> ScalePaths | None:
    if not given:
        return None
    return ScalePaths(
        _fields(given["specReplicasPath"]),
        _fields(given["statusReplicasPath"]),
        _fields(given.get("labelSelectorPath") or "."),
    )


def _fields(path: str) -> tuple[str, ...]:
    return jsonpath.fields_of(jsonpath.parse(path)) or ()


def _deprecation(version: Document, api_version: str, kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{api_version} {kind} is deprecated"
