"""Where a pod may be: affinity, topology spread, scheduling gates.

Source: Kubernetes validation of PodSpec (ValidateAffinity, validateTopologySpreadConstraints,
validateSchedulingGates).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import validate_selector

Document = Mapping[str, Any]
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_RANGE: Final = "must be in the range 1-100"
_ZERO: Final = "must be greater than zero"
_ACTIONS: Final = frozenset({"DoNotSchedule", "ScheduleAnyway"})
_POLICIES: Final = frozenset({"Honor", "Ignore"})
_PREEMPTION: Final = frozenset({"Never", "PreemptLowerPriority"})


def validate_placement(faults: Faults, path: str, spec: Document) -> None:
    """Everything of a PodSpec that only the scheduler acts on."""
    affinity = spec.get("affinity") or {}
    _node_affinity(faults, f"{path}.affinity.nodeAffinity", affinity.get("nodeAffinity") or {})
    for kind in ("podAffinity", "podAntiAffinity"):
        _pod_affinity(faults, f"{path}.affinity.{kind}", affinity.get(kind) or {})
    spread = spec.get("topologySpreadConstraints") or ()
    _spread(faults, f"{path}.topologySpreadConstraints", spread)
    _gates(faults, f"{path}.schedulingGates", spec.get("schedulingGates") or ())
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        faults.check_choice(f"{path}.preemptionPolicy", policy, _PREEMPTION)


def validate_gates_update(faults: Faults, new: Document, old: Document) -> None:
    """Gates may be taken away, never added."""
    known = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    for index, gate in enumerate(new.get("schedulingGates") or ()):
        if gate.get("name") not in known:
            faults.forbidden(
                f"spec.schedulingGates[{index}]",
                f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'",
            )


def _node_affinity(faults: Faults, path: str, affinity: Document) -> None:
    required = affinity.get(_REQUIRED)
    if required is not None:
        terms = required.get("nodeSelectorTerms") or ()
        here = f"{path}.{_REQUIRED}.nodeSelectorTerms"
        if not terms:
            faults.required(here, "must have at least one node selector term")
        for index, term in enumerate(terms):
            _node_term(faults, f"{here}[{index}]", term)
    for index, preferred in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{index}]"
        _weight(faults, here, preferred)
        _node_term(faults, f"{here}.preference", preferred.get("preference") or {})


def _weight(faults: Faults, path: str, doc: Document) -> None:
    weight = doc.get("weight", 0)
    if not 1 <= weight <= 100:
        faults.invalid(f"{path}.weight", weight, _RANGE)


def _node_term(faults: Faults, path: str, term: Document) -> None:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or ()
        match operator:
            case "In" | "NotIn" if not values:
                words = "must be specified when `operator` is 'In' or 'NotIn'"
                faults.required(f"{here}.values", words)
            case "Exists" | "DoesNotExist" if values:
                words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                faults.forbidden(f"{here}.values", words)
            case "Gt" | "Lt" if len(values) != 1:
                words = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                faults.required(f"{here}.values", words)
            case "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt":
                pass
            case _:
                faults.invalid(f"{here}.operator", operator, "not a valid selector operator")
        key = expression.get("key", "")
        faults.check_words(f"{here}.key", key, metadata.is_qualified_name(key))
    for index, field in enumerate(term.get("matchFields") or ()):
        here = f"{path}.matchFields[{index}]"
        operator, values = field.get("operator", ""), field.get("values") or ()
        if operator not in {"In", "NotIn"}:
            faults.invalid(f"{here}.operator", operator, "not a valid selector operator")
        elif len(values) != 1:
            words = (
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )
            faults.required(f"{here}.values", words)
        if field.get("key") != "metadata.name":
            words = "not a valid field selector key"
            faults.invalid(f"{here}.key", field.get("key", ""), words)


def _pod_affinity(faults: Faults, path: str, affinity: Document) -> None:
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        _pod_term(faults, f"{path}.{_REQUIRED}[{index}]", term)
    for index, preferred in enumerate(affinity.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{index}]"
        _weight(faults, here, preferred)
        _pod_term(faults, f"{here}.podAffinityTerm", preferred.get("podAffinityTerm") or {})


def _pod_term(faults: Faults, path: str, term: Document) -> None:
    for name in ("labelSelector", "namespaceSelector"):
        if term.get(name) is not None:
            validate_selector(faults, f"{path}.{name}", term[name])
    for index, name in enumerate(term.get("namespaces") or ()):
        faults.check_words(f"{path}.namespaces[{index}]", name, metadata.is_label(name))
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        _label_keys(faults, f"{path}.{name}", term.get(name) or (), term)
    _topology(faults, path, term)


def _topology(faults: Faults, path: str, doc: Document) -> None:
    key = doc.get("topologyKey", "")
    if not key:
        faults.required(f"{path}.topologyKey", "can not be empty")
    else:
        faults.check_words(f"{path}.topologyKey", key, metadata.is_qualified_name(key))


def _label_keys(faults: Faults, path: str, keys: Sequence[str], doc: Document) -> None:
    if keys and doc.get("labelSelector") is None:
        faults.forbidden(path, "must not be specified when labelSelector is not set")
    for index, key in enumerate(keys):
        faults.check_words(f"{path}[{index}]", key, metadata.is_qualified_name(key))


def _spread(faults: Faults, path: str, constraints: Sequence[Document]) -> None:
    seen: set[tuple[str, str]] = set()
    for index, doc in enumerate(constraints):
        here = f"{path}[{index}]"
        skew, least = doc.get("maxSkew", 0), doc.get("minDomains")
        action = doc.get("whenUnsatisfiable", "")
        if skew <= 0:
            faults.invalid(f"{here}.maxSkew", skew, _ZERO)
        _topology(faults, here, doc)
        if action not in _ACTIONS:
            faults.unsupported(f"{here}.whenUnsatisfiable", action, _ACTIONS)
        pair = (doc.get("topologyKey", ""), action)
        if pair in seen:
            faults.duplicate(
                f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{pair[0]}, {pair[1]}}}"
            )
        seen.add(pair)
        if least is not None and least <= 0:
            faults.invalid(f"{here}.minDomains", least, _ZERO)
        if least is not None and action == "ScheduleAnyway":
            words = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            faults.invalid(f"{here}.minDomains", least, words)
        for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if doc.get(policy) is not None:
                faults.check_choice(f"{here}.{policy}", doc[policy], _POLICIES)
        if doc.get("labelSelector") is not None:
            validate_selector(faults, f"{here}.labelSelector", doc["labelSelector"])
        _label_keys(faults, f"{here}.matchLabelKeys", doc.get("matchLabelKeys") or (), doc)


def _gates(faults: Faults, path: str, gates: Sequence[Document]) -> None:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        faults.check_words(f"{path}[{index}].name", name, metadata.is_qualified_name(name))
        if name in seen:
            faults.duplicate(f"{path}[{index}].name", name)
        seen.add(name)
