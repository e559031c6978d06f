"""CustomResourceDefinitions themselves: defaults, what is wrong with one, what will have no effect.

Source: apiextensions.k8s.io/v1 CustomResourceDefinition; apiextensions-apiserver's validation.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.custom import formats, jsonpath
from orchestrator.api.custom.rows import has_condition, schema_of_version
from orchestrator.api.custom.rules import RULES, why_unchecked
from orchestrator.api.custom.structural import check_structural
from orchestrator.api.custom.words import ESTABLISHED
from orchestrator.api.expressions import available
from orchestrator.api.validation.collector import Faults

Document = dict[str, Any]

_SCOPES: Final = ("Cluster", "Namespaced")
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = frozenset({
    "int32", "int64", "float", "double", "byte", "date", "date-time", "password",
})  # fmt: skip
_PROTECTED: Final = ("k8s.io", "kubernetes.io")
_APPROVED: Final = "api-approved.kubernetes.io"
_MOST_SELECTABLE: Final = 8


def default_definition(document: Document) -> None:
    """Names that follow from the kind, the strategy None, and the stored version in the status."""
    spec = document.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if kind:
        if not names.get("singular"):
            names["singular"] = kind.lower()
        if not names.get("listKind"):
            names["listKind"] = f"{kind}List"
    spec.setdefault("conversion", {}).setdefault("strategy", "None")
    status = document.setdefault("status", {})
    status.setdefault("conditions", [])
    status.setdefault("acceptedNames", {"plural": "", "kind": ""})
    stored = status.setdefault("storedVersions", [])
    for version in spec.get("versions") or ():
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version["name"])


# ------------------------------------------------------------ validation


def validate_definition(faults: Faults, document: Document) -> None:
    """Everything about a new definition."""
    spec = document["spec"]
    _names(faults, document["metadata"], spec)
    group = spec.get("group", "")
    if not group:
        faults.required("spec.group")
    else:
        wrong = metadata.is_subdomain(group)
        faults.check_words("spec.group", group, wrong)
        if not wrong and "." not in group:
            faults.invalid("spec.group", group, "should be a domain with at least one dot")
    faults.check_choice("spec.scope", spec.get("scope", ""), _SCOPES)
    _approval(faults, document, group)
    if spec.get("preserveUnknownFields"):
        faults.invalid(
            "spec.preserveUnknownFields",
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead",
        )
    _conversion(faults, spec)
    _versions(faults, spec)


def validate_definition_update(faults: Faults, new: Document, old: Document) -> None:
    """What stays once a definition is there, and versions that may still hold objects."""
    one, other = new["spec"], old["spec"]
    for field in ("group", "scope"):
        faults.check_immutable(f"spec.{field}", one.get(field), other.get(field))
    faults.check_immutable(
        "spec.names.plural", one["names"].get("plural"), other["names"].get("plural")
    )
    if has_condition(old, ESTABLISHED):
        faults.check_immutable(
            "spec.names.kind", one["names"].get("kind"), other["names"].get("kind")
        )
    _stored_versions(faults, new)


def validate_definition_status(faults: Faults, document: Document) -> None:
    """The versions that objects are stored in."""
    _stored_versions(faults, document)


def _stored_versions(faults: Faults, document: Document) -> None:
    names = [version.get("name") for version in document["spec"].get("versions") or ()]
    stored = (document.get("status") or {}).get("storedVersions") or []
    if not stored:
        faults.invalid("status.storedVersions", stored, "must have at least one stored version")
    storage = next((v["name"] for v in document["spec"]["versions"] if v.get("storage")), None)
    if storage is not None and stored and storage not in stored:
        faults.invalid("status.storedVersions", stored, f"must have the storage version {storage}")
    for index, name in enumerate(stored):
        if name not in names:
            faults.invalid(
                f"status.storedVersions[{index}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions",
            )


def _names(faults: Faults, meta: Document, spec: Document) -> None:
    names = spec.get("names") or {}
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if meta.get("name", "") != wanted:
        faults.invalid(
            "metadata.name", meta.get("name", ""), 'must be spec.names.plural+"."+spec.group'
        )
    for field in ("plural", "singular", "kind", "listKind"):
        here, value = f"spec.names.{field}", names.get(field, "")
        if not value:
            faults.required(here)
            continue
        mixed = field in {"kind", "listKind"}
        prefix = "may have mixed case, but should otherwise match: " if mixed else ""
        for fault in metadata.is_label_1035(value.lower() if mixed else value):
            faults.invalid(here, value, prefix + fault)
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            faults.check_words(f"spec.names.{field}[{index}]", value, metadata.is_label_1035(value))
    if names.get("kind") and names["kind"] == names.get("listKind"):
        faults.invalid(
            "spec.names.listKind", names["listKind"], "kind and listKind may not be the same"
        )


def _approval(faults: Faults, document: Document, group: str) -> None:
    if not any(group == one or group.endswith(f".{one}") for one in _PROTECTED):
        return
    here = f"metadata.annotations[{_APPROVED}]"
    value = (document["metadata"].get("annotations") or {}).get(_APPROVED)
    if value is None:
        faults.required(
            here,
            f'protected groups must have approval annotation "{_APPROVED}", see '
            "https://github.com/kubernetes/enhancements/pull/1111",
        )
    elif not value.startswith(("https://", "http://", "unapproved")):
        faults.invalid(
            here,
            value,
            "protected groups must have approval annotation with either a URL or a reason starting "
            'with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
        )


def _conversion(faults: Faults, spec: Document) -> None:
    conversion = spec.get("conversion") or {}
    strategy = conversion.get("strategy", "")
    if strategy == "Webhook":
        faults.invalid(
            "spec.conversion.strategy",
            strategy,
            "conversion webhooks are not supported by this server; use None, which changes the "
            "apiVersion only",
        )
    else:
        faults.check_choice("spec.conversion.strategy", strategy, ("None", "Webhook"))
    if conversion.get("webhook") and strategy == "None":
        faults.forbidden(
            "spec.conversion.webhook", "should not be set when strategy is not set to Webhook"
        )


def _versions(faults: Faults, spec: Document) -> None:
    versions = spec.get("versions") or []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        here, name = f"spec.versions[{index}]", version.get("name", "")
        if name in seen:
            faults.invalid("spec.versions", _shown(versions), "must contain unique version names")
        seen.add(name)
        faults.check_words(f"{here}.name", name, metadata.is_label_1035(name))
        _version(faults, version, here)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        faults.invalid(
            "spec.versions",
            _shown(versions),
            "must have exactly one version marked as storage version",
        )


def _shown(versions: list[Document]) -> list[Document]:
    return [
        {k: v for k, v in one.items() if k in {"name", "served", "storage"}} for one in versions
    ]


def _version(faults: Faults, version: Document, here: str) -> None:
    warning = version.get("deprecationWarning")
    if warning is not None and not version.get("deprecated"):
        faults.invalid(
            f"{here}.deprecationWarning", warning, "can only be set for deprecated versions"
        )
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        faults.required(f"{here}.schema.openAPIV3Schema", "schemas are required")
    else:
        check_structural(faults, schema, f"{here}.schema.openAPIV3Schema")
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        _scale(faults, scale, f"{here}.subresources.scale")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        _column(faults, column, f"{here}.additionalPrinterColumns[{index}]")
    _selectable(faults, version, schema or {}, here)


def _scale(faults: Faults, scale: Document, here: str) -> None:
    for field, roots, needed in (
        ("specReplicasPath", (".spec",), True),
        ("statusReplicasPath", (".status",), True),
        ("labelSelectorPath", (".spec", ".status"), False),
    ):
        path = scale.get(field, "")
        if not path:
            if needed:
                faults.required(f"{here}.{field}")
            continue
        if not _simple_path(faults, path, f"{here}.{field}"):
            continue
        steps = jsonpath.fields_of(jsonpath.parse(path))
        if steps is None:
            faults.invalid(f"{here}.{field}", path, "must be a json path in the dot notation")
        elif len(steps) < 2 or f".{steps[0]}" not in roots:
            said = " or ".join(roots)
            faults.invalid(f"{here}.{field}", path, f"should be a json path under {said}")


def _simple_path(faults: Faults, path: str, here: str) -> bool:
    try:
        jsonpath.parse(path)
    except ValueError as error:
        faults.invalid(here, path, str(error))
        return False
    if not path.startswith("."):
        faults.invalid(here, path, "must be a simple json path starting with .")
        return False
    return True


def _column(faults: Faults, column: Document, here: str) -> None:
    if not column.get("name"):
        faults.required(f"{here}.name")
    kind = column.get("type", "")
    if not kind:
        said = ",".join(_COLUMN_TYPES)
        faults.required(f"{here}.type", f"must be one of {said}")
    elif kind not in _COLUMN_TYPES:
        faults.invalid(f"{here}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}")
    style = column.get("format", "")
    if style and style not in _COLUMN_FORMATS:
        said = ",".join(sorted(_COLUMN_FORMATS))
        faults.invalid(f"{here}.format", style, f"must be one of {said}")
    if not column.get("jsonPath"):
        faults.required(f"{here}.jsonPath")
    else:
        _simple_path(faults, column["jsonPath"], f"{here}.jsonPath")


def _selectable(faults: Faults, version: Document, schema: Document, here: str) -> None:
    given = version.get("selectableFields") or []
    if len(given) > _MOST_SELECTABLE:
        faults.add(
            "FieldValueTooMany",
            f"{here}.selectableFields",
            f"Too many: {len(given)}: must have at most {_MOST_SELECTABLE} items",
        )
    seen: set[str] = set()
    for index, one in enumerate(given):
        path, field = one.get("jsonPath", ""), f"{here}.selectableFields[{index}].jsonPath"
        if not path:
            faults.required(field)
            continue
        if path in seen:
            faults.duplicate(field, path)
        seen.add(path)
        if not _simple_path(faults, path, field):
            continue
        kind = _type_at(schema, jsonpath.fields_of(jsonpath.parse(path)))
        if kind is None:
            faults.invalid(field, path, "is an invalid path: does not refer to a valid field")
        elif kind not in {"boolean", "integer", "string"}:
            text = f"must point to a field of type boolean, integer or string, not {kind}"
            faults.invalid(field, path, text)
        elif path.startswith(".metadata"):
            faults.invalid(field, path, "must not point to fields in metadata")


def _type_at(schema: Mapping[str, Any], names: tuple[str, ...] | None) -> str | None:
    for name in names or ():
        schema = (schema.get("properties") or {}).get(name) or {}
    found: str | None = schema.get("type") if names else None
    return found


# ------------------------------------------------------------ what has no effect


def definition_warnings(document: Mapping[str, Any]) -> list[str]:
    """Sentences about parts of the schemas that are kept and not acted on; each once."""
    found: list[str] = []
    rules = 0 if available() else str(document.get("spec")).count(repr(RULES))
    if rules:
        found.append(
            f"{RULES}: kept and not checked in {rules} places: the server runs without the CEL "
            'library (install orch with the extra "cel")'
        )
    for index, version in enumerate((document.get("spec") or {}).get("versions") or ()):
        here = f"spec.versions[{index}].schema.openAPIV3Schema"
        found += _warnings(schema_of_version(version), here)
    return list(dict.fromkeys(found))


def _warnings(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    for index, rule in enumerate((schema.get(RULES) or ()) if available() else ()):
        why = why_unchecked(rule)
        if why:
            yield f"{path}.{RULES}[{index}]: kept, but orch does not check this rule: {why}"
    name = schema.get("format")
    if name and not formats.is_known(name):
        yield f'{path}.format: unrecognized format "{name}"'
    for key, below in (schema.get("properties") or {}).items():
        yield from _warnings(below, f"{path}.properties[{key}]")
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            yield from _warnings(schema[key], f"{path}.{key}")
    for key in ("allOf", "anyOf", "oneOf"):
        for index, below in enumerate(schema.get(key) or ()):
            yield from _warnings(below, f"{path}.{key}[{index}]")
