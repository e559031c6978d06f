"""One attempt of a probe: http, tcp or exec. Blocking: for worker threads.

The words of failures are those of the kubelet, because people search for them.
Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes".
"""

from __future__ import annotations

import socket
import time
from typing import Dict, NamedTuple, Optional

from agentshim import http1
from agentshim.engine import Engine
from agentshim.specs import ProbeSpec
from agentshim.wire import Failure

MAX_REDIRECTS = 10
_USER_AGENT = "kube-probe/orch"


class Attempt(NamedTuple):
    """How an attempt went; `ok` is None when it says nothing (the engine did not answer)."""

    ok: Optional[bool]
    message: str


def attempt(spec: ProbeSpec, container_id: str, address: str, engine: Engine) -> Attempt:
    """Makes one attempt, within the probe's time limit."""
    if spec.argv:
        return _exec(spec, container_id, engine)
    host = spec.host or address
    if not host:
        return Attempt(None, "the container has no address")
    return _http(spec, host) if spec.is_http else _tcp(spec, host)


def _exec(spec: ProbeSpec, container_id: str, engine: Engine) -> Attempt:
    try:
        code, output = engine.run(container_id, list(spec.argv), spec.timeout_s)
    except TimeoutError:
        words = " ".join(spec.argv)
        return Attempt(False, "command %r timed out after %gs" % (words, spec.timeout_s))
    except (Failure, OSError, http1.BadAnswer) as error:
        return Attempt(None, "the engine cannot run the probe: %s" % error)
    return Attempt(code == 0, output.strip() if code else "")


def _tcp(spec: ProbeSpec, host: str) -> Attempt:
    try:
        http1.connect_tcp(host, spec.port, time.monotonic() + spec.timeout_s).close()
    except OSError as error:
        return Attempt(False, "dial tcp %s: %s" % (_place(host, spec.port), _words(error)))
    return Attempt(True, "")


def _http(spec: ProbeSpec, host: str) -> Attempt:
    deadline = time.monotonic() + spec.timeout_s
    where = Target(spec.scheme == "HTTPS", host, spec.port, spec.path)
    for _ in range(MAX_REDIRECTS):
        try:
            answer = _get(where, spec, deadline)
        except (OSError, http1.BadAnswer, ValueError) as error:
            return Attempt(False, 'Get "%s": %s' % (where, _words(error)))
        if not 300 <= answer.status < 400 or not answer.location:
            break
        target = Target.redirected(where, answer.location)
        if target is None:
            return Attempt(True, "Probe terminated redirects")
        where = target
    else:
        return Attempt(False, 'Get "%s": stopped after %d redirects' % (where, MAX_REDIRECTS))
    if 200 <= answer.status < 400:
        return Attempt(True, "")
    return Attempt(False, "HTTP probe failed with statuscode: %d" % answer.status)


class Target(NamedTuple):
    """Where an http probe goes."""

    secure: bool
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        scheme = "https" if self.secure else "http"
        return "%s://%s%s" % (scheme, _place(self.host, self.port), self.path)

    @classmethod
    def redirected(cls, present: "Target", location: str) -> Optional["Target"]:
        """Where a redirect leads, or None when that is another host."""
        from urllib.parse import urljoin, urlsplit  # noqa: PLC0415 - only where there are redirects

        parts = urlsplit(urljoin(str(present), location))
        secure = parts.scheme == "https"
        try:
            port = parts.port or (443 if secure else 80)
        except ValueError:
            return None
        if parts.hostname != present.host.lower():
            return None
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        return cls(secure, present.host, port, path)


def _get(where: Target, spec: ProbeSpec, deadline: float) -> http1.Answer:
    netloc = _place(where.host, where.port)
    headers: Dict[str, str] = {"Host": netloc, "User-Agent": _USER_AGENT, "Accept": "*/*"}
    given = {name.lower() for name, _ in spec.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in given}
    headers.update(dict(spec.headers))
    headers["Connection"] = "close"
    connection = http1.connect_tcp(where.host, where.port, deadline)
    exchange = http1.Exchange(connection, deadline)
    try:
        if where.secure:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            exchange = http1.Exchange(_secured(connection, where.host), deadline)
        return exchange.request("GET", where.path, headers, b"", "1.1")
    finally:
        exchange.close()


def _secured(connection: socket.socket, host: str) -> socket.socket:
    import ssl  # noqa: PLC0415 - costs 4 MB: only where an https probe is set

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # as the kubelet: a probe does not verify certificates
    return context.wrap_socket(connection, server_hostname=host)


def _place(host: str, port: int) -> str:
    return "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port)


def _words(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
