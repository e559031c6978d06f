"""Keeps `metadata.managedFields` in step with what is written: pure, over documents.

Requests of users are recorded under their field manager. What the server's own parts write is not
(a status per heartbeat would be carried around for nobody), but what they take over from a recorded
manager is: then they are `SERVER`. Source: Kubernetes concepts, "Server-Side Apply".
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api.managed import managers
from orchestrator.api.managed.managers import Entry, Manager
from orchestrator.api.resources import Resource
from orchestrator.api.schema.nodes import schema_of
from orchestrator.kit.errors import BadRequest
from orchestrator.registry.options import WriteOptions
from orchestrator.registry.strategy import strategy_of

Document = dict[str, Any]

SERVER: Final = "orch"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL: Final = "kubectl"


def note_create(resource: Resource, document: Document, options: WriteOptions, now: str) -> None:
    """Records the maker of a new object, in place."""
    if not options.field_manager:
        return
    who = Manager(options.field_manager, "Update", resource.api_version, options.recorded_as)
    made = managers.updated(
        [], None, document, schema_of(resource), who, now, _not_set_by(resource, "")
    )
    _put(document, made)


def note_update(
    resource: Resource,
    stored: Mapping[str, Any],
    document: Document,
    requested: Any,
    subresource: str,
    options: WriteOptions,
    now: str,
) -> None:
    """Records who changed an object, in place.

    Args:
        resource: the stored row.
        stored: the object before the write.
        document: what will be stored; its own entries are replaced.
        requested: entries that the request carries; they count when they can be read.
        subresource: that is written.
        options: of the request.
        now: RFC 3339.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    kept = stored["metadata"].get("managedFields")
    if not options.field_manager and (subresource or not kept):
        _put_raw(document, kept)
        return
    who = Manager(
        options.field_manager or SERVER, "Update", resource.api_version,
        options.recorded_as or subresource,
    )  # fmt: skip
    made = managers.updated(
        _base(kept, requested), stored, document, schema_of(resource), who, now,
        _not_set_by(resource, subresource),
    )  # fmt: skip
    _put(document, made)


def applied_to(
    resource: Resource,
    live: Document,
    config: Mapping[str, Any],
    subresource: str,
    options: WriteOptions,
    now: str,
    *,
    force: bool,
) -> Document:
    """The object with a configuration applied, entries included.

    Args:
        resource: the row that the configuration is of.
        live: the object in that version; not changed.
        config: the configuration.
        subresource: that is written.
        options: of the request.
        now: RFC 3339.
        force: take over what others own.

    Raises:
        BadRequest: an item of a list has no keys, or the entries of the object cannot be read.
        Conflict: somebody else owns a field that would change.
    """
    schema = schema_of(resource)
    kept = live["metadata"].get("managedFields")
    try:
        entries = managers.decode(kept)
    except ValueError as error:
        raise BadRequest(f"metadata.managedFields: {error}") from error
    if not entries:
        entries = managers.before_first_apply(live, schema, resource.api_version, now)
    who = _applier(resource, subresource, options)
    config = _of(resource, config, subresource)
    document, made = managers.applied(entries, live, config, schema, who, now, force=force)
    document["metadata"] = {**document["metadata"]}
    _renew_last_applied(document, config, who)
    _put(document, made)
    return document


def entries_of_new(
    resource: Resource, config: Mapping[str, Any], options: WriteOptions, now: str
) -> list[Document]:
    """The entries of an object that an apply makes.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    who = _applier(resource, "", options)
    spoken = _of(resource, config, "")
    return managers.encode(managers.first_applied(spoken, schema_of(resource), who, now))


def _applier(resource: Resource, subresource: str, options: WriteOptions) -> Manager:
    within = options.recorded_as or subresource
    return Manager(options.field_manager, "Apply", resource.api_version, within)


def _of(resource: Resource, config: Mapping[str, Any], subresource: str) -> Document:
    """The part of a configuration that a request to this place can set."""
    if subresource:
        meta = {k: v for k, v in config["metadata"].items() if k in {"name", "namespace"}}
        kept = {k: v for k, v in config.items() if k in {"apiVersion", "kind", subresource}}
        if subresource == "ephemeralcontainers":
            spec = config.get("spec") or {}
            some = {k: v for k, v in spec.items() if k == "ephemeralContainers"}
            kept["spec"] = some
        return {**kept, "metadata": meta}
    left_out = _not_set_by(resource, "")
    return {key: value for key, value in config.items() if key not in left_out}


def _not_set_by(resource: Resource, subresource: str) -> frozenset[str]:
    has_status = strategy_of(resource).status
    return frozenset({"status"}) if has_status and not subresource else frozenset()


def _base(kept: Any, requested: Any) -> list[Entry]:
    """The entries to go on from: the request's when it brings readable ones; [{}] for none."""
    if requested == [{}]:
        return []
    if kept and requested in (kept, None):  # nearly always: a client sends what it has read
        return managers.decode(kept, stored=True)
    try:
        found = managers.decode(requested)
    except (ValueError, AttributeError, TypeError):
        found = []
    if found or not kept:
        return found
    return managers.decode(kept, stored=True)


def _renew_last_applied(document: Document, config: Mapping[str, Any], who: Manager) -> None:
    """Keeps the annotation true by which `kubectl apply` without --server-side goes on.

    Source: apimachinery managedfields, lastAppliedUpdater.
    """
    annotations = document["metadata"].get("annotations") or {}
    if who.name != _KUBECTL or LAST_APPLIED not in annotations:
        return
    bare = json.loads(json.dumps(config))
    (bare.get("metadata") or {}).get("annotations", {}).pop(LAST_APPLIED, None)
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True) + "\n"
    document["metadata"]["annotations"] = {**annotations, LAST_APPLIED: text}


def _put(document: Document, entries: list[Entry]) -> None:
    _put_raw(document, managers.encode(entries))


def _put_raw(document: Document, entries: Any) -> None:
    meta = document["metadata"] = {**document["metadata"]}
    if entries:
        meta["managedFields"] = entries
    else:
        meta.pop("managedFields", None)
