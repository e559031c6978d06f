"""Settings of the node lifecycle."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLifecycleSettings:
    """How long a lost host keeps its pods.

    Attributes:
        grace_s: seconds from a host's turning not ready until its pods are replaced elsewhere; a
            pod that tolerates the taint for longer stays longer. Two seconds on top of the 3.5 s
            in which a silent host is found lost: a link that is cut for 3 s moves nothing, and a
            dead host's pods run elsewhere within ten.
        missing_grace_s: seconds until pods of a Node object that was deleted are removed by
            force; long enough for a Node to be deleted and registered again.
    """

    grace_s: float = 2.0
    missing_grace_s: float = 2.0
