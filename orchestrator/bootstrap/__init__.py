"""From one inventory to a running platform: `orch bootstrap`, and its undoing, `orch reset`.

`inventory/` reads the user's file (pure), `facts.py` asks a host once for everything, `plan.py`
turns facts into ordered steps (pure; a prepared host gets none), `runner.py` carries them out with
fabric, `hostkeys.py` pins keys; `controlplane.py` makes state and starts the server, `join.py`
registers the hosts over the API, `reset.py` takes it all back. Fabric lives here and nowhere else;
nothing here touches a container of a running cluster but through the API.
Start reading at `plan.py`.
"""
