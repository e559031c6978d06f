"""HAProxy's configuration as text, from what is desired; works with HAProxy 2.6 and newer.

Everything that a reload needs is in the two maps and the configuration; equal input gives equal text.
Source: HAProxy Configuration Manual 2.6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.loadbalancer.desired import Backend, Desired, Server
from orchestrator.loadbalancer.routes import NO_BACKEND
from orchestrator.loadbalancer.settings import LoadBalancerSettings


@dataclass(frozen=True, slots=True)
class Paths:
    """Files that the configuration names; all absolute, sockets under 108 bytes."""

    config: str
    hosts_map: str
    paths_map: str
    exact_map: str
    prefixes_map: str
    certificates: str
    socket: str
    master: str
    pid: str


NO_SERVICE = (
    "no service here: ask by host name, Host: <service>.<namespace>, or by path, /<service>/ "
    "for namespace default and /<namespace>/<service>/ for any\\n"
)


def render_map(entries: Mapping[str, str]) -> str:
    """A map file: one "key value" a line, sorted."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def render_certificates(names: Iterable[str], paths: Paths) -> str:
    """The list of certificate files; HAProxy finds in them for which hosts they are."""
    return "".join(f"{certificate_path(name, paths)}\n" for name in sorted(names))


def certificate_path(name: str, paths: Paths) -> str:
    """Where one certificate is, with its key."""
    return f"{paths.certificates}.d/{name}.pem"


def files(wanted: Desired, settings: LoadBalancerSettings, paths: Paths) -> dict[str, str]:
    """All files by absolute path."""
    return {
        paths.config: render(wanted, settings, paths),
        paths.hosts_map: render_map(wanted.hosts),
        paths.paths_map: render_map(wanted.paths),
        paths.exact_map: render_map(wanted.exact),
        paths.prefixes_map: render_map(wanted.prefixes),
        paths.certificates: render_certificates(wanted.certificates, paths),
        **{certificate_path(name, paths): text for name, text in wanted.certificates.items()},
    }


def render(wanted: Desired, settings: LoadBalancerSettings, paths: Paths) -> str:
    """The whole configuration."""
    parts = [_head(settings, paths), _http(wanted, settings, paths), _NOWHERE]
    parts += [
        f"frontend port_{item.port}\n"
        f"    mode {item.mode}\n"
        f"    bind {settings.host}:{item.port}\n"
        f"    default_backend {item.backend}\n"
        for item in wanted.listeners
    ]
    parts += [render_backend(b, settings) for _, b in sorted(wanted.backends.items())]
    return "\n".join(parts)


def shape(wanted: Desired, settings: LoadBalancerSettings, paths: Paths) -> str:
    """What only a reload can change, as text: everything but the servers, maps included."""
    empty = {name: replace(b, servers=()) for name, b in wanted.backends.items()}
    parts = [
        check_options(settings),
        *files(replace(wanted, backends=empty), settings, paths).values(),
    ]
    return "\n".join(parts)


def render_backend(backend: Backend, settings: LoadBalancerSettings) -> str:
    """One backend with its servers."""
    lines = [f"backend {backend.name}", f"    mode {backend.mode}", "    balance roundrobin"]
    if backend.mode == "http":
        lines += [
            "    option forwardfor",
            "    http-reuse safe",
            # a request is tried on another backend when nothing of it can have had an effect: the
            # connection failed, or the method is safe (RFC 9110, 9.2.1)
            "    retry-on conn-failure empty-response",
            "    http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
            "    http-error status 503 content-type text/plain string "
            f'"no ready endpoint for service {backend.service} in namespace {backend.namespace}\\n"',
        ]
    lines += [f"    {server_line(s, settings)}" for s in backend.servers]
    return "\n".join(lines) + "\n"


def server_line(server: Server, settings: LoadBalancerSettings) -> str:
    """One `server` line; leaving servers start with no weight, so that a reload drains them."""
    weight = " weight 0" if server.state == "drain" else ""
    return f"server {server.name} {endpoint(server)} {check_options(settings)}{weight}"


def endpoint(server: Server) -> str:
    """Address and port as HAProxy takes them."""
    address = f"[{server.address}]" if ":" in server.address else server.address
    return f"{address}:{server.port}"


def check_options(settings: LoadBalancerSettings) -> str:
    """Health check options, the same in the file and at run time."""
    # a backend that is down takes its open requests with it: better an error now than a hang
    interval = settings.check_interval_ms
    return f"check inter {interval} fall 2 rise 1 on-marked-down shutdown-sessions"


def _head(settings: LoadBalancerSettings, paths: Paths) -> str:
    # noreuseport: else a second balancer on the same port would start, and take half of the requests.
    # idle-close-on-response, http-keep-alive: a replaced worker answers one more request on an idle
    # connection instead of closing it under the client's hands, with the endpoints it knew; so not for long.
    return f"""\
# Written by orch; changes made by hand are lost.
global
    stats socket {paths.socket} mode 600 level admin expose-fd listeners
    stats timeout 1h
    hard-stop-after {settings.stale_reload_s}s
    mworker-max-reloads {settings.stale_workers}
    noreuseport
    fd-hard-limit 65536
    spread-checks 5

defaults
    option redispatch 1
    option tcpka
    option idle-close-on-response
    retries 3
    timeout connect {settings.connect_timeout_ms}ms
    timeout check {settings.connect_timeout_ms}ms
    timeout client {settings.request_timeout_s}s
    timeout server {settings.request_timeout_s}s
    timeout tunnel 24h
    timeout http-request 10s
    timeout http-keep-alive 20s
    timeout queue 5s
"""


_NOWHERE = f"""\
backend {NO_BACKEND}
    mode http
    http-request return status 503 content-type text/plain string "the service of this Ingress rule is not there\\n"
"""


def _http(wanted: Desired, settings: LoadBalancerSettings, paths: Paths) -> str:
    tls = f"    bind {settings.host}:{settings.https_port} ssl crt-list {paths.certificates} alpn h2,http/1.1\n"
    last = f"    http-request set-var(txn.backend) str({wanted.fallback}) unless found\n"
    return f"""\
frontend http
    mode http
    bind {settings.host}:{settings.port}
{tls if wanted.certificates else ""}\
    acl found var(txn.backend) -m found
    http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-var(txn.host) req.hdr(host),lower,word(1,:)
    http-request set-var(txn.wild) var(txn.host),regsub(^[^.]+,*)
    http-request set-var(txn.any) str(*)
    http-request set-var(txn.path) path
    http-request set-var(txn.slashed) path,regsub(/*$,/)
{_ingress("host", paths)}\
{_ingress("wild", paths)}\
    http-request set-var(txn.service) req.hdr(host),lower,word(1,:),word(1,.)
    http-request set-var(txn.namespace) req.hdr(host),lower,word(1,:),word(2,.)
    http-request set-var(txn.backend) var(txn.service),concat(.,txn.namespace),map_str({paths.hosts_map}) unless found
{_ingress("any", paths)}\
    http-request set-var(txn.by_name) int(1) if found
    acl by_name var(txn.by_name) -m found
    http-request set-var(txn.first) path,word(1,/) unless by_name
    http-request set-var(txn.second) path,word(2,/) unless by_name
    http-request set-var(txn.backend) var(txn.first),map_str({paths.paths_map}) unless by_name
    http-request set-var(txn.strip) int(1) if found {{ var(txn.first) -m found }}
    http-request set-var(txn.backend) var(txn.first),concat(/,txn.second),map_str({paths.paths_map}) unless found
    http-request set-var(txn.strip) int(2) if found {{ var(txn.first) -m found }} !{{ var(txn.strip) -m found }}
    http-request set-header X-Forwarded-Prefix /%[var(txn.first)] if {{ var(txn.strip) -m int 1 }}
    http-request set-header X-Forwarded-Prefix /%[var(txn.first)]/%[var(txn.second)] if {{ var(txn.strip) -m int 2 }}
    http-request set-path %[path,regsub(^/+[^/]+/*,/)] if {{ var(txn.strip) -m int 1 }}
    http-request set-path %[path,regsub(^/+[^/]+/+[^/]+/*,/)] if {{ var(txn.strip) -m int 2 }}
{last if wanted.fallback else ""}\
    http-request return status 404 content-type text/plain string "{NO_SERVICE}" unless found
    use_backend %[var(txn.backend)]
"""


def _ingress(host: str, paths: Paths) -> str:
    """Looks for a rule by one form of the host: exact paths first, then the longest prefix."""
    return f"""\
    http-request set-var(txn.backend) var(txn.{host}),concat(,txn.path),map_str({paths.exact_map}) unless found
    http-request set-var(txn.backend) var(txn.{host}),concat(,txn.slashed),map_beg({paths.prefixes_map}) unless found
"""
