"""For all tests.

looptime's plug-in asks for the current event loop before every test, also before tests that have
none; on Python 3.11 that makes one, which nobody closes, and its ResourceWarning then fails some
later test. With the loop set to None once, it is told that there is none.
"""

import asyncio

asyncio.set_event_loop(None)
