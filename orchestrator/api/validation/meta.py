"""Metadata of any object, and label selectors. Source: apimachinery api/validation."""

from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.resources import Resource
from orchestrator.api.validation.collector import Faults

Document = dict[str, Any]

_OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
_STANDARD_FINALIZERS: Final = frozenset({"orphan", "foregroundDeletion", "kubernetes"})


def validate_meta(faults: Faults, resource: Resource, document: Document) -> None:
    """Name, labels, annotations, owners and finalizers of a new object."""
    meta = document["metadata"]
    name, base = meta.get("name", ""), meta.get("generateName", "")
    if base:
        wrong = metadata.name_faults(resource, base, prefix=True)
        faults.check_words("metadata.generateName", base, wrong)
    if not name:
        faults.required("metadata.name", "name or generateName is required")
    elif not base or name != base:
        faults.check_words("metadata.name", name, metadata.name_faults(resource, name))
    validate_labels(faults, "metadata.labels", meta.get("labels"))
    validate_annotations(faults, "metadata.annotations", meta.get("annotations"))
    _owners(faults, meta.get("ownerReferences") or ())
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        field = f"metadata.finalizers[{index}]"
        wrong = metadata.is_qualified_name(finalizer)
        faults.check_words(field, finalizer, wrong)
        if not wrong and "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            faults.invalid(
                field,
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            )


def validate_meta_update(faults: Faults, new: Document, old: Document) -> None:
    """What an update may not do: add finalizers to an object that is being deleted."""
    if "deletionTimestamp" not in old["metadata"]:
        return
    before = set(old["metadata"].get("finalizers") or ())
    added = [f for f in new["metadata"].get("finalizers") or () if f not in before]
    if added:
        faults.forbidden(
            "metadata.finalizers",
            "no new finalizers can be added if the object is being deleted, found new finalizers "
            f"{added}".replace("'", '"'),
        )


def validate_labels(faults: Faults, field: str, labels: dict[str, str] | None) -> None:
    """Keys and values of labels."""
    for key, value in (labels or {}).items():
        faults.check_words(field, key, metadata.is_qualified_name(key))
        faults.check_words(field, value, metadata.is_label_value(value))


def validate_annotations(faults: Faults, field: str, annotations: dict[str, str] | None) -> None:
    """Keys and the total size of annotations."""
    size = 0
    for key, value in (annotations or {}).items():
        faults.check_words(field, key, metadata.is_qualified_name(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > metadata.MOST_ANNOTATION_BYTES:
        faults.too_long(field, metadata.MOST_ANNOTATION_BYTES)


def validate_selector(faults: Faults, field: str, selector: Document) -> None:
    """A workload's label selector."""
    validate_labels(faults, f"{field}.matchLabels", selector.get("matchLabels"))
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        here = f"{field}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or ()
        if operator not in _OPERATORS:
            faults.invalid(f"{here}.operator", operator, "not a valid selector operator")
        elif operator in {"In", "NotIn"} and not values:
            faults.required(
                f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'"
            )
        elif operator in {"Exists", "DoesNotExist"} and values:
            faults.forbidden(
                f"{here}.values",
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )
        key = expression.get("key", "")
        faults.check_words(f"{here}.key", key, metadata.is_qualified_name(key))
        for position, value in enumerate(values):
            wrong = metadata.is_label_value(value)
            faults.check_words(f"{here}.values[{position}]", value, wrong)


def _owners(faults: Faults, owners: Any) -> None:
    controllers = 0
    for index, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{index}]"
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                faults.invalid(f"{field}.{part}", "", f"{part} must not be empty")
        controllers += owner.get("controller") is True
    if controllers > 1:
        faults.invalid(
            "metadata.ownerReferences",
            list(owners),
            "Only one reference can have Controller set to true. Found more than one",
        )
