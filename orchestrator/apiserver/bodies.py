"""Request bodies as documents: JSON, YAML or protobuf, within limits of size and depth."""

from typing import Any

import msgspec

from orchestrator.api.schema import protobuf, strict
from orchestrator.apiserver.negotiation import BodyForm, body_form
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.yaml_body import load_yaml
from orchestrator.kit.errors import BadRequest
from orchestrator.store.objects import Document


async def read_document(request: Request, max_depth: int) -> Document:
    """The object in the body.

    Raises:
        BadRequest: empty, malformed, not an object, or nested too deeply.
        EntityTooLarge: over the limit.
        UnsupportedMediaType: none of the three forms.
    """
    document = await read_optional_document(request, max_depth)
    if document is None:
        raise BadRequest("the request body is empty; an object is needed")
    return document


async def read_optional_document(request: Request, max_depth: int) -> Document | None:
    """As `read_document`; None when the body is empty (DELETE)."""
    form = body_form(request.header(b"content-type"))
    data = await request.body()
    if not data:
        return None
    value = decode_body(data, form, max_depth)
    if not isinstance(value, dict):
        raise BadRequest(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{_json_name(value)} into an object"
        )
    return value


def decode_body(data: bytes, form: BodyForm, max_depth: int) -> Any:
    """The value in a body of a known form.

    Raises:
        BadRequest: it cannot be read, or is nested too deeply.
    """
    if form == "protobuf":
        try:
            return protobuf.decode(data)
        except ValueError as error:
            raise BadRequest(f"the protobuf body cannot be read: {error}") from error
    if form == "yaml":
        return load_yaml(data, max_depth)
    return decode_json(data, max_depth)


def decode_json(data: bytes, max_depth: int) -> Any:
    """The JSON value in `data`.

    Raises:
        BadRequest: no JSON, or nested too deeply.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error
    except RecursionError as error:
        raise BadRequest(f"the document is nested deeper than {max_depth} levels") from error
    # no deeper than there are brackets with something in them, and one; most need no look
    full = data.count(b"{") - data.count(b"{}") + data.count(b"[") - data.count(b"[]")
    if full >= max_depth:
        require_depth(value, max_depth)
    return value


def doubled_fields(data: bytes, form: BodyForm, value: Any) -> tuple[str, ...]:
    """`duplicate field "spec.replicas"` for every key that a JSON body repeats.

    Args:
        data: the body.
        form: only JSON bodies are looked at.
        value: what it was decoded to; what comes out the same again doubles nothing, and is most.
    """
    if form != "json" or msgspec.json.encode(value) == data.strip():
        return ()
    return strict.duplicates(data)


def require_depth(value: Any, max_depth: int) -> None:
    """Refuses a document that is nested too deeply; walks it level by level.

    Raises:
        BadRequest: deeper than `max_depth`.
    """
    level = [value]
    for _ in range(max_depth):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                below.extend(v for v in item if isinstance(v, dict | list))
        if not below:
            return
        level = below
    raise BadRequest(f"the document is nested deeper than {max_depth} levels")


def _json_name(value: Any) -> str:
    if isinstance(value, list):
        return "array"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    return "null" if value is None else "number"
