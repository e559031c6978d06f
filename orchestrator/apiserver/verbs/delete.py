"""DELETE of one object or of a collection, and eviction. Source: meta/v1 DeleteOptions."""

from dataclasses import replace
from typing import Any, Final, Literal, cast

from orchestrator.api.resources import SHOWN_WHEN_DELETED
from orchestrator.apiserver.answers import Answer, json_answer, object_answer
from orchestrator.apiserver.bodies import read_document, read_optional_document
from orchestrator.apiserver.errors import success_status
from orchestrator.apiserver.forms import ListMeta, list_parts, rendered_object
from orchestrator.apiserver.list_options import list_options
from orchestrator.apiserver.negotiation import answer_format
from orchestrator.apiserver.options import invalid_option, is_dry_run
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Query, Request
from orchestrator.apiserver.selectors import read_filter
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.asking import ask_about_body
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.apiserver.verbs.write import require_same_name, require_type
from orchestrator.kit.errors import BadRequest
from orchestrator.kit.ids import Revision, Uid
from orchestrator.registry.options import DeleteOptions
from orchestrator.store.objects import Document

Propagation = Literal["Background", "Foreground", "Orphan"]
_KIND: Final = "DeleteOptions"
_PROPAGATIONS: Final = frozenset({"Background", "Foreground", "Orphan"})


async def delete(services: Services, request: Request, path: ObjectPath) -> Answer:
    """One object: the object while it still exists (grace, finalizers), else a Status.

    Raises:
        NotFound: no such object.
        Conflict: a precondition does not hold.
    """
    wanted = answer_format(request.header(b"accept"))
    options = await _asked_options(services, request, path)
    deleted = await services.registry.delete(key_of(path), options=options)
    resource = path.resource
    if not deleted.gone or resource.resource in SHOWN_WHEN_DELETED:
        now_s = services.clock.wall()
        data = rendered_object(resource, deleted.object, wanted, "Metadata", now_s)
        return object_answer(data, wanted)
    return Answer(
        success_status(
            name=path.name, group=resource.group, kind=resource.plural, uid=deleted.object.uid
        )
    )


async def delete_collection(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Everything that the selectors choose: 200 with the list of what was deleted."""
    wanted = answer_format(request.header(b"accept"))
    chosen = read_filter(request.query, path.resource)
    list_options(request.query, services.store.revision)  # what cannot be read is no "everything"
    options = await _asked_options(services, request, path)
    deleted = await services.registry.delete_collection(
        path.resource.resource,
        path.namespace,
        labels=chosen.labels,
        fields=chosen.fields,
        options=options,
    )
    items = [one.object for one in deleted]
    meta, now_s = ListMeta(services.store.revision), services.clock.wall()
    data = b"".join(list_parts(path.resource, items, meta, wanted, "Metadata", now_s))
    return object_answer(data.rstrip(), wanted)


async def evict(services: Services, request: Request, path: ObjectPath) -> Answer:
    """POST pods/NAME/eviction: a delete that a disruption budget can refuse with 429."""
    body = await read_document(request, services.settings.max_depth)
    if body.get("apiVersion") == "policy/v1beta1":
        body["apiVersion"] = "policy/v1"  # nothing else differs
    require_type(body, "policy/v1", "Eviction")
    require_same_name(body, path)
    inner = body.get("deleteOptions")
    if inner is not None and not isinstance(inner, dict):
        raise BadRequest("deleteOptions must be an object")
    options = _options(inner or {}, request.query)
    ask_about_body(services, request, path, body, dry_run=options.dry_run)
    await services.registry.evict(key_of(path), options=options)
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
    return json_answer(status, 201)


async def _asked_options(services: Services, request: Request, path: ObjectPath) -> DeleteOptions:
    """As `delete_options`, with who asks for what."""
    options = await delete_options(services, request)
    return replace(
        options,
        asked=path.resource,
        requester=request.identity.document(),
        warnings=request.warnings,
    )


async def delete_options(services: Services, request: Request) -> DeleteOptions:
    """DeleteOptions of the body and the query; the body counts where both speak.

    Raises:
        BadRequest: a value of the wrong type.
        Invalid: an unknown propagation policy, a negative grace.
    """
    body = await read_optional_document(request, services.settings.max_depth) or {}
    if body.get("kind") not in (None, "", "DeleteOptions"):  # may be unhashable
        raise BadRequest(f"the body of a DELETE must be DeleteOptions, not {body['kind']}")
    query = request.query
    merged: Document = dict(body)
    grace = query.number("gracePeriodSeconds")
    if grace is not None:
        merged.setdefault("gracePeriodSeconds", grace)
    if query.text("propagationPolicy"):
        merged.setdefault("propagationPolicy", query.text("propagationPolicy"))
    if "orphanDependents" in query:
        merged.setdefault("orphanDependents", query.flag("orphanDependents"))
    return _options(merged, query)


def _options(document: Document, query: Query) -> DeleteOptions:
    dry_run = is_dry_run(query, _KIND, document.get("dryRun"))
    grace = document.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise BadRequest("gracePeriodSeconds must be an integer")
    if grace is not None and grace < 0:
        grace = 1  # as Kubernetes: a negative period means the shortest one
    preconditions: Any = document.get("preconditions")
    if preconditions is None:
        preconditions = {}
    if not isinstance(preconditions, dict):
        raise BadRequest("preconditions must be an object")
    revision = str(preconditions.get("resourceVersion") or "")
    if revision and not (revision.isascii() and revision.isdigit() and len(revision) < 19):
        raise BadRequest("preconditions.resourceVersion must be a number")
    uid = preconditions.get("uid")
    return DeleteOptions(
        grace_s=grace,
        propagation=_propagation(document),
        uid=Uid(str(uid)) if uid else None,
        expected=Revision(int(revision)) if revision else None,
        dry_run=dry_run,
    )


def _propagation(document: Document) -> Propagation | None:
    """What becomes of dependents; None when nothing is said about them."""
    word, orphan = document.get("propagationPolicy"), document.get("orphanDependents")
    if orphan is not None and not isinstance(orphan, bool):
        raise BadRequest("orphanDependents must be a boolean")
    if word is None:
        return None if orphan is None else "Orphan" if orphan else "Background"
    if not isinstance(word, str):
        raise BadRequest("propagationPolicy must be a string")
    field = "propagationPolicy"
    if orphan is not None:
        both = "orphanDependents and deletionPropagation cannot be both set"
        raise invalid_option(_KIND, field, "Invalid value", f'"{word}": {both}')
    if word not in _PROPAGATIONS:
        known = '"Background", "Foreground", "Orphan"'
        raise invalid_option(
            _KIND, field, "Unsupported value", f'"{word}": supported values: {known}'
        )
    return cast("Propagation", word)
