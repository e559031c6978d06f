"""Between the versions of a custom kind, by the strategy None: only apiVersion changes.

What the other version's schema does not specify is pruned, and its defaults are filled in, as for
anything that comes in in that version. Source: Kubernetes docs, "Versions in
CustomResourceDefinitions".
"""

from typing import Any

from orchestrator.api.custom.defaulting import copied, default
from orchestrator.api.custom.pruning import Schema, prune
from orchestrator.api.custom.version import CustomVersion

Document = dict[str, Any]


def to_stored(version: CustomVersion, document: Document) -> Document:
    """A document of this version as it is stored; consumed."""
    if document["apiVersion"] == version.stored_version:
        return document
    return _moved(document, version.stored_version, version.stored_schema, version.schema)


def from_stored(version: CustomVersion, document: Document) -> Document:
    """A stored document in this version; the argument itself when it is so already."""
    if document["apiVersion"] == version.api_version:
        return document
    return _moved(document, version.api_version, version.schema, None)


def refreshed(version: CustomVersion, document: Document) -> Document:
    """A document of this version with the defaults that its schema has got meanwhile.

    The argument itself when it has them all; it is not changed.
    """
    made: Document = copied(document)
    default(made, version.schema)
    return document if made == document else made


def _moved(document: Document, api_version: str, schema: Schema, known: Schema | None) -> Document:
    moved = {**document, "apiVersion": api_version}
    if schema is known or schema == known:
        return moved
    moved = {key: copied(value) for key, value in moved.items()}
    prune(moved, schema)
    default(moved, schema)
    return moved
