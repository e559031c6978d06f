"""Create, update and patch. Source: Kubernetes API concepts, "Efficient detection of changes"."""

from typing import Any, Final, Literal, cast

from orchestrator.api.rbac.rules import Attributes
from orchestrator.api.resources import Resource
from orchestrator.apiserver.admission import review_for
from orchestrator.apiserver.alike import alike
from orchestrator.apiserver.answers import Answer, object_answer
from orchestrator.apiserver.bodies import decode_json, doubled_fields, read_document
from orchestrator.apiserver.forms import include_object, rendered_object
from orchestrator.apiserver.negotiation import (
    APPLY,
    BodyForm,
    answer_format,
    body_form,
    media_type,
    patch_type,
)
from orchestrator.apiserver.options import invalid_option, is_dry_run
from orchestrator.apiserver.params import params_review
from orchestrator.apiserver.paths import DEFAULT_NAMESPACE, ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.apiserver.yaml_body import load_yaml
from orchestrator.kit.errors import BadRequest
from orchestrator.registry.options import Patch, Review, WriteOptions
from orchestrator.store.objects import Document, StoredObject

FieldValidation = Literal["Ignore", "Warn", "Strict"]
_LONGEST_MANAGER: Final = 128
_VALIDATIONS: Final = frozenset({"Ignore", "Warn", "Strict"})
_OPTIONS: Final = {"POST": "CreateOptions", "PUT": "UpdateOptions"}


async def create(services: Services, request: Request, path: ObjectPath) -> Answer:
    """POST to a collection: 201 with the object.

    Raises:
        ApiError: AlreadyExists, Invalid, BadRequest, ... as the registry says.
    """
    answer_format(request.header(b"accept"))
    options = reviewed_options(services, request, path)
    kept = alike(request.scope)
    document = kept.find(await request.body()) if kept is not None else None
    shared = document is not None
    if document is None:
        document = await read_document(request, services.settings.max_depth)
        if await _say_doubled(request, document, path.resource, options) and kept is not None:
            kept.keep(await request.body())
    require_kind(document, path.resource)
    namespace = body_namespace(document, path)
    made = await services.registry.create(
        path.resource.resource, namespace, document, options=options, consumes=not shared
    )
    return _shown(services, request, path, made, 201)


async def update(services: Services, request: Request, path: ObjectPath) -> Answer:
    """PUT of an object or its status: 200 with the object; 201 never, a missing object is 404."""
    answer_format(request.header(b"accept"))
    options = reviewed_options(services, request, path)
    document = await read_document(request, services.settings.max_depth)
    await _say_doubled(request, document, path.resource, options)
    require_kind(document, path.resource)
    require_same_name(document, path)
    body_namespace(document, path)
    written = await services.registry.update(
        key_of(path), document, subresource=path.subresource, options=options
    )
    return _shown(services, request, path, written, 200)


async def patch(services: Services, request: Request, path: ObjectPath) -> Answer:
    """PATCH of an object or its status: by content type json, merge, strategic or apply."""
    answer_format(request.header(b"accept"))
    options = reviewed_options(services, request, path)
    if is_apply(request):
        return await _apply(services, request, path, options)
    change = await read_patch(services, request, path.resource)
    await _say_doubled(request, change.body, path.resource, options)
    written = await services.registry.patch(
        key_of(path), change, subresource=path.subresource, options=options
    )
    return _shown(services, request, path, written, 200)


async def _apply(
    services: Services, request: Request, path: ObjectPath, options: WriteOptions
) -> Answer:
    """Server-side apply: 200, or 201 when it made the object."""
    config = await read_configuration(services, request)
    if not (config.get("apiVersion") and config.get("kind")):
        raise BadRequest("an applied configuration must say its apiVersion and kind")
    require_kind(config, path.resource)
    require_same_name(config, path)
    body_namespace(config, path)
    if not path.subresource and not services.registry.exists(key_of(path)):
        require_create(services, request, path)
    written, made = await services.registry.apply(
        key_of(path),
        config,
        force=request.query.flag("force"),
        subresource=path.subresource,
        options=options,
    )
    return _shown(services, request, path, written, 201 if made else 200)


def is_apply(request: Request) -> bool:
    """Whether a PATCH is a server-side apply."""
    return media_type(request.header(b"content-type")) == APPLY


async def read_configuration(services: Services, request: Request) -> Document:
    """The configuration in an apply's body, YAML or JSON.

    Raises:
        BadRequest: it cannot be read, or is no object.
        Invalid: nobody says who applies it.
    """
    if not request.query.text("fieldManager"):
        raise invalid_option(
            "PatchOptions", "fieldManager", "Required value", "is required for apply patch"
        )
    data = await request.body()
    config = load_yaml(data, services.settings.max_depth) if data else None
    if not isinstance(config, dict):
        raise BadRequest("the request body is empty or no object; a configuration is needed")
    return config


def require_create(services: Services, request: Request, path: ObjectPath) -> None:
    """Refuses an apply that would make an object to those who may not create it.

    Raises:
        Forbidden: not allowed.
    """
    resource = path.resource
    services.authorizer.require(
        request.identity,
        Attributes("create", resource.group, resource.plural, "", path.namespace, path.name),
    )


async def _say_doubled(
    request: Request, value: Any, resource: Resource, options: WriteOptions
) -> bool:
    """Warns of fields that the body has twice, or refuses them, as the options say.

    Returns:
        Whether it is a JSON body that was looked at and has none.
    """
    if options.field_validation == "Ignore":
        return False
    media = media_type(request.header(b"content-type"))
    form: BodyForm = "json" if media.endswith("+json") else body_form(media)
    found = doubled_fields(await request.body(), form, value)
    if found and options.field_validation == "Strict":
        raise BadRequest(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {', '.join(found)}"
        )
    options.warnings.extend(found)
    return form == "json" and not found


async def read_patch(services: Services, request: Request, resource: Resource) -> Patch:
    """The patch in the body.

    Raises:
        BadRequest: no JSON, or not the JSON type that this kind of patch is.
        UnsupportedMediaType: another kind of patch.
    """
    kind = patch_type(request.header(b"content-type"), strategic=resource.custom is None)
    if kind == "apply":
        raise BadRequest("this place takes no server-side apply")
    if "force" in request.query:
        raise invalid_option(
            "PatchOptions", "force", "Forbidden", "may not be specified for non-apply patch"
        )
    data = await request.body()
    if not data:
        raise BadRequest("the request body is empty; a patch is needed")
    body = decode_json(data, services.settings.max_depth)
    wanted, word = (list, "an array of operations") if kind == "json" else (dict, "an object")
    if not isinstance(body, wanted):
        raise BadRequest(f"a {kind} patch must be {word}")
    return Patch(kind, body)


def reviewed_options(services: Services, request: Request, path: ObjectPath) -> WriteOptions:
    """As `write_options`, with the look at the finished object that depends on who asks."""
    identity = request.identity
    review = review_for(services.authorizer, identity, path)
    review = review or params_review(services, identity, path)
    return write_options(request, path.resource, review)


def write_options(request: Request, asked: Resource, review: Review | None = None) -> WriteOptions:
    """dryRun, fieldManager and fieldValidation of the query, and who asks.

    Raises:
        Invalid: an unknown value.
    """
    query = request.query
    kind = _OPTIONS.get(request.method, "PatchOptions")
    validation = query.text("fieldValidation") or "Warn"
    if validation not in _VALIDATIONS:
        supported = '"Ignore", "Strict", "Warn"'
        raise invalid_option(
            kind, "fieldValidation", "Unsupported value",
            f'"{validation}": supported values: {supported}',
        )  # fmt: skip
    return WriteOptions(
        dry_run=is_dry_run(query, kind),
        field_manager=field_manager(request, kind),
        field_validation=cast("FieldValidation", validation),
        warnings=request.warnings,
        asked=asked,
        review=review,
        requester=request.identity.document(),
    )


def field_manager(request: Request, kind: str = "PatchOptions") -> str:
    """Who writes: the query's word, else the first part of the User-Agent.

    Args:
        request: that writes.
        kind: of its options.

    Raises:
        Invalid: longer than 128 characters, or not printable.
    """
    name = request.query.text("fieldManager")
    if len(name) > _LONGEST_MANAGER:
        raise invalid_option(
            kind, "fieldManager", "Too long", f"may not be more than {_LONGEST_MANAGER} bytes"
        )
    if not name.isprintable():
        raise invalid_option(
            kind, "fieldManager", "Invalid value", "should only contain printable characters"
        )
    agent = request.header(b"user-agent").partition("/")[0][:_LONGEST_MANAGER]
    return name or (agent if agent.isprintable() and agent else "unknown")


def require_kind(document: Document, resource: Resource) -> None:
    """Fills in kind and apiVersion when both are absent; refuses those of another kind.

    Raises:
        BadRequest: the document is of another kind.
    """
    require_type(document, resource.api_version, resource.kind)


def require_type(document: Document, api_version: str, kind: str) -> None:
    """As `require_kind`, for a kind given by its words."""
    given_version, given_kind = document.get("apiVersion"), document.get("kind")
    if not given_kind:
        document["kind"] = kind
    elif given_kind != kind:
        raise BadRequest(
            f'{given_kind} in version "{_version(given_version)}" cannot be handled as a {kind}: '
            f"the object in the body is a {given_kind}, the path takes {kind}"
        )
    if not given_version:
        document["apiVersion"] = api_version
    elif given_version != api_version:
        raise BadRequest(
            f"the API version in the data ({given_version}) does not match the expected API "
            f"version ({api_version})"
        )


def body_namespace(document: Document, path: ObjectPath) -> str:
    """The namespace to write to: the path's, which the body must not contradict.

    Raises:
        BadRequest: metadata is no object, or its namespace is another one than the path's.
    """
    meta = metadata_of(document)
    given = meta.get("namespace") or ""
    if not path.resource.namespaced:
        return ""
    if not path.namespace_given and not path.name:
        return str(given) or DEFAULT_NAMESPACE
    if given and given != path.namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return path.namespace


def require_same_name(document: Document, path: ObjectPath) -> None:
    """Refuses a body whose name is not the path's; fills an absent one.

    Raises:
        BadRequest: the names differ.
    """
    meta = metadata_of(document)
    given = meta.get("name")
    if not given:
        document["metadata"] = {**meta, "name": path.name}
    elif given != path.name:
        raise BadRequest(
            f"the name of the object ({given}) does not match the name on the URL ({path.name})"
        )


def metadata_of(document: Document) -> dict[str, Any]:
    """`metadata`, made when absent.

    Raises:
        BadRequest: it is no object.
    """
    meta = document.get("metadata")
    if meta is None:
        meta = document["metadata"] = {}
    if not isinstance(meta, dict):
        raise BadRequest("metadata must be an object")
    return meta


def _shown(
    services: Services, request: Request, path: ObjectPath, item: StoredObject, status: int
) -> Answer:
    wanted = answer_format(request.header(b"accept"))
    include = include_object(request.query.text("includeObject"))
    data = rendered_object(path.resource, item, wanted, include, services.clock.wall())
    return object_answer(data, wanted, status)


def _version(api_version: object) -> str:
    return str(api_version or "").rpartition("/")[2]
