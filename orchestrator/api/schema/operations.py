"""The operations of a group and version as OpenAPI v3 path items, made from the table of kinds.

kubectl reads two things here: that PATCH takes `fieldValidation` (else it validates by itself), and
which patch types PATCH takes (else it guesses). Source: OpenAPI Specification 3.0.0; operation ids
and parameters as Kubernetes publishes them.
"""

from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.resources import SHOWN_WHEN_DELETED, Resource, Subresource
from orchestrator.api.schema.bundle import GVK_FIELD, REF_PREFIX, name_of, name_of_kind

PATCH_TYPES: Final = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
CUSTOM_PATCH_TYPES: Final = tuple(kind for kind in PATCH_TYPES if "strategic" not in kind)
"""Custom kinds have no merge keys: a strategic merge patch of them is refused."""
_ANSWER_TYPES: Final = ("application/json", "application/yaml")
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_NAMESPACE_PATH: Final = "/namespaces/{namespace}"

PathItem = dict[str, Any]


def _query(name: str, kind: str, description: str) -> dict[str, Any]:
    return {
        "name": name, "in": "query", "description": description,
        "schema": {"type": kind, "uniqueItems": True},
    }  # fmt: skip


def _in_path(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name, "in": "path", "required": True, "description": description,
        "schema": {"type": "string", "uniqueItems": True},
    }  # fmt: skip


_PRETTY: Final = _query("pretty", "string", "If 'true', then the output is pretty printed.")
_DRY_RUN: Final = _query(
    "dryRun", "string",
    "When present, indicates that modifications should not be persisted. Valid values are: "
    "- All: all dry run stages will be processed",
)  # fmt: skip
_WRITE: Final = (
    _DRY_RUN,
    _query("fieldManager", "string", "A name associated with who is making these changes."),
    _query(
        "fieldValidation", "string",
        "What to do with unknown or duplicate fields: - Ignore: they are dropped. - Warn: they "
        "are dropped and a warning is sent for each; the default. - Strict: the request fails.",
    ),
)  # fmt: skip
_FORCE: Final = _query(
    "force", "boolean",
    "Force is going to \"force\" Apply requests. It means user will re-acquire conflicting fields "
    "owned by other people. Force flag must be unset for non-apply patch requests.",
)  # fmt: skip
_DELETE: Final = (
    _DRY_RUN,
    _query("gracePeriodSeconds", "integer", "Seconds before the object should be deleted."),
    _query(
        "propagationPolicy", "string",
        "Whether and how garbage collection will be performed: 'Orphan', 'Background' or "
        "'Foreground'.",
    ),
)  # fmt: skip
_LIST: Final = (
    _query("allowWatchBookmarks", "boolean", "Requests watch events with type BOOKMARK."),
    _query("continue", "string", "The continue token of the list's previous part."),
    _query("fieldSelector", "string", "Restricts the returned objects by their fields."),
    _query("labelSelector", "string", "Restricts the returned objects by their labels."),
    _query("limit", "integer", "The most objects to return in one answer."),
    _query("resourceVersion", "string", "From which version on to answer."),
    _query("resourceVersionMatch", "string", "How resourceVersion is applied to lists."),
    _query("sendInitialEvents", "boolean", "Starts a watch with what exists, then a bookmark."),
    _query("timeoutSeconds", "integer", "The most seconds that a list or watch may take."),
    _query("watch", "boolean", "Watches for changes and returns them as a stream."),
)
_LOG: Final = (
    _query("container", "string", "The container for which to stream logs."),
    _query("follow", "boolean", "Follows the log stream of the pod."),
    _query("limitBytes", "integer", "The most bytes to read before the output ends."),
    _query("previous", "boolean", "Returns the log of the terminated previous container."),
    _query("sinceSeconds", "integer", "How many seconds before now to start."),
    _query("sinceTime", "string", "The RFC 3339 time at which to start."),
    _query("tailLines", "integer", "How many lines from the end of the log to show."),
    _query("timestamps", "boolean", "Starts every line with its RFC 3339 time."),
)
_STATUS_DOCUMENT: Final = {"$ref": f"{REF_PREFIX}{_META}Status"}


_STREAMS: Final = (
    _query("container", "string", "The container; by default the only one of the pod."),
    _query("stdin", "boolean", "Redirect the standard input stream of the pod for this call."),
    _query("stdout", "boolean", "Redirect the standard output stream of the pod for this call."),
    _query("stderr", "boolean", "Redirect the standard error stream of the pod for this call."),
    _query("tty", "boolean", "If true, a terminal is allocated for the call."),
)
_PROXY: Final = (_query("path", "string", "What the pod is asked for; said in the URL instead."),)
_CONNECT: Final = MappingProxyType({
    "PodAttachOptions": _STREAMS,
    "NodeProxyOptions": _PROXY,
    "PodExecOptions": (_query("command", "string", "A word of the command line."), *_STREAMS),
    "PodProxyOptions": _PROXY,
    "ServiceProxyOptions": _PROXY,
    "PodPortForwardOptions": (_query("ports", "integer", "Ports to forward, over WebSockets."),),
})  # fmt: skip


class _Operations:
    """Makes the operations of one resource."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        group = resource.group.removesuffix(".k8s.io").split(".")[0] or "core"
        self._tag = f"{group}_{resource.version}"
        self._prefix = group.capitalize() + resource.version.capitalize()
        self._scope = "Namespaced" if resource.namespaced else ""

    def operation(
        self,
        verb: str,
        action: str,
        suffix: str,
        answer: str,
        *,
        parameters: tuple[dict[str, Any], ...] = (),
        body: dict[str, Any] | None = None,
        kind: tuple[str, str, str] | None = None,
        codes: tuple[int, ...] = (200,),
    ) -> dict[str, Any]:
        r = self._resource
        group, version, name = kind or (r.group, r.version, r.kind)
        answer_schema = {"$ref": REF_PREFIX + answer} if answer else {"type": "string"}
        media = _ANSWER_TYPES if answer else ("text/plain",)
        content = {each: {"schema": answer_schema} for each in media}
        said = {200: "OK", 201: "Created", 202: "Accepted"}
        return {
            "tags": [self._tag],
            "description": f"{action} of {r.kind}",
            "operationId": f"{verb}{self._prefix}{suffix}",
            **({"parameters": [*parameters]} if parameters else {}),
            **({"requestBody": body} if body else {}),
            "responses": {
                **{str(code): {"description": said[code], "content": content} for code in codes},
                "401": {"description": "Unauthorized"},
            },
            "x-kubernetes-action": action,
            GVK_FIELD: {"group": group, "kind": name, "version": version},
        }

    def collection(self) -> PathItem:
        r, item = self._resource, _item(self._resource.namespaced, name=False)
        kind = f"{self._scope}{r.kind}"
        if "list" in r.verbs:
            item["get"] = self.operation(
                "list", "list", kind, _list_of(r), parameters=_LIST
            )  # fmt: skip
        if "create" in r.verbs:
            item["post"] = self.operation(
                "create", "post", kind, name_of(r),
                parameters=_WRITE, body=_body(name_of(r)), codes=(200, 201, 202),
            )  # fmt: skip
        if "deletecollection" in r.verbs:
            item["delete"] = self.operation(
                "delete", "deletecollection", f"Collection{kind}", f"{_META}Status",
                parameters=_DELETE + _LIST, body=_body(f"{_META}DeleteOptions", required=False),
            )  # fmt: skip
        return item

    def everywhere(self) -> PathItem:
        r = self._resource
        listed = self.operation(
            "list", "list", f"{r.kind}ForAllNamespaces", _list_of(r), parameters=_LIST
        )
        return {"get": listed, "parameters": [_PRETTY]}

    def single(self) -> PathItem:
        r, item = self._resource, _item(self._resource.namespaced, name=True)
        kind = f"{self._scope}{r.kind}"
        for verb in ("get", "update", "patch"):
            if verb in r.verbs:
                method, operation = self._access(verb, kind, name_of(r), None)
                item[method] = operation
        if "delete" in r.verbs:
            shown = r.resource in SHOWN_WHEN_DELETED
            answer = name_of(r) if shown else f"{_META}Status"
            item["delete"] = self.operation(
                "delete", "delete", kind, answer, parameters=_DELETE,
                body=_body(f"{_META}DeleteOptions", required=False), codes=(200, 202),
            )  # fmt: skip
        return item

    def subresource(self, sub: Subresource) -> PathItem:
        r, item = self._resource, _item(self._resource.namespaced, name=True)
        suffix = f"{self._scope}{r.kind}{sub.name.capitalize()}"
        group, version = sub.group or r.group, sub.version or r.version
        definition = name_of_kind(f"{group}/{version}" if group else version, sub.kind) or ""
        if not definition and sub.kind == r.kind:
            definition = name_of(r)
        kind = (group, version, sub.kind)
        if sub.name == "log":
            item["get"] = self.operation("read", "get", suffix, "", parameters=_LOG, kind=kind)
            return item
        if sub.kind in _CONNECT:
            proxied = sub.name == "proxy"
            for method in ("delete", "get", "patch", "post", "put") if proxied else ("get", "post"):
                item[method] = self.operation(
                    f"connect{method.capitalize()}", "connect", suffix, "",
                    parameters=_CONNECT[sub.kind], kind=kind,
                )  # fmt: skip
            return item
        for verb in sub.verbs:
            if verb == "create":
                item["post"] = self.operation(
                    "create", "post", suffix, definition, parameters=_WRITE,
                    body=_body(definition), kind=kind, codes=(200, 201, 202),
                )  # fmt: skip
            else:
                method, operation = self._access(verb, suffix, definition, kind)
                item[method] = operation
        return item

    def _access(
        self, verb: str, suffix: str, definition: str, kind: tuple[str, str, str] | None
    ) -> tuple[str, dict[str, Any]]:
        match verb:
            case "get":
                return "get", self.operation("read", "get", suffix, definition, kind=kind)
            case "update":
                return "put", self.operation(
                    "replace", "put", suffix, definition, parameters=_WRITE,
                    body=_body(definition), kind=kind, codes=(200, 201),
                )  # fmt: skip
            case _:
                return "patch", self.operation(
                    "patch", "patch", suffix, definition, parameters=(*_WRITE, _FORCE),
                    body=_patch_body(self._resource), kind=kind, codes=(200, 201),
                )  # fmt: skip


def _list_of(resource: Resource) -> str:
    if resource.custom is not None:
        return f"{resource.custom.definition}List"
    return name_of_kind(resource.api_version, resource.list_kind) or ""


def _item(namespaced: bool, *, name: bool) -> PathItem:
    parameters = [_in_path("name", "Name of the object.")] if name else []
    if namespaced:
        parameters.append(_in_path("namespace", "The namespace that the object lives in."))
    return {"parameters": [*parameters, _PRETTY]}


def _body(definition: str, *, required: bool = True) -> dict[str, Any]:
    content = {"*/*": {"schema": {"$ref": REF_PREFIX + definition}}}
    return {"content": content} | ({"required": True} if required else {})


def _patch_body(resource: Resource) -> dict[str, Any]:
    schema = {"$ref": f"{REF_PREFIX}{_META}Patch"}
    types = PATCH_TYPES if resource.custom is None else CUSTOM_PATCH_TYPES
    return {"content": {each: {"schema": schema} for each in types}, "required": True}


def path_items(resource: Resource) -> dict[str, PathItem]:
    """Every path of one resource with its operations, in the shape of OpenAPI v3's `paths`."""
    root = f"/apis/{resource.group}" if resource.group else "/api"
    root = f"{root}/{resource.version}"
    collection = f"{root}{_NAMESPACE_PATH if resource.namespaced else ''}/{resource.plural}"
    operations = _Operations(resource)
    items = {collection: operations.collection()}
    if resource.namespaced and "list" in resource.verbs:
        items[f"{root}/{resource.plural}"] = operations.everywhere()
    if resource.stored or "get" in resource.verbs:
        items[f"{collection}/{{name}}"] = operations.single()
    for sub in resource.subresources:
        items[f"{collection}/{{name}}/{sub.name}"] = operations.subresource(sub)
    return items
