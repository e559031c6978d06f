"""Pull policies, registry credentials and kubelet's words for failed pulls (pure).

Source: Kubernetes concepts, "Images"; Secret types kubernetes.io/dockerconfigjson and dockercfg.
"""

import base64
import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from orchestrator.api.types.config import Secret
from orchestrator.api.types.container import Container
from orchestrator.node.environment import decode_secret
from orchestrator.remote.seams import RegistryAuth


def pull_policy(container: Container) -> str:
    """Always, IfNotPresent or Never; by default Always for :latest, else IfNotPresent."""
    if container.image_pull_policy:
        return container.image_pull_policy
    name = container.image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    tag = name.partition(":")[2]
    return "Always" if tag in {"", "latest"} else "IfNotPresent"


def credentials(registry: str, secrets: Iterable[Secret]) -> RegistryAuth | None:
    """The credentials for a registry, of the first pull secret that has some; None without any.

    A server's name may hold wildcards for whole parts of a name: "*.example.com". Secrets that
    cannot be read are passed over.
    """
    for secret in secrets:
        found = [
            (_host(server) != registry, auth)
            for server, entry in _entries(secret).items()
            if _covers(_host(server), registry) and (auth := _auth(server, entry)) is not None
        ]
        if found:
            return min(found, key=lambda each: each[0])[1]
    return None


def _entries(secret: Secret) -> dict[str, Any]:
    data = decode_secret(secret)
    found: dict[str, Any] = {}
    for key in (".dockercfg", ".dockerconfigjson"):
        try:
            document = json.loads(data.get(key, b"{}"))
        except ValueError:
            continue
        if isinstance(document, dict) and key == ".dockerconfigjson":
            document = document.get("auths")
        if isinstance(document, dict):
            found |= document
    return found


def _covers(pattern: str, registry: str) -> bool:
    parts, wanted = pattern.split("."), registry.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, wanted, parts))


def _host(server: str) -> str:
    host = server.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if host in {"index.docker.io", "registry-1.docker.io"} else host


def _auth(server: str, entry: Any) -> RegistryAuth | None:
    if not isinstance(entry, dict):
        return None
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if not user and entry.get("auth"):
        try:
            words = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except ValueError:
            return None
        user, _, password = words.partition(":")
    return RegistryAuth(server=server, username=user, password=password)
