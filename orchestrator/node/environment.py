"""Environment variables of a container (pure).

Later entries win over earlier ones, `env` over `envFrom`; `$(NAME)` refers to what was defined
before, `$$(NAME)` stays literal. Source: Kubernetes API, core/v1 EnvVar, EnvFromSource.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.api import quantity
from orchestrator.api.types.config import ConfigMap, Secret
from orchestrator.api.types.container import Container, EnvVar, KeySelector
from orchestrator.api.types.pod import Pod

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigMissing(Exception):
    """A reference cannot be filled yet; the message is what the pod's status shows."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where references are looked up.

    Attributes:
        config_map: by name in the pod's namespace; None when it is not there.
        secret: likewise.
        allocatable: of the host, for resource references without a limit.
        host_ip: the host's address.
    """

    config_map: Callable[[str], ConfigMap | None]
    secret: Callable[[str], Secret | None]
    allocatable: Mapping[str, str]
    host_ip: str


def decode_secret(secret: Secret) -> dict[str, bytes]:
    """A Secret's data, decoded."""
    return {key: base64.b64decode(value) for key, value in (secret.data or {}).items()}


def environment(pod: Pod, container: Container, sources: Sources) -> dict[str, str]:
    """All variables.

    Raises:
        ConfigMissing: a ConfigMap, Secret or key that is not optional is not there.
    """
    found: dict[str, str] = {}
    for source in container.env_from:
        values: Mapping[str, str] = {}
        if source.config_map_ref:
            values = _config_map(
                source.config_map_ref.name, source.config_map_ref.optional, sources
            )
        elif source.secret_ref:
            values = _secret(source.secret_ref.name, source.secret_ref.optional, sources)
        found.update({source.prefix + key: value for key, value in values.items()})
    for variable in container.env:
        value = _value(pod, container, variable, sources)
        if value is not None:
            # what comes from elsewhere is taken as it is: a password may hold "$$"
            found[variable.name] = value if variable.value_from else expand(value, found)
    return found


def expand(text: str, known: Mapping[str, str]) -> str:
    """`text` with $(NAME) filled in; unknown names stay as they are."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        return known.get(name, match.group(0))

    return _REFERENCE.sub(fill, text)


def _config_map(name: str, optional: bool, sources: Sources) -> Mapping[str, str]:
    found = sources.config_map(name)
    if found is None:
        if optional:
            return {}
        raise ConfigMissing(f'configmap "{name}" not found')
    return found.data or {}


def _secret(name: str, optional: bool, sources: Sources) -> Mapping[str, str]:
    found = sources.secret(name)
    if found is None:
        if optional:
            return {}
        raise ConfigMissing(f'secret "{name}" not found')
    return {k: v.decode(errors="replace") for k, v in decode_secret(found).items()}


def _value(pod: Pod, container: Container, variable: EnvVar, sources: Sources) -> str | None:
    source = variable.value_from
    if source is None:
        return variable.value
    if source.field_ref:
        return field_value(pod, source.field_ref.field_path, sources.host_ip)
    if source.resource_field_ref:
        reference = source.resource_field_ref
        owner = container
        if reference.container_name:
            every = (*pod.spec.init_containers, *pod.spec.containers)
            named = (c for c in every if c.name == reference.container_name)
            owner = next(named, container)
        return resource_value(owner, reference.resource, reference.divisor, sources.allocatable)
    if source.config_map_key_ref:
        selector = source.config_map_key_ref
        values = _config_map(selector.name, selector.optional, sources)
        return _key(values, selector, "ConfigMap", pod.metadata.namespace)
    if source.secret_key_ref:
        selector = source.secret_key_ref
        values = _secret(selector.name, selector.optional, sources)
        return _key(values, selector, "Secret", pod.metadata.namespace)
    return ""


def _key(values: Mapping[str, str], selector: KeySelector, kind: str, namespace: str) -> str | None:
    if selector.key in values:
        return values[selector.key]
    if selector.optional:
        return None
    raise ConfigMissing(f"couldn't find key {selector.key} in {kind} {namespace}/{selector.name}")


def field_value(pod: Pod, path: str, host_ip: str) -> str:
    """The value of a downward API field path.

    Raises:
        ConfigMissing: the path is not one that can be asked for.
    """
    meta, spec, status = pod.metadata, pod.spec, pod.status
    match = _SUBSCRIPT.fullmatch(path)
    if match:
        values = meta.labels if match.group(1) == "labels" else meta.annotations
        return (values or {}).get(match.group(2), "")
    known = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": spec.node_name,
        "spec.serviceAccountName": spec.service_account_name or "default",
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
        "status.podIP": host_ip if spec.host_network else status.pod_ip,
        "status.podIPs": host_ip if spec.host_network else status.pod_ip,
    }
    if path not in known:
        raise ConfigMissing(f"field path {path!r} cannot be used here")
    return known[path]


def resource_value(
    container: Container, resource: str, divisor: str, allocatable: Mapping[str, str]
) -> str:
    """`limits.cpu` and the like in units of the divisor, rounded up."""
    kind, _, name = resource.partition(".")
    given = (container.resources.limits if kind == "limits" else container.resources.requests) or {}
    fallback = allocatable.get(name, "0") if kind == "limits" else "0"
    amount = quantity.parse(given.get(name, fallback))
    unit = quantity.parse(divisor) if divisor and divisor != "0" else quantity.parse("1")
    return str(-(-amount // unit))
