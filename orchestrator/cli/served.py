"""Kinds that only the server knows, by its discovery: those that users have defined.

Asked for only when a word or a manifest names no built-in kind. Source: Kubernetes API concepts,
"Aggregated discovery".
"""

from typing import Any, Final

from orchestrator.api.resources import Resource, Subresource, by_path
from orchestrator.cli.client import Client

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def custom_kinds(client: Client) -> tuple[Resource, ...]:
    """The rows of kinds that are not built in; the preferred version of a kind first.

    Raises:
        ApiFailure, NoServer: the server could not be asked.
    """
    groups = client.request("GET", "/apis", accept=AGGREGATED)["items"]
    return tuple(
        _row(group["metadata"]["name"], version["version"], resource)
        for group in groups
        for version in group["versions"]
        for resource in version["resources"]
        if by_path(group["metadata"]["name"], version["version"], resource["resource"]) is None
    )


def _row(group: str, version: str, found: dict[str, Any]) -> Resource:
    kind = found["responseKind"]["kind"]
    return Resource(
        group, version, kind, found["resource"],
        found.get("singularResource") or kind.lower(), found["scope"] == "Namespaced",
        tuple(found.get("shortNames") or ()), tuple(found.get("categories") or ()),
        tuple(found["verbs"]),
        tuple(
            Subresource(sub["subresource"], sub["responseKind"]["kind"], tuple(sub["verbs"]))
            for sub in found.get("subresources") or ()
        ),
    )  # fmt: skip
