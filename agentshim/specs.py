"""What a probe is: read from payloads, and the counting of its attempts (pure).

Source: Kubernetes API, core/v1 Probe.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from agentshim.payload import Fields
from agentshim.wire import Failure

KINDS = ("startup", "readiness", "liveness")
MAX_PERIOD_S = 86400


class ProbeSpec(NamedTuple):
    """One probe. Exactly one of http, tcp (neither path nor argv) and exec (argv)."""

    is_http: bool
    argv: Tuple[str, ...]
    host: str
    port: int
    path: str
    scheme: str
    headers: Tuple[Tuple[str, str], ...]
    initial_delay_s: int
    period_s: int
    timeout_s: float
    success_threshold: int
    failure_threshold: int
    grace_s: Optional[int]


class ContainerSpec(NamedTuple):
    """All probes of one container."""

    container_id: str
    key: str
    address_of: str
    on_failure: str
    grace_s: int
    probes: Tuple[Tuple[str, ProbeSpec], ...]


def read_container(payload: Any) -> ContainerSpec:
    """The payload of `probes.set`.

    Raises:
        Failure: bad_request, naming the field.
    """
    fields = Fields(payload)
    container_id = read_id(fields, "container_id")
    kinds = fields.child("probes")
    found: List[Tuple[str, ProbeSpec]] = []
    if kinds is not None:
        for kind in KINDS:
            probe = kinds.child(kind)
            if probe is not None:
                found.append((kind, _read_probe(probe)))
        kinds.done()
    if not found:
        raise Failure("bad_request", "probes: must have startup, readiness or liveness")
    spec = ContainerSpec(
        container_id=container_id,
        key=fields.text("key", ""),
        address_of=read_id(fields, "address_of", container_id) or container_id,
        on_failure=fields.text("on_failure", "restart", ("restart", "stop")),
        grace_s=fields.integer("grace_s", 30, 0, MAX_PERIOD_S),
        probes=tuple(found),
    )
    fields.done()
    return spec


def read_id(fields: Fields, name: str, default: Optional[str] = None) -> str:
    """A container id: it goes into paths of engine calls, so nothing but hex digits is let in."""
    value = fields.text(name) if default is None else fields.text(name, default)
    is_id = 12 <= len(value) <= 64 and all(c in "0123456789abcdef" for c in value)
    if not is_id and not (value == "" and default is not None):
        fields.wrong(name, "a container's id")
    return value


def _read_probe(fields: Fields) -> ProbeSpec:
    http, tcp, run = fields.child("http_get"), fields.child("tcp_socket"), fields.child("exec")
    if sum(each is not None for each in (http, tcp, run)) != 1:
        raise Failure(
            "bad_request",
            "%s must have one of http_get, tcp_socket, exec" % fields.where("")[:-1],
        )
    values: Dict[str, Any] = {
        "is_http": http is not None,
        "argv": (),
        "host": "",
        "port": 0,
        "path": "",
        "scheme": "HTTP",
        "headers": (),
        "initial_delay_s": fields.integer("initial_delay_s", 0, 0, MAX_PERIOD_S),
        "period_s": fields.integer("period_s", 10, 1, MAX_PERIOD_S),
        "timeout_s": fields.number("timeout_s", 1, 0.001, MAX_PERIOD_S),
        "success_threshold": fields.integer("success_threshold", 1, 1, 1000000),
        "failure_threshold": fields.integer("failure_threshold", 3, 1, 1000000),
        "grace_s": fields.optional_integer("grace_s", 0, MAX_PERIOD_S),
    }
    for target in (http, tcp):
        if target is not None:
            values["host"] = target.text("host", "")
            values["port"] = target.integer("port", low=1, high=65535)
    if http is not None:
        values["path"] = _clean(http, "path", http.text("path", "/"))
        if not values["path"].startswith("/"):
            values["path"] = "/" + values["path"]
        values["scheme"] = http.text("scheme", "HTTP", ("HTTP", "HTTPS"))
        pairs = http.pairs("headers")
        for name, value in pairs:
            _clean(http, "headers", name)
            _clean(http, "headers", value)
        values["headers"] = tuple((name, value) for name, value in pairs)
    if run is not None:
        values["argv"] = tuple(run.strings("argv"))
        if not values["argv"]:
            run.wrong("argv", "a list of at least one word")
    for target in (fields, http, tcp, run):
        if target is not None:
            target.done()
    return ProbeSpec(**values)


def _clean(fields: Fields, name: str, text: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        fields.wrong(name, "text without control characters")
    return text


class Tally:
    """Counts attempts in a row against the thresholds."""

    def __init__(self) -> None:
        self.state = "unknown"
        self._last: Optional[bool] = None
        self._run = 0

    def note(self, ok: bool, spec: ProbeSpec) -> bool:
        """Counts an attempt; whether the state changed."""
        self._run = self._run + 1 if ok == self._last else 1
        self._last = ok
        if self._run < (spec.success_threshold if ok else spec.failure_threshold):
            return False
        state = "success" if ok else "failure"
        changed, self.state = state != self.state, state
        return changed
