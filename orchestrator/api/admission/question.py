"""One request that policies are asked about. A value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.api.resources import Resource

Document = Mapping[str, Any]
Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to do.

    Attributes:
        operation: as rules name it.
        resource: the row that the request went to.
        subresource: "" or "status", "scale", "exec", ...
        namespace: "" for cluster scope; of a Namespace its own name.
        name: of the object.
        object: as it would be; of a subresource with a body of its own (Scale, Eviction, options of
            a stream) that body. None for a delete.
        old: as it is; None for a create and a stream.
        user: who asks, as authentication.k8s.io UserInfo.
        dry_run: nothing will be stored.
        options: CreateOptions, UpdateOptions, ... as a document.
        own_body: the object is no form of the resource, so it is the same in each version.
    """

    operation: Operation
    resource: Resource
    subresource: str
    namespace: str
    name: str
    object: Document | None
    old: Document | None
    user: Document
    dry_run: bool = False
    options: Document = field(default_factory=dict)
    own_body: bool = False

    @property
    def is_namespace(self) -> bool:
        """Whether it is about a Namespace itself."""
        return self.resource.resource == "namespaces"


def kind_of(row: Resource, subresource: str) -> dict[str, str]:
    """Group, version and kind of the body of a request."""
    found = row.subresource(subresource) if subresource else None
    if found is None or found.kind == row.kind:
        return {"group": row.group, "version": row.version, "kind": row.kind}
    group, version = found.group or row.group, found.version or row.version
    return {"group": group, "version": version, "kind": found.kind}


def request_document(question: Question, row: Resource) -> dict[str, Any]:
    """The request as expressions see it, in the version of the row that a policy matched.

    Absent texts are left out, as in an AdmissionRequest.
    """
    asked, subresource = question.resource, question.subresource
    made: dict[str, Any] = {
        "kind": kind_of(row, subresource),
        "resource": _place(row),
        "requestKind": kind_of(asked, subresource),
        "requestResource": _place(asked),
        "operation": question.operation,
        "userInfo": dict(question.user),
        "dryRun": question.dry_run,
        "options": dict(question.options),
    }
    texts = {
        "subResource": subresource,
        "requestSubResource": subresource,
        "name": question.name,
        "namespace": question.namespace,
    }
    return made | {field: text for field, text in texts.items() if text}


def _place(row: Resource) -> dict[str, str]:
    return {"group": row.group, "version": row.version, "resource": row.plural}
