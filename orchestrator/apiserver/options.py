"""Options that several verbs share: whether a write is only tried out, and how they are refused."""

from collections.abc import Sequence
from typing import Any

from orchestrator.apiserver.request import Query
from orchestrator.kit.errors import BadRequest, Cause, Invalid

_REASONS = {
    "Required value": "FieldValueRequired",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
}


def is_dry_run(query: Query, kind: str, in_body: Any = None) -> bool:
    """Whether a request asks that nothing is stored. A word that is not known is refused.

    Args:
        query: of the request.
        kind: of the options: "CreateOptions", ...
        in_body: `dryRun` of options in the body, which count where they say something.

    Raises:
        BadRequest: the body's is no list of words.
        Invalid: another value than "All": whoever misspells it must not change anything.
    """
    if in_body is None:
        values: Sequence[str] = query.all("dryRun") if "dryRun" in query else ()
    elif isinstance(in_body, list) and all(isinstance(value, str) for value in in_body):
        values = [*query.all("dryRun"), *in_body]
    else:
        raise BadRequest("dryRun must be a list of strings")
    for value in values:
        if value != "All":
            raise invalid_option(
                kind, "dryRun", "Unsupported value", f'"{value}": supported values: "All"'
            )
    return bool(values)


def invalid_option(kind: str, field: str, word: str, detail: str) -> Invalid:
    """A 422 about options.

    Args:
        kind: of the options: "CreateOptions", ...
        field: at fault.
        word: how Kubernetes begins the sentence: "Forbidden", "Unsupported value", ...
        detail: how it goes on.
    """
    message = f"{word}: {detail}"
    return Invalid(
        f'{kind}.meta.k8s.io "" is invalid: {field}: {message}',
        group="meta.k8s.io",
        kind=kind,
        causes=(Cause(_REASONS[word], message, field),),
    )
