"""SPDY/3.1 as far as Kubernetes' clients speak it: streams in one connection.

`dictionary.py` and `frames.py` are pure; `connection.py` serves one connection on any pipe. Source:
SPDY Protocol, draft 3.1; no flow control, server push or settings, as Kubernetes' own server.
"""
