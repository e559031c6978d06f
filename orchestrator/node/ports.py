"""Which host ports published container ports get; one allocator per host.

Numbers are taken in a circle, so that a port that was just freed is not given out at once: the load
balancer may still know it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from orchestrator.kit.errors import OrchError

_REFUSED: Final = ""


class PortsExhausted(OrchError):
    """Every port of the range is taken."""


class Ports:
    """Ports of one host; keys are "8080/tcp", owners are pod uids."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._next = first
        self._taken: dict[int, str] = {}

    def adopt(self, owner: str, ports: Iterable[int]) -> None:
        """Takes note of ports that an owner has already."""
        for port in ports:
            self._taken[port] = owner

    def allocate(self, owner: str, wanted: Mapping[str, int]) -> dict[str, int]:
        """A host port for each key, or none at all; those asked for by number are as they are.

        Raises:
            PortsExhausted: not enough are free.
        """
        found = {key: number for key, number in wanted.items() if number}
        for key in wanted:
            if key not in found:
                found[key] = self._free(owner, found.values())
        for port in found.values():
            self._taken[port] = owner
        return {key: found[key] for key in wanted}

    def refuse(self, owner: str, ports: Iterable[int]) -> None:
        """These turned out to be taken by somebody else on the host: given out last of all."""
        for port in ports:
            if self._taken.get(port) == owner:
                self._taken[port] = _REFUSED

    def release(self, owner: str) -> None:
        """Frees everything of an owner."""
        for port in [p for p, o in self._taken.items() if o == owner]:
            del self._taken[port]

    def _free(self, owner: str, chosen: Collection[int]) -> int:
        size = self._last - self._first + 1
        for takeable in ({None}, {None, _REFUSED}):
            for _ in range(size):
                port = self._next
                self._next = self._first + (port + 1 - self._first) % size
                if self._taken.get(port) in takeable and port not in chosen:
                    return port
        raise PortsExhausted(f"no free host port between {self._first} and {self._last} ({owner})")
