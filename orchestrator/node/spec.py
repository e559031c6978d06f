"""A pod's containers as the Engine API's create bodies (pure).

A pod with one container is one Docker container; pods that share a network namespace get a sandbox
that owns it. Source: Docker Engine API 1.41, ContainerCreate; Kubernetes API, core/v1 Container.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from orchestrator.api import names, quantity
from orchestrator.api.types.container import Container
from orchestrator.api.types.pod import Pod
from orchestrator.node.environment import expand
from orchestrator.node.sandbox import SANDBOX_IMAGE

Role = Literal["app", "init", "ephemeral", "sandbox"]
SANDBOX: Final = "sandbox"
_LEAST_RESERVATION_BYTES: Final = 6 << 20
_LEAST_SHARES: Final = 2
_MOST_SHARES: Final = 262144
_LOGS: Final = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
_RESTARTS: Final = {"Always": "unless-stopped", "OnFailure": "on-failure", "Never": "no"}


@dataclass(frozen=True, slots=True)
class Place:
    """What a create body needs beside the pod.

    Attributes:
        cluster: the cluster's id.
        attempt: how many containers of this name came before.
        environment: resolved.
        mounts: `HostConfig.Mounts`.
        binds: `HostConfig.Binds`.
        ports: container port and protocol ("8080/tcp") to the host port it is published on.
        sandbox_id: container whose network is joined; "" for none.
        target_id: container whose processes are seen; "" for none.
    """

    cluster: str
    attempt: int = 0
    environment: Mapping[str, str] | None = None
    mounts: tuple[Mapping[str, Any], ...] = ()
    binds: tuple[str, ...] = ()
    ports: Mapping[str, int] | None = None
    sandbox_id: str = ""
    target_id: str = ""


def needs_sandbox(pod: Pod) -> bool:
    """Whether the pod's network namespace must be there before its containers, or outlive them.

    So it is when several share it, and when one wants to know its address before it starts.
    """
    return not pod.spec.host_network and (
        len(pod.spec.containers) > 1 or bool(pod.spec.init_containers) or _asks_for_address(pod)
    )


def _asks_for_address(pod: Pod) -> bool:
    return any(
        variable.value_from is not None
        and variable.value_from.field_ref is not None
        and variable.value_from.field_ref.field_path in {"status.podIP", "status.podIPs"}
        for container in pod.spec.containers
        for variable in container.env
    )


def is_sidecar(container: Container) -> bool:
    """Whether an init container goes on running beside the others."""
    return container.restart_policy == "Always"


def declared_ports(pod: Pod) -> dict[str, int]:
    """Ports that the pod's containers declare: "8080/tcp" to the hostPort asked for, 0 for any."""
    if pod.spec.host_network:
        return {}
    found: dict[str, int] = {}
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            found[f"{port.container_port}/{port.protocol.lower()}"] = port.host_port
    return found


def spec_hash(container: Container) -> str:
    """Changes when the container must be made anew: a pod's image is all that may change."""
    return hashlib.sha256(f"{container.name}\0{container.image}".encode()).hexdigest()[:16]


def container_name(pod: Pod, name: str, attempt: int) -> str:
    """Name of the Docker container; unique, and readable in `docker ps`."""
    meta = pod.metadata
    return f"orch_{name}_{meta.name}_{meta.namespace}_{meta.uid}_{attempt}"


def labels(pod: Pod, name: str, role: Role, place: Place, digest: str) -> dict[str, str]:
    """Labels from which the state can be told without the server (architecture decision D14)."""
    meta = pod.metadata
    return {
        names.CONTAINER_CLUSTER: place.cluster,
        names.CONTAINER_POD_NAMESPACE: meta.namespace,
        names.CONTAINER_POD_NAME: meta.name,
        names.CONTAINER_POD_UID: meta.uid,
        names.CONTAINER_NAME: name,
        names.CONTAINER_ROLE: role,
        names.CONTAINER_SPEC_HASH: digest,
        names.CONTAINER_ATTEMPT: str(place.attempt),
    }


def sandbox_body(pod: Pod, place: Place) -> dict[str, Any]:
    """The container that owns the namespaces that a pod's containers share: network and IPC."""
    host: dict[str, Any] = {
        "RestartPolicy": {"Name": "unless-stopped"},
        "LogConfig": _LOGS,
        "Sysctls": _sysctls(pod),
        **_network(pod, place),
    }
    if not pod.spec.host_ipc:
        host["IpcMode"] = "shareable"
    return {
        "Image": SANDBOX_IMAGE,
        "Labels": labels(pod, SANDBOX, "sandbox", place, ""),
        "Hostname": hostname(pod),
        "ExposedPorts": {port: {} for port in place.ports or {}},
        "HostConfig": host,
    }


def container_body(pod: Pod, container: Container, role: Role, place: Place) -> dict[str, Any]:
    """One container of a pod."""
    variables = dict(place.environment or {})
    body: dict[str, Any] = {
        "Image": container.image,
        "Env": [f"{k}={v}" for k, v in variables.items()],
        "Labels": labels(pod, container.name, role, place, spec_hash(container)),
        "OpenStdin": container.stdin,
        "StdinOnce": container.stdin_once,
        "Tty": container.tty,
    }
    if container.command:
        body["Entrypoint"] = [expand(word, variables) for word in container.command]
        body["Cmd"] = []
    if container.args:
        body["Cmd"] = [expand(word, variables) for word in container.args]
    if container.working_dir:
        body["WorkingDir"] = container.working_dir
    user = user_of(pod, container)
    if user:
        body["User"] = user
    host: dict[str, Any] = {
        "RestartPolicy": {"Name": _restart(pod, container, role)},
        "LogConfig": _LOGS,
        "Mounts": list(place.mounts),
        "Binds": list(place.binds),
        **_resources(container),
        **_security(pod, container),
    }
    if place.target_id:
        host["PidMode"] = f"container:{place.target_id}"
    if place.sandbox_id:
        host["NetworkMode"] = f"container:{place.sandbox_id}"
        if needs_sandbox(pod):  # the IPC namespace of an app container cannot be joined
            host.setdefault("IpcMode", f"container:{place.sandbox_id}")
    else:
        host |= {"Sysctls": _sysctls(pod), **_network(pod, place)}
        body["ExposedPorts"] = {port: {} for port in place.ports or {}}
        if not pod.spec.host_network:
            body["Hostname"] = hostname(pod)
    body["HostConfig"] = {key: value for key, value in host.items() if value not in ([], {})}
    return body


def hostname(pod: Pod) -> str:
    """A pod's host name: its own, else its name; 63 characters as the kernel allows."""
    return (pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")


def _restart(pod: Pod, container: Container, role: Role) -> str:
    if role == "ephemeral":
        return "no"
    if role == "app" or is_sidecar(container):
        policy = "Always" if is_sidecar(container) else pod.spec.restart_policy
        return _RESTARTS.get(policy, "unless-stopped")
    return "no" if pod.spec.restart_policy == "Never" else "on-failure"


def _network(pod: Pod, place: Place) -> dict[str, Any]:
    hosts = [f"{name}:{alias.ip}" for alias in pod.spec.host_aliases for name in alias.hostnames]
    if pod.spec.host_network:
        return {"NetworkMode": "host", "ExtraHosts": hosts, **_resolver(pod)}
    bindings = {
        port: [{"HostPort": str(number), **_host_ip(pod, port, number)}]
        for port, number in (place.ports or {}).items()
    }
    return {"PortBindings": bindings, "ExtraHosts": hosts, **_resolver(pod)}


def _host_ip(pod: Pod, key: str, number: int) -> dict[str, str]:
    """The one address that a hostPort is for, where it names one."""
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            same = f"{port.container_port}/{port.protocol.lower()}" == key
            if same and port.host_ip and port.host_port == number:
                return {"HostIp": port.host_ip}
    return {}


def _sysctls(pod: Pod) -> dict[str, str]:
    context = pod.spec.security_context
    return {s["name"]: s["value"] for s in context.sysctls} if context is not None else {}


def _resolver(pod: Pod) -> dict[str, Any]:
    """The pod's own name servers; without any the engine's, which are the host's."""
    config = pod.spec.dns_config
    if config is None:
        return {}
    options = [o.name if o.value is None else f"{o.name}:{o.value}" for o in config.options]
    found = {
        "Dns": list(config.nameservers),
        "DnsSearch": list(config.searches),
        "DnsOptions": options,
    }
    return {key: value for key, value in found.items() if value}


def _resources(container: Container) -> dict[str, Any]:
    limits, requests = container.resources.limits or {}, container.resources.requests or {}
    found: dict[str, Any] = {}
    if "cpu" in limits:
        found["NanoCpus"] = quantity.parse_cpu_mcpu(limits["cpu"]) * 1_000_000
    # who asks for nothing gets least when all want more, as in Kubernetes
    cpu = quantity.parse_cpu_mcpu(requests.get("cpu", limits.get("cpu", 0)))
    found["CpuShares"] = min(_MOST_SHARES, max(_LEAST_SHARES, cpu * 1024 // 1000))
    if "memory" in limits:
        memory = quantity.parse_bytes(limits["memory"])
        found |= {"Memory": memory, "MemorySwap": memory}
    if "memory" in requests:
        reserved = quantity.parse_bytes(requests["memory"])
        if reserved >= _LEAST_RESERVATION_BYTES:  # the engine refuses less
            found["MemoryReservation"] = reserved
    return found


def must_not_be_root(pod: Pod, container: Container) -> bool:
    """Whether the container may not run as root; its own word goes before the pod's."""
    outer, inner = pod.spec.security_context, container.security_context
    if inner is not None and inner.run_as_non_root is not None:
        return inner.run_as_non_root
    return bool(outer is not None and outer.run_as_non_root)


def user_of(pod: Pod, container: Container) -> str:
    """Whom the container runs as, "1000:1000"; "" for whom the image says."""
    outer, inner = pod.spec.security_context, container.security_context
    user = inner.run_as_user if inner and inner.run_as_user is not None else None
    group = inner.run_as_group if inner and inner.run_as_group is not None else None
    if user is None and outer is not None:
        user = outer.run_as_user
    if group is None and outer is not None:
        group = outer.run_as_group
    if user is None:
        return ""
    return str(user) if group is None else f"{user}:{group}"


def _security(pod: Pod, container: Container) -> dict[str, Any]:
    outer, inner = pod.spec.security_context, container.security_context
    found: dict[str, Any] = {}
    if pod.spec.host_pid:
        found["PidMode"] = "host"
    if pod.spec.host_ipc:
        found["IpcMode"] = "host"
    if outer is not None:
        groups = [*outer.supplemental_groups, outer.fs_group]
        found["GroupAdd"] = [str(g) for g in groups if g is not None]
    if inner is not None:
        if inner.privileged:
            found["Privileged"] = True
        if inner.read_only_root_filesystem:
            found["ReadonlyRootfs"] = True
        if inner.allow_privilege_escalation is False:
            found["SecurityOpt"] = ["no-new-privileges"]
        if inner.capabilities is not None:
            found["CapAdd"] = list(inner.capabilities.add)
            found["CapDrop"] = list(inner.capabilities.drop)
    return found


def describe_body(body: Mapping[str, Any]) -> str:
    """A body as one line for debugging logs, without its environment."""
    return json.dumps({k: v for k, v in body.items() if k != "Env"}, sort_keys=True)
