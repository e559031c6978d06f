"""What a pod asks for in all: containers together, or its biggest init container.

Source: Kubernetes concepts, "Init Containers", "Resource sharing within containers"; KEP-753.
"""

from typing import Any, Literal

from orchestrator.api.amounts import NOTHING, Amounts, add, at_least, read

Document = dict[str, Any]
Kind = Literal["requests", "limits"]


def pod_total(spec: Document, kind: Kind) -> Amounts:
    """Requests or limits of a pod's spec, with its overhead.

    Init containers that go on running (restartPolicy Always) count with the containers and with
    the init containers that come after them.
    """
    running: Amounts = {}
    for container in spec.get("containers") or ():
        add(running, _of(container, kind))
    beside: Amounts = {}
    highest: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _of(container, kind)
        if container.get("restartPolicy") == "Always":
            add(running, own)
            add(beside, own)
            at_least(highest, beside)
        else:
            start = dict(beside)
            add(start, own)
            at_least(highest, start)
    at_least(running, highest)
    for name, value in read(spec.get("overhead")).items():
        if kind == "requests" or running.get(name, NOTHING).nanos:
            add(running, {name: value})
    return running


def _of(container: Document, kind: Kind) -> Amounts:
    return read((container.get("resources") or {}).get(kind))
