"""The smallest change from the servers that HAProxy has to those that are desired (pure)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orchestrator.loadbalancer.desired import Desired, PodId, Server, host_of


@dataclass(frozen=True, slots=True)
class Observed:
    """One server as HAProxy has it.

    Attributes:
        backend: its backend.
        name: its name there.
        draining: takes no new requests (drain or weight 0).
        maintenance: taken out; may be deleted once idle.
        sessions: requests (connections in TCP mode) that it is serving right now, those of workers
            that a reload has replaced included.
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
    """Put an idle server that is no longer wanted into maintenance; ends its connections."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a server that is out and idle."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class Cut:
    """End the requests of a draining server whose host answers no more."""

    backend: str
    name: str


Change = Add | Ready | Drain | TakeOut | Remove | Cut


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
        losses += [
            x for found in known.values() if found.name not in keep for x in _farewell(found)
        ]
    return gains + losses


def _farewell(server: Observed) -> list[Change]:
    """The next step out for a server that nobody wants."""
    # out at once would cut its requests: not ready means nothing new, not an end
    if not (server.draining or server.maintenance):
        return [Drain(server.backend, server.name)]
    if server.sessions:
        return []
    kind = Remove if server.maintenance else TakeOut
    return [kind(server.backend, server.name)]


def cuts(observed: Iterable[Observed], hosts: Collection[str]) -> list[Cut]:
    """Ends what hangs on servers of these hosts, given by address: nobody is left to answer it."""
    return [
        Cut(o.backend, o.name)
        for o in observed
        if o.sessions and (o.draining or o.maintenance) and host_of(o.name) in hosts
    ]


def busy_pods(wanted: Desired, observed: Iterable[Observed]) -> set[PodId]:
    """Leaving pods that HAProxy may still send requests to, or that still have some."""
    # a server that does not drain yet is busy, whatever it counts at this moment
    busy = {
        (o.backend, o.name) for o in observed if o.sessions or not (o.draining or o.maintenance)
    }
    return {
        server.pod
        for name, backend in wanted.backends.items()
        for server in backend.servers
        if server.pod in wanted.leaving and (name, server.name) in busy
    }
