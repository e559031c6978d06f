"""Which rows of the log are needed no more, and which are needed again: bookkeeping, no database.

The log keeps the history that watches resume over, and the state before each of its writes. A row
leaves when its write has left the history and no write in the history replaced it. It leaves with
some later commit, a few at a time: to look for thousands of them at once would keep all writers
waiting for a fifth of a second. A write that replaces a state whose row has left brings it back.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.kit.ids import Revision
from orchestrator.store.objects import StoreEvent

_MORE: Final = 64
"""Rows that may leave with a commit beyond two for each of its writes, so that few ever wait."""


class Retention:
    """See the module. Told of everything in the order in which it happens."""

    def __init__(self) -> None:
        self._before: set[Revision] = set()  # states that a write replaced: decided, or in history
        self._leaving: deque[Revision] = deque()

    @property
    def waiting(self) -> int:
        """Rows that have yet to leave."""
        return len(self._leaving)

    def replaced(self, revision: Revision) -> None:
        """A write that is about to be committed, or restored, replaces this state."""
        self._before.add(revision)

    def forgot(self, event: StoreEvent) -> None:
        """An event has left the history."""
        if event.previous is not None:
            self._before.discard(event.previous.revision)
            self._leaving.append(event.previous.revision)
        if event.object.revision not in self._before:
            self._leaving.append(event.object.revision)

    def unneeded(self, revisions: Iterable[Revision]) -> None:
        """Rows that were found in the log; those that no write of the history replaced leave."""
        self._leaving.extend(one for one in revisions if one not in self._before)

    def take(self, writes: int) -> Sequence[Revision]:
        """Rows that leave with a commit of so many writes; `give_back` when it failed."""
        count = min(len(self._leaving), 2 * writes + _MORE)
        taken = [self._leaving.popleft() for _ in range(count)]
        return [one for one in taken if one not in self._before]  # some are needed again

    def give_back(self, revisions: Sequence[Revision], replaced: Iterable[Revision]) -> None:
        """A commit failed: nothing left, and its writes replaced nothing."""
        self._leaving.extendleft(reversed(revisions))
        self._before.difference_update(replaced)
