"""Asks admission policies about requests that are no writes of an object.

Streams into pods (CONNECT), and what is posted to a subresource: bindings, evictions, tokens.
Everything else is asked about where it is written (`registry/policies`). Questions that are
answered and forgotten (reviews of tokens and permissions) are not asked about, as in Kubernetes.

Source: Kubernetes docs, "Validating Admission Policy"; core/v1 PodExecOptions, PodAttachOptions,
PodPortForwardOptions, PodProxyOptions.
"""

from typing import Any, Final

from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Query, Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.kit.errors import BadRequest
from orchestrator.registry import asking
from orchestrator.registry.options import WriteOptions
from orchestrator.store.objects import Document

_STREAMS: Final = ("stdin", "stdout", "stderr", "tty")


def ask_about_body(
    services: Services,
    request: Request,
    path: ObjectPath,
    body: Document,
    *,
    dry_run: bool = False,
) -> None:
    """Asks about the body of a POST to a subresource.

    Raises:
        ApiError: a policy refuses it.
    """
    policies = services.registry.policies
    if not policies.hooks:
        return
    options = WriteOptions(dry_run=dry_run, requester=request.identity.document())
    question = asking.body(path.resource, key_of(path), path.subresource, body, options)
    policies.review(question, request.warnings)


def ask_about_stream(services: Services, request: Request, path: ObjectPath) -> None:
    """Asks about exec, attach, port-forward or proxy. What a policy warns of is not shown there.

    Raises:
        ApiError: a policy refuses it.
    """
    policies = services.registry.policies
    if not policies.hooks:
        return
    options = WriteOptions(requester=request.identity.document())
    body = stream_options(path, request.query)
    question = asking.body(path.resource, key_of(path), path.subresource, body, options, "CONNECT")
    policies.review(question, request.warnings)


def stream_options(path: ObjectPath, query: Query) -> Document:
    """The options of a stream as an object; what is off or empty is left out."""
    found = path.resource.subresource(path.subresource)
    made: dict[str, Any] = {"kind": found.kind if found is not None else "", "apiVersion": "v1"}
    match path.subresource:
        case "exec" | "attach":
            made |= {word: True for word in _STREAMS if query.flag(word)}
            if query.text("container"):
                made["container"] = query.text("container")
            if path.subresource == "exec":
                made["command"] = list(query.all("command"))
        case "portforward":
            made["ports"] = [_port(text) for word in query.all("ports") for text in word.split(",")]
        case _:
            if path.rest:
                made["path"] = path.rest
    return made


def _port(text: str) -> int:
    if not text.isdecimal():
        raise BadRequest(f"unable to parse {text!r} as a port")
    return int(text)
