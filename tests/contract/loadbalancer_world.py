"""A store with services, a balancer over it, and the backends that it leads to."""

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.api.names import POD_DRAINED, SLICE_SERVICE
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import NotFound
from orchestrator.kit.ids import ObjectKey
from orchestrator.loadbalancer.controller import LoadBalancer
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.reconcile.intents import Intent, Patch
from orchestrator.store.objects import Delete, Draft, Put
from orchestrator.store.store import Store

from .loadbalancer_backends import Backend, eventually


def _ports() -> Iterator[int]:
    """Ports that can be bound, below those that the system gives to outgoing connections."""
    first, count = 20_000, 9_000
    number = os.getpid() * 97
    while True:
        number += 1
        port = first + number % count
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


_FREE = _ports()


def free_port() -> int:
    """A port that nobody listens on; another one at each call."""
    return next(_FREE)


class MovableClock(SystemClock):
    """The machine's clock, which a test may put ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        """Seconds since some fixed point."""
        return super().monotonic() + self.ahead_s


class World:
    """A store with services and slices, a balancer over it, and what it asked to be written."""

    def __init__(self, store: Store, folder: Path, binary: str) -> None:
        self.store = store
        self.folder = folder
        self.port = free_port()
        self.https_port = free_port()
        self.settings = LoadBalancerSettings(
            host="127.0.0.1",
            port=self.port,
            https_port=self.https_port,
            binary=binary,
            check_interval_ms=200,
            drain_s=30.0,
        )
        self.clock = MovableClock()
        self.intents: list[Intent] = []
        self.missing: set[str] = set()
        self.backends: list[Backend] = []
        self.make()

    def make(self, **changed: object) -> LoadBalancer:
        """A balancer as a server that starts makes it, with some settings changed."""
        self.settings = replace(self.settings, **changed)  # type: ignore[arg-type]  # names vary
        self.balancer = LoadBalancer(
            self.store,
            self.carry_out,
            self.folder,
            self.settings,
            self.clock,
            advertise="192.0.2.1",
            reserved={},
        )
        return self.balancer

    async def start(self, *names: str) -> list[Backend]:
        """Backends of those names, stopped at the end of the test."""
        made = [Backend(n) for n in names]
        self.backends += made
        for backend in made:
            await backend.start()
        return made

    async def step(self) -> None:
        """What the balancer does when something changed."""
        await self.balancer.step()

    async def carry_out(self, intents: Sequence[Intent]) -> None:
        """Notes what the balancer wants written.

        Raises:
            NotFound: an intent is about something in `missing`.
        """
        for intent in intents:
            if isinstance(intent, Patch) and intent.key.name in self.missing:
                raise NotFound(f"{intent.key}: not found")
        self.intents += intents

    async def put(self, kind: str, resource: str, name: str, **fields: object) -> None:
        """Writes an object; `of` is the Service of a slice."""
        key = ObjectKey(resource, "default", name)
        old = self.store.get(key)
        labels = {SLICE_SERVICE: str(fields.pop("of", ""))}
        meta = {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": labels,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        document = {"kind": kind, "apiVersion": "v1", "metadata": meta, **fields}
        await self.store.write(Put(key, Draft.of(document), old.revision if old else None))

    async def service(self, name: str, **spec: object) -> None:
        """Writes a Service with one port, unless `spec` says otherwise."""
        ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
        await self.put("Service", "services", name, spec={"ports": ports, **spec})

    async def ingress(self, name: str, *rules: object, **spec: object) -> None:
        """Writes an Ingress; a rule is (host, path type, path, service)."""
        written = []
        for host, kind, path, service in rules:  # type: ignore[attr-defined]  # see above
            backend = {"service": {"name": service, "port": {"number": 80}}}
            paths = [{"path": path, "pathType": kind, "backend": backend}]
            written.append({"http": {"paths": paths}} | ({"host": host} if host else {}))
        resource = "ingresses.networking.k8s.io"
        await self.put("Ingress", resource, name, spec={"rules": written, **spec})

    async def slice(
        self, service: str, *backends: Backend, leaving: Sequence[Backend] = ()
    ) -> None:
        """Makes these backends the Service's endpoints, those of `leaving` terminating."""
        resource = "endpointslices.discovery.k8s.io"
        for old in self.store.list(resource):
            if old.doc["metadata"]["labels"][SLICE_SERVICE] == service:
                await self.store.write(Delete(old.key, old.revision, Draft.of(old.doc)))
        for backend in (*backends, *leaving):
            gone = backend in leaving
            endpoint = {
                "addresses": ["127.0.0.1"],
                "conditions": {"ready": not gone, "serving": True, "terminating": gone},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": "default",
                    "name": backend.name,
                    "uid": f"uid-{backend.name}",
                },
            }
            await self.put(
                "EndpointSlice",
                resource,
                f"{service}-{backend.name}",
                of=service,
                addressType="IPv4",
                endpoints=[endpoint],
                ports=[{"name": "http", "port": backend.port, "protocol": "TCP"}],
            )

    async def until_told(self, *names: str) -> None:
        """Steps until exactly these pods were told to be drained."""

        async def told() -> bool:
            await self.step()
            return self.drained() == set(names)

        await eventually(told)

    async def until_servers(self, *backends: Backend) -> None:
        """Steps until HAProxy has exactly these servers."""
        names = {f"127.0.0.1_{b.port}" for b in backends}

        async def there() -> bool:
            await self.step()
            return {o.name for o in await self.balancer.servers()} == names

        await eventually(there)

    def drained(self) -> set[str]:
        """Names of pods that were told to be drained."""
        return {
            i.key.name
            for i in self.intents
            if isinstance(i, Patch) and POD_DRAINED in str(i.patch.get("metadata", ""))
        }
