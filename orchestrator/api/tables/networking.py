"""Rows of Ingresses, IngressClasses and NetworkPolicies.

Source: pkg/printers/internalversion.
"""

from typing import Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Document,
    age_of,
    selector_text,
    shortened,
)

INGRESS_COLUMNS: Final = (
    NAME,
    Column("Class", description="Which balancer serves it."),
    Column("Hosts", description="For which hosts it has rules."),
    Column("Address", description="Where it is served."),
    Column("Ports", description="80, and 443 with certificates."),
    AGE,
)
CLASS_COLUMNS: Final = (
    NAME,
    Column("Controller", description="What serves Ingresses of this class."),
    Column("Parameters", description="Further settings."),
    AGE,
)
POLICY_COLUMNS: Final = (NAME, Column("Pod-Selector", description="Pods it is about."), AGE)


def ingress_cells(ingress: Document, now_s: float) -> list[Cell]:
    """One Ingress' row."""
    spec = ingress.get("spec") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    given = balancer.get("ingress") or ()
    return [
        ingress["metadata"]["name"],
        spec.get("ingressClassName") or NONE,
        shortened(hosts) or "*",
        ",".join(dict.fromkeys(one.get("ip") or one.get("hostname") or "" for one in given)),
        "80, 443" if spec.get("tls") else "80",
        age_of(ingress, now_s),
    ]


def class_cells(ingress_class: Document, now_s: float) -> list[Cell]:
    """One IngressClass' row."""
    spec = ingress_class.get("spec") or {}
    found = spec.get("parameters")
    parameters = NONE
    if found:
        kind = f"{found['kind']}.{found['apiGroup']}" if found.get("apiGroup") else found["kind"]
        parameters = f"{kind}/{found.get('name', '')}"
    name = ingress_class["metadata"]["name"]
    return [name, spec.get("controller", ""), parameters, age_of(ingress_class, now_s)]


def policy_cells(policy: Document, now_s: float) -> list[Cell]:
    """One NetworkPolicy's row."""
    selector = (policy.get("spec") or {}).get("podSelector")
    return [policy["metadata"]["name"], selector_text(selector), age_of(policy, now_s)]
