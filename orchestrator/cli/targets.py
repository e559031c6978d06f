"""What the user means by "po", "deploy/web", "pods,services" or "all": words to resources.

Source: kubectl's resource arguments (TYPE, TYPE/NAME, TYPE1,TYPE2, TYPE.GROUP).
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.api.resources import RESOURCES, Resource
from orchestrator.kit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Target:
    """One resource and the names asked for; no names mean all."""

    resource: Resource
    names: tuple[str, ...]


Served = Callable[[], Sequence[Resource]]
"""Kinds that are not built in; only asked when a word names no other."""


def _nothing() -> Sequence[Resource]:
    return ()


def find_resource(word: str, served: Served = _nothing) -> Resource:
    """The resource a user's word names: plural, singular, short name, kind, or TYPE.GROUP.

    Raises:
        ConfigError: there is none; suggests the nearest.
    """
    lowered = word.lower()
    name, _, group = lowered.partition(".")
    for rows in (lambda: RESOURCES, served):
        for resource in rows():
            words = {resource.plural, resource.singular, resource.kind.lower()}
            words.update(resource.short_names)
            if (name in words or lowered in words) and (not group or _in_group(resource, group)):
                return resource
    known = [w for r in (*RESOURCES, *served()) for w in (r.plural, *r.short_names)]
    near = difflib.get_close_matches(lowered, known, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise ConfigError([f'the server doesn\'t have a resource type "{word}"{hint}'])


def _in_group(resource: Resource, group: str) -> bool:
    return group in {
        resource.group,
        f"{resource.version}.{resource.group}" if resource.group else resource.version,
    }


def parse_targets(words: tuple[str, ...], served: Served = _nothing) -> list[Target]:
    """Targets in the order given.

    "pods", "pods web-1 web-2", "pods,services", "pod/web-1 service/web", "all".

    Raises:
        ConfigError: nothing was named, or the forms were mixed.
    """
    if not words:
        raise ConfigError(
            ["you must say what: a resource type (pods, deploy, svc, ...) or TYPE/NAME"]
        )
    if any("/" in w for w in words):
        if not all("/" in w for w in words):
            raise ConfigError(["give either TYPE/NAME for every argument, or TYPE NAME..."])
        pairs = [w.split("/", 1) for w in words]
        return [Target(find_resource(kind, served), (name,)) for kind, name in pairs]
    targets: list[Target] = []
    for word in words[0].split(","):
        if word == "all":
            targets += [Target(r, ()) for r in RESOURCES if "all" in r.categories]
        else:
            targets.append(Target(find_resource(word, served), tuple(words[1:])))
    return targets


def collection_path(resource: Resource, namespace: str) -> str:
    """The URL path of a collection; an empty namespace means all namespaces."""
    root = f"/apis/{resource.group}" if resource.group else "/api"
    where = f"/namespaces/{namespace}" if resource.namespaced and namespace else ""
    return f"{root}/{resource.version}{where}/{resource.plural}"


def object_path(resource: Resource, namespace: str, name: str, subresource: str = "") -> str:
    """The URL path of one object or of a subresource of it."""
    tail = f"/{subresource}" if subresource else ""
    return f"{collection_path(resource, namespace)}/{name}{tail}"


def typed_name(resource: Resource, name: str) -> str:
    """How messages name an object: "deployment.apps/web", "pod/web-1"."""
    group = f".{resource.group}" if resource.group else ""
    return f"{resource.singular}{group}/{name}"
