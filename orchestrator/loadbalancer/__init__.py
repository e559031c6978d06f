"""Services to a supervised HAProxy.

`desired.py` says what should be served (pure), `render.py` writes it as a configuration (pure),
`diff.py` finds the smallest change (pure); `runtime.py` speaks to its sockets, `supervisor.py`
owns the process, `controller.py` ties them to the store. Endpoints change through the socket,
services and listeners by a hitless reload; the configuration file always holds everything, so that
a balancer that is started again is complete without the server.

An endpoint leaves in steps, none of which cuts a request: it drains; once it is idle, in workers
that a reload has replaced as well, its pod is told so and the server is taken out and deleted.
A reload that fails leaves what ran as it was, and does not keep other endpoints from changing.
"""
