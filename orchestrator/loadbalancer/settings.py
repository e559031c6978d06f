"""Settings of the load balancer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancerSettings:
    """Where HAProxy listens and how it treats backends.

    Attributes:
        enabled: whether this server runs a balancer at all.
        host: address that all listeners bind; every IPv4 address by default.
        port: of the HTTP entry by host name and path.
        https_port: of the HTTPS entry, which is there when an Ingress names a certificate.
        advertise: address that Services of type LoadBalancer show as theirs; "" for the server's.
        binary: path of the HAProxy to run; "" for the one on PATH, else the packaged one.
        check_interval_ms: between TCP checks of a backend; with two failures it is out, which
            keeps a dead host's share of requests down even when the server is away.
        connect_timeout_ms: for opening a connection to a backend before the next one is tried.
        request_timeout_s: longest silence of a backend or client in a request.
        drain_s: longest wait for requests in flight before a leaving backend counts as drained.
        settle_s: how long changes are collected before one reload; a deployment makes several.
        stale_reload_s: how long a replaced worker may finish its connections after a reload; long
            ones (databases, WebSockets) would else be cut whenever a Service is made.
        stale_workers: how many reloads a replaced worker may outlive; each takes some memory.
    """

    enabled: bool = True
    host: str = "0.0.0.0"
    port: int = 8081
    https_port: int = 8443
    advertise: str = ""
    binary: str = ""
    check_interval_ms: int = 1000
    connect_timeout_ms: int = 1000
    request_timeout_s: int = 60
    drain_s: float = 10.0
    settle_s: float = 0.02
    stale_reload_s: int = 900
    stale_workers: int = 20
