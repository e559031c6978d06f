"""One attempt of a probe: http, tcp or exec. Blocking: for worker threads.

The words of failures are those of the kubelet, because people search for them.
Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes".
"""

from __future__ import annotations

import socket
import time
from typing import Any, Dict, NamedTuple, Optional
from urllib.parse import urljoin, urlsplit

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
    url = "%s://%s%s" % (spec.scheme.lower(), _place(host, spec.port), spec.path)
    for _ in range(MAX_REDIRECTS):
        try:
            answer = _get(url, spec, deadline)
        except (OSError, http1.BadAnswer, ValueError) as error:
            return Attempt(False, 'Get "%s": %s' % (url, _words(error)))
        if not 300 <= answer.status < 400 or not answer.location:
            break
        target = urljoin(url, answer.location)
        if urlsplit(target).hostname != urlsplit(url).hostname:
            return Attempt(True, "Probe terminated redirects")
        url = target
    else:
        return Attempt(False, 'Get "%s": stopped after %d redirects' % (url, MAX_REDIRECTS))
    if 200 <= answer.status < 400:
        return Attempt(True, "")
    return Attempt(False, "HTTP probe failed with statuscode: %d" % answer.status)


def _get(url: str, spec: ProbeSpec, deadline: float) -> http1.Answer:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    headers: Dict[str, str] = {"Host": parts.netloc, "User-Agent": _USER_AGENT, "Accept": "*/*"}
    given = {name.lower() for name, _ in spec.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in given}
    headers.update(dict(spec.headers))
    headers["Connection"] = "close"
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    connection: Any = http1.connect_tcp(str(parts.hostname), port, deadline)
    exchange = http1.Exchange(connection, deadline)
    try:
        if secure:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            exchange = http1.Exchange(_secured(connection, str(parts.hostname)), deadline)
        return exchange.request("GET", target, headers, b"", "1.1")
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
