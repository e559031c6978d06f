"""Tables: the words and numbers that kubectl get shows."""

import msgspec
import pytest

from orchestrator.api.resources import RESOURCES, by_resource
from orchestrator.api.tables.cells import human_duration, shortened
from orchestrator.api.tables.table import printed, printer_for

NOW = 1_800_000_000.0
CREATED = "2027-01-15T07:55:00Z"  # five minutes before


def shown(resource, document):
    printer = printer_for(resource)
    decoded, _metadata = printed(resource, msgspec.json.encode(document))
    return printer.definitions, printer.cells(decoded, NOW)


def row(resource, document):
    document = {
        **document,
        "metadata": {"name": "a", "creationTimestamp": CREATED, **document.get("metadata", {})},
    }
    columns, cells = shown(by_resource(resource), document)
    assert len(columns) == len(cells)
    return {column["name"]: cell for column, cell in zip(columns, cells, strict=True)}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3600 * 2 + 59 * 60, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (51 * 3600, "2d3h"),
        (8 * 86400 + 3600, "8d"),
        (700 * 86400, "700d"),
        (731 * 86400, "2y1d"),
        (730 * 86400, "2y"),
        (9 * 365 * 86400 + 86400, "9y"),
    ],
)
def test_ages(seconds, text):
    assert human_duration(seconds) == text


def status(name="c", **state):
    ready = "running" in state
    return {"name": name, "ready": ready, "restartCount": 0, "state": state}


def pod(statuses=(), init=(), phase="Running", inits=(), **more):
    return {
        "spec": {
            "containers": [{"name": "c"}],
            "initContainers": [{"name": f"i{n}", **spec} for n, spec in enumerate(inits)],
            "nodeName": "n1",
        },
        "status": {
            "phase": phase,
            "containerStatuses": list(statuses),
            "initContainerStatuses": list(init),
            **more.pop("status", {}),
        },
        **more,
    }


POD_WORDS = [
    ("Pending", "0/1", pod(phase="Pending")),
    ("Running", "1/1", pod([status(running={})])),
    ("Running", "0/1", pod([{**status(running={}), "ready": False}])),
    ("CrashLoopBackOff", "0/1", pod([status(waiting={"reason": "CrashLoopBackOff"})])),
    (
        "ImagePullBackOff",
        "0/1",
        pod([status(waiting={"reason": "ImagePullBackOff"})], phase="Pending"),
    ),
    (
        "ContainerCreating",
        "0/1",
        pod([status(waiting={"reason": "ContainerCreating"})], phase="Pending"),
    ),
    (
        "Completed",
        "0/1",
        pod([status(terminated={"exitCode": 0, "reason": "Completed"})], phase="Succeeded"),
    ),
    ("Error", "0/1", pod([status(terminated={"exitCode": 1, "reason": "Error"})], phase="Failed")),
    ("ExitCode:3", "0/1", pod([status(terminated={"exitCode": 3})])),
    ("Signal:9", "0/1", pod([status(terminated={"exitCode": 137, "signal": 9})])),
    ("Terminating", "1/1", pod([status(running={})], metadata={"deletionTimestamp": CREATED})),
    (
        "Completed",
        "0/1",
        pod(
            [status(terminated={"reason": "Completed"})],
            phase="Succeeded",
            metadata={"deletionTimestamp": CREATED},
        ),
    ),
    (
        "Unknown",
        "1/1",
        pod(
            [status(running={})],
            status={"reason": "NodeLost"},
            metadata={"deletionTimestamp": CREATED},
        ),
    ),
    ("Evicted", "0/1", pod(phase="Failed", status={"reason": "Evicted"})),
    (
        "Init:0/2",
        "0/1",
        pod(
            inits=[{}, {}],
            init=[status("i0", running={}), status("i1", waiting={"reason": "PodInitializing"})],
            phase="Pending",
        ),
    ),
    (
        "Init:1/2",
        "0/1",
        pod(
            inits=[{}, {}],
            init=[status("i0", terminated={"exitCode": 0}), status("i1", running={})],
            phase="Pending",
        ),
    ),
    (
        "Init:CrashLoopBackOff",
        "0/1",
        pod(
            inits=[{}], init=[status("i0", waiting={"reason": "CrashLoopBackOff"})], phase="Pending"
        ),
    ),
    (
        "Init:Error",
        "0/1",
        pod(
            inits=[{}],
            init=[status("i0", terminated={"exitCode": 1, "reason": "Error"})],
            phase="Pending",
        ),
    ),
    (
        "Init:ExitCode:2",
        "0/1",
        pod(inits=[{}], init=[status("i0", terminated={"exitCode": 2})], phase="Pending"),
    ),
    (
        "Running",
        "2/2",
        pod(
            [status(running={})],
            inits=[{"restartPolicy": "Always"}],
            init=[{**status("i0", running={}), "started": True}],
        ),
    ),
    (
        "NotReady",
        "1/2",
        {
            **pod(
                [status(running={}), status("d", terminated={"exitCode": 0, "reason": "Completed"})]
            ),
            "spec": {"containers": [{"name": "c"}, {"name": "d"}]},
        },
    ),
    (
        "SchedulingGated",
        "0/1",
        pod(
            phase="Pending",
            status={"conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]},
        ),
    ),
]


@pytest.mark.parametrize(
    ("word", "ready", "document"), POD_WORDS, ids=[f"{w}-{r}" for w, r, _ in POD_WORDS]
)
def test_pod_words(word, ready, document):
    cells = row("pods", document)
    assert (cells["Status"], cells["Ready"]) == (word, ready)


def test_a_restarted_pod():
    restarted = {
        **status(running={}),
        "restartCount": 3,
        "lastState": {"terminated": {"finishedAt": "2027-01-15T07:59:00Z"}},
    }
    cells = row("pods", pod([restarted], status={"podIP": "172.17.0.2"}))
    assert cells["Restarts"] == "3 (60s ago)"
    assert cells["Age"] == "5m"
    assert cells["IP"] == "172.17.0.2"
    assert cells["Node"] == "n1"
    assert cells["Nominated Node"] == cells["Readiness Gates"] == "<none>"


def test_workloads():
    spec = {
        "replicas": 3,
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["b", "a"]}],
        },
        "template": {
            "spec": {"containers": [{"name": "c", "image": "w:1"}, {"name": "d", "image": "x"}]}
        },
    }
    counts = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1, "replicas": 3}
    cells = row("deployments.apps", {"spec": spec, "status": counts})
    assert list(cells.values()) == [
        "a",
        "2/3",
        "3",
        "1",
        "5m",
        "c,d",
        "w:1,x",
        "app=web,tier in (a,b)",
    ]
    cells = row("replicasets.apps", {"spec": spec, "status": counts})
    assert list(cells.values())[:5] == ["a", 3, 3, 2, "5m"]


@pytest.mark.parametrize(
    ("spec", "status", "external", "ports"),
    [
        (
            {"type": "ClusterIP", "clusterIP": "10.96.0.2", "ports": [{"port": 80}]},
            {},
            "<none>",
            "80/TCP",
        ),
        (
            {
                "type": "NodePort",
                "clusterIP": "10.96.0.2",
                "ports": [{"port": 80, "nodePort": 30001}, {"port": 53, "protocol": "UDP"}],
            },
            {},
            "<none>",
            "80:30001/TCP,53/UDP",
        ),
        ({"type": "LoadBalancer", "clusterIP": "10.96.0.2"}, {}, "<pending>", "<none>"),
        (
            {"type": "LoadBalancer", "clusterIP": "10.96.0.2"},
            {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "a.b"}]}},
            "192.0.2.1,a.b",
            "<none>",
        ),
        ({"type": "ExternalName", "externalName": "a.example"}, {}, "a.example", "<none>"),
    ],
)
def test_services(spec, status, external, ports):
    cells = row("services", {"spec": spec, "status": status})
    assert cells["External-IP"] == external
    assert cells["Port(s)"] == ports
    assert cells["Cluster-IP"] == spec.get("clusterIP", "<none>")
    assert cells["Selector"] == "<none>"


@pytest.mark.parametrize(
    ("conditions", "spec", "word"),
    [
        ([{"type": "Ready", "status": "True"}], {}, "Ready"),
        (
            [{"type": "Ready", "status": "True"}],
            {"unschedulable": True},
            "Ready,SchedulingDisabled",
        ),
        ([{"type": "Ready", "status": "False"}], {}, "NotReady"),
        ([{"type": "Ready", "status": "Unknown"}], {}, "NotReady"),
        ([], {}, "Unknown"),
    ],
)
def test_node_words(conditions, spec, word):
    assert row("nodes", {"spec": spec, "status": {"conditions": conditions}})["Status"] == word


def test_a_node():
    cells = row(
        "nodes",
        {
            "metadata": {
                "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "db"}
            },
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": "x"},
                    {"type": "InternalIP", "address": "10.0.0.1"},
                ],
                "nodeInfo": {
                    "kubeletVersion": "v1.33.0+orch",
                    "containerRuntimeVersion": "docker://27",
                },
            },
        },
    )
    assert cells["Roles"] == "db,worker"
    assert cells["Version"] == "v1.33.0+orch"
    assert cells["Internal-IP"] == "10.0.0.1"
    assert cells["External-IP"] == "<none>"
    assert cells["OS-Image"] == "<unknown>"
    assert cells["Container-Runtime"] == "docker://27"


def test_an_event():
    cells = row(
        "events",
        {
            "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
            "type": "Warning",
            "reason": "BackOff",
            "message": " again \n",
            "count": 4,
            "firstTimestamp": CREATED,
            "lastTimestamp": "2027-01-15T07:59:30Z",
            "source": {"component": "kubelet", "host": "n1"},
        },
    )
    assert list(cells.values()) == [
        "30s",
        "Warning",
        "BackOff",
        "pod/p",
        "spec.containers{c}",
        "kubelet, n1",
        "again",
        "5m",
        4,
        "a",
    ]


def test_small_kinds():
    assert row("configmaps", {"data": {"a": "b"}, "binaryData": {"c": ""}})["Data"] == 2
    assert row("secrets", {"type": "Opaque", "data": {"a": ""}})["Data"] == 1
    assert row("namespaces", {"status": {"phase": "Active"}})["Status"] == "Active"
    lease = "leases.coordination.k8s.io"
    assert row(lease, {"spec": {"holderIdentity": "n1"}})["Holder"] == "n1"
    subsets = [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 80}]}]
    assert row("endpoints", {"subsets": subsets})["Endpoints"] == (
        "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    )
    slices = row(
        "endpointslices.discovery.k8s.io",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 8}]},
    )
    assert (slices["Ports"], slices["Endpoints"]) == ("8", "10.0.0.1")
    assert row("serviceaccounts", {})["Secrets"] == 0
    assert shortened([]) == ""


@pytest.mark.parametrize("resource", [r for r in RESOURCES if r.stored], ids=lambda r: r.resource)
def test_every_kind_has_a_table_with_a_name(resource):
    columns = printer_for(resource).definitions
    assert [c["format"] for c in columns].count("name") == 1
    assert all(isinstance(c["priority"], int) and c["type"] for c in columns)


def test_a_kind_without_columns_of_its_own():
    assert row("podtemplates", {}) == {"Name": "a", "Created At": CREATED}


def test_resource_quota():
    status = {
        "hard": {"pods": "3", "limits.cpu": "2", "cpu": "1"},
        "used": {"pods": "1", "limits.cpu": "500m", "cpu": "0"},
    }
    cells = row("resourcequotas", {"status": status})
    assert cells == {
        "Name": "a", "Request": "cpu: 0/1, pods: 1/3", "Limit": "limits.cpu: 500m/2", "Age": "5m",
    }  # fmt: skip


def test_what_is_printed_leaves_the_managed_fields_out():
    metadata = {"name": "a", "labels": {"a": "b"}, "managedFields": [{"manager": "x"}]}
    given = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": "n"}}
    decoded, raw = printed(by_resource("pods"), msgspec.json.encode(given))
    assert decoded == {**given, "metadata": {"name": "a", "labels": {"a": "b"}}}
    assert msgspec.json.decode(raw) == metadata
