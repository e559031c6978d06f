"""Pull policies, registry credentials and kubelet's words for failed pulls (pure).

Source: Kubernetes concepts, "Images"; Secret types kubernetes.io/dockerconfigjson and dockercfg.
"""

import base64
import json
from collections.abc import Iterable

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
    """The credentials for a registry, of the first pull secret that has some; None without any."""
    for secret in secrets:
        data = decode_secret(secret)
        for key in (".dockerconfigjson", ".dockercfg"):
            if key not in data:
                continue
            try:
                document = json.loads(data[key])
            except ValueError:
                continue
            entries = document.get("auths", {}) if key == ".dockerconfigjson" else document
            for server, entry in entries.items():
                if _host(server) == registry:
                    return _auth(server, entry)
    return None


def _host(server: str) -> str:
    host = server.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "docker.io" if host in {"index.docker.io", "registry-1.docker.io"} else host


def _auth(server: str, entry: dict[str, str]) -> RegistryAuth:
    user, password = entry.get("username", ""), entry.get("password", "")
    if not user and entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    return RegistryAuth(server=server, username=user, password=password)
