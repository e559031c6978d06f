"""When images are pulled, and with which credentials."""

import base64
import json
from typing import Any

import pytest

from orchestrator.api.types.config import Secret
from orchestrator.api.types.container import Container
from orchestrator.node.images import credentials, pull_policy


@pytest.mark.parametrize(
    ("image", "policy", "expected"),
    [
        pytest.param("nginx", "", "Always", id="no tag"),
        pytest.param("nginx:latest", "", "Always", id="latest"),
        pytest.param("nginx:1.27", "", "IfNotPresent", id="a tag"),
        pytest.param("registry:5000/nginx", "", "Always", id="a registry's port is no tag"),
        pytest.param("registry:5000/nginx:1", "", "IfNotPresent", id="port and tag"),
        pytest.param("nginx@sha256:00", "", "IfNotPresent", id="digest"),
        pytest.param("nginx:latest@sha256:00", "", "IfNotPresent", id="tag and digest"),
        pytest.param("nginx:1.27", "Always", "Always", id="as it says"),
        pytest.param("nginx", "Never", "Never", id="never"),
    ],
)
def test_pull_policy(image, policy, expected):
    assert pull_policy(Container(image=image, image_pull_policy=policy)) == expected


def secret(document: Any, key: str = ".dockerconfigjson") -> Secret:
    text = document if isinstance(document, str) else json.dumps(document)
    return Secret(data={key: base64.b64encode(text.encode()).decode()})


ALICE = {"username": "alice", "password": "a:b"}
ENCODED = {"auth": base64.b64encode(b"alice:a:b").decode()}


@pytest.mark.parametrize(
    ("server", "registry"),
    [
        pytest.param("example.com", "example.com", id="plain"),
        pytest.param("https://example.com", "example.com", id="URL"),
        pytest.param("http://example.com:5000/v2/", "example.com:5000", id="port and path"),
        pytest.param("https://index.docker.io/v1/", "docker.io", id="Docker Hub as docker login"),
        pytest.param("docker.io", "docker.io", id="Docker Hub"),
        pytest.param("*.example.com", "eu.example.com", id="wildcard"),
    ],
)
@pytest.mark.parametrize("entry", [ALICE, ENCODED], ids=["words", "encoded"])
def test_credentials_of_a_registry(server, registry, entry):
    for found in (
        credentials(registry, [secret({"auths": {server: entry}})]),
        credentials(registry, [secret({server: entry}, ".dockercfg")]),
    ):
        assert found is not None
        assert (found.server, found.username, found.password) == (server, "alice", "a:b")


def test_a_wildcard_covers_one_part_of_a_name():
    wild = secret({"auths": {"*.example.com": ALICE}})
    for registry in ("example.com", "a.b.example.com", "example.org"):
        assert credentials(registry, [wild]) is None


def test_exact_names_go_before_wildcards_and_secrets_in_order():
    bob = {"username": "bob", "password": "x"}
    both = secret({"auths": {"*.example.com": bob, "eu.example.com": ALICE}})
    found = credentials("eu.example.com", [secret({"auths": {"other.org": bob}}), both])
    assert found is not None
    assert found.username == "alice"
    assert credentials("eu.example.com", []) is None


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(secret("{"), id="no JSON"),
        pytest.param(secret("[]"), id="a list"),
        pytest.param(secret({"auths": None}), id="no entries"),
        pytest.param(secret({"auths": {"example.com": "alice"}}), id="no entry"),
        pytest.param(secret({"auths": {"example.com": {"auth": "%%%"}}}), id="no base64"),
        pytest.param(secret({"auths": {"example.com": {"auth": "/w=="}}}), id="no text"),
        pytest.param(Secret(data={"other": "eA=="}), id="something else"),
        pytest.param(Secret(), id="nothing"),
    ],
)
def test_a_secret_that_cannot_be_read_is_passed_over(broken):
    good = secret({"auths": {"example.com": ALICE}})
    found = credentials("example.com", [broken, good])
    assert found is not None
    assert found.username == "alice"
