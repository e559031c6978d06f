"""The scale subresource: autoscaling/v1 Scale as a view on spec.replicas of a workload.

Source: Kubernetes API, autoscaling/v1 Scale.
"""

from dataclasses import replace
from typing import Any

from orchestrator.api.patch import json_patch, merge_patch
from orchestrator.api.resources import Resource
from orchestrator.api.scale import replicas_patch, scale_document
from orchestrator.api.tables.workload import SCALE_COLUMNS, scale_cells
from orchestrator.apiserver.answers import Answer, json_answer, object_answer
from orchestrator.apiserver.bodies import read_document
from orchestrator.apiserver.forms import in_version, include_object, partial, row, table_of
from orchestrator.apiserver.negotiation import Form, answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.apiserver.verbs.write import (
    is_apply,
    metadata_of,
    read_configuration,
    read_patch,
    require_same_name,
    require_type,
    write_options,
)
from orchestrator.kit.errors import BadRequest, Cause, Invalid
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.store.objects import Document, StoredObject


async def get_scale(services: Services, request: Request, path: ObjectPath) -> Answer:
    """The Scale of a workload."""
    scale = scale_of(path.resource, services.registry.get(key_of(path)))
    return _answer(services, request, scale)


async def put_scale(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Replaces the Scale: sets replicas; a resourceVersion in it must be the current one."""
    scale = await read_document(request, services.settings.max_depth)
    require_type(scale, "autoscaling/v1", "Scale")
    require_same_name(scale, path)
    expected = metadata_of(scale).get("resourceVersion")
    return await _set(services, request, path, scale, expected)


async def patch_scale(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Patches the Scale; strategic is the same as merge, for a Scale holds no lists."""
    if is_apply(request):
        return await _apply(services, request, path)
    change = await read_patch(services, request, path.resource)
    current = scale_of(path.resource, services.registry.get(key_of(path)))
    expected = None
    patched: Any
    if change.type == "json":
        patched = json_patch.apply(current, change.body)
    else:
        patched = merge_patch.apply(current, change.body)
        meta = change.body.get("metadata")
        expected = meta.get("resourceVersion") if isinstance(meta, dict) else None
    if not isinstance(patched, dict):
        raise BadRequest("the patch leaves no object")
    return await _set(services, request, path, patched, expected)


def scale_of(resource: Resource, item: StoredObject) -> Document:
    """The Scale of a workload, keys in wire order.

    Raises:
        ApiError: a custom object has no replicas where its definition says they are.
    """
    return scale_document(resource, in_version(resource, item).doc)


async def _set(
    services: Services, request: Request, path: ObjectPath, scale: Document, expected: object
) -> Answer:
    change = replicas_patch(path.resource, _replicas(scale, path.name))
    if expected:
        change["metadata"] = {"resourceVersion": str(expected)}
    written = await services.registry.patch(
        key_of(path), Patch("merge", change), options=_options(request, path)
    )
    return _answer(services, request, scale_of(path.resource, written))


def _options(request: Request, path: ObjectPath) -> WriteOptions:
    return replace(write_options(request, path.resource), recorded_as="scale")


async def _apply(services: Services, request: Request, path: ObjectPath) -> Answer:
    """Server-side apply of a Scale: the manager owns the replicas of the workload."""
    config = await read_configuration(services, request)
    require_type(config, "autoscaling/v1", "Scale")
    require_same_name(config, path)
    services.registry.get(key_of(path))  # a Scale cannot make a workload
    if isinstance(config.get("metadata"), dict) and config["metadata"].get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    wanted: Document = {"metadata": {"name": path.name}}
    if "replicas" in (config.get("spec") or {}):
        wanted |= replicas_patch(path.resource, _replicas(config, path.name))
    written, _ = await services.registry.apply(
        key_of(path), wanted, force=request.query.flag("force"), options=_options(request, path)
    )
    return _answer(services, request, scale_of(path.resource, written))


def _replicas(scale: Document, name: str) -> int:
    spec = scale.get("spec")
    if spec is not None and not isinstance(spec, dict):
        raise BadRequest("spec must be an object")
    replicas = (spec or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise BadRequest("spec.replicas must be an integer")
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise Invalid(
            f'Scale.autoscaling "{name}" is invalid: spec.replicas: {message}',
            name=name,
            group="autoscaling",
            kind="Scale",
            causes=(Cause("FieldValueInvalid", message, "spec.replicas"),),
        )
    return replicas


def _answer(services: Services, request: Request, scale: Document) -> Answer:
    wanted = answer_format(request.header(b"accept"))
    shown = scale
    if wanted.form is Form.PARTIAL:
        shown = partial(scale["metadata"], wanted.version)
    elif wanted.form is Form.TABLE:
        cells = scale_cells(scale, services.clock.wall())
        include = include_object(request.query.text("includeObject"))
        shown = table_of(
            [column.definition() for column in SCALE_COLUMNS],
            [row(cells, scale, scale["metadata"], wanted.version, include)],
            {"resourceVersion": scale["metadata"]["resourceVersion"]},
            wanted.version,
        )
    plain = json_answer(shown)
    return object_answer(plain.body, wanted) if wanted.encoding == "yaml" else plain
