"""When silence means that a host is lost (pure; times are given).

Two pieces of evidence: the shim's heartbeat, and whether sshd answers a new TCP connection at this
moment. A cut link that is back is found by the second long before the old connection has got its
retransmissions through; a stall of this very process is nobody's silence.
"""

from dataclasses import dataclass

TICK_S = 0.25
"""How often `Silence.tick` is to be called at most."""
FRESH_S = 1.5
"""How long an answer of sshd counts."""


@dataclass(slots=True)
class Silence:
    """The silence of one host.

    Attributes:
        limit_s: lost after this much silence.
        patience_s: the same while sshd answers new connections.
        heard_s: when the last frame came.
    """

    limit_s: float
    patience_s: float
    heard_s: float
    _answered_s: float = float("-inf")
    _stalled_s: float = 0.0

    def tick(self, heard_s: float, late_s: float) -> None:
        """Takes note of the last frame; a tick that comes late shows this process's own stall."""
        if heard_s > self.heard_s:
            self.heard_s, self._stalled_s = heard_s, 0.0
        elif late_s > TICK_S:
            self._stalled_s += late_s

    def next_tick_s(self, now_s: float) -> float:
        """In how many seconds to call `tick` again: not before silence can be suspicious.

        A process that watches thousands of hosts would be busy with looking otherwise.
        """
        return max(TICK_S, self.limit_s / 2 - self.silent_s(now_s))

    def answered(self, now_s: float) -> None:
        """The host's sshd has answered a new connection."""
        self._answered_s = now_s

    def silent_s(self, now_s: float) -> float:
        """Seconds of silence so far."""
        return now_s - self.heard_s - self._stalled_s

    def is_suspicious(self, now_s: float) -> bool:
        """Whether it is time to try a new connection."""
        return self.silent_s(now_s) >= self.limit_s / 2

    def is_lost(self, now_s: float) -> bool:
        """Whether the host is lost."""
        patient = now_s - self._answered_s < FRESH_S
        return self.silent_s(now_s) >= (self.patience_s if patient else self.limit_s)
