"""How many requests are worked on at once, and whose turn it is when more want to.

A bounded number of seats; who finds none waits in the lane of its user, and the lanes take turns,
so that one user's flood leaves the others their share. A lane that is full, or a wait that took too
long, is a 429 that says when to come back. Streams, health and discovery need no seat.
Source: Kubernetes, "API Priority and Fairness".
"""

import asyncio
from collections import deque
from typing import Final

from orchestrator.kit.errors import TooManyRequests

RETRY_AFTER_S: Final = 1


class Lanes:
    """Seats and the lanes of those who wait; belongs to one event loop."""

    def __init__(self, seats: int, lane_length: int, wait_s: float) -> None:
        self._free = seats
        self._lane_length = lane_length
        self._wait_s = wait_s
        # users in the order of their turns; only those who wait
        self._lanes: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(lane) for lane in self._lanes.values())

    @property
    def is_free(self) -> bool:
        """Whether a seat is free and nobody waits for one."""
        return bool(self._free) and not self._lanes

    def enter_nowait(self) -> bool:
        """Takes a seat if one is free and nobody waits; then `leave` must follow."""
        if not self.is_free:
            return False
        self._free -= 1
        return True

    async def enter(self, user: str) -> None:
        """Waits for a seat in the user's lane; then `leave` must follow.

        Raises:
            TooManyRequests: the lane is full, or no seat became free in time.
        """
        if self.enter_nowait():
            return
        lane = self._lanes.setdefault(user, deque())
        if len(lane) >= self._lane_length:
            raise _refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            self._give_up(user, turn)
            if isinstance(error, TimeoutError):
                raise _refusal() from error
            raise

    def leave(self) -> None:
        """Gives the seat back: to the next lane's first, if anybody waits."""
        while self._lanes:
            user = next(iter(self._lanes))
            lane = self._lanes.pop(user)
            turn = lane.popleft()
            if lane:
                self._lanes[user] = lane  # behind all others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _give_up(self, user: str, turn: "asyncio.Future[None]") -> None:
        if turn.done() and not turn.cancelled():
            self.leave()  # the seat came when it was too late
            return
        lane = self._lanes.get(user)
        if lane is not None and turn in lane:
            lane.remove(turn)
            if not lane:
                del self._lanes[user]


def _refusal() -> TooManyRequests:
    return TooManyRequests(
        "Too many requests, please try again later.", retry_after_s=RETRY_AFTER_S
    )
