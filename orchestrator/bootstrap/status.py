"""How a platform is, for `orch status`: server, balancer, hosts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.bootstrap.api import AdminApi, ApiRefused
from orchestrator.bootstrap.join import list_nodes
from orchestrator.bootstrap.nodes import ready_condition
from orchestrator.bootstrap.service import Service
from orchestrator.bootstrap.state import DEFAULT_LB_PORT, StateDirectory
from orchestrator.kit.errors import Unreachable


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One host: whether it is Ready, may take pods, and what its condition says."""

    name: str
    ready: bool
    schedulable: bool
    message: str


@dataclass(frozen=True, slots=True)
class PlatformStatus:
    """Everything at a glance.

    Attributes:
        state_dir: the state directory.
        server_pid: 0 when the server does not run.
        server_fault: why it is not ready; "" when it is.
        url: of the API.
        balancer_pid: 0 when the load balancer does not run.
        balancer_port: of its HTTP entry.
        nodes: by name; empty when the server does not answer.
    """

    state_dir: Path
    server_pid: int
    server_fault: str
    url: str
    balancer_pid: int
    balancer_port: int
    nodes: tuple[NodeStatus, ...]

    @property
    def well(self) -> bool:
        """Whether server and all hosts are."""
        return not self.server_fault and all(n.ready for n in self.nodes)

    def rows(self) -> list[list[str]]:
        """Lines for people: what, how, details."""
        server = "ready" if not self.server_fault else ("not ready" if self.server_pid else "down")
        words = self.server_fault or f"{self.url}, process {self.server_pid}"
        balancer = f"port {self.balancer_port}, process {self.balancer_pid}"
        rows = [
            ["server", server, words],
            ["load balancer", *(("up", balancer) if self.balancer_pid else ("down", ""))],
            ["state", str(self.state_dir), ""],
        ]
        for node in self.nodes:
            how = "Ready" if node.ready else "NotReady"
            how += "" if node.schedulable else ",SchedulingDisabled"
            rows.append([f"host {node.name}", how, "" if node.ready else node.message])
        return rows

    def document(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "stateDir": str(self.state_dir),
            "server": {"pid": self.server_pid, "ready": not self.server_fault, "url": self.url,
                       "fault": self.server_fault},
            "loadBalancer": {"pid": self.balancer_pid, "port": self.balancer_port},
            "hosts": [
                {"name": n.name, "ready": n.ready, "schedulable": n.schedulable,
                 "message": n.message}
                for n in self.nodes
            ],
        }  # fmt: skip


def read_status(state_dir: Path) -> PlatformStatus:
    """Asks processes and API; never raises for a platform that is down."""
    state = StateDirectory(state_dir)
    service = Service(state)
    api = AdminApi(state, timeout_s=5.0)
    nodes: tuple[NodeStatus, ...] = ()
    if not state.kubeconfig.is_file():
        fault = f"there is no platform in {state_dir}; `orch bootstrap INVENTORY` makes one"
    else:
        fault = api.ready()
        if not fault:
            try:
                nodes = tuple(_node(n) for _, n in sorted(list_nodes(api).items()))
            except (Unreachable, ApiRefused) as error:
                fault = str(error)
    api.close()
    return PlatformStatus(
        state_dir=state_dir,
        server_pid=service.pid(),
        server_fault=fault,
        url=api.url,
        balancer_pid=service.balancer_pid(),
        balancer_port=state.port("loadbalancer", DEFAULT_LB_PORT),
        nodes=nodes,
    )


def _node(node: dict[str, Any]) -> NodeStatus:
    ready, message = ready_condition(node)
    unschedulable = bool((node.get("spec") or {}).get("unschedulable"))
    return NodeStatus(str(node["metadata"]["name"]), ready, not unschedulable, message)
