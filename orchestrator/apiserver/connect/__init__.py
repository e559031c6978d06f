"""Streams into pods: exec, attach and port-forward, over WebSockets and SPDY.

What crosses the wire is pure (`channels.py`, `options.py`, `statuses.py`, `spdy.frames`);
`remotecommand.py` and `forwarding.py` copy between a client and a pod and know of no transport;
`websocket.py`, `portchannels.py` and `spdy` are the transports, `upgrade.py` is the way to them.
Start reading at the verbs: `commands.py`, `ports.py`.
"""
