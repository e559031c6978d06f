"""Which revision a read, list or watch is to show, and which parameters do not go together.

Source: Kubernetes API concepts, "Resource versions", "Streaming lists"; ListOptions' validation.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.apiserver.request import Query
from orchestrator.kit.errors import BadRequest, Cause, Invalid, RequestTimeout
from orchestrator.kit.ids import Revision

_MATCH: Final = "resourceVersionMatch"
_INITIAL: Final = "sendInitialEvents"
_NOT_OLDER: Final = "NotOlderThan"
_RETRY_S: Final = 1


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list is asked for.

    Attributes:
        limit: most objects of a page; 0 for all.
        token: where to go on; "" for the start.
        at: the revision to show exactly; None for how things are.
    """

    limit: int
    token: str
    at: Revision | None


def list_options(query: Query, current: Revision) -> ListOptions:
    """The options of a list, or of a delete of a collection.

    Raises:
        BadRequest: a number that is none; a revision beside a token, which has one.
        Invalid: what does not go together.
        RequestTimeout: the revision is one that the store has not come to.
    """
    _require(_of_list(query))
    limit = query.number("limit") or 0
    if limit < 0:
        raise BadRequest(f"limit: invalid value {limit}: must be at least 0")
    query.number("timeoutSeconds")  # none is needed, but it must be one
    asked = parse_revision(query.text("resourceVersion"))
    token, match = query.text("continue"), query.text(_MATCH)
    if token and asked:
        raise BadRequest("specifying resource version is not allowed when using continue")
    require_known(asked, current)
    # a first page of a revision has always been of exactly that one
    exact = match == "Exact" or (bool(limit) and not match)
    return ListOptions(limit, token, asked if asked and exact else None)


def require_watch_options(query: Query) -> None:
    """Refuses the parameters of a watch that do not go together.

    Raises:
        Invalid: says all that is wrong.
    """
    _require(_of_watch(query))


def parse_revision(text: str) -> Revision:
    """A `resourceVersion` parameter; "" and "0" are 0.

    Raises:
        Invalid: no number.
    """
    if not text:
        return Revision(0)
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        _require([Cause("FieldValueInvalid", why, "resourceVersion")])
    return Revision(int(text))


def require_known(asked: Revision, current: Revision) -> None:
    """Refuses a revision of the future; clients know this cause, and begin anew.

    Raises:
        RequestTimeout: the store has not come to it. Kubernetes waits some seconds for its cache;
            there is nothing here to wait for.
    """
    if asked > current:
        raise RequestTimeout(
            f"Timeout: Too large resource version: {asked}, current: {current}",
            causes=(Cause("ResourceVersionTooLarge", "Too large resource version"),),
            retry_after_s=_RETRY_S,
        )


def _of_list(query: Query) -> list[Cause]:
    found: list[Cause] = []
    match, revision = query.text(_MATCH), query.text("resourceVersion")
    if match:
        if not revision:
            found.append(_forbidden(f"{_MATCH} is forbidden unless resourceVersion is provided"))
        if query.text("continue"):
            found.append(_forbidden(f"{_MATCH} is forbidden when continue is provided"))
        if match not in {"Exact", _NOT_OLDER}:
            found.append(_unsupported(match, '"Exact", "NotOlderThan", ""'))
        if match == "Exact" and revision == "0":
            why = f'{_MATCH} "exact" is forbidden for resourceVersion "0"'
            found.append(_forbidden(why))
    if _INITIAL in query:
        found.append(_forbidden(f"{_INITIAL} is forbidden for list", _INITIAL))
    return found


def _of_watch(query: Query) -> list[Cause]:
    found: list[Cause] = []
    match, initial = query.text(_MATCH), _INITIAL in query
    if initial and match != _NOT_OLDER:
        found.append(_forbidden(f"{_INITIAL} requires setting {_MATCH} to {_NOT_OLDER}"))
    if match:
        if not initial:
            found.append(
                _forbidden(f"{_MATCH} is forbidden for watch unless {_INITIAL} is provided")
            )
        if match != _NOT_OLDER:
            found.append(_unsupported(match, f'"{_NOT_OLDER}"'))
        if query.text("continue"):
            found.append(_forbidden(f"{_MATCH} is forbidden when continue is provided"))
    return found


def _forbidden(why: str, field: str = _MATCH) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(value: str, known: str) -> Cause:
    why = f'Unsupported value: "{value}": supported values: {known}'
    return Cause("FieldValueNotSupported", why, _MATCH)


def _require(causes: list[Cause]) -> None:
    if not causes:
        return
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    raise Invalid(
        f'ListOptions.meta.k8s.io "" is invalid: {text}',
        group="meta.k8s.io",
        kind="ListOptions",
        causes=causes,
    )
