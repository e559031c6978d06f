"""The part of orch that runs on a host: standard library only, Python 3.8 or newer.

Pushed over SSH as one zip into a tmpfs directory; owns what the Docker Engine API cannot do and
what must go on without the server. Knows nothing of `orchestrator`; start reading at `wire.py`.
"""
