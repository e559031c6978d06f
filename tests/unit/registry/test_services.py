"""ClusterIPs and node ports: handed out, kept, released, never doubled."""

import asyncio
import ipaddress
import random

import pytest

from orchestrator.kit.errors import Invalid, ServiceUnavailable
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.registry.registry import Registry
from orchestrator.registry.settings import RegistrySettings
from tests.unit.registry.documents import key


def service(name="web", **spec):
    ports = spec.pop("ports", [{"port": 80}])
    return {"metadata": {"name": name}, "spec": {"ports": ports, **spec}}


async def create(registry, name="web", **spec):
    return await registry.create("services", "default", service(name, **spec))


async def test_an_address_of_the_range(registry):
    spec = (await create(registry)).doc["spec"]
    assert ipaddress.ip_address(spec["clusterIP"]) in ipaddress.ip_network("10.96.0.0/12")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert "nodePort" not in spec["ports"][0]


async def test_many_at_once_get_different_ones(registry):
    items = await asyncio.gather(
        *(
            create(
                registry,
                f"s{i}",
                type="NodePort",
                ports=[{"name": "a", "port": 1}, {"name": "b", "port": 2}],
            )
            for i in range(60)
        )
    )
    assert len({item.doc["spec"]["clusterIP"] for item in items}) == 60
    ports = [port["nodePort"] for item in items for port in item.doc["spec"]["ports"]]
    assert len(set(ports)) == 120
    assert all(30000 <= port <= 32767 for port in ports)


async def test_a_service_made_again_gets_its_address_back(registry):
    first = (await create(registry, type="NodePort")).doc["spec"]
    await registry.delete(key("services", "web"))
    second = (await create(registry, type="NodePort")).doc["spec"]
    assert first == second


async def test_what_was_asked_for_is_given_or_refused(registry):
    asked = [{"port": 80, "nodePort": 30080}]
    item = await create(registry, type="NodePort", clusterIP="10.96.1.2", ports=asked)
    assert item.doc["spec"]["clusterIP"] == "10.96.1.2"
    assert item.doc["spec"]["ports"][0]["nodePort"] == 30080
    for spec, words in (
        ({"clusterIP": "10.96.1.2"}, "provided IP is already allocated"),
        ({"clusterIP": "192.0.2.1"}, "not in the valid range"),
        ({"clusterIP": "banana"}, "must be a valid IP address"),
        ({"type": "NodePort", "ports": asked}, "provided port is already allocated"),
        (
            {"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]},
            "range of valid ports is 30000-32767",
        ),
    ):
        with pytest.raises(Invalid, match=words):
            await create(registry, "other", **spec)
    udp = [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]
    await create(registry, "udp", type="NodePort", ports=udp)


async def test_a_refused_service_leaves_nothing_taken(registry):
    ports = [{"name": "a", "port": 1, "nodePort": 30001}, {"name": "b", "port": 2, "nodePort": 5}]
    with pytest.raises(Invalid):
        await create(registry, "bad", type="NodePort", ports=ports)
    dry = WriteOptions(dry_run=True)
    wanted = service("dry", type="NodePort", ports=ports[:1])
    await registry.create("services", "default", wanted, options=dry)
    await create(registry, "good", type="NodePort", ports=ports[:1])


async def test_headless_and_external_names_get_none(registry):
    headless = (await create(registry, clusterIP="None")).doc["spec"]
    assert (headless["clusterIP"], headless["clusterIPs"]) == ("None", ["None"])
    external = await create(
        registry, "ext", type="ExternalName", externalName="a.example", ports=[]
    )
    assert "clusterIP" not in external.doc["spec"]


async def test_a_replace_that_does_not_name_them_keeps_them(registry):
    item = await create(registry, type="LoadBalancer")
    again = await registry.update(key("services", "web"), service(type="LoadBalancer"))
    assert again is item
    more = service(
        type="LoadBalancer", ports=[{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    )
    wider = await registry.update(key("services", "web"), more)
    assert wider.doc["spec"]["clusterIP"] == item.doc["spec"]["clusterIP"]
    ports = wider.doc["spec"]["ports"]
    assert ports[0]["nodePort"] == item.doc["spec"]["ports"][0]["nodePort"]
    assert ports[1]["nodePort"] != ports[0]["nodePort"]


@pytest.mark.parametrize("outside", ["NodePort", "LoadBalancer"])
async def test_what_belongs_to_a_type_comes_and_goes_with_it(registry, outside):
    before = (await create(registry)).doc["spec"]
    web = key("services", "web")
    exposed = await registry.patch(web, Patch("merge", {"spec": {"type": outside}}))
    port = exposed.doc["spec"]["ports"][0]["nodePort"]
    assert exposed.doc["spec"]["externalTrafficPolicy"] == "Cluster"
    hidden = await registry.patch(web, Patch("strategic", {"spec": {"type": "ClusterIP"}}))
    assert hidden.doc["spec"] == before
    await create(registry, "other", type="NodePort", ports=[{"port": 80, "nodePort": port}])
    change = {"spec": {"type": "ExternalName", "externalName": "a.example"}}
    named = (await registry.patch(web, Patch("merge", change))).doc["spec"]
    assert "clusterIP" not in named
    again = await registry.patch(web, Patch("merge", {"spec": {"type": "ClusterIP"}}))
    assert again.doc["spec"]["clusterIP"] == before["clusterIP"]


async def test_an_address_cannot_be_changed(registry):
    await create(registry)
    patch = Patch("merge", {"spec": {"clusterIP": "10.96.9.9", "clusterIPs": ["10.96.9.9"]}})
    with pytest.raises(Invalid, match="may not change once set"):
        await registry.patch(key("services", "web"), patch)


async def test_the_range_can_run_out(store, clock, registry):
    small = Registry(
        store,
        clock,
        random.Random(1),
        RegistrySettings(service_cidr="10.1.0.0/29", node_port_last=30001),
    )
    for i in range(5):
        await create(small, f"s{i}")
    with pytest.raises(ServiceUnavailable, match="no address is left"):
        await create(small, "one-too-many")
    headless = {"type": "ClusterIP", "clusterIP": "None"}
    await create(small, "headless", **headless)
