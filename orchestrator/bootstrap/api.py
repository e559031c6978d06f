"""The API server as its administrator reaches it: standard library, one kept connection.

Source: Kubernetes API concepts; RFC 7386 for merge patches.
"""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from orchestrator.bootstrap.state import DEFAULT_API_PORT, StateDirectory
from orchestrator.credentials.ensure import client_ssl_context, paths_in
from orchestrator.kit.errors import OrchError, Unreachable

NODES = "/api/v1/nodes"


class ApiRefused(OrchError):
    """The server answered with an error.

    Attributes:
        code: HTTP status.
        reason: of the Status: "NotFound", "Conflict", "Invalid", ...
    """

    def __init__(self, message: str, *, code: int, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class AdminApi:
    """Talks to the server of one state directory as its administrator.

    Errors of all calls: Unreachable (nothing answers), ApiRefused.
    """

    def __init__(self, state: StateDirectory, timeout_s: float = 30.0) -> None:
        self._state = state
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPSConnection | None = None

    @property
    def url(self) -> str:
        """Where the server listens on this machine."""
        host = self._state.api_host()
        shown = f"[{host}]" if ":" in host else host
        return f"https://{shown}:{self._state.port('apiserver', DEFAULT_API_PORT)}"

    def ready(self) -> str:
        """Why the server is not ready, empty when it is."""
        try:
            status, body = self._exchange("GET", "/readyz?verbose", None, {})
        except Unreachable as error:
            return error.message
        if status == http.client.OK:
            return ""
        failing = [x for x in body.decode(errors="replace").splitlines() if x.startswith("[-]")]
        return "; ".join(failing) or f"HTTP {status}"

    def get(self, path: str) -> dict[str, Any]:
        """One object or list."""
        return self._json("GET", path)

    def find(self, path: str) -> dict[str, Any] | None:
        """One object; None when there is none."""
        try:
            return self._json("GET", path)
        except ApiRefused as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise

    def create(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """POST."""
        return self._json("POST", path, document)

    def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        """PATCH with a merge patch; a resourceVersion in it guards against races."""
        return self._json("PATCH", path, patch, "application/merge-patch+json")

    def delete(self, path: str, **query: int | str) -> None:
        """DELETE; what is gone already is no error."""
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            self._json("DELETE", target)
        except ApiRefused as error:
            if error.code != http.client.NOT_FOUND:
                raise

    def close(self) -> None:
        """Ends the connection; idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _json(
        self,
        method: str,
        path: str,
        document: dict[str, Any] | None = None,
        media_type: str = "application/json",
    ) -> dict[str, Any]:
        body = None if document is None else json.dumps(document).encode()
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = media_type
        status, answer = self._exchange(method, path, body, headers)
        if status >= http.client.BAD_REQUEST:
            raise _refused(status, answer)
        decoded: dict[str, Any] = json.loads(answer) if answer else {}
        return decoded

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        fresh = self._connection is None
        try:
            connection = self._connection or self._connect()
            self._connection = connection
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not fresh and method == "GET":
                return self._exchange(method, path, body, headers)
            raise Unreachable(
                f"nothing answers at {self.url}: {str(error) or type(error).__name__}",
                operation=f"{method} {path}",
            ) from error
        if response.will_close:
            self.close()
        return response.status, answer

    def _connect(self) -> http.client.HTTPSConnection:
        parts = urlsplit(self.url)
        return http.client.HTTPSConnection(
            parts.hostname or "127.0.0.1",
            parts.port,
            timeout=self._timeout_s,
            context=client_ssl_context(paths_in(self._state.path)),
        )


def node_path(name: str) -> str:
    """The path of a Node."""
    return f"{NODES}/{quote(name)}"


def pod_path(namespace: str, name: str) -> str:
    """The path of a Pod."""
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}"


def _refused(status: int, answer: bytes) -> ApiRefused:
    try:
        document = json.loads(answer)
        message, reason = str(document["message"]), str(document.get("reason", ""))
    except (ValueError, KeyError, TypeError):
        message, reason = answer.decode(errors="replace").strip() or f"HTTP {status}", ""
    return ApiRefused(message, code=status, reason=reason)
