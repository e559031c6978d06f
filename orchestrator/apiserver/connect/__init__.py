"""Streams into pods: exec and attach, over WebSockets.

What crosses the wire is pure (`channels.py`, `options.py`, `statuses.py`); `remotecommand.py`
copies between a client and a command and knows of no transport; `websocket.py` is the transport.
Start reading at `commands.py`, the verbs.
"""
