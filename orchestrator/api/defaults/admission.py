"""Defaults of admission policies and their bindings.

Source: Kubernetes pkg/apis/admissionregistration/v1/defaults.go.
"""

from typing import Any

Document = dict[str, Any]


def default_admission_policy(policy: Document) -> None:
    """A ValidatingAdmissionPolicy's defaults, in place."""
    spec = policy.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    if "matchConstraints" in spec:
        _default_match(spec["matchConstraints"])


def default_admission_binding(binding: Document) -> None:
    """A ValidatingAdmissionPolicyBinding's defaults, in place."""
    spec = binding.setdefault("spec", {})
    if "matchResources" in spec:
        _default_match(spec["matchResources"])


def _default_match(match: Document) -> None:
    match.setdefault("namespaceSelector", {})
    match.setdefault("objectSelector", {})
    match.setdefault("matchPolicy", "Equivalent")
    for rules in ("resourceRules", "excludeResourceRules"):
        for rule in match.get(rules) or ():
            rule.setdefault("scope", "*")
