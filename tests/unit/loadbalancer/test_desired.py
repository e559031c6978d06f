"""What the balancer should serve, from Services and EndpointSlices."""

from typing import Any

import msgspec
import pytest

from orchestrator.api.names import SLICE_SERVICE
from orchestrator.api.types.apps import EndpointSlice
from orchestrator.api.types.service import Service
from orchestrator.loadbalancer.desired import Desired, Listener, desired, http_port, wanted_ports

HTTP = {"name": "http", "port": 80}


def service(
    name: str = "web", *ports: dict[str, Any], namespace: str = "default", **spec: Any
) -> Service:
    created = spec.pop("created", "2026-01-01T00:00:00Z")
    meta = {"name": name, "namespace": namespace, "creationTimestamp": created}
    document = {"metadata": meta, "spec": {"ports": list(ports or [HTTP]), **spec}}
    return msgspec.convert(document, Service)


def endpoint(pod: str, address: str = "10.0.0.1", **conditions: Any) -> dict[str, Any]:
    target = {"kind": "Pod", "namespace": "default", "name": pod, "uid": f"uid-{pod}"}
    return {"addresses": [address], "conditions": conditions, "targetRef": target}


def slice_of(
    *endpoints: dict[str, Any], port: int = 31000, name: str = "http", of: str = "web", **more: Any
) -> EndpointSlice:
    meta = {"name": "s", "namespace": "default", "labels": {SLICE_SERVICE: of}}
    ports = [{"name": name, "port": port}]
    return msgspec.convert(
        {"metadata": meta, "endpoints": list(endpoints), "ports": ports, **more}, EndpointSlice
    )


def servers(found: Desired, backend: str = "http_default_web_80") -> list[tuple[str, str]]:
    return [(s.name, s.state) for s in found.backends[backend].servers]


def test_names_and_paths_of_services_lead_to_their_backends() -> None:
    found = desired([service(), service("api", namespace="shop")], [], {})
    assert found.hosts == {"web.default": "http_default_web_80", "api.shop": "http_shop_api_80"}
    assert found.paths == {
        "web": "http_default_web_80",
        "default/web": "http_default_web_80",
        "shop/api": "http_shop_api_80",
    }
    assert found.listeners == ()


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param({"ready": True}, ["ready"], id="ready"),
        pytest.param({}, ["ready"], id="unknown-counts-as-ready"),
        pytest.param({"ready": False}, [], id="not-ready"),
        pytest.param({"ready": False, "terminating": True}, ["drain"], id="terminating"),
        pytest.param({"ready": True, "terminating": True}, ["drain"], id="terminating-wins"),
    ],
)
def test_only_ready_endpoints_get_requests(conditions: dict[str, Any], expected: list[str]) -> None:
    found = desired([service()], [slice_of(endpoint("a", **conditions))], {})
    assert [state for _, state in servers(found)] == expected


def test_not_ready_endpoints_that_are_to_be_published_get_requests() -> None:
    slices = [slice_of(endpoint("a", ready=False))]
    found = desired([service(publishNotReadyAddresses=True)], slices, {})
    assert servers(found) == [("10.0.0.1_31000", "ready")]


def test_a_new_pod_at_the_address_of_a_leaving_one_gets_requests() -> None:
    leaving, fresh = endpoint("a", ready=False, terminating=True), endpoint("b", ready=True)
    for order in ([leaving, fresh], [fresh, leaving]):
        found = desired([service()], [slice_of(*order)], {})
        assert servers(found) == [("10.0.0.1_31000", "ready")]


def test_leaving_pods_are_known_even_without_a_server() -> None:
    slices = [slice_of(endpoint("a", terminating=True), endpoint("b"), name="dns")]
    found = desired([service("web", {"name": "dns", "port": 53, "protocol": "UDP"})], slices, {})
    assert found.backends == {}
    assert found.leaving == {("default", "a", "uid-a")}


@pytest.mark.parametrize("address", ["db.example.com", "", "10.0.0.1 weight 5"])
def test_what_is_no_address_cannot_spoil_the_configuration(address: str) -> None:
    slices = [slice_of(endpoint("a"), endpoint("b", address))]
    assert servers(desired([service()], slices, {})) == [("10.0.0.1_31000", "ready")]


def test_ports_of_services_get_listeners() -> None:
    ports = [{"name": "db", "port": 5432, "nodePort": 30001}, {**HTTP, "nodePort": 30002}]
    both = service("web", *ports, type="LoadBalancer")
    tcp, http = "tcp_default_web_5432", "http_default_web_80"
    assert desired([both], [], {}).listeners == (
        Listener(80, http, "http"),
        Listener(5432, tcp, "tcp"),
        Listener(30001, tcp, "tcp"),
        Listener(30002, http, "http"),
    )
    assert wanted_ports([both]) == {80, 5432, 30001, 30002}
    assert wanted_ports([service("web", *ports, type="NodePort")]) == {30001, 30002}
    assert wanted_ports([service("web", *ports)]) == set()


@pytest.mark.parametrize(
    ("port", "mode"),
    [
        pytest.param({"name": "http"}, "http", id="by-name"),
        pytest.param({"name": "x", "appProtocol": "http"}, "http", id="by-protocol"),
        pytest.param({"name": "http", "appProtocol": "https"}, "tcp", id="protocol-wins"),
        pytest.param({"name": "web"}, "tcp", id="web-may-be-anything"),
        pytest.param({}, "tcp", id="nothing-said"),
    ],
)
def test_ports_are_tcp_unless_the_service_speaks_http(port: dict[str, Any], mode: str) -> None:
    found = desired([service("web", {"port": 80, **port}, type="LoadBalancer")], [], {})
    assert [item.mode for item in found.listeners] == [mode]


def test_the_older_service_wins_a_port_and_the_other_is_told() -> None:
    young = service("a", created="2026-02-01T00:00:00Z", type="LoadBalancer")
    old = service("b", created="2026-01-01T00:00:00Z", type="LoadBalancer")
    found = desired([young, old], [], {})
    assert [item.backend for item in found.listeners] == ["http_default_b_80"]
    (refused,) = found.refused
    assert (refused.service, refused.reason) == ("a", "already taken by http_default_b_80")


def test_unusable_and_udp_ports_are_refused_in_words() -> None:
    ports = [HTTP, {"name": "dns", "port": 53, "protocol": "UDP"}]
    found = desired([service("web", *ports, type="LoadBalancer")], [], {80: "no"})
    assert {(r.port, r.reason) for r in found.refused} == {(80, "no"), (53, "UDP is not served")}
    assert found.listeners == ()


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([{"name": "a", "port": 1}, {"name": "web", "port": 2}], 2, id="by-name"),
        pytest.param(
            [{"name": "http", "port": 1}, {"port": 2, "appProtocol": "http"}], 2, id="by-protocol"
        ),
        pytest.param([{"port": 1, "protocol": "UDP"}, {"port": 2}], 2, id="first-tcp"),
    ],
)
def test_http_goes_to_one_port_of_a_service(ports: list[dict[str, Any]], expected: int) -> None:
    found = http_port(service("web", *ports).spec.ports)
    assert found is not None
    assert found.port == expected
