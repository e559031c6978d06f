"""Names that orch gives meaning to: labels, annotations, taints, finalizers.

One place per name; the field's single writer stands beside it.
"""

from types import MappingProxyType
from typing import Final

# ---- on Nodes
NODE_SSH: Final = "orch.dev/ssh"
"""Node annotation, JSON of `remote.seams.HostAddress`; written by bootstrap."""
NODE_CAPACITY: Final = "orch.dev/capacity"
"""Node annotation, JSON {"cpu": "3", "memory": "6Gi"}: the inventory's cap; by bootstrap."""
NODE_INVENTORY: Final = "orch.dev/inventory"
"""Node annotation, JSON {"labels": [...], "taints": [...]}: set by the inventory; by bootstrap."""
NODE_HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
NODE_ZONE_LABEL: Final = "topology.kubernetes.io/zone"
NODE_OS_LABEL: Final = "kubernetes.io/os"
NODE_ARCH_LABEL: Final = "kubernetes.io/arch"
TAINT_NOT_READY: Final = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
TAINT_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
TAINTS_OF_PRESSURE: Final = MappingProxyType({
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
})  # fmt: skip
"""By condition of the Node. Source: Kubernetes docs, "Taint Nodes by Condition"."""

# ---- on Pods
POD_PORTS: Final = "orch.dev/published-ports"
"""Pod annotation, JSON {"8080/TCP": 20017}: container port to port on the host's InternalIP;
written by the host's session together with the status. Absent for hostNetwork pods."""
POD_DRAINED: Final = "orch.dev/drained"
"""Pod annotation "true": the load balancer sends nothing more to this terminating pod and no
request is in flight; written by the load balancer. The session stops the containers after it, or
after its own bound."""
POD_TEMPLATE_HASH: Final = "pod-template-hash"
DEPLOYMENT_REVISION: Final = "deployment.kubernetes.io/revision"
DEPLOYMENT_DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
DEPLOYMENT_MAX_REPLICAS: Final = "deployment.kubernetes.io/max-replicas"

# ---- on IngressClasses
INGRESS_CONTROLLER: Final = "orch.dev/load-balancer"
"""What `spec.controller` says when the load balancer serves the Ingresses of the class."""

# ---- on EndpointSlices
SLICE_SERVICE: Final = "kubernetes.io/service-name"
SLICE_MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"

# ---- on containers (Docker labels; architecture decision D14)
CONTAINER_CLUSTER: Final = "orch.dev/cluster"
"""Value: the cluster's id (uid of the kube-system Namespace); marks a container as ours."""
CONTAINER_POD_NAMESPACE: Final = "orch.dev/pod-namespace"
CONTAINER_POD_NAME: Final = "orch.dev/pod-name"
CONTAINER_POD_UID: Final = "orch.dev/pod-uid"
CONTAINER_NAME: Final = "orch.dev/container"
CONTAINER_ROLE: Final = "orch.dev/role"
"""Value: "app", "init", "ephemeral" or "sandbox"."""
CONTAINER_SPEC_HASH: Final = "orch.dev/spec-hash"
CONTAINER_ATTEMPT: Final = "orch.dev/attempt"

# ---- finalizers
FINALIZER_FOREGROUND: Final = "foregroundDeletion"
FINALIZER_ORPHAN: Final = "orphan"
