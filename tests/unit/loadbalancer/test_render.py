"""The configuration as text."""

from dataclasses import replace

from orchestrator.loadbalancer.desired import Backend, Desired, Listener, Server
from orchestrator.loadbalancer.render import Paths, render, render_backend, render_map, shape
from orchestrator.loadbalancer.settings import LoadBalancerSettings

PATHS = Paths(
    config="/s/haproxy.cfg", hosts_map="/s/hosts.map", paths_map="/s/paths.map",
    exact_map="/s/exact.map", prefixes_map="/s/prefixes.map", certificates="/s/certificates",
    socket="/s/w.sock", master="/s/m.sock", pid="/s/pid",
)  # fmt: skip
SETTINGS = LoadBalancerSettings()
SERVERS = (Server("10.0.0.1", 31000), Server("fd00::1", 31000, "drain"))
HTTP = Backend("default", "web", 80, "http", SERVERS)
TCP = Backend("default", "db", 5432, "tcp", SERVERS[:1])
WANTED = Desired(
    {HTTP.name: HTTP, TCP.name: TCP},
    {"web.default": HTTP.name},
    {"web": HTTP.name},
    (Listener(80, HTTP.name, "http"), Listener(5432, TCP.name)),
)


def test_a_tcp_backend() -> None:
    assert render_backend(TCP, SETTINGS) == (
        "backend tcp_default_db_5432\n"
        "    mode tcp\n"
        "    balance roundrobin\n"
        "    server 10.0.0.1_31000 10.0.0.1:31000 "
        "check inter 1000 fall 2 rise 1 on-marked-down shutdown-sessions\n"
    )


def test_an_http_backend_tries_again_only_what_had_no_effect() -> None:
    text = render_backend(HTTP, SETTINGS)
    assert "    retry-on conn-failure empty-response\n" in text
    assert "    http-request disable-l7-retry unless { method GET HEAD OPTIONS }\n" in text


def test_leaving_servers_get_nothing_new_after_a_reload() -> None:
    lines = render_backend(HTTP, SETTINGS).splitlines()
    (leaving,) = [x for x in lines if "fd00" in x]
    assert leaving.startswith("    server fd00..1_31000 [fd00::1]:31000 check ")
    assert leaving.endswith(" weight 0")


def test_listeners_speak_as_their_backends() -> None:
    text = render(WANTED, SETTINGS, PATHS)
    for port, mode, backend in ((80, "http", HTTP.name), (5432, "tcp", TCP.name)):
        assert (
            f"frontend port_{port}\n    mode {mode}\n    bind 0.0.0.0:{port}\n"
            f"    default_backend {backend}\n"
        ) in text


def test_the_shape_is_everything_but_the_servers() -> None:
    known = shape(WANTED, SETTINGS, PATHS)
    fewer = replace(HTTP, servers=())
    assert (
        shape(replace(WANTED, backends={**WANTED.backends, HTTP.name: fewer}), SETTINGS, PATHS)
        == known
    )
    others = [
        (replace(WANTED, backends={HTTP.name: HTTP}), SETTINGS),
        (replace(WANTED, listeners=()), SETTINGS),
        (replace(WANTED, hosts={}), SETTINGS),
        (replace(WANTED, paths={}), SETTINGS),
        (WANTED, replace(SETTINGS, port=9)),
        (WANTED, replace(SETTINGS, check_interval_ms=9)),
    ]
    assert known not in [shape(wanted, settings, PATHS) for wanted, settings in others]


def test_maps_are_sorted_lines() -> None:
    assert render_map({"b": "2", "a": "1"}) == "a 1\nb 2\n"
