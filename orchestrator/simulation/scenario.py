"""What is to happen to the copy: hosts that come, fail or are drained, objects that are applied.

Pure. Words are read here too, so that what is wrong with them is said with what would be right.
"""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.api import quantity
from orchestrator.api.labels import parse_label_selector
from orchestrator.api.names import NODE_HOSTNAME_LABEL, NODE_ZONE_LABEL
from orchestrator.kit.errors import ConfigError
from orchestrator.kit.ids import ObjectKey

Document = dict[str, Any]
Labels = Mapping[str, str]

_AMOUNTS: Final = frozenset({"cpu", "memory", "pods", "ephemeral-storage"})
_EXAMPLE: Final = "3:cpu=4,memory=8Gi"
_MOST_NODES: Final = 5000


@dataclass(frozen=True, slots=True)
class Applied:
    """One object of a manifest.

    Attributes:
        place: "FILE:LINE" of its first line.
        key: of the object.
        document: as it is written, with its namespace.
        patch: strategic merge patch of the object that is there; None to make it.
    """

    place: str
    key: ObjectKey
    document: Document
    patch: Document | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is to happen; in the order of the attributes, failing and draining last.

    Attributes:
        nodes: Nodes that come, ready.
        applied: objects that are made or changed.
        fail: names of hosts that do not answer any more.
        drain: names of hosts that are cordoned and whose pods are evicted.
    """

    nodes: Sequence[Document] = ()
    applied: Sequence[Applied] = ()
    fail: Collection[str] = field(default=())
    drain: Collection[str] = field(default=())


def chosen(option: str, words: Sequence[str], nodes: Mapping[str, Labels]) -> list[str]:
    """The hosts that words name, sorted: each a name or a label selector.

    Args:
        option: "--fail", for messages.
        words: "web-1", "topology.kubernetes.io/zone=a".
        nodes: labels of all hosts, by name.

    Raises:
        ConfigError: one names no host.
    """
    found: set[str] = set()
    problems: list[str] = []
    for word in words:
        if word in nodes:
            found.add(word)
        elif "=" in word:
            try:
                selector = parse_label_selector(word)
            except ValueError as error:
                problems.append(f"{option} {word}: {error}")
                continue
            matching = [name for name, labels in nodes.items() if selector.matches(labels)]
            found.update(matching)
            if not matching:
                problems.append(f"{option} {word}: no node has such a label")
        else:
            near = difflib.get_close_matches(word, nodes, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{option} {word}: no such node{hint}")
    if problems:
        raise ConfigError(problems)
    return sorted(found)


def new_nodes(
    words: Sequence[str], taken: Collection[str], resources: Collection[str]
) -> list[Document]:
    """The Nodes that `--add-nodes` asks for, named new-1, new-2, ...

    Args:
        words: "3:cpu=4,memory=8Gi,zone=a": how many, what they have, and labels.
        taken: names that are not free.
        resources: further keys that are amounts, not labels: what other hosts have.

    Raises:
        ConfigError: words that cannot be read.
    """
    made: list[Document] = []
    problems: list[str] = []
    names = (name for number in range(1, 2**31) if (name := f"new-{number}") not in taken)
    for word in words:
        number, _, rest = word.partition(":")
        if not number.isdecimal() or not 0 < int(number) <= _MOST_NODES:
            problems.append(
                f"--add-nodes {word}: begins with how many, 1 to {_MOST_NODES}; "
                f"for example {_EXAMPLE}"
            )
            continue
        amounts, labels = _pairs(word, rest, resources, problems)
        for _ in range(int(number)):
            name = next(names)
            made.append(_node(name, amounts, labels))
    if problems:
        raise ConfigError(problems)
    return made


def _pairs(
    word: str, rest: str, resources: Collection[str], problems: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    amounts, labels = {"pods": "110"}, dict[str, str]()
    for pair in rest.split(",") if rest else ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            problems.append(f"--add-nodes {word}: {pair!r} is no KEY=VALUE; for example {_EXAMPLE}")
        elif key in _AMOUNTS or key in resources:
            try:
                quantity.parse_bytes(value) if key != "cpu" else quantity.parse_cpu_mcpu(value)
            except ValueError:
                problems.append(f"--add-nodes {word}: {key}: {value!r} is no amount")
            amounts[key] = value
        else:
            labels[NODE_ZONE_LABEL if key == "zone" else key] = value
    missing = [key for key in ("cpu", "memory") if key not in amounts]
    if missing:
        wanted = " and ".join(missing)
        problems.append(f"--add-nodes {word}: says no {wanted}; for example {_EXAMPLE}")
    return amounts, labels


def _node(name: str, amounts: Labels, labels: Labels) -> Document:
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {NODE_HOSTNAME_LABEL: name, **labels}},
        "status": {"capacity": dict(amounts), "allocatable": dict(amounts)},
    }
