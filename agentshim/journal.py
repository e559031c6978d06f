"""Events with sequence numbers, kept for clients that come back."""

from __future__ import annotations

import collections
import os
from typing import Callable, Deque, Dict, List, Tuple

from agentshim.wire import Message

KEPT = 1024
"""Events kept for replay; with messages of at most 1 KiB that is about a megabyte."""


class Journal:
    """The last events, and the very last one of every probe.

    Attributes:
        epoch: random, new for every shim process: sequence numbers only mean something within it.
        seq: of the last event; 0 when there was none.
    """

    def __init__(self) -> None:
        self.epoch = os.urandom(8).hex()
        self.seq = 0
        self._events: Deque[Message] = collections.deque(maxlen=KEPT)
        self._latest: Dict[Tuple[str, str], Message] = {}
        self.listeners: List[Callable[[Message], None]] = []

    def publish(self, event: Message) -> Message:
        """Numbers the event, keeps it and tells every listener; returns it with its number."""
        self.seq += 1
        numbered = dict(event, seq=self.seq)
        self._events.append(numbered)
        self._latest[event["container_id"], event["probe"]] = numbered
        for listener in list(self.listeners):
            listener(numbered)
        return numbered

    def latest(self, container_id: str, probe: str) -> Message:
        """The last event of one probe; KeyError when there is none."""
        return self._latest[container_id, probe]

    def forget(self, container_id: str) -> None:
        """Drops what is kept of a container's probes beyond the numbered events."""
        for key in [key for key in self._latest if key[0] == container_id]:
            del self._latest[key]

    def missed(self, epoch: str, after_seq: int) -> List[Message]:
        """What a client has missed; see operation `hello`."""
        oldest = self._events[0]["seq"] if self._events else self.seq + 1
        if epoch == self.epoch and oldest - 1 <= after_seq <= self.seq:
            found = [event for event in self._events if event["seq"] > after_seq]
        else:
            found = sorted(self._latest.values(), key=lambda event: int(event["seq"]))
        return [dict(event, replayed=True) for event in found]
