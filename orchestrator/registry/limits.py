"""LimitRanges: what containers get that say nothing, and the bounds that pods keep. Pure.

Source: Kubernetes concepts, "Limit Ranges"; the LimitRanger admission plugin.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from orchestrator.api.amounts import Amount, Amounts, read
from orchestrator.api.defaults.pod import qos_class
from orchestrator.api.quota.pods import pod_total
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults

Document = dict[str, Any]

LIMIT_RANGES: Final = "limitranges"
_ANNOTATION: Final = "kubernetes.io/limit-ranger"
_WORDS: Final = (("containers", "container"), ("initContainers", "init container"))


def admit_limits(pod: Document, limit_ranges: Sequence[Document]) -> None:
    """Gives a new pod's containers the limits and requests of the namespace, in place.

    Args:
        pod: with its defaults.
        limit_ranges: of its namespace.
    """
    told: list[str] = []
    for limit_range in limit_ranges:
        defaults = _defaults(limit_range)
        for field, word in _WORDS:
            for container in pod["spec"].get(field) or ():
                told += _fill(container, defaults, word)
    if told:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[_ANNOTATION] = f"LimitRanger plugin set: {'; '.join(told)}"
        pod.setdefault("status", {})["qosClass"] = qos_class(pod["spec"])


def limits_refusal(
    key: ObjectKey, document: Document, limit_ranges: Sequence[Document]
) -> ApiError | None:
    """Why a namespace does not take a pod or a claim of that size; None when it does."""
    for limit_range in limit_ranges:
        wrong: list[str] = []
        for limit in (limit_range.get("spec") or {}).get("limits") or ():
            wrong += _faults_of(key.resource, document, limit)
        if wrong:
            listed = list(dict.fromkeys(wrong))
            text = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
            return faults.forbidden(key, text)
    return None


def _defaults(limit_range: Document) -> dict[str, Document]:
    found: dict[str, Document] = {"limits": {}, "requests": {}}
    for limit in (limit_range.get("spec") or {}).get("limits") or ():
        if limit.get("type") == "Container":
            found["requests"] |= limit.get("defaultRequest") or {}
            found["limits"] |= limit.get("default") or {}
    return found


def _fill(container: Document, defaults: Mapping[str, Document], word: str) -> list[str]:
    resources = container.setdefault("resources", {})
    told: list[str] = []
    for kind, single in (("requests", "request"), ("limits", "limit")):
        said = resources.get(kind) or {}
        added = sorted(name for name in defaults[kind] if name not in said)
        if added:
            resources[kind] = said | {name: defaults[kind][name] for name in added}
            told.append(f"{', '.join(added)} {single} for {word} {container.get('name', '')}")
    return told


def _faults_of(resource: str, document: Document, limit: Document) -> list[str]:
    spec, kind = document.get("spec") or {}, limit.get("type")
    if resource == "pods" and kind == "Container":
        found: list[str] = []
        for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
            resources = container.get("resources") or {}
            asked = read(resources.get("requests"))
            found += _bounds(limit, asked, read(resources.get("limits")))
        return found
    if resource == "pods" and kind == "Pod":
        return list(_bounds(limit, pod_total(spec, "requests"), pod_total(spec, "limits")))
    if resource == "persistentvolumeclaims" and kind == "PersistentVolumeClaim":
        requests = read((spec.get("resources") or {}).get("requests"))
        return [*_least(limit, requests, {}), *_most_requested(limit, requests)]
    return []


def _bounds(limit: Document, requests: Amounts, limits: Amounts) -> Iterable[str]:
    yield from _least(limit, requests, limits)
    yield from _most(limit, requests, limits)
    yield from _ratio(limit, requests, limits)


def _named(limit: Document, field: str) -> Iterable[tuple[str, Amount]]:
    return sorted(read(limit.get(field)).items())


def _least(limit: Document, requests: Amounts, limits: Amounts) -> Iterable[str]:
    for name, least in _named(limit, "min"):
        text = f"minimum {name} usage per {limit['type']} is {least}"
        asked, bound = requests.get(name), limits.get(name)
        if asked is None:
            yield f"{text}.  No request is specified"
        elif asked.nanos < least.nanos:
            yield f"{text}, but request is {asked}"
        elif bound is not None and bound.nanos < least.nanos:
            yield f"{text}, but limit is {bound}"


def _most(limit: Document, requests: Amounts, limits: Amounts) -> Iterable[str]:
    for name, most in _named(limit, "max"):
        text = f"maximum {name} usage per {limit['type']} is {most}"
        asked, bound = requests.get(name), limits.get(name)
        if bound is None:
            yield f"{text}.  No limit is specified"
        elif bound.nanos > most.nanos:
            yield f"{text}, but limit is {bound}"
        elif asked is not None and asked.nanos > most.nanos:
            yield f"{text}, but request is {asked}"


def _most_requested(limit: Document, requests: Amounts) -> Iterable[str]:
    for name, most in _named(limit, "max"):
        text = f"maximum {name} usage per {limit['type']} is {most}"
        asked = requests.get(name)
        if asked is None:
            yield f"{text}.  No request is specified"
        elif asked.nanos > most.nanos:
            yield f"{text}, but request is {asked}"


def _ratio(limit: Document, requests: Amounts, limits: Amounts) -> Iterable[str]:
    for name, most in _named(limit, "maxLimitRequestRatio"):
        text = f"{name} max limit to request ratio per {limit['type']} is {most}, but"
        asked, bound = requests.get(name), limits.get(name)
        if asked is None or not asked.nanos:
            yield f"{text} no request is specified or request is 0"
        elif bound is None or not bound.nanos:
            yield f"{text} no limit is specified or limit is 0"
        elif bound.nanos * 10**9 > most.nanos * asked.nanos:
            yield f"{text} provided ratio is {bound.nanos / asked.nanos:f}"
