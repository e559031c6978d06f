"""Views of a Node: one host.

Source: Kubernetes API, core/v1.
"""

import msgspec

from orchestrator.api.types.meta import Condition, ObjectMeta, View


class Taint(View, frozen=True):
    """`spec.taints[]` of a Node."""

    key: str = ""
    value: str = ""
    effect: str = ""
    time_added: str | None = None


class NodeSpec(View, frozen=True):
    """`spec` of a Node."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    provider_id: str = msgspec.field(default="", name="providerID")


class NodeAddress(View, frozen=True):
    """`status.addresses[]`: InternalIP, ExternalIP or Hostname."""

    type: str = ""
    address: str = ""


class ContainerImage(View, frozen=True):
    """`status.images[]`."""

    names: tuple[str, ...] = ()
    size_bytes: int = 0


class NodeSystemInfo(View, frozen=True):
    """`status.nodeInfo`."""

    machine_id: str = msgspec.field(default="", name="machineID")
    boot_id: str = msgspec.field(default="", name="bootID")
    kernel_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""
    kubelet_version: str = ""
    operating_system: str = ""
    architecture: str = ""


class NodeStatus(View, frozen=True):
    """`status` of a Node."""

    capacity: dict[str, str] | None = None
    allocatable: dict[str, str] | None = None
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeSystemInfo = NodeSystemInfo()
    images: tuple[ContainerImage, ...] = ()


class Node(View, frozen=True):
    """A Node: one host."""

    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
