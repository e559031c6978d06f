"""The application: the gate, and behind it Litestar and the dispatcher of the Kubernetes tree.

`build_app` wires the parts; `serve.serve` runs the result. Litestar owns the lifespan, health,
version, metrics and documentation; everything under /api, /apis and /openapi is the dispatcher's.
Source: ASGI 3.
"""

import asyncio
import importlib.metadata
import platform
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from orchestrator.api.schema.bundle import KUBERNETES_VERSION
from orchestrator.apiserver.accounts import AccountTokens
from orchestrator.apiserver.answers import Sender
from orchestrator.apiserver.at_once import Ask, asker
from orchestrator.apiserver.authn import Authenticator
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.dispatcher import Dispatcher
from orchestrator.apiserver.docs import docs_config
from orchestrator.apiserver.errors import for_http
from orchestrator.apiserver.faults import fault_answer
from orchestrator.apiserver.gate import Gate
from orchestrator.apiserver.health import HealthChecks, health_routes
from orchestrator.apiserver.lanes import Lanes
from orchestrator.apiserver.metrics import ApiMetrics
from orchestrator.apiserver.oidc import discovery_routes
from orchestrator.apiserver.paths import Paths
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.apiserver.streams import OpenStreams
from orchestrator.apiserver.verbs.lines import SharedLines
from orchestrator.credentials.signing import SigningKeys
from orchestrator.kit.clock import Clock
from orchestrator.node.streams import StreamsProvider
from orchestrator.reconcile.usage import UsageSource
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.placement import Explainer
from orchestrator.store.store import Store

_ORCH_VERSION: Final = importlib.metadata.version("orch")
_VERSION: Final = {
    "major": KUBERNETES_VERSION.split(".")[0],
    "minor": KUBERNETES_VERSION.split(".")[1],
    "gitVersion": f"v{KUBERNETES_VERSION}+orch-{_ORCH_VERSION}",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": f"python{platform.python_version()}",
    "compiler": platform.python_implementation(),
    "platform": f"{platform.system().lower()}/{platform.machine()}",
}


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The ASGI application with what its owner needs.

    Attributes:
        services: the parts behind it.
        sender: sends answers.
        gate: its outermost layer.
    """

    services: Services
    sender: Sender
    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection event."""
        await self.gate(scope, receive, send)

    def asker(self, scope: Scope) -> Ask | None:
        """See `at_once.asker`."""
        return asker(self.services, scope)

    def end_streams(self) -> None:
        """Ends watches and log streams and refuses new ones; for `serve.serve`."""
        self.services.open_streams.stop()

    def close(self) -> None:
        """Ends the compression thread and the permissions' index; call after serving ended."""
        self.services.authorizer.close()
        self.sender.close()


def build_app(
    *,
    registry: Registry,
    store: Store,
    pod_streams: StreamsProvider,
    usage: UsageSource,
    authenticator: Authenticator,
    keys: SigningKeys,
    settings: ApiServerSettings,
    clock: Clock,
    rng: random.Random,
    checks: HealthChecks | None = None,
    public_url: str = "",
    collector: CollectorRegistry | None = None,
    explainer: Explainer | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> ApiServer:
    """The API server as an ASGI application.

    Args:
        registry: object reads and writes.
        store: revisions and watches.
        pod_streams: log streams of pods, by node.
        usage: what nodes and pods use.
        authenticator: tells who asks; service accounts are added here.
        keys: sign and check service accounts' tokens.
        settings: limits and intervals.
        clock: time for ages and durations.
        rng: spreads the ends of watches.
        checks: health checks besides "ping".
        public_url: where clients reach this server; "" for this machine.
        collector: where metrics are registered and /metrics reads; a fresh one when None.
        explainer: who knows how pods are placed.
        configuration: settings that /configz tells, by section.
    """
    metrics = ApiMetrics(collector if collector is not None else CollectorRegistry())
    sender = Sender(settings.gzip_min_bytes)
    authorizer = Authorizer(store)
    registry.policies.may = authorizer.may
    accounts = AccountTokens(store, keys, clock, settings.account_issuer)
    authenticator = replace(authenticator, accounts=accounts)
    services = Services(
        accounts=accounts,
        authenticator=authenticator,
        authorizer=authorizer,
        registry=registry,
        store=store,
        pod_streams=pod_streams,
        usage=usage,
        explainer=explainer,
        settings=settings,
        clock=clock,
        rng=rng,
        metrics=metrics,
        lanes=Lanes(settings.requests_in_flight, settings.waiting_per_user, settings.waiting_s),
        lines=SharedLines(),
        open_streams=OpenStreams(metrics),
        paths=Paths(),
    )
    litestar = Litestar(
        route_handlers=[
            *health_routes(checks or HealthChecks()),
            _root_route(registry),
            _version_route(),
            _metrics_route(metrics.collector),
            _configz_route(configuration or {}),
            *discovery_routes(accounts, public_url or f"https://localhost:{settings.port}"),
        ],
        openapi_config=docs_config(_ORCH_VERSION, lambda: registry.catalog.current),
        exception_handlers={HTTPException: _framework_error, Exception: _framework_error},
        logging_config=None,
    )
    gate = Gate(
        litestar,
        Dispatcher(services, sender),
        authenticator=authenticator,
        authorizer=authorizer,
        settings=settings,
        metrics=metrics,
        sender=sender,
        clock=clock,
    )
    return ApiServer(services, sender, gate)


def _root_route(registry: Registry) -> HTTPRouteHandler:
    @get("/", sync_to_thread=False, tags=["server"], summary="Which paths there are")
    def root() -> dict[str, list[str]]:
        served = registry.catalog.current.group_versions
        groups = {f"/apis/{group}" for group, _ in served if group}
        return {"paths": sorted([
            "/api", "/api/v1", "/apis", *groups, "/configz", "/docs", "/healthz", "/livez",
            "/metrics",
            "/.well-known/openid-configuration", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks",
            "/readyz", "/version",
        ])}  # fmt: skip

    return root


def _version_route() -> HTTPRouteHandler:
    @get("/version", sync_to_thread=False, tags=["server"], summary="Version of API and server")
    def version() -> dict[str, str]:
        return dict(_VERSION)

    return version


def _metrics_route(collector: CollectorRegistry) -> HTTPRouteHandler:
    @get("/metrics", tags=["server"], summary="Metrics in Prometheus' text format")
    async def metrics() -> Response[bytes]:
        # Rendering takes 15 us a line: off the event loop.
        text = await asyncio.to_thread(generate_latest, collector)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return metrics


def _configz_route(configuration: Mapping[str, Any]) -> HTTPRouteHandler:
    told: dict[str, Any] = msgspec.to_builtins(configuration)

    @get("/configz", sync_to_thread=False, tags=["server"], summary="Settings that decide on pods")
    def configz() -> dict[str, Any]:
        return told

    return configz


def _framework_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's own errors (404, 405, 400) as Status documents."""
    fault = for_http(error.status_code) if isinstance(error, HTTPException) else error
    answer = fault_answer(fault, request.method, request.url.path)
    return Response(answer.body, status_code=answer.status, media_type=answer.content_type)
