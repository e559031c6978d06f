"""StatefulSets, DaemonSets and ControllerRevisions. Source: Kubernetes pkg/apis/apps/validation."""

from typing import Any, Final

from orchestrator.api import labels
from orchestrator.api.unsupported import REFUSED
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import validate_selector
from orchestrator.api.validation.workload import validate_bound, validate_template

Document = dict[str, Any]

_STRATEGIES: Final = frozenset({"OnDelete", "RollingUpdate"})
_MANAGEMENT: Final = frozenset({"OrderedReady", "Parallel"})
_CHANGEABLE: Final = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
_FIXED: Final = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)


def validate_stateful_set(faults: Faults, document: Document) -> None:
    """A StatefulSet's spec."""
    spec = document["spec"]
    policy = spec.get("podManagementPolicy", "")
    if policy not in _MANAGEMENT:
        faults.unsupported("spec.podManagementPolicy", policy, _MANAGEMENT)
    _strategy(faults, spec)
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    faults.check_number("spec.updateStrategy.rollingUpdate.partition", rolling.get("partition"))
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        faults.check_number(f"spec.{field}", spec.get(field))
    faults.check_number("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    if spec.get("volumeClaimTemplates"):
        # without them the pods would run, and lose their data with the first restart
        path = "spec.volumeClaimTemplates"
        faults.forbidden(path, REFUSED["statefulsets.apps"][path])
    _template(faults, spec, "statefulset")


def validate_stateful_set_update(faults: Faults, new: Document, old: Document) -> None:
    """What identifies the pods stays."""
    after = {k: v for k, v in new["spec"].items() if k not in _CHANGEABLE}
    before = {k: v for k, v in old["spec"].items() if k not in _CHANGEABLE}
    if after != before:
        faults.forbidden("spec", _FIXED)


def validate_daemon_set(faults: Faults, document: Document) -> None:
    """A DaemonSet's spec."""
    spec = document["spec"]
    _strategy(faults, spec)
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    here = "spec.updateStrategy.rollingUpdate"
    found = {
        field: validate_bound(faults, f"{here}.{field}", rolling.get(field, 0))
        for field in ("maxUnavailable", "maxSurge")
    }
    if rolling and found["maxUnavailable"] and found["maxSurge"]:
        text = "may not be set when maxUnavailable is non-zero"
        faults.invalid(f"{here}.maxSurge", rolling.get("maxSurge"), text)
    elif rolling and found["maxUnavailable"] == found["maxSurge"] == 0:
        faults.required(f"{here}.maxUnavailable", "cannot be 0 when maxSurge is 0")
    for field in ("minReadySeconds", "revisionHistoryLimit"):
        faults.check_number(f"spec.{field}", spec.get(field))
    _template(faults, spec, "daemonset")


def validate_revision(faults: Faults, document: Document) -> None:
    """A ControllerRevision."""
    if document.get("data") is None:
        faults.required("data", "data is mandatory")
    faults.check_number("revision", document.get("revision", 0))


def validate_revision_update(faults: Faults, new: Document, old: Document) -> None:
    """What was is told as it was."""
    faults.check_immutable("data", new.get("data"), old.get("data"))


def _strategy(faults: Faults, spec: Document) -> None:
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type", "")
    if kind not in _STRATEGIES:
        faults.unsupported("spec.updateStrategy.type", kind, _STRATEGIES)
    elif kind == "OnDelete" and strategy.get("rollingUpdate"):
        text = "only allowed for updateStrategy 'RollingUpdate'"
        faults.invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"], text)


def _template(faults: Faults, spec: Document, word: str) -> None:
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is None:
        faults.required("spec.selector")
    else:
        before = len(faults.causes)
        validate_selector(faults, "spec.selector", selector)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            faults.invalid("spec.selector", selector, f"empty selector is invalid for {word}")
        elif len(faults.causes) == before:
            here = (template.get("metadata") or {}).get("labels") or {}
            if not labels.from_document(selector).matches(here):
                text = "`selector` does not match template `labels`"
                faults.invalid("spec.template.metadata.labels", here, text)
    validate_template(faults, "spec.template", template)
