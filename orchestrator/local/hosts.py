"""One host of a local cluster: its container, from creation to the moment that it answers.

A host is a container that may run a Docker Engine: privileged where the engine allows that, else
with every capability that this machine's bounding set holds and the confinements switched off.
"""

import contextlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors

from orchestrator.kit.errors import EngineError
from orchestrator.local.names import (
    LABEL_ADDRESS,
    LABEL_CLUSTER,
    LABEL_DIRECTORY,
    LABEL_NODE,
    LABEL_OWNER,
    USER,
    container_name,
    network_name,
    volume_name,
)

READY_LIMIT_S: Final = 90
REMOVAL_LIMIT_S: Final = 60
_CONFLICT: Final = 409
"""The engine's answer to who removes what is being removed."""

CAPABILITIES: Final = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)  # fmt: skip
"""By number, as in linux/capability.h; engines before 23 do not know the ones after these."""
_NEVER: Final = frozenset({"SYS_MODULE", "SYS_BOOT", "SYS_TIME", "SYS_RAWIO", "MAC_ADMIN"})


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What one host's container is made of.

    Attributes:
        cluster: the local cluster's name.
        node: the host's name.
        address: its fixed address on the cluster's network.
        image: reference of the host image.
        directory: where the cluster's inventory is.
        owner: the process the cluster dies with; "" for none.
        public_key: the one key that may log in, as in authorized_keys.
        docker_access: whether the login is in group docker from the start.
    """

    cluster: str
    node: str
    address: str
    image: str
    directory: Path
    owner: str
    public_key: str
    docker_access: bool


def bounding_capabilities(status: str) -> list[str]:
    """Names of the capabilities in a /proc/PID/status text's CapBnd, less those no host needs."""
    line = next((x for x in status.splitlines() if x.startswith("CapBnd:")), "CapBnd: 0")
    mask = int(line.split()[1], 16)
    return [n for i, n in enumerate(CAPABILITIES) if mask >> i & 1 and n not in _NEVER]


def host_config(plan: HostPlan, *, privileged: bool, capabilities: Sequence[str]) -> dict[str, Any]:
    """The Engine API's HostConfig for a host's container (API v1.41)."""
    volume = volume_name(plan.cluster, plan.node)
    config: dict[str, Any] = {
        "NetworkMode": network_name(plan.cluster),
        "Binds": [f"{volume}:/var/lib/docker"],
        "RestartPolicy": {"Name": "no"},
        "Tmpfs": {"/run": "noexec,nosuid,nodev,mode=755", "/tmp": "exec,mode=1777"},  # noqa: S108
    }
    if privileged:
        return config | {"Privileged": True}
    return config | {
        "Binds": [*config["Binds"], "/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        "CapDrop": ["ALL"],
        "CapAdd": list(capabilities),
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "DeviceCgroupRules": ["a *:* rwm"],
        "CgroupnsMode": "host",
    }


def create_host(client: docker.DockerClient, plan: HostPlan, *, privileged: bool) -> bool:
    """Creates and starts a host; returns whether it runs privileged.

    With `privileged` and an engine that cannot do that, it is created again without.

    Raises:
        EngineError: the engine cannot run it either way; carries its words.
    """
    try:
        _create(client, plan, privileged=privileged)
    except docker.errors.APIError as error:
        remove_host(client, plan.cluster, plan.node, keep_volume=True)
        if not privileged:
            raise EngineError(
                f"cannot start host {plan.node}: {error.explanation}",
                node=plan.node,
                operation="start host",
            ) from error
        return create_host(client, plan, privileged=False)
    return privileged


def _create(client: docker.DockerClient, plan: HostPlan, *, privileged: bool) -> None:
    capabilities = bounding_capabilities(Path("/proc/self/status").read_text())
    labels = {
        LABEL_CLUSTER: plan.cluster,
        LABEL_NODE: plan.node,
        LABEL_DIRECTORY: str(plan.directory),
        LABEL_OWNER: plan.owner,
        LABEL_ADDRESS: plan.address,
    }
    client.volumes.create(
        volume_name(plan.cluster, plan.node),
        labels={LABEL_CLUSTER: plan.cluster, LABEL_OWNER: plan.owner},
    )
    name = container_name(plan.cluster, plan.node)
    client.api.create_container(
        plan.image,
        name=name,
        hostname=plan.node,
        labels=labels,
        host_config=host_config(plan, privileged=privileged, capabilities=capabilities),
        networking_config={
            "EndpointsConfig": {
                network_name(plan.cluster): {"IPAMConfig": {"IPv4Address": plan.address}}
            }
        },
    )
    client.api.put_archive(name, "/", _login(plan, client))
    client.api.start(name)


def _login(plan: HostPlan, client: docker.DockerClient) -> bytes:
    """A tar that lets the one key log in."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(f"home/{USER}/.ssh")
        folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, 1000, 1000
        archive.addfile(folder)
        data = plan.public_key.encode() + b"\n"
        entry = tarfile.TarInfo(f"home/{USER}/.ssh/authorized_keys")
        entry.size, entry.mode, entry.uid, entry.gid = len(data), 0o600, 1000, 1000
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def wait_host(client: docker.DockerClient, plan: HostPlan) -> None:
    """Returns when the host's sshd and engine answer.

    Raises:
        EngineError: they do not in time; carries the last lines of the inner engine's log.
    """
    prepare = f"usermod -aG docker {USER}; " if plan.docker_access else ""
    status, words = run_inside(
        client,
        container_name(plan.cluster, plan.node),
        ["sh", "-c", f"{prepare}exec orch-host wait {READY_LIMIT_S}"],
    )
    if status:
        raise EngineError(
            f"host {plan.node}: {words.strip()}", node=plan.node, operation="wait for host"
        )


def run_inside(client: docker.DockerClient, container: str, argv: Sequence[str]) -> tuple[int, str]:
    """Runs a command in a host as root; exit status and both outputs.

    Raises:
        EngineError: the host does not run.
    """
    try:
        session = client.api.exec_create(container, list(argv))
        output = client.api.exec_start(session["Id"])
        status = client.api.exec_inspect(session["Id"])["ExitCode"]
    except docker.errors.APIError as error:
        raise EngineError(
            f"{container}: {error.explanation}", node=container, operation="run inside"
        ) from error
    return int(status or 0), output.decode(errors="replace")


def remove_host(
    client: docker.DockerClient, cluster: str, node: str, *, keep_volume: bool = False
) -> None:
    """Removes a host's container and, unless told otherwise, its engine's data.

    Idempotent, also while somebody else does the same: returns when the container is gone.

    Raises:
        docker.errors.APIError: the engine does not do it.
    """
    name = container_name(cluster, node)
    with contextlib.suppress(docker.errors.NotFound):
        try:
            client.api.remove_container(name, force=True, v=True)
        except docker.errors.APIError as error:
            if error.status_code != _CONFLICT:
                raise
            client.api.wait(name, timeout=REMOVAL_LIMIT_S, condition="removed")
    if not keep_volume:
        with contextlib.suppress(docker.errors.NotFound):
            client.api.remove_volume(volume_name(cluster, node), force=True)


def labels_of(container: Mapping[str, Any]) -> Mapping[str, str]:
    """Labels of a container as the engine lists it."""
    labels: Mapping[str, str] = container.get("Labels") or {}
    return labels
