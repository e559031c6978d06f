"""The one door for object writes: strategy per kind, admission, finalizers, status split, bind.

Knows the store and the API's rules; knows no controller, host or client. `registry.py` is the
door; behind it `creator`, `writer` (update, patch, apply), `deletion`, `binding` and `events` act,
`strategy`, `admission` and `lifecycle` decide, as pure functions over documents, and `commits`
stores. `allocation` hands out service addresses and ports, `pages` cuts lists.
Start reading at `registry.py`.
"""
