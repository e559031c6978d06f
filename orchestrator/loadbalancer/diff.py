"""The smallest change from the servers that HAProxy has to those that are desired (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.loadbalancer.desired import Desired, Server


@dataclass(frozen=True, slots=True)
class Observed:
    """One server as HAProxy has it.

    Attributes:
        backend: its backend.
        name: its name there.
        draining: takes no new requests (drain or weight 0).
        maintenance: taken out; may be deleted once idle.
        sessions: requests that it is serving right now.
    """

    backend: str
    name: str
    draining: bool = False
    maintenance: bool = False
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Add:
    """Make a server and let it take requests."""

    backend: str
    server: Server


@dataclass(frozen=True, slots=True)
class Ready:
    """Let a server take requests again."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Send a server nothing new."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Put a server that is no longer wanted into maintenance."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a server that is out and idle."""

    backend: str
    name: str


Change = Add | Ready | Drain | TakeOut | Remove


def changes(observed: Iterable[Observed], wanted: Desired) -> list[Change]:
    """Changes in a safe order: additions before anything that takes capacity away.

    Backends that HAProxy does not have yet are left out: a reload brings them with their servers.
    """
    there: dict[str, dict[str, Observed]] = {}
    for item in observed:
        there.setdefault(item.backend, {})[item.name] = item
    gains: list[Change] = []
    losses: list[Change] = []
    for name, backend in wanted.backends.items():
        if name not in there:
            # an empty backend shows no servers at all: additions to it are safe too
            there[name] = {}
        known = there[name]
        for server in backend.servers:
            found = known.get(server.name)
            if server.state == "ready":
                if found is None:
                    gains.append(Add(name, server))
                elif found.draining or found.maintenance:
                    gains.append(Ready(name, server.name))
            elif found is not None and not (found.draining or found.maintenance):
                losses.append(Drain(name, server.name))
    for backend_name, known in there.items():
        target = wanted.backends.get(backend_name)
        keep = {s.name for s in target.servers} if target else set()
        for server_name, found in known.items():
            if server_name in keep:
                continue
            if not found.maintenance:
                losses.append(TakeOut(backend_name, server_name))
            elif found.sessions == 0:
                losses.append(Remove(backend_name, server_name))
    return gains + losses
