"""Settings of the host sessions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """How hosts are driven.

    Attributes:
        pods_per_host: what a Node offers as `pods`; 110 as Kubernetes.
        port_first: first host port for published container ports; the range lies below Linux'
            ephemeral ports and nodePorts.
        port_last: last one.
        engine_calls: engine calls that change something, at once per host; Docker serialises much
            of a start itself, so more only queues there.
        drain_s: longest wait for the load balancer before a leaving pod is stopped; never more
            than half of the pod's grace.
        pull_s: deadline of one image pull.
        call_s: deadline of any other engine or shim call.
        retry_first_s: back-off after a failed pull or create.
        retry_cap_s: its longest delay.
        connect_s: deadline of one attempt to connect a host.
        reconnect_first_s: back-off between attempts.
        reconnect_cap_s: its longest delay.
        patience_s: how long a broken connection to sshd or dockerd may take to be back before the
            host counts as not ready; a silent host is not waited for again.
        sweep_s: between looks at facts that change slowly, and for files of pods that are gone.
        usage_s: between samples of what hosts and containers use.
        usage_first_s: between the first two samples of a container, and between looks for new ones.
        lease_s: between renewals of a Node's Lease; rarely, because each is a durable write.
    """

    pods_per_host: int = 110
    port_first: int = 20000
    port_last: int = 29999
    engine_calls: int = 4
    drain_s: float = 10.0
    pull_s: float = 600.0
    call_s: float = 60.0
    retry_first_s: float = 5.0
    retry_cap_s: float = 300.0
    connect_s: float = 45.0
    reconnect_first_s: float = 0.5
    reconnect_cap_s: float = 10.0
    patience_s: float = 1.0
    sweep_s: float = 60.0
    usage_s: float = 15.0
    usage_first_s: float = 2.0
    lease_s: float = 300.0
