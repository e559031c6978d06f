"""What exec and attach are asked for, out of a query string (pure).

Source: Kubernetes API, core/v1 PodExecOptions, PodAttachOptions; the sentences are Kubernetes'.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.apiserver.request import Query
from orchestrator.apiserver.verbs.log import choose_container
from orchestrator.kit.errors import BadRequest
from orchestrator.store.objects import Document

_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What to run, and which of its streams the client wants.

    Attributes:
        container: "" for the pod's default.
        command: words, no shell; empty for attach.
        stdin: the client writes.
        stdout: the client reads.
        stderr: the client reads, apart from stdout; never with a terminal.
        tty: with a terminal.
    """

    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def read_command_options(query: Query, *, attach: bool = False) -> CommandOptions:
    """The options of one request.

    Raises:
        BadRequest: no stream is wanted, there is no command, or a value cannot be read.
    """
    tty = query.flag("tty")
    found = CommandOptions(
        container=query.text("container"),
        command=() if attach else tuple(query.all("command")),
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr") and not tty,
        tty=tty,
    )
    if not (found.stdin or found.stdout or found.stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if not attach and not found.command:
        raise BadRequest("you must specify at least one command for the container")
    return found


def choose_target(pod: Document, wanted: str) -> tuple[str, str]:
    """The container that is meant, and the name of the pod's node.

    Raises:
        BadRequest: no such container, none chosen of several, or the pod has no node yet.
    """
    metadata = pod["metadata"]
    default = (metadata.get("annotations") or {}).get(_DEFAULT_CONTAINER) or ""
    container = choose_container(pod, wanted or default)
    return container, node_of(pod)


def node_of(pod: Document) -> str:
    """The name of the pod's node.

    Raises:
        BadRequest: it has none yet.
    """
    node = (pod.get("spec") or {}).get("nodeName")
    if not node:
        raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
    return str(node)
