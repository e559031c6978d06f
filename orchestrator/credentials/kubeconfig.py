"""The kubeconfig that kubectl and `orch` use: one cluster, one user, one context, all embedded.

Source: Kubernetes client configuration, `Config` in v1.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class KubeconfigTarget:
    """Where an existing kubeconfig points.

    Attributes:
        cluster: name of its current context.
        server: URL of that context's cluster.
    """

    cluster: str
    server: str


def render_kubeconfig(
    *, cluster: str, server: str, ca_pem: bytes, cert_pem: bytes, key_pem: bytes, user: str
) -> bytes:
    """A kubeconfig as YAML; the context and the cluster carry the cluster's name."""
    login = f"{user}@{cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": server, "certificate-authority-data": _b64(ca_pem)},
            }
        ],
        "users": [
            {
                "name": login,
                "user": {
                    "client-certificate-data": _b64(cert_pem),
                    "client-key-data": _b64(key_pem),
                },
            }
        ],
        "contexts": [
            {
                "name": cluster,
                "context": {"cluster": cluster, "user": login, "namespace": "default"},
            }
        ],
        "current-context": cluster,
        "preferences": {},
    }
    return yaml.dump(document, Dumper=yaml.SafeDumper, sort_keys=False, width=4096).encode()


def read_target(path: Path) -> KubeconfigTarget | None:
    """Where a kubeconfig of ours points; None when there is none or it cannot be read."""
    try:
        document: Any = yaml.safe_load(path.read_bytes())
        server = document["clusters"][0]["cluster"]["server"]
        cluster = document["current-context"]
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return None
    if not isinstance(server, str) or not isinstance(cluster, str):
        return None
    return KubeconfigTarget(cluster=cluster, server=server)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
