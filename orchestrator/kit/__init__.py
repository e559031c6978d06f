"""Words that every layer needs: errors, ids, clock, back-off, work queue, secret values.

Pure but for `kit.aio`, which holds the few asyncio pieces that all long-lived parts share.
Knows no other package of orch. Start reading at `errors.py` and `ids.py`.
"""
