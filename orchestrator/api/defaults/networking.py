"""Defaults of NetworkPolicies. Source: Kubernetes pkg/apis/networking/v1 (SetDefaults_*)."""

from typing import Any

Document = dict[str, Any]


def default_network_policy(document: Document) -> None:
    """Each port's protocol, the directions that the policy is about, and pods: all."""
    spec = document.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
