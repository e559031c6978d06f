"""Containers: names, images, ports, environment, resources, mounts, probes, hooks.

Source: Kubernetes pkg/apis/core/validation (validateContainers and what it calls).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.api import metadata, quantity
from orchestrator.api.validation.collector import Faults

Document = dict[str, Any]

PROTOCOLS: Final = frozenset({"TCP", "UDP", "SCTP"})
_PULL_POLICIES: Final = frozenset({"Always", "IfNotPresent", "Never"})
_SCHEMES: Final = frozenset({"HTTP", "HTTPS"})
_MESSAGE_POLICIES: Final = frozenset({"File", "FallbackToLogsOnError"})
_FIELD_PATHS: Final = frozenset({
    "metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels",
    "metadata.annotations", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
})  # fmt: skip
_RESOURCE_FIELDS: Final = frozenset({
    "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    "requests.cpu", "requests.memory", "requests.ephemeral-storage",
})  # fmt: skip
_WHOLE_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "sleep")


@dataclass(slots=True)
class PodContext:
    """What containers of one pod share.

    Attributes:
        volumes: names of the pod's volumes.
        host_network: the pod uses the host's network.
        grace_s: the pod's termination grace.
        names: container names seen so far.
        host_ports: (protocol, host IP, port) seen so far.
    """

    volumes: frozenset[str]
    host_network: bool = False
    grace_s: int = 30
    names: set[str] = field(default_factory=set)
    host_ports: set[tuple[str, str, int]] = field(default_factory=set)


def validate_container(
    faults: Faults, path: str, container: Document, pod: PodContext, *, init: bool = False
) -> None:
    """One container; `path` is "spec.containers[0]"."""
    name = container.get("name", "")
    if not name:
        faults.required(f"{path}.name")
    else:
        faults.check_words(f"{path}.name", name, metadata.is_label(name))
        if name in pod.names:
            faults.duplicate(f"{path}.name", name)
        pod.names.add(name)
    _image(faults, path, container)
    policy = container.get("imagePullPolicy", "")
    faults.check_choice(f"{path}.imagePullPolicy", policy, _PULL_POLICIES)
    message_policy = container.get("terminationMessagePolicy", "")
    faults.check_choice(f"{path}.terminationMessagePolicy", message_policy, _MESSAGE_POLICIES)
    _ports(faults, f"{path}.ports", container.get("ports") or (), pod)
    _env(faults, f"{path}.env", container)
    _env_from(faults, f"{path}.envFrom", container.get("envFrom") or ())
    _mounts(faults, f"{path}.volumeMounts", container.get("volumeMounts") or (), pod)
    validate_resources(faults, f"{path}.resources", container.get("resources") or {})
    _probes(faults, path, container, pod, init=init)


def validate_resources(faults: Faults, path: str, resources: Document) -> None:
    """Limits and requests: quantities, known names, requests not over limits."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, values in (("limits", limits), ("requests", requests)):
        for name, value in values.items():
            if kind == "limits" or value != limits.get(name):  # else: said of the limit
                _resource(faults, f"{path}.{kind}", name, value)
    for name, value in requests.items():
        limit = limits.get(name)
        if limit is None:
            continue
        try:
            over = quantity.exceeds(value, limit)
        except ValueError:
            continue  # said above
        if over:
            text = f"must be less than or equal to {name} limit of {quantity.canonical(limit)}"
            faults.invalid(f"{path}.requests", str(value), text)


def check_quantity(faults: Faults, path: str, value: Any) -> bool:
    """A quantity that is not negative; whether it is."""
    try:
        negative = quantity.is_negative(value)
    except ValueError as error:
        faults.invalid(path, value, str(error))
        return False
    if negative:
        faults.invalid(path, str(value), "must be greater than or equal to 0")
    return not negative


def _resource(faults: Faults, path: str, name: str, value: Any) -> None:
    here = f"{path}[{name}]"
    wrong = metadata.is_qualified_name(name)
    if wrong:
        faults.check_words(path, name, wrong)
    elif "/" not in name and name not in _WHOLE_RESOURCES and not name.startswith("hugepages-"):
        faults.invalid(here, name, "must be a standard resource for containers")
    fine = check_quantity(faults, here, value)
    if fine and "/" in name and quantity.parse(value).denominator != 1:
        faults.invalid(here, str(value), "must be an integer")


def _image(faults: Faults, path: str, container: Document) -> None:
    image = container.get("image", "")
    if not image:
        faults.required(f"{path}.image")
    elif image != image.strip():
        faults.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")


def _ports(faults: Faults, path: str, ports: Any, pod: PodContext) -> None:
    names: set[str] = set()
    seen: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name", "")
        if name:
            faults.check_words(f"{here}.name", name, metadata.is_port_name(name))
            if name in names:
                faults.duplicate(f"{here}.name", name)
            names.add(name)
        number, protocol = port.get("containerPort", 0), port.get("protocol", "TCP")
        if not number:
            faults.required(f"{here}.containerPort")
        else:
            faults.check_port(f"{here}.containerPort", number)
            if (number, protocol) in seen:
                faults.duplicate(f"{here}", f"{number}/{protocol}")
            seen.add((number, protocol))
        if protocol not in PROTOCOLS:
            faults.unsupported(f"{here}.protocol", protocol, PROTOCOLS)
        _host_port(faults, here, port, pod)


def _host_port(faults: Faults, path: str, port: Document, pod: PodContext) -> None:
    number = port.get("hostPort", 0)
    if not number:
        return
    faults.check_port(f"{path}.hostPort", number)
    if pod.host_network and number != port.get("containerPort"):
        faults.invalid(
            f"{path}.hostPort", number, "must match `containerPort` when `hostNetwork` is true"
        )
    where = (port.get("protocol", "TCP"), port.get("hostIP", ""), number)
    if where in pod.host_ports:
        faults.duplicate(f"{path}.hostPort", "/".join(str(part) for part in where))
    pod.host_ports.add(where)


def _env(faults: Faults, path: str, container: Document) -> None:
    for index, variable in enumerate(container.get("env") or ()):
        here = f"{path}[{index}]"
        name = variable.get("name", "")
        if not name:
            faults.required(f"{here}.name")
        else:
            faults.check_words(f"{here}.name", name, metadata.is_env_name(name))
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            faults.invalid(
                f"{here}.valueFrom", "", "may not be specified when `value` is not empty"
            )
        _env_source(faults, f"{here}.valueFrom", source)


def _env_source(faults: Faults, path: str, source: Document) -> None:
    if len(source) != 1:
        text = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
            "`secretKeyRef`"
        )
        if source:
            text = "may not have more than one field specified at a time"
        faults.invalid(path, "", text)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        reference = source.get(kind)
        if reference is None:
            continue
        if not reference.get("name"):
            faults.required(f"{path}.{kind}.name")
        key = reference.get("key", "")
        if not key:
            faults.required(f"{path}.{kind}.key")
        else:
            faults.check_words(f"{path}.{kind}.key", key, metadata.is_config_key(key))
    if "fieldRef" in source:
        _field_path(faults, f"{path}.fieldRef.fieldPath", source["fieldRef"].get("fieldPath", ""))
    if "resourceFieldRef" in source:
        name = source["resourceFieldRef"].get("resource", "")
        faults.check_choice(f"{path}.resourceFieldRef.resource", name, _RESOURCE_FIELDS)


def _field_path(faults: Faults, path: str, value: str) -> None:
    if not value:
        faults.required(path)
        return
    base, bracket, rest = value.partition("[")
    if bracket:
        known = base in {"metadata.labels", "metadata.annotations"}
        if not known or not (rest.startswith("'") and rest.endswith("']")):
            faults.invalid(path, value, "error converting fieldPath: field label not supported")
        return
    if value not in _FIELD_PATHS or value in {"metadata.labels", "metadata.annotations"}:
        faults.invalid(
            path, value, f"error converting fieldPath: field label not supported: {value}"
        )


def _env_from(faults: Faults, path: str, sources: Any) -> None:
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        prefix = source.get("prefix", "")
        if prefix:
            faults.check_words(f"{here}.prefix", prefix, metadata.is_env_name(prefix))
        kinds = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        if len(kinds) != 1:
            text = "must specify one of: `configMapRef` or `secretRef`"
            if kinds:
                text = "may not have more than one field specified at a time"
            faults.invalid(here, "", text)
        for kind in kinds:
            if not source[kind].get("name"):
                faults.required(f"{here}.{kind}.name")


def _mounts(faults: Faults, path: str, mounts: Any, pod: PodContext) -> None:
    points: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, point = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            faults.required(f"{here}.name")
        elif name not in pod.volumes:
            faults.not_found(f"{here}.name", name)
        if not point:
            faults.required(f"{here}.mountPath")
        elif point in points:
            faults.invalid(f"{here}.mountPath", point, "must be unique")
        points.add(point)
        below = mount.get("subPath", "")
        if below.startswith("/"):
            faults.invalid(f"{here}.subPath", below, "must be a relative path")
        if ".." in below.split("/"):
            faults.invalid(f"{here}.subPath", below, "must not contain '..'")


# ---------------------------------------------------------------- probes and hooks


def _probes(faults: Faults, path: str, container: Document, pod: PodContext, *, init: bool) -> None:
    ports = container.get("ports") or ()
    sidecar = container.get("restartPolicy") == "Always"
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(kind)
        if probe is None:
            continue
        here = f"{path}.{kind}"
        if init and not sidecar:
            faults.forbidden(
                here, "may not be set for init containers without restartPolicy=Always"
            )
            continue
        _probe(faults, here, probe, ports, only_one=kind != "readinessProbe")
    lifecycle = container.get("lifecycle")
    if lifecycle is None:
        return
    if init and not sidecar:
        faults.forbidden(
            f"{path}.lifecycle", "may not be set for init containers without restartPolicy=Always"
        )
        return
    for kind in ("postStart", "preStop"):
        hook = lifecycle.get(kind)
        if hook is not None:
            _handler(faults, f"{path}.lifecycle.{kind}", hook, _HOOK_HANDLERS, ports)
            _sleep(faults, f"{path}.lifecycle.{kind}.sleep", hook.get("sleep"), pod)


def _probe(faults: Faults, path: str, probe: Document, ports: Any, *, only_one: bool) -> None:
    _handler(faults, path, probe, _HANDLERS, ports)
    for name, least in (
        ("initialDelaySeconds", 0), ("timeoutSeconds", 1), ("periodSeconds", 1),
        ("successThreshold", 1), ("failureThreshold", 1), ("terminationGracePeriodSeconds", 1),
    ):  # fmt: skip
        faults.check_number(f"{path}.{name}", probe.get(name), least)
    if only_one and probe.get("successThreshold", 1) > 1:
        faults.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def _handler(
    faults: Faults, path: str, handler: Document, kinds: tuple[str, ...], ports: Any
) -> None:
    given = [kind for kind in kinds if kind in handler]
    if not given:
        faults.required(path, "must specify a handler type")
    for extra in given[1:]:
        faults.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    if "exec" in handler and not handler["exec"].get("command"):
        faults.required(f"{path}.exec.command")
    for kind in ("httpGet", "tcpSocket"):
        action = handler.get(kind)
        if action is not None:
            _target(faults, f"{path}.{kind}.port", action.get("port", 0), ports)
    if "httpGet" in handler:
        action = handler["httpGet"]
        if not action.get("path"):
            faults.required(f"{path}.httpGet.path")
        scheme = action.get("scheme", "HTTP")
        if scheme not in _SCHEMES:
            faults.unsupported(f"{path}.httpGet.scheme", scheme, _SCHEMES)
    if "grpc" in handler:
        faults.check_port(f"{path}.grpc.port", handler["grpc"].get("port", 0))


def _target(faults: Faults, path: str, port: int | str, ports: Any) -> None:
    """A probe's port: a number, or the name of one of the container's ports."""
    if isinstance(port, int):
        faults.check_port(path, port)
        return
    wrong = metadata.is_port_name(port)
    faults.check_words(path, port, wrong)
    named: set[str] = {item.get("name", "") for item in ports}
    if not wrong and port not in named:
        faults.invalid(path, port, "must be the name of one of the container's ports")


def _sleep(faults: Faults, path: str, sleep: Mapping[str, Any] | None, pod: PodContext) -> None:
    if sleep is None:
        return
    seconds = sleep.get("seconds", 0)
    if not 0 < seconds <= pod.grace_s:
        faults.invalid(
            path,
            seconds,
            f"must be greater than 0 and less than terminationGracePeriodSeconds ({pod.grace_s})",
        )
