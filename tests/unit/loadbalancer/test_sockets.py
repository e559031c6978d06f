"""Reading HAProxy's sockets, and telling a slow process from none."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.kit.errors import ConfigError
from orchestrator.loadbalancer import runtime
from orchestrator.loadbalancer.diff import Observed
from orchestrator.loadbalancer.resolver import find_haproxy
from orchestrator.loadbalancer.runtime import Master, NobodyThere, Runtime, SocketFailed
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.loadbalancer.supervisor import Supervisor, balancer_paths, stop_balancer

PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
10              master          3 [failed: 2]   0d00h00m04s     2.6.12
# workers
30              worker          0               0d00h00m01s     2.6.12
# old workers
20              worker          1               0d00h00m04s     2.6.12
21              worker          2               0d00h00m09s     2.6.12
# programs
"""


class Scripted:
    """A socket that gives known answers to known commands; None for never."""

    def __init__(self, answers: dict[str, str | None]) -> None:
        self.answers = answers
        self.never = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self.answers[(await reader.readline()).decode().strip()]
        if answer is None:
            await self.never.wait()
        else:
            writer.write(answer.encode())
        writer.close()


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[Scripted]:
    made = Scripted({})
    paths = balancer_paths(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    servers = [
        await asyncio.start_unix_server(made.serve, path) for path in (paths.socket, paths.master)
    ]
    yield made
    made.never.set()
    for server in servers:
        server.close()
        await server.wait_closed()


def sockets(folder: Path) -> tuple[Runtime, Master]:
    paths = balancer_paths(folder)
    master = Master(paths.master)
    return Runtime(paths.socket, master, LoadBalancerSettings()), master


async def test_servers_with_the_requests_of_all_workers(scripted: Scripted, tmp_path: Path) -> None:
    statistics = "show stat -1 4 -1"
    scripted.answers = {
        statistics: "# pxname,svname,qcur,qmax,scur\nweb,a,0,0,2\nweb,b,,,0\n\n",
        "show proc": PROCESSES,
        f"@!20 {statistics}": "# pxname,svname,qcur,qmax,scur\nweb,b,1,0,3\nold,x,0,0,1\n\n",
        f"@!21 {statistics}": "Can't find the target PID matching the prefix\n",
        "show servers state": (
            "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state "
            "srv_uweight srv_iweight\n"
            "3 web 1 a 10.0.0.1 2 0 1 1\n3 web 2 b 10.0.0.1 2 8 1 1\n"
            "3 web 3 c 10.0.0.1 2 0 0 0\n3 web 4 d 10.0.0.1 0 1 1 1\n\n"
        ),
    }
    assert await sockets(tmp_path)[0].servers() == [
        Observed("web", "a", sessions=2),
        Observed("web", "b", draining=True, sessions=4),
        Observed("web", "c", draining=True),
        Observed("web", "d", maintenance=True),
    ]


async def test_ports_and_backends(scripted: Scripted, tmp_path: Path) -> None:
    scripted.answers = {
        "show stat -1 1 -1": "# pxname,svname\nhttp,FRONTEND\nport_80,FRONTEND\n\n",
        "show backend": "# name\nhttp_default_web_80\ntcp_default_db_5432\n\n",
    }
    serving, _ = sockets(tmp_path)
    assert await serving.ports() == {80}
    assert await serving.backends() == {"http_default_web_80", "tcp_default_db_5432"}


async def test_what_the_master_says_of_reloads(scripted: Scripted, tmp_path: Path) -> None:
    _, master = sockets(tmp_path)
    scripted.answers = {"show proc": PROCESSES}
    assert await master.failed_reloads() == 2
    assert await master.replaced_workers() == [20, 21]
    for answer, complaint in (
        ("Success=1\n--\n[NOTICE] x\n", ""),
        ("Success=0\n--\n[ALERT] cannot bind\n", "[ALERT] cannot bind"),
        ("Success=0\n", "it gives no reason"),
        ("", ""),
    ):
        scripted.answers["reload"] = answer
        assert await master.reload() == complaint


async def test_a_slow_process_is_not_a_missing_one(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_LIMIT_S", 0.005)
    scripted.answers = {"show info": None}
    with pytest.raises(SocketFailed) as raised:
        await Supervisor(tmp_path, LoadBalancerSettings()).alive()
    assert not isinstance(raised.value, NobodyThere)


async def test_no_process_is_told_from_a_slow_one(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, LoadBalancerSettings())
    assert not await supervisor.alive()
    assert await supervisor.ports() == set()


def test_another_process_under_the_old_number_is_left_alone(tmp_path: Path) -> None:
    Path(balancer_paths(tmp_path).pid).write_text("1\n")
    assert not stop_balancer(tmp_path)


def test_sockets_of_a_deep_folder_have_short_paths(tmp_path: Path) -> None:
    paths = balancer_paths(tmp_path / ("x" * 100))
    assert len(paths.master) < 100
    assert paths.config.startswith(str(tmp_path))


def test_a_missing_binary_is_said() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        find_haproxy("/nonexistent/haproxy")
