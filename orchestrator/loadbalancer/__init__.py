"""Services to a supervised HAProxy.

`desired.py` says what should be served (pure), `render.py` writes it as a configuration (pure),
`diff.py` finds the smallest change (pure); `runtime.py` speaks to HAProxy's socket, `supervisor.py`
owns the process, `controller.py` ties them to the store. Endpoints change through the socket,
services and listeners by a hitless reload; the configuration file always holds everything, so that
a balancer that is started again is complete without the server.
"""
