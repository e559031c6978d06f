"""Manifests from files, folders and standard input, each with the place it came from.

Faults name file and line, and all of them are reported at once.
"""

import difflib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.api.resources import RESOURCES, Resource, by_kind
from orchestrator.kit.errors import ConfigError

Served = Callable[[], Sequence[Resource]]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUFFIXES = {".yaml", ".yml", ".json"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object to apply.

    Attributes:
        resource: its row in the table of kinds.
        document: the object.
        place: "FILE:LINE" of its first line.
    """

    resource: Resource
    document: dict[str, Any]
    place: str

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return str(self.document["metadata"]["name"])


def load_manifests(
    files: tuple[str, ...], *, recursive: bool = False, served: Served = tuple
) -> list[Manifest]:
    """All objects in order; `List` documents are unrolled.

    Args:
        files: files, folders, or "-" for standard input.
        recursive: folders with all their sub-folders.
        served: kinds that are not built in; only asked when a document is of no other.

    Raises:
        ConfigError: with every fault in every file.
    """
    found: list[Manifest] = []
    problems: list[str] = []
    for name, text in _texts(files, recursive, problems):
        for line, document in _documents(name, text, problems):
            items = document.get("items") if document.get("kind") == "List" else None
            for item in items if isinstance(items, list) else [document]:
                manifest = _manifest(name, line, item, problems, served)
                if manifest:
                    found.append(manifest)
    if problems:
        raise ConfigError(problems)
    if not found:
        raise ConfigError([f"no objects in {', '.join(files)}"])
    return found


def _texts(files: tuple[str, ...], recursive: bool, problems: list[str]) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []
    for name in files:
        path = Path(name)
        if name == "-":
            texts.append(("standard input", sys.stdin.read()))
        elif path.is_dir():
            inside = path.rglob("*") if recursive else path.iterdir()
            chosen = sorted(p for p in inside if p.suffix in _SUFFIXES and p.is_file())
            if not chosen:
                problems.append(f"{name}: no .yaml, .yml or .json file in this folder")
            texts += [(str(p), p.read_text()) for p in chosen]
        elif path.exists():  # pipes and devices too
            texts.append((name, path.read_text()))
        else:
            problems.append(f"{name}: no such file")
    return texts


def _documents(name: str, text: str, problems: list[str]) -> list[tuple[int, dict[str, Any]]]:
    documents: list[tuple[int, dict[str, Any]]] = []
    loader = _LOADER(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            line = node.start_mark.line + 1
            document = loader.construct_document(node)
            if document is None:
                continue
            if isinstance(document, dict):
                documents.append((line, document))
            else:
                kind = type(document).__name__
                problems.append(f"{name}:{line}: an object is a mapping, this is a {kind}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problems.append(f"{name}{at}: not YAML: {error.problem or error.context}")
    finally:
        loader.dispose()
    return documents


def _manifest(
    name: str, line: int, document: Any, problems: list[str], served: Served
) -> Manifest | None:
    place = f"{name}:{line}"
    if not isinstance(document, dict):
        problems.append(f"{place}: items: an object is a mapping")
        return None
    missing = [f for f in ("apiVersion", "kind") if not isinstance(document.get(f), str)]
    meta = document.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        missing.append("metadata.name")
    if missing:
        example = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata.name": "web"}
        problems += [f"{place}: {f}: missing; for example {f}: {example[f]}" for f in missing]
        return None
    wanted = (document["apiVersion"], document["kind"])
    resource = by_kind(*wanted) or next(
        (row for row in served() if (row.api_version, row.kind) == wanted), None
    )
    if resource is None:
        problems.append(f"{place}: {_unknown_kind(document['apiVersion'], document['kind'])}")
        return None
    return Manifest(resource, document, place)


def _unknown_kind(api_version: str, kind: str) -> str:
    versions = [r.api_version for r in RESOURCES if r.kind == kind]
    if versions:
        return f"apiVersion: {api_version!r} has no kind {kind!r}; use apiVersion: {versions[0]}"
    near = difflib.get_close_matches(kind, [r.kind for r in RESOURCES], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"kind: {kind!r} is not served here{hint}"
