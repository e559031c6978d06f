"""The Kubernetes API over HTTP: decode, authenticate, authorize, dispatch; no business rule.

One ASGI application. `gate` stands in front of everything (identity, errors, metrics); Litestar
owns health, version, metrics and the documentation; `/api`, `/apis` and `/openapi` belong to one
dispatcher over the table of kinds. What a request means is the registry's business; byte
streams (logs) come from a node session through a Protocol. Start reading at `app.py`, then
`dispatcher.py`.
"""
