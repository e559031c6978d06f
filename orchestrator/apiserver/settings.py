"""Settings of the API server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerSettings:
    """How the API server listens, and its limits.

    Attributes:
        host: address to listen on; all IPv4 addresses by default, because kubectl usually runs
            elsewhere and every request needs a credential.
        port: TCP port, TLS. 0 picks a free one (tests).
        max_body_bytes: largest request body; 3 MiB as Kubernetes.
        max_depth: deepest nesting of a request document; real objects stay under 40.
        gzip_min_bytes: answers at least this big are compressed for clients that accept it;
            compressing less costs more time than it saves on a LAN.
        requests_in_flight: requests that are worked on at once; more wait, each user's in a lane
            of its own. Watches and other streams do not count. As Kubernetes'
            max-mutating-requests-inflight.
        waiting_per_user: longest lane; who comes then is told to come back (429).
        waiting_s: longest wait in a lane; a quarter of a usual request timeout, as Kubernetes.
        body_s: how long a client may take to send a request's body; as Kubernetes' request timeout.
        bookmark_interval_s: between bookmarks on a watch that asked for them; a minute, as
            Kubernetes, keeps a resume point far newer than the history's end.
        watch_min_s: shortest time after which an idle watch without timeoutSeconds is ended.
        watch_max_s: longest; the real one is drawn between the two, so that clients do not all
            come back at once.
        coalesce_events: most watch events that are sent in one write.
        shutdown_s: how long a stop waits for requests after watches were ended; then they are cut.
        keep_alive_s: how long an idle connection is kept; longer than the idle time of common
            clients' pools (Go: 90 s), so that they do not find it closed under them.
        stream_idle_s: how long an exec, attach or port-forward may be idle; 4 h as kubelet's
            streamingConnectionIdleTimeout.
        account_issuer: what service accounts' tokens call this cluster, and the audience that is
            the API server; Kubernetes' usual name, so that clients which expect it are content.
        docs_realm: realm that a browser shows when it asks for the token on the documentation
            page.
    """

    host: str = "0.0.0.0"
    port: int = 8080
    max_body_bytes: int = 3 * 1024 * 1024
    max_depth: int = 100
    gzip_min_bytes: int = 128 * 1024
    requests_in_flight: int = 200
    waiting_per_user: int = 200
    waiting_s: float = 15.0
    body_s: float = 60.0
    bookmark_interval_s: float = 60.0
    watch_min_s: float = 1800.0
    watch_max_s: float = 3600.0
    coalesce_events: int = 128
    shutdown_s: int = 3
    keep_alive_s: int = 120
    stream_idle_s: float = 14400.0
    account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    docs_realm: str = "orch: any user name, the token as password"
