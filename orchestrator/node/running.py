"""Which container on a host a command or an attachment is for (pure).

Source: Kubernetes API, `pods/exec`, `pods/attach`; the sentences are kubelet's.
"""

from collections.abc import Iterable

from orchestrator.kit.errors import BadRequest
from orchestrator.node.observed import Memory, Seen, newest


def running_container(containers: Iterable[Seen], memory: Memory, name: str) -> Seen:
    """The newest container of that name, which runs.

    Raises:
        BadRequest: there is none; kubelet's sentence, and why where that is known.
    """
    item = newest(containers).get(name)
    if item is not None and item.info.state == "running":
        return item
    sentence = f'container not found ("{name}")'
    if item is not None and item.info.state == "paused":
        raise BadRequest(f"{sentence}: it is paused")
    waiting = memory.waiting.get(name) or memory.waiting.get("")
    if item is None or not item.ever_started:
        reason = waiting.reason if waiting else "ContainerCreating"
        raise BadRequest(f"{sentence}: it is waiting to start: {reason}")
    if item.info.state == "restarting":
        raise BadRequest(f"{sentence}: it is waiting to start: CrashLoopBackOff")
    raise BadRequest(f"{sentence}: it has ended with exit code {item.info.exit_code}")
