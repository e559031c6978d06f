"""Defaults of ResourceQuotas and LimitRanges.

Source: Kubernetes API, core/v1 (SetDefaults_LimitRangeItem).
"""

from typing import Any

from orchestrator.api.defaults.pod import canonical_map

Document = dict[str, Any]


def default_quota(document: Document) -> None:
    """Quantities in Kubernetes' own form."""
    canonical_map((document.get("spec") or {}).get("hard"))
    document.setdefault("status", {})


def default_limit_range(document: Document) -> None:
    """What containers get by default: what they may have at most, and as requests at least."""
    for limit in (document.setdefault("spec", {})).setdefault("limits", []):
        for field in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            canonical_map(limit.get(field))
        if limit.get("type") != "Container":
            continue
        for field, source in (("default", "max"), ("defaultRequest", "default"),
                              ("defaultRequest", "min")):  # fmt: skip
            merged = {**(limit.get(source) or {}), **(limit.get(field) or {})}
            if merged:
                limit[field] = merged
