"""Eyes on a running platform: polling, watches that survive the server, the balancer's own view.

Everything notes `time.monotonic()` with what it sees, so that tests ask "when" after the fact.
"""

import csv
import http.client
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from orchestrator.bootstrap.api import AdminApi
from orchestrator.bootstrap.state import StateDirectory
from orchestrator.credentials.ensure import client_ssl_context, paths_in
from orchestrator.loadbalancer.supervisor import balancer_paths
from tests.rig.images import BUSYBOX_TAG, ensure_busybox
from tests.rig.served import Platform

Found = TypeVar("Found")
Object = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
NODES = "/api/v1/nodes"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def until(what: str, condition: Callable[[], Found], within_s: float = 20.0) -> Found:
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.03)
    return found


def admin(platform: Platform, timeout_s: float = 10.0) -> AdminApi:
    """The API as the administrator; one per thread."""
    return AdminApi(StateDirectory(platform.state_dir), timeout_s=timeout_s)


@pytest.fixture
def api(platform: Platform) -> Iterator[AdminApi]:
    """The platform's API as the administrator."""
    made = admin(platform)
    yield made
    made.close()


@pytest.fixture
def server_log(platform: Platform, request: pytest.FixtureRequest) -> Iterator[None]:
    """Puts the end of the server's log beside a failure."""
    before = request.session.testsfailed
    yield
    if request.session.testsfailed > before:
        print(platform.log(12000))


@pytest.fixture(scope="module")
def busybox(platform: Platform) -> None:
    """The test image on all hosts."""
    platform.rig.seed(ensure_busybox())


# ---------------------------------------------------------------- workloads


def web(name: str, replicas: int, script: str = "") -> Object:
    """A Deployment of small web servers that answer "NODE POD"; or of another script."""
    serve = (
        'echo "$NODE $(hostname)" >/www/index.html; httpd -f -p 8080 -h /www & s=$!; '
        'trap "kill $s" TERM; wait $s'
    )
    container: Object = {
        "name": "c",
        "image": BUSYBOX_TAG,
        "command": ["sh", "-c", script or serve],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": {"requests": {"cpu": "10m", "memory": "4Mi"}},
    }
    if not script:
        probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
        container |= {"ports": [{"containerPort": 8080}], "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]},
            },
        },
    }


def service(name: str) -> Object:
    """A Service in front of `web(name, ...)`: the balancer serves it as /NAME/."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    }


@contextmanager
def deployed(
    api: AdminApi, *documents: Object, ready: bool = True, within_s: float = 60.0
) -> Iterator[None]:
    """Creates Deployments and Services, waits until all replicas are ready; removes them after."""
    apps = [d["metadata"]["name"] for d in documents if d["kind"] == "Deployment"]
    selector = f"?labelSelector=app+in+({','.join(apps)})"
    paths = {"Deployment": DEPLOYMENTS, "Service": SERVICES}
    for document in documents:
        api.create(paths[document["kind"]], document)
    made = [d for d in documents if d["kind"] == "Deployment"]
    try:
        for each in made if ready else ():
            name, wanted = each["metadata"]["name"], each["spec"]["replicas"]
            until(f"{name} is ready", lambda: len(ready_pods(api, name)) == wanted, within_s)
        yield
    finally:
        for document in documents:
            api.delete(f"{paths[document['kind']]}/{document['metadata']['name']}")
        until("all pods are gone", lambda: not api.get(PODS + selector)["items"], within_s)


def is_ready(document: Mapping[str, Any]) -> bool:
    """Whether a Node or Pod has Ready=True; a Pod that is being deleted counts as not ready."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    return "deletionTimestamp" not in document["metadata"] and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


def ready_pods(api: AdminApi, app: str) -> list[Object]:
    """The ready pods of an app."""
    found = api.get(f"{PODS}?labelSelector=app%3D{app}")["items"]
    return [pod for pod in found if is_ready(pod)]


def nodes_ready(api: AdminApi) -> set[str]:
    """The names of the ready Nodes."""
    return {n["metadata"]["name"] for n in api.get(NODES)["items"] if is_ready(n)}


@dataclass(frozen=True, order=True)
class Engine:
    """A container on a host, by what changes when it is restarted or replaced."""

    host: str
    pod_uid: str
    id: str
    started_at: str
    running: bool


def containers(platform: Platform, *hosts: str) -> list[Engine]:
    """All containers of pods on these hosts (all by default), as their engines know them."""
    label = '{{index .Config.Labels "orch.dev/pod-uid"}}'
    shape = label + " {{.Id}} {{.State.StartedAt}} {{.State.Running}}"
    # a container may go between the list and the look at it: then the list is made again
    script = (
        f"for i in 1 2 3 4; do found=$(docker ps -aq | xargs -r docker inspect -f '{shape}' "
        '2>/dev/null) && break; done; echo "$found"'
    )
    found = []
    for host in hosts or tuple(h.name for h in platform.rig.hosts):
        for line in platform.rig.run(host, "sh", "-c", script).strip().splitlines():
            uid, engine_id, started_at, running = line.split()
            found.append(Engine(host, uid, engine_id, started_at, running == "true"))
    return sorted(found)


def matching(platform: Platform, api: AdminApi, replicas: int) -> bool:
    """Whether the containers on all hosts are those of "web"'s pods, all ready, one for each."""
    wanted = sorted(p["metadata"]["uid"] for p in ready_pods(api, "web"))
    found = containers(platform)
    return (
        len(wanted) == replicas == len(api.get(PODS)["items"])
        and sorted(c.pod_uid for c in found) == wanted
        and all(c.running for c in found)
    )


# ---------------------------------------------------------------- watches


@dataclass(frozen=True)
class Seen:
    """An event of a watch and when it came."""

    at: float
    type: str
    object: Object


class Watch:
    """Follows a collection in a thread; goes on where it was when the server is away for a while.

    Attributes:
        seen: all events so far, in order; what existed at the start comes first, as ADDED.
        fault: why the watch cannot go on; "" as long as it can.
    """

    def __init__(self, platform: Platform, path: str) -> None:
        self.seen: list[Seen] = []
        self.fault = ""
        self._state = StateDirectory(platform.state_dir)
        self._port, self._path = platform.api_port, path
        self._revision = ""
        self._stop = threading.Event()
        self._connection: http.client.HTTPSConnection | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {path}")

    def __enter__(self) -> "Watch":
        api = AdminApi(self._state, timeout_s=10.0)
        listed = api.get(self._path)
        api.close()
        now = time.monotonic()
        self.seen = [Seen(now, "ADDED", item) for item in listed["items"]]
        self._revision = listed["metadata"]["resourceVersion"]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def objects(self) -> dict[str, Object]:
        """The collection as the events tell it, by name."""
        found: dict[str, Object] = {}
        for event in list(self.seen):
            name = event.object["metadata"]["name"]
            if event.type == "DELETED":
                found.pop(name, None)
            else:
                found[name] = event.object
        return found

    def _run(self) -> None:
        while not self._stop.is_set() and not self.fault:
            try:
                self._follow()
            except (OSError, http.client.HTTPException, ValueError):
                self._stop.wait(0.02)  # the server is away
            finally:
                if self._connection is not None:
                    self._connection.close()

    def _follow(self) -> None:
        context = client_ssl_context(paths_in(self._state.path))
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=60, context=context
        )
        mark = "&" if "?" in self._path else "?"
        self._connection.request(
            "GET", f"{self._path}{mark}watch=1&resourceVersion={self._revision}"
        )
        response = self._connection.getresponse()
        if response.status == http.client.SERVICE_UNAVAILABLE:
            self._stop.wait(0.02)  # it is stopping, and says so
            return
        if response.status != http.client.OK:
            self.fault = f"HTTP {response.status}: {response.read()!r}"
            return
        while line := response.readline():
            event = json.loads(line)
            if event["type"] == "ERROR":
                self.fault = str(event["object"])
                return
            self._revision = event["object"]["metadata"]["resourceVersion"]
            self.seen.append(Seen(time.monotonic(), event["type"], event["object"]))


# ---------------------------------------------------------------- the balancer


class Balancer:
    """HAProxy's own view, over its sockets."""

    def __init__(self, platform: Platform) -> None:
        self._paths = balancer_paths(platform.state_dir / "loadbalancer")

    def worker_pid(self) -> int:
        """The process that serves; another one after a reload."""
        found = re.search(r"^Pid: (\d+)", _ask(self._paths.socket, "show info"), re.MULTILINE)
        assert found
        return int(found[1])

    def in_service(self, address: str) -> set[str]:
        """Servers at this address that take new requests."""
        text = _ask(self._paths.socket, "show stat -1 4 -1").lstrip("# ")
        rows = csv.DictReader(io.StringIO(text))
        return {
            f"{row['pxname']}/{row['svname']}"
            for row in rows
            if row["addr"].rpartition(":")[0] == address
            and row["status"].startswith(("UP", "no check"))
        }


def _ask(path: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


class LastTrue:
    """Polls a condition in a thread and notes when it was true for the last time."""

    def __init__(self, condition: Callable[[], object], every_s: float = 0.05) -> None:
        self.at = 0.0
        self._condition, self._every_s = condition, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "LastTrue":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._condition():
                self.at = time.monotonic()
            self._stop.wait(self._every_s)
