"""Variables of a container, as Kubernetes fills them in."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.types.config import ConfigMap, Secret
from orchestrator.node.environment import (
    ConfigMissing,
    Sources,
    environment,
    expand,
    field_value,
    resource_value,
)
from tests.unit.node.objects import UID, named, one, pod

CONFIG = ConfigMap(data={"COLOR": "blue", "SIZE": "9"})
SECRET = Secret(data={"token": base64.b64encode(b"pa$$w$(COLOR)rd").decode()})
SOURCES = Sources(
    config_map=lambda name: CONFIG if name == "settings" else None,
    secret=lambda name: SECRET if name == "keys" else None,
    allocatable={"cpu": "4", "memory": "8Gi"},
    host_ip="10.0.0.1",
)


def filled(env=(), env_from=(), **more: Any) -> dict[str, str]:
    of = pod(one(env=list(env), envFrom=list(env_from), **more.pop("container", {})), **more)
    return environment(of, named(of, "app"), SOURCES)


def value(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "value": text}


def ref(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": source}


def field(path: str) -> dict[str, Any]:
    return ref("F", fieldRef={"fieldPath": path})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$(A)", "1", id="reference"),
        pytest.param("x$(A)y$(A)", "x1y1", id="twice"),
        pytest.param("$(B)", "$(B)", id="unknown stays"),
        pytest.param("$$(A)", "$(A)", id="escaped"),
        pytest.param("$$$(A)", "$1", id="an escaped dollar, then a reference"),
        pytest.param("$$$$(A)", "$$(A)", id="two escaped dollars"),
        pytest.param("$A ${A} $", "$A ${A} $", id="a shell's words are left alone"),
        pytest.param("$(A", "$(A", id="not closed"),
        pytest.param("$()", "$()", id="empty"),
        pytest.param("$(1.x-y)", "odd", id="any name"),
    ],
)
def test_references(text, expected):
    assert expand(text, {"A": "1", "1.x-y": "odd"}) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="$()AB x", max_size=12))
def test_text_without_known_names_only_loses_escapes(text):
    assert expand(text, {}) == text.replace("$$", "$")
    assert expand(text.replace("$", "$$"), {"A": "1"}) == text


def test_later_ones_see_and_win_over_earlier_ones():
    found = filled(
        [value("A", "1"), value("B", "$(A)-$(COLOR)-$(C)"), value("C", "3"), value("SIZE", "5")],
        [{"configMapRef": {"name": "settings"}}],
    )
    assert found == {"COLOR": "blue", "SIZE": "5", "A": "1", "B": "1-blue-$(C)", "C": "3"}
    assert filled([value("A", "1"), value("A", "$(A)2")]) == {"A": "12"}


def test_what_comes_from_elsewhere_is_taken_as_it_is():
    token = ref("TOKEN", secretKeyRef={"name": "keys", "key": "token"})
    found = filled([value("COLOR", "red"), token, value("USES", "$(TOKEN)")])
    assert found["TOKEN"] == "pa$$w$(COLOR)rd"
    assert found["USES"] == "pa$$w$(COLOR)rd"


def test_whole_sources_with_prefixes():
    found = filled((), [
        {"prefix": "P_", "configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "keys"}},
        {"configMapRef": {"name": "none", "optional": True}},
        {"secretRef": {"name": "none", "optional": True}},
    ])  # fmt: skip
    assert found == {"P_COLOR": "blue", "P_SIZE": "9", "token": "pa$$w$(COLOR)rd"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            {"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'
        ),
        pytest.param({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        pytest.param(
            {"configMapKeyRef": {"name": "settings", "key": "k"}},
            "couldn't find key k in ConfigMap default/settings",
        ),
        pytest.param(
            {"secretKeyRef": {"name": "keys", "key": "k"}},
            "couldn't find key k in Secret default/keys",
        ),
    ],
    ids=["no config map", "no secret", "no key", "no secret key"],
)
def test_what_is_missing_is_named_unless_it_is_optional(source, message):
    with pytest.raises(ConfigMissing) as caught:
        filled([ref("A", **source)])
    assert str(caught.value) == message
    ((kind, selector),) = source.items()
    assert filled([ref("A", **{kind: {**selector, "optional": True}})]) == {}


@pytest.mark.parametrize("kind", ["configMapRef", "secretRef"])
def test_a_whole_source_that_is_missing(kind):
    with pytest.raises(ConfigMissing, match='"none" not found'):
        filled((), [{kind: {"name": "none"}}])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("metadata.name", "web"),
        pytest.param("metadata.namespace", "default"),
        pytest.param("metadata.uid", UID),
        pytest.param("metadata.labels['app']", "shop"),
        pytest.param("metadata.labels['none']", ""),
        pytest.param("metadata.annotations['example.com/a']", "b"),
        pytest.param("spec.nodeName", "host-1"),
        pytest.param("spec.serviceAccountName", "default"),
        pytest.param("status.hostIP", "10.0.0.1"),
        pytest.param("status.podIP", "172.17.0.2"),
    ],
)
def test_fields_of_the_pod(path, expected):
    meta = {"labels": {"app": "shop"}, "annotations": {"example.com/a": "b"}}
    of = pod(meta=meta, status={"podIP": "172.17.0.2"}, nodeName="host-1")
    assert field_value(of, path, "10.0.0.1") == expected


def test_on_the_hosts_network_the_pods_address_is_the_hosts():
    assert field_value(pod(hostNetwork=True), "status.podIP", "10.0.0.1") == "10.0.0.1"


def test_a_path_that_cannot_be_asked_for():
    with pytest.raises(ConfigMissing, match=r"status\.phase"):
        filled([field("status.phase")])


RESOURCES = {"limits": {"cpu": "250m", "memory": "64Mi"}, "requests": {"cpu": "100m"}}


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        pytest.param("limits.cpu", "", "1", id="cores, rounded up"),
        pytest.param("limits.cpu", "1m", "250", id="millicores"),
        pytest.param("requests.cpu", "1m", "100", id="request"),
        pytest.param("limits.memory", "0", "67108864", id="bytes"),
        pytest.param("limits.memory", "1Mi", "64", id="mebibytes"),
        pytest.param("requests.memory", "1Mi", "0", id="no request"),
        pytest.param("limits.ephemeral-storage", "", "0", id="no limit, not offered"),
    ],
)
def test_resources(resource, divisor, expected):
    of = pod(one(resources=RESOURCES))
    assert resource_value(named(of, "app"), resource, divisor, SOURCES.allocatable) == expected


def test_without_a_limit_the_hosts_share_counts():
    container = named(pod(), "app")
    assert resource_value(container, "limits.cpu", "", {"cpu": "3500m"}) == "4"


@pytest.mark.parametrize("name", ["app", "init"])
def test_resources_of_another_container(name):
    asks = ref("R", resourceFieldRef={
        "containerName": name, "resource": "limits.cpu", "divisor": "1m"
    })  # fmt: skip
    of = pod(
        one(resources=RESOURCES), one("log", env=[asks]), inits=(one("init", resources=RESOURCES),)
    )
    assert environment(of, named(of, "log"), SOURCES) == {"R": "250"}
