"""A small API client on the standard library: one kept-alive connection, streams, Status errors.

Third-party HTTP stacks cost more start-up time than a whole `orch get` may take.
Source: Kubernetes API concepts; RFC 9112.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from orchestrator.cli.kubeconfig import Access
from orchestrator.kit.errors import OrchError

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class ApiFailure(OrchError):
    """The server answered with an error.

    Attributes:
        code: HTTP status.
        reason: the Status' reason: "NotFound", "AlreadyExists", "Conflict", "Invalid", ...
    """

    def __init__(self, message: str, *, code: int, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class NoServer(OrchError):
    """Nothing answers where the kubeconfig points."""


class Client:
    """Talks to one API server; `warnings` collects the Warning headers of all answers."""

    def __init__(self, access: Access, timeout_s: float = 60.0) -> None:
        self._access = access
        self._url = urlsplit(access.server)
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self.warnings: list[str] = []

    def _connect(self, timeout_s: float | None) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "localhost", self._url.port
        if self._access.tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout_s)
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._access.tls)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: bytes | None,
        headers: dict[str, str],
    ) -> http.client.HTTPResponse:
        target = self._url.path + path
        if query:
            target += "?" + urlencode(query)
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token}"
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoServer(
                f"cannot reach the server at {self._access.server} "
                f"(from {self._access.origin}): {str(error) or type(error).__name__}; "
                "is it running? `orch status` tells"
            ) from error
        for value in response.headers.get_all("Warning") or []:
            self.warnings.append(_warning_text(value))
        return response

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """One request; returns the decoded JSON answer (None for an empty one).

        Raises:
            ApiFailure: the server answered with an error.
            NoServer: nothing answered.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept, "User-Agent": "orch"}
        if data is not None:
            headers["Content-Type"] = content_type
        fresh = self._connection is None
        connection = self._connection or self._connect(self._timeout_s)
        self._connection = connection
        try:
            response = self._send(connection, method, path, query or {}, data, headers)
        except NoServer:
            self._connection = None
            if fresh or method != "GET":
                raise
            return self.request(
                method, path, query=query, body=body, content_type=content_type, accept=accept
            )
        payload = response.read()
        if response.will_close:
            connection.close()
            self._connection = None
        if response.status >= 400:
            raise _failure(response.status, payload)
        return json.loads(payload) if payload else None

    def stream(
        self, path: str, *, query: Mapping[str, str | int], accept: str = "application/json"
    ) -> Iterator[bytes]:
        """Yields the pieces of a streamed answer as they arrive, on a connection of its own."""
        connection = self._connect(None)
        headers = {"Accept": accept, "User-Agent": "orch"}
        response = self._send(connection, "GET", path, query, None, headers)
        try:
            if response.status >= 400:
                raise _failure(response.status, response.read())
            while piece := response.read1(65536):
                yield piece
        finally:
            connection.close()

    def watch(
        self, path: str, *, query: Mapping[str, str | int], accept: str = "application/json"
    ) -> Iterator[dict[str, Any]]:
        """Yields watch events until the server ends the watch.

        Raises:
            ApiFailure: an ERROR event arrived (410 Expired when the revision is too old).
        """
        rest = b""
        for piece in self.stream(path, query={**query, "watch": "true"}, accept=accept):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if not line.strip():
                    continue
                event: dict[str, Any] = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiFailure(
                        str(status.get("message", "")),
                        code=int(status.get("code", 500)),
                        reason=str(status.get("reason", "")),
                    )
                yield event


def _failure(code: int, payload: bytes) -> ApiFailure:
    try:
        status = json.loads(payload)
        message, reason = str(status["message"]), str(status.get("reason", ""))
    except (ValueError, KeyError, TypeError):
        message, reason = payload.decode(errors="replace").strip() or f"HTTP {code}", ""
    return ApiFailure(message, code=code, reason=reason)


def _warning_text(value: str) -> str:
    # RFC 9111 warn-value: code agent "text"
    first, last = value.find('"'), value.rfind('"')
    return value[first + 1 : last].replace('\\"', '"') if 0 <= first < last else value
