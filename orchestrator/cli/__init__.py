"""The `orch` command.

`main.py` has the lazy table of commands; `verbs/` the ones that work on objects, which speak to
the API server as any client does (`client.py`, `kubeconfig.py`) and import nothing of the server.
Everything here is imported with start-up time in mind: an answer within 150 ms.
"""
