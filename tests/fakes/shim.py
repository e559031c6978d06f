"""The shim of a fake host: probes that answer as they are told to, files as a mapping.

Payloads are read by agentshim's own readers, so that what the shim would refuse is refused here.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentshim.payload import Fields
from agentshim.specs import ContainerSpec, ProbeSpec, read_container, read_id
from agentshim.wire import Failure
from orchestrator.kit.errors import ShimError
from tests.fakes.containers import FakeContainer
from tests.fakes.engine import EPOCH_S, FakeEngine
from tests.fakes.faults import Faults

FILES_ROOT = "/run/orch/files"
ATTEMPT_S = 0.02

Event = dict[str, Any]
Answer = Callable[[ContainerSpec, str], str]


@dataclass
class Probing:
    """The probes of one container and their states."""

    spec: ContainerSpec
    states: dict[str, str] = field(default_factory=dict)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


def always_success(spec: ContainerSpec, kind: str) -> str:
    """Every probe succeeds at its first attempt."""
    return "success"


class FakeShim:
    """Implements `seams.Shim` next to a fake engine; goes on when a connection is lost.

    Attributes:
        faults: how it misbehaves.
        answer: "success", "failure" or "" (no attempt ends) for a container's kind of probe.
        trees: files by folder below the root: {"pods/u/volumes/v": {"a.conf": b"..."}}.
        calls: every operation with its payload.
        facts: what the operation `facts` gives.
        load: processors that each container uses; the host uses twice as much.
    """

    files_root = FILES_ROOT

    def __init__(self, engine: FakeEngine, node: str, address: str = "10.0.0.1") -> None:
        self.node = node
        self.engine = engine
        self.faults = Faults()
        self.answer: Answer = always_success
        self.trees: dict[str, dict[str, bytes]] = {}
        self.load = 0.25
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.facts: dict[str, Any] = {
            "hostname": node, "os": {"id": "debian", "name": "Debian GNU/Linux 12 (bookworm)"},
            "kernel": "6.1.0", "architecture": "x86_64", "cores": 4, "memory_bytes": 8 << 30,
            "disks": [{"mount": "/", "size_bytes": 100 << 30, "free_bytes": 50 << 30}],
            "addresses": [
                {"interface": "eth0", "family": "ipv4", "address": address, "prefix": 24}
            ],
            "boot_id": f"boot-{node}", "machine_id": f"machine-{node}",
        }  # fmt: skip
        self._probing: dict[str, Probing] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self._seq = 0
        engine.watchers.append(self._happened)

    # ------------------------------------------------------------ what tests do to it

    def forget(self) -> None:
        """Another shim process takes over: it has no probes yet."""
        for probing in self._probing.values():
            for timer in probing.timers:
                timer.cancel()
        self._probing.clear()

    def tell(self, container_id: str, kind: str, state: str, **more: Any) -> None:
        """A probe changed its state."""
        probing = self._probing[container_id]
        probing.states[kind] = state
        event = self._event(probing, kind, **more)
        for listener in list(self._listeners):
            listener(event)

    def fail(self, container_id: str, kind: str, message: str = "refused") -> None:
        """A probe failed as often as it may: liveness and startup act on the container."""
        probing = self._probing[container_id]
        acts = kind != "readiness"
        action = probing.spec.on_failure if acts else ""
        more = {"attempt": "failure", "message": message, "action": action}
        self.tell(container_id, kind, "failure", **more)
        container = self.engine.container(container_id)
        if acts:
            container.halt()
            container.signal("KILL")
            if action == "restart":
                container.start()

    def reset(self) -> None:
        """Another shim process: it knows of no probes."""
        for container_id in list(self._probing):
            self._forget(container_id)

    # ------------------------------------------------------------ seams.Shim

    async def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, payload))
        async with self.faults.call(operation, self.node):
            work = {
                "ping": self._ping,
                "facts": self._facts,
                "usage": self._usage,
                "probes.set": self._set,
                "probes.remove": self._remove_probes,
                "probes.list": self._list_probes,
                "files.write_tree": self._write_tree,
                "files.make_dir": self._make_dir,
                "files.remove": self._remove,
                "files.list": self._list,
            }.get(operation)
            if work is None:
                raise self._error("unknown_operation", f"unknown operation {operation!r}")
            try:
                return work(Fields(dict(payload)), dict(payload))
            except Failure as error:
                raise self._error(error.code, error.message) from error

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def close(self) -> None:
        """The shim goes on."""

    # ------------------------------------------------------------ operations

    def _ping(self, fields: Fields, _: Any) -> Event:
        fields.done()
        return {"time_s": self._now_s(), "uptime_s": 1.0, "seq": self._seq}

    def _facts(self, fields: Fields, _: Any) -> Event:
        fields.done()
        return dict(self.facts)

    def _usage(self, fields: Fields, _: Any) -> Event:
        asked = fields.strings("containers", [])
        fields.done()
        now_s = asyncio.get_running_loop().time()
        running = {c.id for c in self.engine.all_containers() if c.running}
        used = {"cpu_s": now_s * self.load, "memory_bytes": 20 << 20, "working_set_bytes": 16 << 20}
        host = {"cpu_s": now_s * 2 * self.load, "memory_bytes": 1 << 30}
        found = {one: used for one in asked if one in running}
        return {"time_s": self._now_s(), "monotonic_s": now_s, "host": host, "containers": found}

    def _set(self, _: Fields, payload: Any) -> Event:
        spec = read_container(payload)
        before = self._probing.get(spec.container_id)
        if before is None or before.spec != spec:
            if before is not None:
                self._forget(spec.container_id)
            self._probing[spec.container_id] = Probing(spec)
            self._begin(self._probing[spec.container_id])
        return {"probes": self._states(spec.container_id)}

    def _remove_probes(self, fields: Fields, _: Any) -> Event:
        container_id = read_id(fields, "container_id")
        fields.done()
        return {"removed": self._forget(container_id)}

    def _list_probes(self, fields: Fields, _: Any) -> Event:
        fields.done()
        return {"probes": [e for container_id in self._probing for e in self._states(container_id)]}

    def _write_tree(self, fields: Fields, payload: Any) -> Event:
        path = fields.text("path")
        files = {p: base64.b64decode(f["data"]) for p, f in payload.get("files", {}).items()}
        unknown = set(payload) - {"path", "files", "dir_mode", "uid", "gid"}
        if unknown:
            raise Failure("bad_request", f"unknown field {min(unknown)}")
        changed = self.trees.get(path) != files
        self.trees[path] = files
        return {"path": f"{FILES_ROOT}/{path}", "changed": changed}

    def _make_dir(self, fields: Fields, _: Any) -> Event:
        path = fields.text("path")
        fields.integer("mode", 0o777, 0, 0o7777)
        fields.optional_integer("uid")
        fields.optional_integer("gid")
        fields.done()
        changed = path not in self.trees
        self.trees.setdefault(path, {})
        return {"path": f"{FILES_ROOT}/{path}", "changed": changed}

    def _remove(self, fields: Fields, _: Any) -> Event:
        path = fields.text("path")
        fields.done()
        gone = [tree for tree in self.trees if tree == path or tree.startswith(f"{path}/")]
        for tree in gone:
            del self.trees[tree]
        return {"removed": bool(gone)}

    def _list(self, fields: Fields, _: Any) -> Event:
        top = fields.text("path", "")
        fields.done()
        found = [t for t in sorted(self.trees) if not top or t == top or t.startswith(f"{top}/")]
        return {"trees": [{"path": tree, "files": sorted(self.trees[tree])} for tree in found]}

    # ------------------------------------------------------------ probes

    def _happened(self, container: FakeContainer, action: str) -> None:
        """The engine told that something happened to a container."""
        probing = self._probing.get(container.id)
        if probing is None:
            return
        if action == "destroy":
            self._forget(container.id)
        elif action == "start":
            self._begin(probing)
        elif action == "die":
            self._cancel(probing)
            for kind, state in list(probing.states.items()):
                if state != "unknown":
                    self.tell(container.id, kind, "unknown")

    def _begin(self, probing: Probing) -> None:
        self._cancel(probing)
        probing.states = {kind: "unknown" for kind, _ in probing.spec.probes}
        if not self.engine.container(probing.spec.container_id).running:
            return
        for kind, probe in probing.spec.probes:
            self._attempt(probing, kind, probe)

    def _attempt(self, probing: Probing, kind: str, probe: ProbeSpec) -> None:
        def end() -> None:
            state = self.answer(probing.spec, kind)
            if state == "success":
                self.tell(probing.spec.container_id, kind, "success", attempt="success")
            elif state == "failure":
                self.fail(probing.spec.container_id, kind)

        delay_s = probe.initial_delay_s + ATTEMPT_S
        probing.timers.append(asyncio.get_running_loop().call_later(delay_s, end))

    def _forget(self, container_id: str) -> bool:
        probing = self._probing.pop(container_id, None)
        if probing is not None:
            self._cancel(probing)
        return probing is not None

    def _cancel(self, probing: Probing) -> None:
        for timer in probing.timers:
            timer.cancel()
        probing.timers.clear()

    def _states(self, container_id: str) -> list[Event]:
        probing = self._probing[container_id]
        return [self._event(probing, kind) for kind in probing.states]

    def _event(self, probing: Probing, kind: str, **more: Any) -> Event:
        self._seq += 1
        container = self.engine.container(probing.spec.container_id)
        return {
            "event": "probe", "seq": self._seq, "time_s": self._now_s(),
            "container_id": probing.spec.container_id, "key": probing.spec.key, "probe": kind,
            "state": probing.states[kind], "attempt": "", "message": "", "action": "",
            "action_error": "", "restarts": 0, "started_at": container.info().started_at,
            "replayed": False, **more,
        }  # fmt: skip

    def _now_s(self) -> float:
        return EPOCH_S + asyncio.get_running_loop().time()

    def _error(self, code: str, words: str) -> ShimError:
        return ShimError(words, node=self.node, operation="fake", code=code)
