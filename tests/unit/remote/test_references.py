import base64
import json

import pytest

from orchestrator.kit.errors import EngineError
from orchestrator.remote.docker.references import auth_header, registry_of, split_reference
from orchestrator.remote.seams import RegistryAuth

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "parts", "registry"),
    [
        ("nginx", ("nginx", "latest"), "docker.io"),
        ("nginx:1.27", ("nginx", "1.27"), "docker.io"),
        ("team/app:v1", ("team/app", "v1"), "docker.io"),
        ("registry.example.com:5000/app", ("registry.example.com:5000/app", "latest"), None),
        ("localhost/app:x", ("localhost/app", "x"), "localhost"),
        (f"ghcr.io/a/b@{DIGEST}", ("ghcr.io/a/b", DIGEST), "ghcr.io"),
    ],
    ids=["name", "tag", "user", "port", "localhost", "digest"],
)
def test_parts(reference: str, parts: tuple[str, str], registry: str | None) -> None:
    assert split_reference(reference) == parts
    assert registry_of(reference) == (registry or "registry.example.com:5000")


@pytest.mark.parametrize("reference", ["", "https://x/y", "-bad.io/x", ":tag"])
def test_what_is_no_reference(reference: str) -> None:
    with pytest.raises(EngineError, match="invalid image reference") as caught:
        split_reference(reference)
    assert caught.value.status == 400


def test_the_header_is_what_the_engine_reads() -> None:
    auth = RegistryAuth(server="ghcr.io", username="u", password="pä")
    decoded = json.loads(base64.urlsafe_b64decode(auth_header(auth)))
    assert decoded == {"username": "u", "password": "pä", "serveraddress": "ghcr.io"}
