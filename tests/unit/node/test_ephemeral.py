"""Ephemeral containers: made once beside what runs, joined to it, and told of."""

import pytest

from orchestrator.kit.errors import Invalid
from orchestrator.node.machine import Create, Start, Stop
from orchestrator.node.observed import Memory, Run
from orchestrator.node.spec import SANDBOX, Place, container_body
from orchestrator.registry.options import Patch
from tests.fakes.programs import IMAGE, ends
from tests.unit.node.objects import named, one, pod, status, there, todo
from tests.unit.node.test_fake_host import is_ready, world

pytestmark = pytest.mark.looptime

DEBUG = (one("dbg", targetContainerName="app"),)


def test_it_waits_for_what_it_joins():
    of = pod(ephemeralContainers=DEBUG)
    assert todo(of) == [Create("app", "app", 0)]
    assert todo(of, there(of)) == [Create("dbg", "ephemeral", 0)]
    assert todo(of, there(of, state="exited", exit_code=1)) != [Create("dbg", "ephemeral", 0)]


def test_it_is_made_once():
    of = pod(ephemeralContainers=DEBUG)
    created = there(of, "dbg", "created", started=None)
    assert todo(of, there(of), created) == [Start(created)]
    assert todo(of, there(of), there(of, "dbg", "exited")) == []
    memory = Memory(runs={"dbg": Run(container_id="gone")})
    assert todo(of, there(of), memory=memory) == []


def test_it_ends_with_the_pod():
    of = pod(ephemeralContainers=DEBUG, deleting=5)
    stops = [step for step in todo(of, there(of), there(of, "dbg")) if isinstance(step, Stop)]
    assert sorted(stop.item.name for stop in stops) == ["app", "dbg"]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (pod(ephemeralContainers=DEBUG), ("container:app-0", None, "container:app-0")),
        (
            pod(one("app"), one("log"), ephemeralContainers=DEBUG),
            ("container:box", "container:box", "container:app-0"),
        ),
        (pod(hostNetwork=True, ephemeralContainers=DEBUG), ("host", None, "container:app-0")),
    ],
    ids=["alone", "sandbox", "host"],
)
def test_which_namespaces_it_joins(of, expected):
    joined = {"alone": "app-0", "sandbox": "box"}
    kind = (
        "host" if of.spec.host_network else "alone" if len(of.spec.containers) == 1 else "sandbox"
    )
    place = Place("c", sandbox_id=joined.get(kind, ""), target_id="app-0")
    host = container_body(of, named(of, "dbg"), "ephemeral", place)["HostConfig"]
    assert (host["NetworkMode"], host.get("IpcMode"), host["PidMode"]) == expected
    assert host["RestartPolicy"] == {"Name": "no"}


def test_its_state_is_told_apart_and_counts_for_nothing():
    of = pod(ephemeralContainers=DEBUG)
    said = status(of, there(of), there(of, "dbg", "exited", exit_code=4))
    (told,) = said["ephemeralContainerStatuses"]
    assert (told["name"], told["ready"], told["state"]["terminated"]["exitCode"]) == (
        "dbg",
        False,
        4,
    )
    assert said["phase"] == "Running"
    assert is_ready(said)
    assert "ephemeralContainerStatuses" not in status(pod(), there(pod()))


def test_the_sandbox_is_joined_where_there_is_one():
    of = pod(one("app"), one("log"), ephemeralContainers=DEBUG)
    here = [there(of, SANDBOX), there(of), there(of, "log")]
    assert todo(of, *here) == [Create("dbg", "ephemeral", 0)]


async def test_a_session_runs_what_is_added_to_a_pod() -> None:
    async with world() as here:
        key = await here.pod("web")
        await here.until(lambda: is_ready(here.status(key)))
        here.machine.engine.program_of = lambda _: ends(3, 1.0)
        added = {"name": "dbg", "image": IMAGE, "targetContainerName": "c"}
        change = Patch("strategic", {"spec": {"ephemeralContainers": [added]}})
        written = await here.registry.patch(key, change, subresource="ephemeralcontainers")
        assert written.doc["metadata"]["generation"] == 2

        def told():
            return (here.status(key).get("ephemeralContainerStatuses") or [{}])[0].get("state", {})

        await here.until(lambda: "terminated" in told())
        assert told()["terminated"]["exitCode"] == 3
        assert is_ready(here.status(key))
        by_name = {c.labels["orch.dev/container"]: c for c in here.machine.engine.all_containers()}
        app = by_name["c"].id
        assert by_name["dbg"].host["NetworkMode"] == f"container:{app}"
        assert by_name["dbg"].host["PidMode"] == f"container:{app}"


async def test_what_may_be_added_and_what_may_not() -> None:
    async with world() as here:
        key = await here.pod("web")

        async def add(*containers, subresource="ephemeralcontainers"):
            body = {"spec": {"ephemeralContainers": list(containers)}}
            return await here.registry.patch(key, Patch("merge", body), subresource=subresource)

        fine = {"name": "dbg", "image": IMAGE}
        with pytest.raises(Invalid, match="pod updates may not change fields other than"):
            await add(fine, subresource="")
        with pytest.raises(Invalid, match=r"ephemeralContainers\[0\].ports: Forbidden"):
            await add({**fine, "ports": [{"containerPort": 80}]})
        with pytest.raises(Invalid, match=r"targetContainerName: Not found: \"x\""):
            await add({**fine, "targetContainerName": "x"})
        with pytest.raises(Invalid, match=r"ephemeralContainers\[0\].name: Duplicate value: \"c\""):
            await add({**fine, "name": "c"})
        made = await add(fine)
        assert made.doc["spec"]["ephemeralContainers"][0]["imagePullPolicy"] == "IfNotPresent"
        with pytest.raises(Invalid, match='existing ephemeral containers "dbg" may not be changed'):
            await add({**fine, "image": "other:1"})
        with pytest.raises(Invalid, match='existing ephemeral containers "dbg" may not be removed'):
            await add()
        spec = {"containers": [{"name": "c", "image": IMAGE}], "ephemeralContainers": [fine]}
        with pytest.raises(Invalid, match="Forbidden: cannot be set on create"):
            await here.registry.create("pods", "default", {"metadata": {"name": "x"}, "spec": spec})
