"""The table of operations: what each request means, and where it runs.

Quick ones run on the loop at once, those that block on a worker. A request's answer is sent once;
a cancelled one is answered at once, and what its worker returns later is dropped.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, NamedTuple

from agentshim.engine import Engine
from agentshim.facts import boot_id, facts
from agentshim.files import FileTrees
from agentshim.journal import Journal
from agentshim.loop import Loop
from agentshim.payload import Fields
from agentshim.probes import Prober
from agentshim.specs import read_container, read_id
from agentshim.usage import Cgroups, usage
from agentshim.wire import PROTOCOL, Failure, Message

MAX_IN_FLIGHT = 64
"""Blocking requests at once from one client."""


class Settings(NamedTuple):
    """Where the shim lives and what it talks to."""

    directory: str
    digest: str
    engine_socket: str

    @property
    def socket_path(self) -> str:
        """The shim's own socket."""
        return os.path.join(self.directory, "shim.sock")

    @property
    def files_root(self) -> str:
        """Below this the files of volumes are."""
        return os.path.join(self.directory, "files")


Reply = Callable[[Message], None]
Work = Callable[[], Message]


class Service:
    """All operations but for `hello`'s effect on its connection, which `server.py` knows."""

    def __init__(self, loop: Loop, settings: Settings, end: Callable[[bool], None]) -> None:
        self._loop = loop
        self._settings = settings
        self._end = end
        self.journal = Journal()
        self._engine = Engine(settings.engine_socket)
        self._prober = Prober(loop, self._engine, self.journal)
        self._trees = FileTrees(settings.files_root)
        self._cgroups = Cgroups()
        self._started_s = time.time()
        self._began = time.monotonic()
        self._queues: Dict[str, "_Queue"] = {}
        self._quick: Dict[str, Callable[[Any], Message]] = {
            "ping": self._ping,
            "probes.set": lambda payload: {"probes": self._prober.set(read_container(payload))},
            "probes.remove": self._probes_remove,
            "probes.list": self._probes_list,
            "shutdown": self._shutdown,
        }
        # Calls on the same queue run one after the other: the files of one root, the cgroup cache.
        self._blocking: Dict[str, "_Blocking"] = {
            "facts": _Blocking("", _facts),
            "usage": _Blocking("usage", self._usage),
            "files.write_tree": _Blocking("files", self._trees.write_tree),
            "files.make_dir": _Blocking("files", self._trees.make_dir),
            "files.remove": _Blocking("files", self._trees.remove),
            "files.list": _Blocking("files", self._trees.list),
        }

    def start(self, operation: str, payload: Any, reply: Reply) -> None:
        """Begins an operation; `reply` gets {"result": ...} or {"error": ...} once."""
        quick = self._quick.get(operation)
        if quick is not None:
            reply(outcome(lambda: quick(payload)))
            return
        blocking = self._blocking.get(operation)
        if blocking is None:
            reply(error_of(Failure("unknown_operation", "unknown operation %r" % operation[:100])))
            return
        queue = self._queues.setdefault(blocking.queue or operation, _Queue(self._loop))
        queue.put(lambda: outcome(lambda: blocking.work(payload)), reply)

    def hello(self, payload: Any) -> Message:
        """The answer to `hello`.

        Raises:
            Failure: version_mismatch, bad_request.
        """
        fields = Fields(payload)
        protocol = fields.integer("protocol")
        fields.text("hash", "")
        fields.text("epoch", "")
        fields.integer("after_seq", 0)
        fields.done()
        if protocol != PROTOCOL:
            raise Failure(
                "version_mismatch", "this shim speaks protocol %d, not %d" % (PROTOCOL, protocol)
            )
        return {
            "protocol": PROTOCOL,
            "hash": self._settings.digest,
            "epoch": self.journal.epoch,
            "seq": self.journal.seq,
            "pid": os.getpid(),
            "started_s": self._started_s,
            "boot_id": boot_id(),
            "files_root": self._settings.files_root,
            "socket": self._settings.socket_path,
            "engine_socket": self._settings.engine_socket,
        }

    def heartbeat(self) -> Message:
        """The heartbeat of this moment."""
        return {"event": "heartbeat", "time_s": time.time(), "seq": self.journal.seq}

    def _ping(self, payload: Any) -> Message:
        Fields(payload).done()
        uptime_s = time.monotonic() - self._began
        return {"time_s": time.time(), "uptime_s": uptime_s, "seq": self.journal.seq}

    def _probes_remove(self, payload: Any) -> Message:
        fields = Fields(payload)
        container_id = read_id(fields, "container_id")
        fields.done()
        return {"removed": self._prober.remove(container_id)}

    def _probes_list(self, payload: Any) -> Message:
        Fields(payload).done()
        return {"probes": self._prober.states()}

    def _usage(self, payload: Any) -> Message:
        fields = Fields(payload)
        container_ids = fields.strings("containers", [])
        fields.done()
        return usage(self._cgroups, [c for c in container_ids if c.isalnum() and len(c) == 64])

    def _shutdown(self, payload: Any) -> Message:
        fields = Fields(payload)
        clean = fields.boolean("clean", False)
        fields.done()
        self._loop.call_later(0.05, lambda: self._end(clean))
        return {}


class _Blocking(NamedTuple):
    queue: str
    work: Callable[[Any], Message]


class _Queue:
    """Runs jobs one after the other on workers."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: "list[tuple[Work, Reply]]" = []
        self._busy = False

    def put(self, work: Work, reply: Reply) -> None:
        """Runs it in its turn."""
        self._waiting.append((work, reply))
        self._next()

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        work, reply = self._waiting.pop(0)
        self._busy = True

        def done(result: Any, error: Any) -> None:
            self._busy = False
            reply(result if error is None else error_of(error))
            self._next()

        if not self._loop.workers.submit(work, done):
            done(None, Failure("busy", "too much to do; try again"))


def _facts(payload: Any) -> Message:
    Fields(payload).done()
    return facts()


def outcome(work: Work) -> Message:
    """What `work` gives as the rest of an answer."""
    try:
        return {"result": work()}
    except Exception as error:
        return error_of(error)


def error_of(error: Exception) -> Message:
    """An error as the rest of an answer: never a traceback."""
    if isinstance(error, Failure):
        return {"error": {"code": error.code, "message": error.message}}
    words = "%s: %s" % (type(error).__name__, error)
    return {"error": {"code": "failed", "message": words}}
