"""What the workers of one connected host share: its engine, its shim, and what they look up.

One per connection; a worker is given the new one when its host was connected again.
"""

import asyncio
import json
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from orchestrator.api.types.config import ConfigMap, Secret
from orchestrator.api.types.container import Container, HttpGetAction
from orchestrator.api.types.node import Node
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ChannelLost, RemoteError
from orchestrator.kit.ids import ObjectKey
from orchestrator.node.hooks import port_number
from orchestrator.node.observed import Seen
from orchestrator.node.ports import Ports
from orchestrator.node.settings import NodeSettings
from orchestrator.node.volumes import Roots
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.registry.registry import Registry
from orchestrator.remote.seams import Host
from orchestrator.store.objects import StoredObject

Result = TypeVar("Result")
ProbeStates = dict[tuple[str, str], str]

_SLICES: Final = "endpointslices.discovery.k8s.io"
_HTTP_HOOK: Final = """\
import http.client, json, ssl, sys
scheme, host, port, path, headers = json.loads(sys.argv[1])
if scheme == "HTTPS":
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
else:
    connection = http.client.HTTPConnection(host, port, timeout=60)
connection.request("GET", path, headers=dict(headers))
status = connection.getresponse().status
if status >= 400:
    sys.exit("HTTP status %d" % status)
"""


@dataclass(slots=True)
class HostContext:
    """See the module.

    Attributes:
        name: of the Node.
        cluster: the cluster's id.
        address: the host's address that others reach it at.
        architecture: as its engine says, "x86_64".
        roots: where files are on the host.
        host: the connection.
        registry: the door for writes.
        snapshot: the state.
        settings: see `NodeSettings`.
        clock: for retry times and timestamps.
        ports: host ports given out.
        probe_states: (container id, kind of probe) to "unknown", "success", "failure".
        engine_slots: bounds engine calls that change something.
        image_lock: held while the sandbox's image is made, so that it is made once.
        containers_changed: whether any pod's containers may be others than `HostPods.running` saw.
    """

    name: str
    cluster: str
    address: str
    architecture: str
    roots: Roots
    host: Host
    registry: Registry
    snapshot: Snapshot
    settings: NodeSettings
    clock: Clock
    ports: Ports
    probe_states: ProbeStates
    engine_slots: asyncio.Semaphore = field(init=False)
    image_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    containers_changed: bool = True

    def __post_init__(self) -> None:
        """Makes the slots from the settings."""
        self.engine_slots = asyncio.Semaphore(self.settings.engine_calls)

    @property
    def engine(self) -> Any:
        """The host's engine."""
        return self.host.engine

    @property
    def shim(self) -> Any:
        """The host's shim."""
        return self.host.shim

    async def call(self, work: Awaitable[Result]) -> Result:
        """Awaits one engine or shim call with the usual deadline.

        Raises:
            ChannelLost: no answer in time; what the call did is unknown.
        """
        try:
            async with asyncio.timeout(self.settings.call_s):
                return await work
        except TimeoutError as error:
            raise ChannelLost(
                f"no answer within {self.settings.call_s:g} s", node=self.name, operation="wait"
            ) from error

    # ------------------------------------------------------------ looking things up

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """A ConfigMap, or None."""
        found = self.snapshot.get(ObjectKey("configmaps", namespace, name))
        return cast("ConfigMap", found.view) if found is not None else None

    def secret(self, namespace: str, name: str) -> Secret | None:
        """A Secret, or None."""
        found = self.snapshot.get(ObjectKey("secrets", namespace, name))
        return cast("Secret", found.view) if found is not None else None

    def allocatable(self) -> Mapping[str, str]:
        """What the host offers to pods."""
        found = self.snapshot.get(ObjectKey("nodes", "", self.name))
        return (cast("Node", found.view).status.allocatable or {}) if found is not None else {}

    def in_service(self, namespace: str, uid: str) -> bool:
        """Whether a pod may still get requests: some slice says that it serves."""
        return any(
            endpoint.get("targetRef", {}).get("uid") == uid
            and (endpoint.get("conditions") or {}).get("serving") is not False
            for endpoint in _endpoints(self.snapshot.list(_SLICES, namespace))
        )

    # ------------------------------------------------------------ probes and hooks

    def note_probe(self, event: Mapping[str, Any], *, answer: bool = False) -> None:
        """Takes note of a probe's state (see agentshim).

        What an answer says may be older than what was pushed before anybody read the answer.
        """
        place, state = (str(event["container_id"]), str(event["probe"])), str(event["state"])
        if not answer or place not in self.probe_states:
            self.probe_states[place] = state

    async def http_hook(
        self, item: Seen, container: Container, action: HttpGetAction, sandbox: Seen | None
    ) -> str:
        """Sends a hook's request from the host, where the pod's address is; "" when it went well.

        Raises:
            RemoteError: the host does not answer.
        """
        owner = sandbox or item
        request = [
            (action.scheme or "HTTP").upper(),
            action.host or owner.info.ip or "127.0.0.1",
            port_number(container, action.port),
            action.path or "/",
            [[header.name, header.value] for header in action.http_headers],
        ]
        words = await self.host.transport.run(
            ["python3", "-I", "-c", _HTTP_HOOK, json.dumps(request)]
        )
        return "" if words.status == 0 else words.stderr.strip().rpartition("\n")[2]


def _endpoints(slices: Iterable[StoredObject]) -> Iterable[Mapping[str, Any]]:
    for item in slices:
        yield from item.doc.get("endpoints") or ()


def is_refusal(error: RemoteError, socket: str) -> bool:
    """Whether a host was reached but its engine did not answer."""
    return socket in error.operation or "ping" in error.operation
