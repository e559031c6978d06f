"""From a request path to what it names: a discovery document or an object path.

Works on the raw path: a decoded one has lost `%2F`. Trailing slashes
are allowed everywhere. A namespaced resource without a namespace means all namespaces for reads of
a collection, and the namespace "default" otherwise (`POST /api/v1/pods`). Source: Kubernetes API
concepts, "Resource URIs".
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from orchestrator.api.catalog import STATIC, Catalog
from orchestrator.api.resources import Resource
from orchestrator.apiserver.errors import no_such_path

DEFAULT_NAMESPACE: Final = "default"
_PROXY: Final = re.compile(
    r"/api/v1/(?:namespaces/([^/]+)/(pods|services)|(nodes))/([^/]+)/proxy(/.*)?"
)
"""What follows is the pod's business: slashes and dots in it stay as they are."""


@dataclass(frozen=True, slots=True)
class DiscoveryPath:
    """`/api`, `/apis`, `/apis/{group}`, `/api/v1`, `/apis/{group}/{version}`.

    Attributes:
        core: whether under /api.
        group: "" for core and for /apis itself.
        version: "" when the path stops before it.
    """

    core: bool
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """A collection, an object, or a subresource of one.

    Attributes:
        resource: which kind.
        namespace: "" for cluster scope, or for all namespaces when `namespaced` is false.
        namespace_given: whether the path named the namespace.
        name: "" for the collection.
        subresource: "" or "status", "log", ...
        rest: what follows a proxy subresource, still percent-encoded: "/index.html".
    """

    resource: Resource
    namespace: str = ""
    namespace_given: bool = False
    name: str = ""
    subresource: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True)
class OpenApiPath:
    """`/openapi/v2`, `/openapi/v3`, `/openapi/v3/apis/apps/v1`.

    Attributes:
        version: "v2" or "v3".
        rest: "" for the index, else "api/v1", "apis/apps/v1", ...
    """

    version: str
    rest: str = ""


ApiPath = DiscoveryPath | ObjectPath | OpenApiPath


def parse_path(raw_path: str, catalog: Catalog = STATIC) -> ApiPath:
    """What the path names, among what a catalogue serves.

    Raises:
        NotFound: nothing is served there.
    """
    found = _PROXY.fullmatch(raw_path) if "/proxy" in raw_path else None
    if found is not None:
        return _proxied(catalog, found)
    segments = raw_path.strip("/").split("/")
    if "%" in raw_path:
        segments = [unquote(part) for part in segments]
    if "" in segments or "." in segments or ".." in segments:
        raise no_such_path()
    root, rest = segments[0], segments[1:]
    if root == "api":
        return _versioned(catalog, "", rest) if rest else DiscoveryPath(core=True)
    if root == "apis":
        if len(rest) < 2:
            return DiscoveryPath(core=False, group=rest[0] if rest else "")
        return _versioned(catalog, rest[0], rest[1:])
    if root == "openapi" and rest:
        return OpenApiPath(rest[0], "/".join(rest[1:]))
    raise no_such_path()


class Paths:
    """Remembers what paths name: clients ask for the same again and again."""

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._catalog = STATIC
        self._known: dict[str, ApiPath] = {}

    def parse(self, raw_path: str, catalog: Catalog) -> ApiPath:
        """As `parse_path`.

        Raises:
            NotFound: nothing is served there.
        """
        if catalog is not self._catalog:
            self._catalog, self._known = catalog, {}
        found = self._known.get(raw_path)
        if found is None:
            found = parse_path(raw_path, catalog)
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[raw_path] = found
        return found


def _proxied(catalog: Catalog, found: re.Match[str]) -> ObjectPath:
    namespace, plural, nodes, name, rest = found.groups()
    resource = catalog.by_path("", "v1", plural or nodes)
    if resource is None:
        raise no_such_path()
    where = (unquote(namespace or ""), bool(plural))
    path = ObjectPath(resource, *where, unquote(name), "proxy", rest or "")
    return _checked(path)


def _versioned(catalog: Catalog, group: str, segments: list[str]) -> DiscoveryPath | ObjectPath:
    version, rest = segments[0], segments[1:]
    if not rest:
        return DiscoveryPath(core=not group, group=group, version=version)
    if rest[0] == "namespaces" and len(rest) >= 3:
        inside = _in_namespace(catalog, group, version, rest[1], rest[2:])
        if inside is not None:
            return inside
    resource = catalog.by_path(group, version, rest[0])
    if resource is None or len(rest) > 3:
        raise no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    namespace = DEFAULT_NAMESPACE if resource.namespaced and name else ""
    return _checked(ObjectPath(resource, namespace, False, name, subresource))


def _in_namespace(
    catalog: Catalog, group: str, version: str, namespace: str, rest: list[str]
) -> ObjectPath | None:
    resource = catalog.by_path(group, version, rest[0])
    if resource is None or not resource.namespaced:
        return None  # /api/v1/namespaces/NAME/status
    if len(rest) > 3:
        raise no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    return _checked(ObjectPath(resource, namespace, True, name, subresource))


def _checked(path: ObjectPath) -> ObjectPath:
    if path.subresource and path.resource.subresource(path.subresource) is None:
        raise no_such_path()
    return path
