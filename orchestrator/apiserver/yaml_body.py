"""YAML bodies, read as Kubernetes reads them: one document of JSON-like values, no surprises.

Aliases are allowed only as far as the expanded document stays small; times stay text; keys that are
numbers or booleans become text. Source: YAML 1.1; sigs.k8s.io/yaml behaviour.
"""

import math
from collections.abc import Hashable
from typing import Any, Final

import yaml

from orchestrator.kit.errors import BadRequest

MAX_NODES: Final = 200_000
"""Most nodes of a document after aliases are expanded; 3 MiB of real objects have fewer."""


class _Loader(yaml.CSafeLoader):
    """The safe loader without times: a plain 2026-01-02 stays text, as it does in Kubernetes."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(data: bytes, max_depth: int) -> Any:
    """The one document in `data` as JSON-like values.

    Raises:
        BadRequest: no YAML, several documents, recursion, or too many nodes after expansion.
    """
    try:
        _check_size(data, max_depth)
        documents = [
            _json_like(document)
            for document in yaml.load_all(data, Loader=_Loader)
            if document is not None
        ]
    except yaml.YAMLError as error:
        raise BadRequest(f"error converting YAML to JSON: {_one_line(error)}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRequest(f"error converting YAML to JSON: {error}") from error
    if len(documents) > 1:
        raise BadRequest("the request body holds several YAML documents; send one at a time")
    return documents[0] if documents else None


def _check_size(data: bytes, max_depth: int) -> None:
    """Counts nodes with aliases expanded, without expanding them."""
    anchored: dict[str, int | None] = {}  # None while its node is still open: a recursion
    open_nodes: list[tuple[str | None, int]] = []  # anchor, nodes before it
    count = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            size = anchored.get(event.anchor or "")
            if size is None:
                raise BadRequest(f"error converting YAML to JSON: *{event.anchor} contains itself")
            count += size
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                anchored[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count))
            if event.anchor:
                anchored[event.anchor] = None
            if len(open_nodes) > max_depth:
                raise BadRequest(f"the document is nested deeper than {max_depth} levels")
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                anchored[anchor] = count - before
        if count > MAX_NODES:
            raise BadRequest(f"the document has more than {MAX_NODES} nodes, aliases expanded")


def _json_like(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _json_like(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_like(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written as JSON")
        return value
    if isinstance(value, bytes):
        raise TypeError("!!binary values are not supported; use base64 text")
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def _key(key: Hashable) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    raise TypeError(f"the key {key!r} cannot be written as JSON")


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"yaml: line {mark.line + 1}: {problem}" if mark is not None else f"yaml: {problem}"
