"""Which table entry an Ingress rule becomes."""

import msgspec

from orchestrator.api.types.networking import Ingress, IngressClass
from orchestrator.api.types.service import Service
from orchestrator.loadbalancer.routes import (
    DEFAULT_CLASS,
    LEGACY_CLASS,
    NO_BACKEND,
    is_ours,
    routes,
)


def service(name="web", **spec):
    ports = [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    meta = {"name": name, "namespace": "default"}
    return msgspec.convert({"metadata": meta, "spec": {"ports": ports, **spec}}, Service)


def ingress(name="one", *paths, created="2026-01-01T00:00:00Z", annotations=None, **spec):
    rules = [
        {
            "host": host,
            "http": {
                "paths": [
                    {
                        "path": path,
                        "pathType": kind,
                        "backend": {"service": {"name": to, "port": {"number": 80}}},
                    }
                ]
            },
        }
        for host, kind, path, to in paths
    ]
    meta = {"name": name, "namespace": "default", "creationTimestamp": created}
    meta |= {"annotations": annotations} if annotations else {}
    return msgspec.convert({"metadata": meta, "spec": {"rules": rules} | spec}, Ingress)


def a_class(name, controller, default=False):
    meta = {"name": name, "annotations": {DEFAULT_CLASS: "true"} if default else {}}
    return msgspec.convert({"metadata": meta, "spec": {"controller": controller}}, IngressClass)


SERVICES = {("default", name): service(name) for name in ("web", "api")}


def test_prefixes_end_with_a_slash_and_exact_paths_stay():
    found = routes(
        [ingress("one", ("A.example", "Prefix", "/x/", "web"), ("", "Exact", "/y/", "api"),
                 ("b.example", "ImplementationSpecific", "", "api"))],
        {}, SERVICES,
    )  # fmt: skip
    assert found.prefixes == {
        "a.example/x/": "http_default_web_80",
        "b.example/": "http_default_api_80",
    }
    assert found.exact == {"*/y/": "http_default_api_80"}
    assert set(found.ports) == {"http_default_web_80", "http_default_api_80"}


def test_the_older_rule_wins():
    young = ingress("a", ("a.example", "Prefix", "/", "api"), created="2026-01-02T00:00:00Z")
    old = ingress("b", ("a.example", "Prefix", "/", "web"))
    assert routes([young, old], {}, SERVICES).prefixes == {"a.example/": "http_default_web_80"}


def test_what_leads_nowhere_is_told():
    udp = {"service": {"name": "web", "port": {"name": "dns"}}}
    found = routes(
        [ingress("one", ("a.example", "Prefix", "/", "gone"), defaultBackend=udp)], {}, SERVICES
    )
    assert found.prefixes == {"a.example/": NO_BACKEND}
    assert found.fallback == NO_BACKEND
    assert [u.reason for u in found.unrouted] == [
        "service gone is not there", "service web has no port dns",
    ]  # fmt: skip
    external = {("default", "web"): service(type="ExternalName")}
    found = routes([ingress("one", ("", "Prefix", "/", "web"))], {}, external)
    assert "ExternalName" in found.unrouted[0].reason


def test_a_host_without_paths_goes_to_the_default_backend():
    default = {"service": {"name": "web", "port": {"name": "http"}}}
    one = ingress(defaultBackend=default, rules=[{"host": "a.example"}])
    assert routes([one], {}, SERVICES).prefixes == {"a.example/": "http_default_web_80"}


def test_classes():
    ours, theirs = a_class("ours", "orch.dev/load-balancer"), a_class("theirs", "x.dev/y", True)
    both = {"ours": ours, "theirs": theirs}
    assert is_ours(ingress(), {})
    assert is_ours(ingress(), {"ours": ours})
    assert not is_ours(ingress(), both)
    assert is_ours(ingress(ingressClassName="ours"), both)
    assert not is_ours(ingress(ingressClassName="none"), both)
    assert not is_ours(ingress(annotations={LEGACY_CLASS: "theirs"}), {"ours": ours})
