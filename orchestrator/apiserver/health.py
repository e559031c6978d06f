"""Health: /healthz, /readyz and /livez, with single checks and `?verbose`, as Kubernetes has them.

A check is a function that returns "" when all is well, else what is wrong in a few words. Live
means the process can be left alone; ready means requests will be served. Source: Kubernetes API
health endpoints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from litestar import HttpMethod, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_404_NOT_FOUND, HTTP_500_INTERNAL_SERVER_ERROR

Check = Callable[[], str]

_TEXT: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """The checks behind the three endpoints; "ping" (the event loop answers) is always there.

    Attributes:
        live: name to check; one failing means that a restart would help.
        ready: name to check, on top of the live ones.
    """

    live: Mapping[str, Check] = field(default_factory=dict)
    ready: Mapping[str, Check] = field(default_factory=dict)

    def of(self, endpoint: str) -> dict[str, Check]:
        """The checks of "healthz", "livez" or "readyz", in order of display."""
        checks: dict[str, Check] = {"ping": _ping, **self.live}
        return {**checks, **self.ready} if endpoint == "readyz" else checks


def _ping() -> str:
    return ""


def report(
    endpoint: str, checks: Mapping[str, Check], excluded: frozenset[str]
) -> tuple[bool, str]:
    """Whether all is well, and the verbose text about it."""
    lines: list[str] = []
    healthy = True
    for name, check in checks.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
            continue
        fault = check()
        healthy = healthy and not fault
        lines.append(f"[-]{name} failed: {fault}" if fault else f"[+]{name} ok")
    lines.append(f"{endpoint} check {'passed' if healthy else 'failed'}")
    return healthy, "\n".join(lines) + "\n"


def health_routes(checks: HealthChecks) -> list[HTTPRouteHandler]:
    """The routes of the three endpoints."""
    return [_route(endpoint, checks.of(endpoint)) for endpoint in ("healthz", "readyz", "livez")]


def _route(endpoint: str, checks: Mapping[str, Check]) -> HTTPRouteHandler:
    def handle(request: Request[Any, Any, Any], check: FromPath[str] = "") -> Response[str]:
        query = request.query_params
        excluded = frozenset(query.getall("exclude", []))
        wanted = checks
        if check:
            if check not in checks:
                return Response("404 page not found\n", status_code=HTTP_404_NOT_FOUND)
            wanted = {check: checks[check]}
        healthy, text = report(endpoint, wanted, excluded)
        if healthy:
            return Response(text if "verbose" in query else "ok", status_code=HTTP_200_OK)
        return Response(text, status_code=HTTP_500_INTERNAL_SERVER_ERROR)

    return HTTPRouteHandler(
        [f"/{endpoint}", f"/{endpoint}/{{check:str}}"],
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        media_type=_TEXT,
        sync_to_thread=False,
        name=endpoint,
        summary=f"Whether the server is {_MEANING[endpoint]}; ?verbose lists the checks",
        tags=["health"],
    )(handle)


_MEANING: Final = {
    "healthz": "healthy",
    "readyz": "ready to serve requests",
    "livez": "alive",
}
