"""Whole local clusters: up, down, list, and the inventory and keys that they hand out.

`up` is idempotent: it makes what is missing, starts what was stopped, and leaves the rest alone.
The engine's labels are the only record; nothing else has to be kept in step.
"""

import contextlib
import ipaddress
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import docker
import docker.errors

from orchestrator.kit.errors import ConfigError, EngineError
from orchestrator.local.engine import connect_engine
from orchestrator.local.hosts import (
    HostPlan,
    create_host,
    labels_of,
    remove_host,
    wait_host,
)
from orchestrator.local.image import Say, ensure_node_image
from orchestrator.local.keys import KnownHostKeys, ensure_key_pair, public_key_of
from orchestrator.local.names import (
    DEFAULT_NAME,
    LABEL_ADDRESS,
    LABEL_CLUSTER,
    LABEL_DIRECTORY,
    LABEL_NODE,
    LABEL_OWNER,
    USER,
    check_name,
    container_name,
    default_directory,
    first_subnet,
    network_name,
    node_names,
)
from orchestrator.local.owner import is_dead
from orchestrator.local.seeding import seed_images

MAX_NODES: Final = 200
PARALLEL: Final = 4
Item = TypeVar("Item")
FIRST_HOST: Final = 11
"""Last number of node-1's address."""


@dataclass(frozen=True, slots=True)
class LocalHost:
    """One host.

    Attributes:
        name: "node-1".
        address: on the cluster's bridge network.
        port: of its sshd.
        user: login.
        identity_file: absolute path of the private key.
        container: name of its container on this machine's engine.
        state: the container's: running, paused, exited, created.
    """

    name: str
    address: str
    port: int
    user: str
    identity_file: Path
    container: str
    state: str


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A local cluster as the engine's labels tell it.

    Attributes:
        name: its name.
        directory: where inventory and keys are.
        network: the bridge network.
        hosts: by number.
        owner: the process it dies with; "" for none.
    """

    name: str
    directory: Path
    network: str
    hosts: tuple[LocalHost, ...]
    owner: str

    @property
    def inventory(self) -> Path:
        """The inventory file."""
        return self.directory / "inventory.yaml"

    def host(self, name: str) -> LocalHost:
        """A host by name.

        Raises:
            ConfigError: no such host; names those that are there.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(h.name for h in self.hosts)
        raise ConfigError([f"cluster {self.name!r} has no host {name!r}; its hosts: {known}"])


def up(
    nodes: int = 3,
    *,
    name: str = DEFAULT_NAME,
    directory: Path | None = None,
    images: Sequence[str] = (),
    owner: str = "",
    docker_access: bool = True,
    say: Say = lambda _text: None,
    client: docker.DockerClient | None = None,
) -> LocalCluster:
    """Makes a cluster of at least `nodes` hosts and returns it when every host answers.

    Args:
        nodes: how many hosts; a cluster that has more keeps them.
        name: the cluster's name.
        directory: for inventory and keys; default ~/.local/share/orch/local/NAME.
        images: references on this machine's engine to load into every host.
        owner: `owner.current_owner()` when the cluster must not outlive this process.
        docker_access: whether the login may use the engine's socket from the start; without it
            bootstrap has to see to that.
        say: called with a line for every step.
        client: this machine's engine.

    Raises:
        ConfigError: a name, number, image or directory that cannot be.
        EngineError, Unreachable: the engine did not do it; carries its words.
    """
    check_name(name)
    if not 1 <= nodes <= MAX_NODES:
        raise ConfigError([f"--nodes {nodes}: a local cluster has 1 to {MAX_NODES} hosts"])
    client = client or connect_engine()
    sweep_dead(client)
    _check_images(client, images)
    image = ensure_node_image(client, say)
    present = find(name, client)
    folder = _directory(name, directory, present)
    subnet = _ensure_network(client, name, owner)
    plans = [
        HostPlan(
            cluster=name,
            node=node,
            address=str(subnet[FIRST_HOST - 1 + number]),
            image=image,
            directory=folder,
            owner=owner,
            public_key=ensure_key_pair(folder / "keys" / node, comment=f"{USER}@{name}/{node}"),
            docker_access=docker_access,
        )
        for number, node in enumerate(node_names(nodes), start=1)
    ]
    _bring_up(client, plans, present, say)
    cluster = get(name, client)
    write_inventory(cluster)
    KnownHostKeys(client).write(cluster.directory / "known_hosts", cluster.hosts)
    if images:
        say(f"loading {', '.join(images)} into {len(cluster.hosts)} hosts")
        seed_images(client, [h.container for h in cluster.hosts], images)
    return cluster


def down(name: str = DEFAULT_NAME, client: docker.DockerClient | None = None) -> bool:
    """Removes a cluster: hosts, their engines' data, network, inventory, keys.

    Returns whether there was anything. Files in the directory that are not ours stay.
    """
    client = client or connect_engine()
    cluster = find(name, client)
    _remove_hosts(client, _containers(client, name))
    had_network = _remove_network(client, network_name(name))
    for volume in client.volumes.list(filters={"label": f"{LABEL_CLUSTER}={name}"}):
        _ignore_missing(lambda volume=volume: volume.remove(force=True))  # type: ignore[misc]
    folder = cluster.directory if cluster else default_directory(name)
    for file in ("inventory.yaml", "known_hosts", "ssh_config"):
        (folder / file).unlink(missing_ok=True)
    shutil.rmtree(folder / "keys", ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):  # somebody else may do the same at this moment
        if not any(folder.iterdir()):
            folder.rmdir()
    return cluster is not None or had_network


def clusters(client: docker.DockerClient | None = None) -> list[LocalCluster]:
    """All local clusters on this machine, by name."""
    client = client or connect_engine()
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in _containers(client):
        grouped.setdefault(labels_of(row)[LABEL_CLUSTER], []).append(row)
    return [_cluster(name, rows) for name, rows in sorted(grouped.items())]


def find(name: str, client: docker.DockerClient | None = None) -> LocalCluster | None:
    """One cluster, or None when there is none of that name."""
    rows = _containers(client or connect_engine(), name)
    return _cluster(name, rows) if rows else None


def get(name: str, client: docker.DockerClient | None = None) -> LocalCluster:
    """One cluster.

    Raises:
        ConfigError: there is none of that name; names those that are there.
    """
    client = client or connect_engine()
    cluster = find(name, client)
    if cluster is None:
        known = ", ".join(c.name for c in clusters(client)) or "none"
        raise ConfigError([f"no local cluster {name!r}; there are: {known}"])
    return cluster


def sweep_dead(client: docker.DockerClient) -> list[str]:
    """Removes clusters whose owner died without cleaning up; returns their names."""
    names = set()
    for row in _containers(client):
        if is_dead(labels_of(row).get(LABEL_OWNER, "")):
            names.add(labels_of(row)[LABEL_CLUSTER])
    for network in client.networks.list(filters={"label": LABEL_CLUSTER}):
        labels = network.attrs.get("Labels") or {}
        if is_dead(labels.get(LABEL_OWNER, "")):
            names.add(labels[LABEL_CLUSTER])
    for name in names:
        down(name, client)
    return sorted(names)


def write_inventory(cluster: LocalCluster) -> None:
    """Writes inventory.yaml and ssh_config (`ssh -F DIR/ssh_config node-1`)."""
    lines = [
        "# Written by `orch local up`; next: orch bootstrap " + str(cluster.inventory),
        f"cluster: {cluster.name}",
        f"defaults: {{user: {USER}, become: true}}",
        "network: {backend: none}",
        "nodes:",
    ]
    lines += [
        f"  - {{name: {h.name}, host: {h.address}, identity_file: keys/{h.name}}}"
        for h in cluster.hosts
    ]
    cluster.inventory.write_text("\n".join(lines) + "\n")
    blocks = [
        f"Host {h.name}\n  HostName {h.address}\n  Port {h.port}\n  User {h.user}\n"
        f"  IdentityFile {h.identity_file}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {cluster.directory / 'known_hosts'}\n"
        for h in cluster.hosts
    ]
    (cluster.directory / "ssh_config").write_text("\n".join(blocks))


def _bring_up(
    client: docker.DockerClient, plans: list[HostPlan], present: LocalCluster | None, say: Say
) -> None:
    states = {h.name: h.state for h in present.hosts} if present else {}
    privileged = True
    missing = [p for p in plans if p.node not in states]
    for plan in plans:
        if states.get(plan.node) in {"exited", "created"}:
            client.api.start(container_name(plan.cluster, plan.node))
        elif states.get(plan.node) == "paused":
            client.api.unpause(container_name(plan.cluster, plan.node))
    if missing:
        say(f"starting {len(missing)} hosts")
        privileged = create_host(client, missing[0], privileged=privileged)
        _each(missing[1:], lambda p: create_host(client, p, privileged=privileged))
    _each(plans, lambda p: wait_host(client, p))


def _each(items: Iterable[Item], work: Callable[[Item], object]) -> None:
    """Does work for all items, some at a time; raises the first error after all have ended."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(work, item) for item in items]
    for future in futures:
        future.result()


def _check_images(client: docker.DockerClient, images: Sequence[str]) -> None:
    missing = []
    for reference in images:
        try:
            client.images.get(reference)
        except docker.errors.ImageNotFound:
            missing.append(
                f"--image {reference}: this machine's engine does not have it; "
                f"`docker build -t {reference} ...` or `docker pull {reference}` first"
            )
    if missing:
        raise ConfigError(missing)


def _directory(name: str, wanted: Path | None, present: LocalCluster | None) -> Path:
    if present and wanted and wanted.absolute() != present.directory:
        raise ConfigError([
            f"--dir {wanted}: cluster {name!r} is up with directory {present.directory}; "
            f"leave --dir out, or `orch local down {name}` first"
        ])  # fmt: skip
    folder = present.directory if present else (wanted or default_directory(name)).absolute()
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


_network_lock = threading.Lock()


def _ensure_network(client: docker.DockerClient, name: str, owner: str) -> ipaddress.IPv4Network:
    with _network_lock:
        for network in client.networks.list(names=[network_name(name)]):
            if network.name == network_name(name):
                return ipaddress.IPv4Network(network.attrs["IPAM"]["Config"][0]["Subnet"])
        first = first_subnet(name)
        for offset in range(256):
            subnet = ipaddress.IPv4Network(f"10.190.{(first + offset) % 256}.0/24")
            if _create_network(client, name, owner, subnet):
                return subnet
    raise EngineError("no free network in 10.190.0.0/16; `orch local list` shows what uses them")


def _create_network(
    client: docker.DockerClient, name: str, owner: str, subnet: ipaddress.IPv4Network
) -> bool:
    try:
        client.networks.create(
            network_name(name),
            driver="bridge",
            labels={LABEL_CLUSTER: name, LABEL_OWNER: owner},
            ipam=docker.types.IPAMConfig(
                pool_configs=[docker.types.IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))]
            ),
        )
    except docker.errors.APIError as error:
        if "overlap" in str(error.explanation).lower():
            return False
        raise EngineError(
            f"cannot create network {network_name(name)}: {error.explanation}",
            operation="create network",
        ) from error
    return True


def _remove_network(client: docker.DockerClient, name: str) -> bool:
    for network in client.networks.list(names=[name]):
        if network.name == name:
            _ignore_missing(network.remove)
            return True
    return False


def _remove_hosts(client: docker.DockerClient, rows: list[dict[str, Any]]) -> None:
    _each(
        [labels_of(r) for r in rows],
        lambda labels: remove_host(client, labels[LABEL_CLUSTER], labels[LABEL_NODE]),
    )


def _ignore_missing(action: Callable[[], object]) -> None:
    try:
        action()
    except docker.errors.NotFound:
        return


def _containers(client: docker.DockerClient, name: str = "") -> list[dict[str, Any]]:
    label = f"{LABEL_CLUSTER}={name}" if name else LABEL_CLUSTER
    rows: list[dict[str, Any]] = client.api.containers(all=True, filters={"label": label})
    return [r for r in rows if LABEL_NODE in labels_of(r)]


def _cluster(name: str, rows: list[dict[str, Any]]) -> LocalCluster:
    folder = Path(labels_of(rows[0])[LABEL_DIRECTORY])
    hosts = [
        LocalHost(
            name=labels_of(r)[LABEL_NODE],
            address=labels_of(r)[LABEL_ADDRESS],
            port=22,
            user=USER,
            identity_file=folder / "keys" / labels_of(r)[LABEL_NODE],
            container=container_name(name, labels_of(r)[LABEL_NODE]),
            state=str(r["State"]),
        )
        for r in rows
    ]
    hosts.sort(key=lambda h: int(h.name.rpartition("-")[2]))
    owner = labels_of(rows[0]).get(LABEL_OWNER, "")
    return LocalCluster(name, folder, network_name(name), tuple(hosts), owner)


__all__ = [
    "LocalCluster", "LocalHost", "clusters", "down", "find", "get", "public_key_of", "sweep_dead",
    "up", "write_inventory",
]  # fmt: skip
