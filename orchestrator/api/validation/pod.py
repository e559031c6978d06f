"""Pods and pod templates. Source: Kubernetes pkg/apis/core/validation (ValidatePodSpec)."""

import copy
import ipaddress
from functools import lru_cache
from typing import Any, Final

import msgspec

from orchestrator.api import metadata
from orchestrator.api.validation.collector import Faults, shown
from orchestrator.api.validation.container import PodContext, validate_container
from orchestrator.api.validation.gated import validate_narrowing
from orchestrator.api.validation.meta import validate_labels
from orchestrator.api.validation.placement import validate_gates_update, validate_placement
from orchestrator.api.validation.volume import validate_volumes
from orchestrator.kit.errors import Cause

Document = dict[str, Any]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_REMEMBERED_BYTES: Final = 16 * 1024
"""Longest spec whose faults are remembered."""
_RESTART_POLICIES: Final = frozenset({"Always", "OnFailure", "Never"})
_DNS_POLICIES: Final = frozenset({"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"})
_TOLERATION_EFFECTS: Final = frozenset({"", "NoSchedule", "PreferNoSchedule", "NoExecute"})
_CHANGEABLE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def validate_pod(faults: Faults, document: Document) -> None:
    """A Pod's spec.

    What is found follows from the spec alone, and the pods of a workload have one spec: it is
    looked at once, for all of them.
    """
    data = _encode(document.get("spec") or {})
    faults.causes += (_spec_causes if len(data) <= _REMEMBERED_BYTES else _causes)(data)


def _causes(spec: bytes) -> tuple[Cause, ...]:
    faults = Faults()
    validate_pod_spec(faults, "spec", _decode(spec))
    return tuple(faults.causes)


_spec_causes: Final = lru_cache(maxsize=1024)(_causes)


def validate_pod_spec(faults: Faults, path: str, spec: Document) -> None:
    """The spec of a pod or a template; `path` is "spec" or "spec.template.spec"."""
    if spec.get("ephemeralContainers") and path != "spec":
        text = "ephemeral containers not allowed in pod template"
        faults.forbidden(f"{path}.ephemeralContainers", text)
    volumes = validate_volumes(faults, f"{path}.volumes", spec.get("volumes") or ())
    context = PodContext(
        volumes,
        host_network=spec.get("hostNetwork") is True,
        grace_s=spec.get("terminationGracePeriodSeconds", 30),
    )
    if not spec.get("containers"):
        faults.required(f"{path}.containers")
    for index, container in enumerate(spec.get("containers") or ()):
        here = f"{path}.containers[{index}]"
        validate_container(faults, here, container, context)
        if container.get("restartPolicy"):
            faults.forbidden(f"{here}.restartPolicy", "may not be set for non-init containers")
    for index, container in enumerate(spec.get("initContainers") or ()):
        here = f"{path}.initContainers[{index}]"
        # host ports of init containers are free again when the containers start
        alone = PodContext(volumes, context.host_network, context.grace_s, names=context.names)
        validate_container(faults, here, container, alone, init=True)
        policy = container.get("restartPolicy", "Always")
        if policy != "Always":
            faults.unsupported(f"{here}.restartPolicy", policy, ("Always",))
    faults.check_choice(f"{path}.restartPolicy", spec.get("restartPolicy", ""), _RESTART_POLICIES)
    faults.check_choice(f"{path}.dnsPolicy", spec.get("dnsPolicy", ""), _DNS_POLICIES)
    validate_labels(faults, f"{path}.nodeSelector", spec.get("nodeSelector"))
    _tolerations(faults, f"{path}.tolerations", spec.get("tolerations") or ())
    validate_placement(faults, path, spec)
    _scalars(faults, path, spec)
    _pull_secrets(faults, path, spec)
    _host_aliases(faults, f"{path}.hostAliases", spec.get("hostAliases") or ())


def validate_pod_update(faults: Faults, new: Document, old: Document) -> None:
    """What an update may not change of a pod: nearly all of its spec."""
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if after == before:
        return
    deadline, earlier = after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if earlier is not None and (deadline is None or deadline > earlier):
        faults.invalid(
            "spec.activeDeadlineSeconds",
            deadline,
            "must be less than or equal to previous value"
            if deadline is not None
            else "must not update from a positive integer to nil value",
        )
    tolerations = after.get("tolerations") or []
    if not all(_kept(toleration, tolerations) for toleration in before.get("tolerations") or ()):
        faults.forbidden("spec.tolerations", "existing toleration can not be modified except its "
                         "tolerationSeconds")  # fmt: skip
    same = copy.deepcopy(validate_narrowing(faults, after, before))
    validate_gates_update(faults, after, before)
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        same.pop(field, None)
        if field in before:
            same[field] = before[field]
    if before.get("terminationGracePeriodSeconds", 0) < 0:
        same["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    for kind in ("containers", "initContainers"):
        for container, was in zip(same.get(kind) or (), before.get(kind) or (), strict=False):
            container["image"] = was.get("image", "")
    if same != before:
        changed = sorted(k for k in {*same, *before} if same.get(k) != before.get(k))
        told = ", ".join(f"spec.{name}" for name in changed)
        faults.forbidden("spec", f"{_CHANGEABLE}; changed: {told}")


def _kept(toleration: Document, among: list[Document]) -> bool:
    key = {k: v for k, v in toleration.items() if k != "tolerationSeconds"}
    return any(
        {k: v for k, v in other.items() if k != "tolerationSeconds"} == key for other in among
    )


def _tolerations(faults: Faults, path: str, tolerations: Any) -> None:
    for index, toleration in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, value = toleration.get("key", ""), toleration.get("value", "")
        operator, effect = toleration.get("operator", ""), toleration.get("effect", "")
        if key:
            faults.check_words(f"{here}.key", key, metadata.is_qualified_name(key))
        elif operator != "Exists":
            faults.invalid(
                f"{here}.operator",
                operator,
                'operator must be Exists when `key` is empty, which means "match all values and '
                'all keys"',
            )
        match operator:
            case "" | "Equal":
                faults.check_words(f"{here}.value", value, metadata.is_label_value(value))
            case "Exists":
                if value:
                    faults.invalid(
                        f"{here}.operator",
                        shown(toleration),
                        "value must be empty when `operator` is 'Exists'",
                    )
            case _:
                faults.unsupported(f"{here}.operator", operator, ("Equal", "Exists"))
        if effect not in _TOLERATION_EFFECTS:
            faults.unsupported(f"{here}.effect", effect, _TOLERATION_EFFECTS - {""})
        if "tolerationSeconds" in toleration and effect != "NoExecute":
            faults.invalid(
                f"{here}.effect",
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            )


def _scalars(faults: Faults, path: str, spec: Document) -> None:
    grace = spec.get("terminationGracePeriodSeconds")
    faults.check_number(f"{path}.terminationGracePeriodSeconds", grace)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        faults.invalid(
            f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"
        )
    for field in ("hostname", "subdomain"):
        value = spec.get(field, "")
        if value:
            faults.check_words(f"{path}.{field}", value, metadata.is_label(value))
    node = spec.get("nodeName", "")
    if node:
        faults.check_words(f"{path}.nodeName", node, metadata.is_subdomain(node))
    account = spec.get("serviceAccountName", "")
    if account:
        wrong = metadata.is_subdomain(account)
        faults.check_words(f"{path}.serviceAccountName", account, wrong)
    context = spec.get("securityContext") or {}
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        faults.check_number(f"{path}.securityContext.{field}", context.get(field))


def _pull_secrets(faults: Faults, path: str, spec: Document) -> None:
    for index, reference in enumerate(spec.get("imagePullSecrets") or ()):
        if not reference.get("name"):
            faults.required(f"{path}.imagePullSecrets[{index}].name")


def _host_aliases(faults: Faults, path: str, aliases: Any) -> None:
    for index, alias in enumerate(aliases):
        address = alias.get("ip", "")
        try:
            ipaddress.ip_address(address)
        except ValueError:
            faults.invalid(
                f"{path}[{index}].ip",
                address,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            )
        for name in alias.get("hostnames") or ():
            faults.check_words(f"{path}[{index}].hostnames", name, metadata.is_subdomain(name))
