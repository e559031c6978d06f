"""Reads orch's own inventory format; see inventory.example.yaml for every key."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

from orchestrator.bootstrap.inventory import values
from orchestrator.bootstrap.inventory.folders import Folders
from orchestrator.bootstrap.inventory.located import Located
from orchestrator.bootstrap.inventory.model import (
    DEFAULT_CLUSTER,
    DEFAULT_PORT,
    Inventory,
    InventoryNode,
    InventoryTaint,
    Problems,
)
from orchestrator.bootstrap.inventory.nodes import check_port, check_unique, read_identity_file
from orchestrator.bootstrap.inventory.ranges import RangeError, expand

TOP_KEYS: Final = ("cluster", "defaults", "network", "nodes")
NODE_KEYS: Final = (
    "name", "host", "port", "user", "identity_file", "jump", "become", "labels", "taints",
    "capacity",
)  # fmt: skip
DEFAULT_KEYS: Final = NODE_KEYS[2:]
CAPACITY_KEYS: Final = ("cpu", "memory")
BACKENDS: Final = ("none",)
_OTHER_WORDS: Final = {
    "address": "host", "hostname": "host", "ip": "host", "ssh_user": "user", "username": "user",
    "login": "user", "ssh_port": "port", "key": "identity_file", "ssh_key": "identity_file",
    "private_key": "identity_file", "keyfile": "identity_file", "bastion": "jump",
    "proxy_jump": "jump", "proxyjump": "jump", "sudo": "become", "hosts": "nodes",
    "servers": "nodes", "machines": "nodes",
}  # fmt: skip
"""What people write who come from other tools."""


def read_native(document: Located, problems: Problems, folders: Folders) -> Inventory:
    """The inventory; faults go to `problems`, and what is at fault is left out."""
    top = document.mapping()
    check_keys(top, TOP_KEYS, problems)
    reader = _NodeReader(problems, folders)
    defaults = top.get("defaults")
    if defaults is not None:
        expect(defaults, dict, problems, "write defaults: {user: ops, port: 22}")
        check_keys(defaults.mapping(), DEFAULT_KEYS, problems)
    nodes: list[InventoryNode] = []
    entries = top.get("nodes")
    if entries is None or entries.value is None or entries.value == []:
        line = entries.line if entries else document.line
        problems.add(
            line, "nodes", "there are no nodes", "write nodes: [{name: web-1, host: 203.0.113.10}]"
        )
    elif expect(entries, list, problems, "write nodes: [{name: web-1, host: 203.0.113.10}]"):
        shared = reader.defaults(defaults.mapping() if defaults else {})
        for entry in entries.items():
            nodes += reader.nodes(entry, shared)
    check_unique(nodes, problems)
    return Inventory(
        cluster=_cluster(top.get("cluster"), problems),
        nodes=tuple(nodes),
        network_backend=_backend(top.get("network"), problems),
        notes=problems.notes,
    )


def check_keys(entries: Mapping[str, Located], known: Collection[str], problems: Problems) -> None:
    """A fault for every key that is not known, naming the nearest one."""
    for name, entry in entries.items():
        if name in known:
            continue
        alias = _OTHER_WORDS.get(name.lower().replace("-", "_"), "")
        near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
        meant = alias if alias in known else (near[0] if near else "")
        right = f"did you mean {meant!r}?" if meant else f"known keys: {', '.join(known)}"
        problems.add(entry.line, entry.path, "unknown key", right)


def expect(entry: Located, kind: type, problems: Problems, right: str) -> bool:
    """Whether the value is of this kind; a fault when it is not."""
    if isinstance(entry.value, kind):
        return True
    wanted = {dict: "a mapping", list: "a list", bool: "true or false"}[kind]
    problems.add(entry.line, entry.path, f"must be {wanted}, is {entry.kind}", right)
    return False


def _cluster(entry: Located | None, problems: Problems) -> str:
    if entry is None:
        return DEFAULT_CLUSTER
    if not isinstance(entry.value, str) or not entry.value:
        problems.add(entry.line, "cluster", f"must be a name, is {entry.kind}", "as in prod")
        return DEFAULT_CLUSTER
    problem = values.check_node_name(entry.value)
    if problem:
        problems.add(entry.line, "cluster", problem.replace("a Node", "a cluster"))
    return entry.value


def _backend(entry: Located | None, problems: Problems) -> str:
    right = "write network: {backend: none}"
    if entry is None or not expect(entry, dict, problems, right):
        return "none"
    check_keys(entry.mapping(), ("backend",), problems)
    backend = entry.mapping().get("backend")
    if backend is not None and backend.text not in BACKENDS:
        problems.add(
            backend.line, backend.path, f"no network backend {backend.text!r}",
            f"there are: {', '.join(BACKENDS)}",
        )  # fmt: skip
    return "none"


class _NodeReader:
    """Turns entries of `nodes` into nodes."""

    def __init__(self, problems: Problems, folders: Folders) -> None:
        self._problems = problems
        self._folders = folders
        self._default_key: Located | None = None
        self._seen_keys: dict[tuple[str, int], str] = {}

    def defaults(self, entries: Mapping[str, Located]) -> dict[str, Any]:
        """The values that hold for nodes that do not give their own."""
        self._default_key = entries.get("identity_file")
        return self.settings(entries)

    def settings(self, entries: Mapping[str, Located]) -> dict[str, Any]:
        """The keys that defaults and nodes share, checked."""
        readers = {
            "port": self._port, "user": self._user, "jump": self._text, "become": self._become,
            "identity_file": self._text, "labels": self._labels, "taints": self._taints,
            "capacity": self._capacity,
        }  # fmt: skip
        found = {n: read(entries[n]) for n, read in readers.items() if n in entries}
        return {name: value for name, value in found.items() if value is not None}

    def nodes(self, entry: Located, defaults: Mapping[str, Any]) -> list[InventoryNode]:
        if not expect(entry, dict, self._problems, "write {name: web-1, host: 203.0.113.10}"):
            return []
        fields = entry.mapping()
        check_keys(fields, NODE_KEYS, self._problems)
        own = self.settings(fields)
        merged = {**defaults, **own}
        merged["labels"] = {**defaults.get("labels", {}), **own.get("labels", {})}
        merged["capacity"] = {**defaults.get("capacity", {}), **own.get("capacity", {})}
        name = fields.get("name")
        if name is None or not name.text:
            self._problems.add(entry.line, f"{entry.path}.name", "missing", "as in name: web-1")
            return []
        texts = {"host": fields["host"].text if "host" in fields else name.text}
        for key in ("identity_file", "jump"):
            texts[key] = merged.pop(key, "")
        return [
            node
            for row in self._expanded(entry, name.text, texts)
            if (node := self._node(entry, row, merged)) is not None
        ]

    def _expanded(
        self, entry: Located, name: str, texts: Mapping[str, str]
    ) -> list[dict[str, str]]:
        """One row of name, host, identity_file and jump per host that the entry stands for."""
        lists: dict[str, list[str]] = {}
        for key, text in {"name": name, **texts}.items():
            line = entry.mapping()[key].line if key in entry.mapping() else entry.line
            try:
                found = expand(text)
            except RangeError as error:
                self._problems.add(line, f"{entry.path}.{key}", str(error))
                return []
            if found is not None:
                lists[key] = found
        if not lists:
            return [{"name": name, **texts}]
        count = len(lists.get("name", []))
        for key, found in lists.items():
            if len(found) != count:
                line = entry.mapping()[key].line if key in entry.mapping() else entry.line
                self._problems.add(
                    line, f"{entry.path}.{key}",
                    f"stands for {len(found)} values, and name for {count or 1}",
                    "give both a range of the same length: name: web-[1:3], "
                    "host: 203.0.113.[10:12]",
                )  # fmt: skip
                return []
        if "host" not in lists and count > 1:
            host = entry.mapping().get("host", entry)
            self._problems.add(
                host.line, f"{entry.path}.host", f"is one address for {count} names",
                "give it a range too: 203.0.113.[10:12]",
            )  # fmt: skip
            return []
        base = {"name": name, **texts}
        return [base | {k: v[i] for k, v in lists.items()} for i in range(count)]

    def _node(
        self, entry: Located, row: Mapping[str, str], merged: Mapping[str, Any]
    ) -> InventoryNode | None:
        fields, good = entry.mapping(), True
        checks = {
            "name": values.check_node_name, "host": values.check_host, "jump": values.check_jump,
        }  # fmt: skip
        for key, check in checks.items():
            problem = check(row[key]) if row[key] or key != "jump" else ""
            if problem:
                at = fields.get(key, entry)
                self._problems.add(at.line, f"{entry.path}.{key}", problem)
                good = False
        identity = self._identity(entry, row["identity_file"])
        if not good:
            return None
        return InventoryNode(
            name=row["name"],
            host=row["host"],
            port=merged.get("port", DEFAULT_PORT),
            user=merged.get("user", ""),
            identity_file=identity,
            jump=",".join(hop.strip() for hop in row["jump"].split(",") if hop.strip()),
            become=merged.get("become", True),
            labels=merged["labels"],
            taints=merged.get("taints", ()),
            capacity=merged["capacity"],
            place=self._problems.place(entry.line),
        )

    def _identity(self, entry: Located, text: str) -> str:
        at = entry.mapping().get("identity_file", self._default_key or entry)
        if not text or (text, at.line) in self._seen_keys:
            return self._seen_keys.get((text, at.line), "")
        found = read_identity_file(text, at.line, at.path, self._problems, self._folders)
        self._seen_keys[text, at.line] = found
        return found

    def _text(self, entry: Located) -> str | None:
        if isinstance(entry.value, str):
            return entry.value
        self._problems.add(
            entry.line, entry.path, f"must be a string, is {entry.kind}", "put it in quotes"
        )
        return None

    def _user(self, entry: Located) -> str | None:
        problem = values.check_user(entry.text)
        if problem or isinstance(entry.value, dict | list):
            self._problems.add(entry.line, entry.path, problem or f"is {entry.kind}")
            return None
        return entry.text

    def _port(self, entry: Located) -> int | None:
        problem = check_port(entry.text or entry.kind)
        if problem:
            self._problems.add(entry.line, entry.path, problem)
            return None
        return int(entry.text)

    def _become(self, entry: Located) -> bool | None:
        if expect(entry, bool, self._problems, "write true where sudo may be used, else false"):
            return bool(entry.value)
        return None

    def _labels(self, entry: Located) -> dict[str, str] | None:
        if not expect(entry, dict, self._problems, "write labels: {zone: a}"):
            return None
        found = {}
        for key, item in entry.mapping().items():
            if isinstance(item.value, dict | list) or item.value is None:
                problem = f"must be a string, is {item.kind}"
            elif key in values.RESERVED_LABELS:
                problem = "is set from the host's own facts; leave it out"
            else:
                problem = values.check_label_key(key) or values.check_label_value(item.text)
            if problem:
                self._problems.add(item.line, item.path, problem)
            else:
                found[key] = item.text
        return found

    def _taints(self, entry: Located) -> tuple[InventoryTaint, ...] | None:
        if not expect(entry, list, self._problems, 'write taints: ["dedicated=db:NoSchedule"]'):
            return None
        found: dict[tuple[str, str], InventoryTaint] = {}
        for item in entry.items():
            taint = values.parse_taint(item.text or item.kind)
            if isinstance(taint, str):
                self._problems.add(item.line, item.path, taint)
            elif (taint.key, taint.effect) in found:
                self._problems.add(
                    item.line, item.path, f"{taint.key!r} with {taint.effect} is here twice",
                    "keep one",
                )  # fmt: skip
            else:
                found[taint.key, taint.effect] = taint
        return tuple(found.values())

    def _capacity(self, entry: Located) -> dict[str, str] | None:
        if not expect(entry, dict, self._problems, 'write capacity: {cpu: "3", memory: 6Gi}'):
            return None
        check_keys(entry.mapping(), CAPACITY_KEYS, self._problems)
        found = {}
        for resource in CAPACITY_KEYS:
            item = entry.mapping().get(resource)
            if item is None:
                continue
            problem = values.check_quantity(resource, item.text or item.kind)
            if problem:
                self._problems.add(item.line, item.path, problem)
            else:
                found[resource] = item.text
        return found
