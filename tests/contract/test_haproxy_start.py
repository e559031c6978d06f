"""HAProxy started from the event loop that the server runs on."""

import asyncio
import socket

import pytest
import uvloop

from orchestrator.loadbalancer.desired import desired
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.loadbalancer.supervisor import Supervisor, stop_balancer

pytestmark = pytest.mark.slow


def test_the_start_does_not_wait_for_the_daemon_to_let_go_of_its_output(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    supervisor = Supervisor(tmp_path, LoadBalancerSettings(port=port))

    async def start() -> None:
        async with asyncio.timeout(8.0):
            await supervisor.ensure(desired([], [], {}))

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(start())
    finally:
        assert stop_balancer(tmp_path)
