"""Settings of the store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Bounds of history, batches and watchers.

    Attributes:
        history_events: how many past events a watch can resume over; 20,000 events of 2 KB are
            40 MB of memory, and some minutes of a busy cluster.
        batch_writes: most writes in one transaction; bounds the latency of the first in it, and for
            how long the loop is busy with telling of them.
        watch_events: events that may wait for a slow watcher before it is told Expired.
        queue_writes: writes that may wait for the disk; beyond it callers get TooManyRequests.
    """

    history_events: int = 20_000
    batch_writes: int = 128
    watch_events: int = 10_000
    queue_writes: int = 20_000
