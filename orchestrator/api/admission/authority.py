"""What expressions may ask about permissions: `authorizer`.

`authorizer.group('apps').resource('deployments').namespace('x').check('create').allowed()`: each
call gives a map with one more word, and `allowed` reads them. Who decides is given from outside.
Selectors of fields and labels are not offered: an expression that wants them does not compile.

Source: Kubernetes docs, "CEL in Kubernetes", "Kubernetes authorizer library".
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.admission.question import Question
from orchestrator.api.rbac.rules import Attributes

Wish = Attributes | tuple[str, str]
"""What is asked about: something done to an object, or verb and path."""
May = Callable[[Mapping[str, Any], Wish], bool]
"""Whether a user (UserInfo) may do something."""

_Words = dict[str, Any]
_ACCOUNT: Final = "system:serviceaccount"


def nobody(_user: Mapping[str, Any], _wish: Wish) -> bool:
    """Nobody may do anything; where nothing is known of permissions."""
    return False


def starting_words(question: Question) -> _Words:
    """The value of `authorizer`."""
    resource = question.resource
    return {
        "requestResource": {
            "group": resource.group,
            "resource": resource.plural,
            "subresource": question.subresource,
            "namespace": "" if question.is_namespace else question.namespace,
            "name": question.name,
        }
    }


def functions(user: Mapping[str, Any], may: May) -> Mapping[str, Callable[..., Any]]:
    """What can be called on `authorizer`, by name; `NAMES` lists them."""

    def allowed(words: _Words) -> bool:
        return may(words.get("user") or user, _wish(words))

    def reason(words: _Words) -> str:
        return "" if allowed(words) else "no rule allows it"

    return {
        **_SETTERS,
        "allowed": allowed,
        "error": lambda _words: "",
        "errored": lambda _words: False,
        "reason": reason,
    }


def _setter(field: str) -> Callable[[_Words, str], _Words]:
    return lambda words, value: {**words, field: value}


def _account(words: _Words, namespace: str, name: str) -> _Words:
    groups = [f"{_ACCOUNT}s", f"{_ACCOUNT}s:{namespace}", "system:authenticated"]
    user = {"username": f"{_ACCOUNT}:{namespace}:{name}", "groups": groups}
    return {"user": user} | {k: v for k, v in words.items() if k not in {"user", "requestResource"}}


def _wish(words: _Words) -> Wish:
    verb = words.get("verb", "")
    if "path" in words:
        return verb, words["path"]
    return Attributes(
        verb,
        words.get("group", ""),
        words.get("resource", ""),
        words.get("subresource", ""),
        words.get("namespace", ""),
        words.get("name", ""),
    )


_SETTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType({
    "check": _setter("verb"),
    "group": _setter("group"),
    "name": _setter("name"),
    "namespace": _setter("namespace"),
    "path": _setter("path"),
    "resource": _setter("resource"),
    "serviceAccount": _account,
    "subresource": _setter("subresource"),
})  # fmt: skip
NAMES: Final = _SETTERS.keys() | {"allowed", "error", "errored", "reason"}
