"""Settings of the registry."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """What the registry hands out, and how long it keeps events.

    Attributes:
        service_cidr: range of ClusterIPs; the first address (the API itself) and the tenth (names)
            are kept free, as everywhere.
        node_port_first: first port that NodePort and LoadBalancer services may get.
        node_port_last: the last one.
        event_ttl_s: events not repeated for this long are removed; Kubernetes' hour.
        lost_node_toleration_s: how long pods that do not say so stay bound to a host that is not
            ready or unreachable, as tolerations in their spec; Kubernetes' 300 s would keep a
            service down for five minutes.
        object_bytes: the biggest object that is stored; 1.5 MiB as etcd's limit.
    """

    service_cidr: str = "10.96.0.0/12"
    node_port_first: int = 30000
    node_port_last: int = 32767
    event_ttl_s: float = 3600.0
    lost_node_toleration_s: int = 2
    object_bytes: int = 1536 * 1024
