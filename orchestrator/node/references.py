"""Which ConfigMaps and Secrets a pod's volumes are filled from (pure)."""

from orchestrator.api.types.pod import Pod


def volume_sources(pod: Pod) -> frozenset[tuple[str, str]]:
    """Pairs of resource and name: ("configmaps", "settings"), ("secrets", "tls")."""
    found: set[tuple[str, str]] = set()
    for volume in pod.spec.volumes:
        if volume.config_map is not None:
            found.add(("configmaps", volume.config_map.name))
        if volume.secret is not None:
            found.add(("secrets", volume.secret.secret_name))
    return frozenset(found)
