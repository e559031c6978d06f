"""For all tests.

looptime's plug-in asks for the current event loop before every test, also before tests that have
none; on Python 3.11 that makes one, which nobody closes, and its ResourceWarning then fails some
later test. With the loop set to None once, it is told that there is none.
"""

import asyncio
import os

from hypothesis import settings

asyncio.set_event_loop(None)

# the same examples in every run; HYPOTHESIS_PROFILE=explore looks for new ones
# without deadlines: how long an example takes says more of the machine than of the code
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_addoption(parser):
    """`scripts/test sim --seeds 1000`: how many random days are simulated."""
    parser.addoption("--seeds", type=int, default=None, help="seeds per simulated scenario")
    parser.addoption("--crashes", type=int, default=40, help="how often the server is killed")


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames and "tests.sim" in metafunc.module.__name__:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds") or 50))
    if "long_seed" in metafunc.fixturenames:  # days that go on for long: a fifth as many
        metafunc.parametrize("long_seed", range((metafunc.config.getoption("--seeds") or 50) // 5))
    if "cluster_seed" in metafunc.fixturenames:  # `scripts/test unit --seeds 10000 -k reference`
        metafunc.parametrize("cluster_seed", range(metafunc.config.getoption("--seeds") or 40))
    if "http_seed" in metafunc.fixturenames:  # real time: fewer unless told
        metafunc.parametrize("http_seed", range(metafunc.config.getoption("--seeds") or 10))
