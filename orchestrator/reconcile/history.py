"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had (pure).

Source: Kubernetes pkg/controller/history; apps/v1 ControllerRevision.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orchestrator.api.metadata import SUFFIX_ALPHABET
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create, Delete, Intent, Patch
from orchestrator.store.objects import Document, StoredObject

REVISIONS: Final = "controllerrevisions.apps"
REVISION_LABEL: Final = "controller-revision-hash"
_HASH_LABEL: Final = "controller.kubernetes.io/hash"
_FNV_OFFSET: Final = 2166136261
_FNV_PRIME: Final = 16777619
_encoder: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one owner.

    Attributes:
        update: name of the revision of the present template.
        templates: by revision name; the present template included.
        numbers: revision number by name.
        intents: what makes the stored revisions say so.
    """

    update: str
    templates: Mapping[str, Document]
    numbers: Mapping[str, int]
    intents: tuple[Intent, ...]


def history(owner: StoredObject, revisions: Sequence[StoredObject]) -> History:
    """What the revisions are and should be: a template that comes back takes the newest number.

    Args:
        owner: the StatefulSet or DaemonSet.
        revisions: those that it controls.
    """
    template = owner.doc["spec"]["template"]
    ordered = sorted(revisions, key=lambda r: (r.doc.get("revision", 0), r.key.name))
    templates = {r.key.name: _template_of(r) for r in ordered}
    numbers = {r.key.name: int(r.doc.get("revision", 0)) for r in ordered}
    latest = max(numbers.values(), default=0)
    same = [r for r in ordered if templates[r.key.name] == template]
    if same:
        found = same[-1]
        name = found.key.name
        if numbers[name] == latest:
            return History(name, templates, numbers, ())
        patch = Patch(found.key, {"revision": latest + 1}, uid=found.uid)
        return History(name, templates, {**numbers, name: latest + 1}, (patch,))
    taken = {r.key.name for r in ordered}
    name = _name(owner, template, taken)
    made = _document(owner, template, name, latest + 1)
    create = Create(REVISIONS, owner.key.namespace, made)
    return History(name, {**templates, name: template}, {**numbers, name: latest + 1}, (create,))


def expired(revisions: Sequence[StoredObject], in_use: Collection[str], limit: int) -> list[Intent]:
    """Deletes of the oldest revisions that no pod has, beyond the limit."""
    unused = [r for r in revisions if r.key.name not in in_use]
    unused.sort(key=lambda r: (r.doc.get("revision", 0), r.key.name))
    return [Delete(r.key, uid=r.uid) for r in unused[: max(0, len(unused) - limit)]]


def _template_of(revision: StoredObject) -> Document:
    template = ((revision.doc.get("data") or {}).get("spec") or {}).get("template") or {}
    return {key: value for key, value in template.items() if key != "$patch"}


def _document(owner: StoredObject, template: Document, name: str, number: int) -> Document:
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    labels[_HASH_LABEL] = name.rpartition("-")[2]
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": owner.key.namespace,
            "labels": labels,
            "annotations": dict(owner.doc["metadata"].get("annotations") or {}),
            "ownerReferences": [owners.controller_reference(owner)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number,
    }


def _name(owner: StoredObject, template: Mapping[str, Any], taken: Collection[str]) -> str:
    for count in range(len(taken) + 1):
        name = f"{owner.key.name}-{_hash(template, count)}"
        if name not in taken:
            return name
    raise AssertionError("more names than revisions")


def _hash(template: Mapping[str, Any], collisions: int) -> str:
    data = _encoder.encode(template) + (str(collisions).encode() if collisions else b"")
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(SUFFIX_ALPHABET[int(c) % len(SUFFIX_ALPHABET)] for c in str(value))
