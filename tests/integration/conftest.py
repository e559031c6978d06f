"""Fixtures that integration tests share."""

from tests.rig.cluster import new_rig, rig, shared_rig, worker_suffix  # noqa: F401
from tests.rig.served import platform  # noqa: F401
from tests.rig.watching import api, busybox, server_log  # noqa: F401
