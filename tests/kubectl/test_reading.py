"""Reading."""

import json

import pytest
import yaml

from tests.kubectl.manifests import (
    config_map,
    container,
    daemon_set,
    deployment,
    pod,
    service,
    stateful_set,
)
from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.fixture
def running(kubectl, bench):
    """Pod `p`, running."""
    kubectl("apply", "-f", bench.file("p.yaml", pod()))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    return kubectl


@pytest.mark.command("`get X`, `-o wide`, `-L`, `--show-labels`, `--sort-by`, `--no-headers`")
def test_get_tables(running, bench):
    kubectl = running
    row = kubectl("get", "pods").rows[1]
    assert row[:4] == ["p", "1/1", "Running", "0"]
    wide = kubectl("get", "pod", "p", "-o", "wide").rows
    assert wide[0][5:7] == ["IP", "NODE"]
    assert wide[1][6].startswith("node-")
    assert kubectl("get", "pods", "-L", "app", "--no-headers").rows[0][-1] == "p"
    assert kubectl("get", "pods", "--show-labels").rows[1][-1] == "app=p"
    kubectl("apply", "-f", bench.file("cm.yaml", config_map("b"), config_map("a", k="1", l="2")))
    by_name = kubectl("get", "cm", "--sort-by=.metadata.name", "-o", "name").lines
    assert by_name == sorted(by_name)
    assert kubectl("get", "cm", "a").rows[1][:2] == ["a", "2"]
    assert "No resources found" in kubectl("get", "deploy").err


@pytest.mark.command("`get X -o yaml|json|name|jsonpath|custom-columns|go-template`")
def test_get_forms(running):
    kubectl = running
    assert yaml.safe_load(kubectl("get", "pod", "p", "-o", "yaml").out)["kind"] == "Pod"
    listed = json.loads(kubectl("get", "pods", "-o", "json").out)
    assert [item["kind"] for item in listed["items"]] == ["Pod"]
    assert kubectl("get", "pods", "-o", "name").lines == ["pod/p"]
    assert kubectl("get", "pods", "-o", "jsonpath={.items[*].status.phase}").out == "Running"
    columns = "custom-columns=N:.metadata.name,I:.spec.containers[0].name"
    assert kubectl("get", "pods", "-o", columns).rows[1] == ["p", "c"]
    assert kubectl("get", "pod/p", "-o", "go-template={{.metadata.name}}").out == "p"
    hidden = kubectl("get", "pod", "p", "-o", "yaml").out
    assert "managedFields" not in hidden
    assert "managedFields" in kubectl("get", "pod", "p", "-o", "yaml", "--show-managed-fields").out


@pytest.mark.command("`get -l`, `--field-selector`, `-A`, several kinds, `get all`")
def test_get_selected(running, bench):
    kubectl = running
    labelled = [config_map(f"c{n}", {"tier": "ab"[n % 2], "num": str(n)}) for n in range(4)]
    kubectl("create", "-f", bench.file("cm.yaml", *labelled))

    def names(*words):
        return [
            line.removeprefix("configmap/")
            for line in kubectl("get", "cm", *words, "-o", "name").lines
        ]

    assert names("-l", "tier=a") == ["c0", "c2"]
    assert names("-l", "tier!=a,num") == ["c1", "c3"]
    assert names("-l", "num in (1,2),tier notin (a)") == ["c1"]
    assert names("-l", "!tier,num") == []
    assert names("--field-selector", "metadata.name=c3") == ["c3"]
    running_pods = kubectl(
        "get", "pods", "--field-selector", "status.phase=Running,spec.nodeName!=x"
    )
    assert len(running_pods.rows) == 2
    assert "field label not supported" in kubectl.fails("get", "cm", "--field-selector", "data.x=1")
    everywhere = kubectl("get", "pods", "-A", "--no-headers").rows
    assert [bench.namespace, "p"] in [row[:2] for row in everywhere]
    both = kubectl("get", "cm,pods", "-o", "name").lines
    assert {"pod/p", "configmap/c0"} <= set(both)
    assert "pod/p" in kubectl("get", "all").out


@pytest.mark.command("`get --chunk-size`")
def test_chunks(kubectl, bench):
    kubectl("create", "-f", bench.file("cm.yaml", *[config_map(f"c{n:02}") for n in range(23)]))
    loud = kubectl("get", "cm", "--chunk-size=10", "-o", "name", "-v=6")
    assert [line for line in loud.lines if "/c" in line] == [
        f"configmap/c{n:02}" for n in range(23)
    ]
    assert loud.err.count("limit=10") == 3


@pytest.mark.command("`get -w`, `--watch-only`, `--output-watch-events`")
def test_watch(kubectl, bench):
    kubectl("create", "configmap", "one")
    with kubectl.start("get", "cm", "-w", "--output-watch-events", "--no-headers") as watch:
        seen = [watch.stdout.readline().split()[:2]]
        kubectl("create", "configmap", "two")
        seen.append(watch.stdout.readline().split()[:2])
        kubectl("label", "cm", "one", "x=1")
        seen.append(watch.stdout.readline().split()[:2])
        kubectl("delete", "cm", "two")
        seen.append(watch.stdout.readline().split()[:2])
    assert seen == [["ADDED", "one"], ["ADDED", "two"], ["MODIFIED", "one"], ["DELETED", "two"]]
    label = ("get", "cm", "one", "-w", "-o", "jsonpath={.metadata.labels.x}{'\\n'}")
    with kubectl.start(*label) as watch:
        assert watch.stdout.readline() == "1\n"
        kubectl("label", "cm", "one", "x=2", "--overwrite")
        assert watch.stdout.readline() == "2\n"
    with kubectl.start("get", "cm", "--watch-only", "--no-headers", "-v=6") as watch:
        line_with(watch, "watch=true")
        kubectl("create", "configmap", "three")
        assert line_with(watch, "three").split()[0] == "three"


def line_with(process, word: str) -> str:
    """The next line of a process that has the word."""
    return next(line for line in iter(process.stdout.readline, "") if word in line)


@pytest.mark.command(
    "`describe` pod, deployment, replicaset, service, node, namespace, configmap, secret, by prefix, …"
)
def test_describe(kubectl, bench):
    kubectl("apply", "-f", bench.file("w.yaml", deployment(), service(), config_map()))
    kubectl("rollout", "status", "deploy/web", "--timeout=40s")
    said = kubectl("describe", "deploy", "web").out
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in said
    assert "ScalingReplicaSet" in said
    assert "NewReplicaSet:   web-" in said
    assert "Pods Status:" in kubectl("describe", "rs").out
    pods = until(
        "events",
        lambda: (out := kubectl("describe", "pods").out).count("Started container") == 2 and out,
    )
    assert "Successfully assigned" in pods
    assert "Endpoints:" in kubectl("describe", "svc", "web").out
    assert "Non-terminated Pods:" in kubectl("describe", "node", "node-1").out
    assert "No resource quota." in kubectl("describe", "ns", bench.namespace).out
    assert "key:" in kubectl("describe", "cm", "settings").out
    assert "NotFound" in kubectl.fails("describe", "deploy", "missing")
    by_prefix = kubectl("describe", "pod", "web-").out
    assert by_prefix.count("\nControlled By:  ReplicaSet/web-") == 2
    kubectl("create", "secret", "generic", "s", "--from-literal=key=12345")
    assert "key:  5 bytes" in kubectl("describe", "secret", "s").out
    kubectl("create", "sa", "robot")
    assert "Image pull secrets:" in kubectl("describe", "sa", "robot").out
    kubectl("create", "ingress", "i", "--rule=shop.example/*=web:80")
    assert "shop.example" in kubectl("describe", "ingress", "i").out
    kubectl("create", "pdb", "b", "--selector=app=web", "--min-available=1")
    assert "Min available:  1" in kubectl("describe", "pdb", "b").out
    kubectl("create", "quota", "q", "--hard=pods=9")
    until("counted", lambda: ["pods", "2", "9"] in kubectl("describe", "quota", "q").rows)
    kubectl("create", "-f", bench.file("s.yaml", stateful_set("db", 0), daemon_set()))
    assert "Replicas:           0 desired | 0 total" in kubectl("describe", "sts", "db").out
    assert "Desired Number of Nodes Scheduled:" in kubectl("describe", "ds", "agent").out


@pytest.mark.command("`events`, `--for`, `--types`, `-w`, `get events`")
def test_events(running, bench):
    kubectl = running
    about = until(
        "Started", lambda: "Started" in (out := kubectl("events", "--for", "pod/p").out) and out
    )
    assert "Scheduled" in about
    assert "Started" in kubectl("get", "events", "--field-selector", "involvedObject.name=p").out
    assert "Scheduled" in kubectl("get", "events.events.k8s.io").out
    said = kubectl("events", "--for", "pod/p", "--types=Warning")
    assert "Scheduled" not in said.out
    with kubectl.start("events", "--for", "pod/q", "-w", "-v=6") as watch:
        line_with(watch, "watch=true")
        kubectl("apply", "-f", bench.file("q.yaml", pod("q", nodeSelector={"no": "where"})))
        told = line_with(watch, "FailedScheduling")
    assert "pod/q" in told.lower()
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    assert "FailedScheduling" in kubectl("events", "--types=Warning").out


@pytest.mark.command("`top node`, `top pod`, `--containers`, `-A`, `-l`, `--sort-by`")
def test_top(kubectl, bench):
    busy = "trap 'exit 0' TERM; while :; do :; done"
    idle = "trap 'exit 0' TERM; sleep 600 & wait"
    pods = [pod("busy", busy), pod("p", idle), pod("stuck", nodeSelector={"no": "where"})]
    pods[1]["spec"]["containers"].append(container("side", idle))
    kubectl("apply", "-f", bench.file("p.yaml", *pods))
    assert "not found" in kubectl.fails("top", "pod", "stuck")
    assert "metrics not available yet" in kubectl.fails("top", "pod", "-l", "app=stuck")

    def measured():
        found = kubectl.run("top", "pod", "--sort-by=cpu", "--no-headers").rows
        return found if len(found) == 2 else None

    rows = until("metrics of both pods", measured)
    assert [row[0] for row in rows] == ["busy", "p"]
    # how much the busy one gets is up to what else this machine does
    assert int(rows[0][1].removesuffix("m")) > 10 > int(rows[1][1].removesuffix("m"))
    assert int(rows[1][2].removesuffix("Mi")) < 64
    rows = kubectl("top", "pod", "p", "--containers").rows
    assert [row[:2] for row in rows[1:]] == [["p", "c"], ["p", "side"]]
    assert [row[0] for row in kubectl("top", "pod", "-l", "app=p").rows[1:]] == ["p"]
    assert [bench.namespace, "busy"] in [row[:2] for row in kubectl("top", "pod", "-A").rows]
    rows = kubectl("top", "node").rows
    assert [row[0] for row in rows[1:]] == ["node-1", "node-2", "node-3"]
    assert rows[1][1].endswith("m")
    assert rows[1][2].endswith("%")


@pytest.mark.command(
    "`logs`, `--tail`, `--since`, `-l`, `--timestamps`, `--all-containers`, `deploy/x`"
)
def test_logs(kubectl, bench):
    script = (
        "for n in 1 2 3; do echo line $n; done; trap 'exit 0' TERM; while :; do sleep 0.1; done"
    )
    made = pod(script=script)
    made["spec"]["containers"].append(container("side", script))
    kubectl("apply", "-f", bench.file("p.yaml", made, deployment(script=script)))
    kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    lines = ["line 1", "line 2", "line 3"]
    assert kubectl("logs", "p", "-c", "side").lines == lines
    assert kubectl("logs", "p").lines == lines
    assert kubectl("logs", "p", "--tail=1").lines == ["line 3"]
    assert kubectl("logs", "p", "--all-containers").lines == lines * 2
    assert kubectl("logs", "-l", "app=p", "--prefix").lines[0] == "[pod/p/c] line 1"
    pods = kubectl.get("pods", "-l", "app=web")["items"]
    every = kubectl("logs", "-l", "app=web", "--prefix", "--tail=1").lines
    assert sorted(every) == sorted(f"[pod/{p['metadata']['name']}/c] line 3" for p in pods)
    assert kubectl("logs", "deploy/web").lines == lines
    stamped = kubectl("logs", "p", "--timestamps").lines
    assert stamped[0].endswith("Z line 1")
    assert kubectl("logs", "p", f"--since-time={stamped[0].split()[0]}").lines == lines
    assert kubectl("logs", "p", "--since-time=2999-01-01T00:00:00Z").lines == []
    assert kubectl("logs", "p", "--since=1h", "--limit-bytes=6").out == "line 1"
    assert "container nope is not valid" in kubectl.fails("logs", "p", "-c", "nope")


@pytest.mark.command("`logs deploy/x --all-pods`")
@pytest.mark.since(32)
def test_logs_of_all_pods(kubectl, bench):
    kubectl("apply", "-f", bench.file("w.yaml", deployment()))
    kubectl("rollout", "status", "deploy/web", "--timeout=60s")
    names = {pod["metadata"]["name"] for pod in kubectl.get("pods")["items"]}
    said = kubectl("logs", "deploy/web", "--all-pods", "--tail=1").lines
    assert sorted(said) == sorted(f"[pod/{name}/c] started" for name in names)


@pytest.mark.command("`logs -f`, to the end of a container; `--previous`")
def test_logs_followed(kubectl, bench):
    made = pod(script="for n in 1 2 3; do echo line $n; sleep 0.5; done", restartPolicy="Never")
    again = pod("again", "echo first of all; sleep 1; exit 3")
    kubectl("apply", "-f", bench.file("p.yaml", made, again))
    until("p has started", lambda: kubectl.run("logs", "p").code == 0)
    with kubectl.start("logs", "-f", "p") as follower:
        assert follower.stdout.read() == "line 1\nline 2\nline 3\n"
        assert follower.wait(20) == 0
    assert "previous terminated container" in kubectl.fails("logs", "p", "--previous")
    until("a second run", lambda: kubectl.run("logs", "again", "--previous").code == 0, 60)
    assert kubectl("logs", "again", "--previous").lines == ["first of all"]
