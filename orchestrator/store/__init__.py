"""Revisioned object log and watch hub.

Owns durability, revisions and their order, optimistic concurrency, and the memory that all else
reads. Knows nothing of kinds, defaults or validation. Start reading at `store.py`; `objects.py` has
the values, `memory.py` the current state, `watch.py` the hub, `sql.py` the log on disk.
"""
