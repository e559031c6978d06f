"""Whatever a client sends, the answer is a document with a code below 500."""

import json
import random

import pytest

from tests.unit.apiserver.client import TABLE

pytestmark = [pytest.mark.slow]

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
PIECES = [
    "api", "apis", "v1", "apps", "namespaces", "default", "pods", "deployments", "services",
    "nodes", "configmaps", "secrets", "events", "web", "status", "scale", "log", "binding",
    "eviction", "finalize", "openapi", "v3", "v2", "%2e%2e", "%00", "%ff", "a%2Fb", "x" * 300,
    "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "docs",
]  # fmt: skip
QUERIES = [
    "limit=1", "limit=x", "limit=99999999999999999999", "continue=e30", "labelSelector=a%3Db",
    "labelSelector=%3D%3D(", "fieldSelector=metadata.name%3Dx", "fieldSelector=%5C",
    "resourceVersion=-1", "resourceVersion=1", "dryRun=All", "fieldValidation=Strict",
    "includeObject=Object", "gracePeriodSeconds=-3", "propagationPolicy=Orphan", "watch=false",
    "tailLines=3", "sinceTime=2026", "follow=true", "%ff=%fe", "a=b;c", "pretty",
]  # fmt: skip
TYPES = [
    "", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
    "application/merge-patch+json", "application/json-patch+json",
    "application/strategic-merge-patch+json", "text/plain", "\x7f",
]  # fmt: skip
ACCEPTS = ["", "*/*", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io", ";;;=,"]
VALUES = [
    None, True, -1, 2**70, 1.5, "", "x", "\x00", [], {}, [None], [[]], {"": 1}, {"name": 5},
    {"name": "web"}, {"name": "web", "namespace": "default", "labels": {"a": "b"}},
    {"name": "web", "labels": []}, {"generateName": "x"}, {"containers": []},
    {"containers": [{"name": "a", "image": "b"}]}, {"replicas": 3}, {"replicas": "3"},
    {"selector": {"matchLabels": {"a": "b"}}}, [{"op": "add", "path": "/x", "value": 1}],
    [{"op": "remove", "path": ""}], {"$patch": "replace"}, {"$retainKeys": [1]},
    {"$setElementOrder/containers": [{}]}, {"template": {"spec": {"containers": [{"env": 7}]}}},
]  # fmt: skip
FIELDS = ["kind", "apiVersion", "metadata", "spec", "status", "data", "target", "deleteOptions"]


def body(rng):
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(2))
    if rng.random() < 0.2:
        return json.dumps(rng.choice(VALUES)).encode()
    document = {field: rng.choice(VALUES) for field in rng.sample(FIELDS, rng.randrange(5))}
    for field, known in (("kind", ["Pod", "Deployment"]), ("apiVersion", ["v1", "apps/v1"])):
        if rng.random() < 0.5:
            document[field] = rng.choice(known)
    return json.dumps(document).encode()


def path(rng):
    if rng.random() < 0.7:
        kinds = ["/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services",
                 "/apis/apps/v1/namespaces/default/deployments", "/api/v1/nodes",
                 "/api/v1/namespaces", "/api/v1/namespaces/default/configmaps",
                 "/api/v1/namespaces/default/events"]  # fmt: skip
        tail = ["", "/web", "/web/status", "/web/scale", "/web/log", "/web/eviction"]
        start = rng.choice(kinds) + rng.choice(tail)
    else:
        start = "/" + "/".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 8)))
    query = "&".join(rng.choice(QUERIES) for _ in range(rng.randrange(2)))
    return f"{start}?{query}" if query else start


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_breaks_the_server(world, seed):
    rng = random.Random(seed)
    for _ in range(1000):
        method, where, data = rng.choice(METHODS), path(rng), body(rng)
        headers = {"content_type": rng.choice(TYPES), "accept": rng.choice(ACCEPTS)}
        reply = await world.client(method, where, data, **headers)
        story = f"{method} {where} {headers} {data!r} -> {reply.status} {reply.body[:300]!r}"
        assert reply.status < 500, story
        if reply.status >= 400 and method != "HEAD" and not where.startswith("/docs"):
            assert reply.json["kind"] == "Status", story


VALID = {
    "/api/v1/namespaces/default/pods": {
        "metadata": {"name": "p", "labels": {"a": "b"}, "annotations": {"x": "y"}},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "i:1",
                    "command": ["sh"],
                    "ports": [{"containerPort": 80, "name": "http"}],
                    "env": [
                        {"name": "A", "value": "1"},
                        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    ],
                    "envFrom": [{"configMapRef": {"name": "m"}, "prefix": "P_"}],
                    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
                    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
                    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }
            ],
            "initContainers": [{"name": "i", "image": "i:1"}],
            "volumes": [
                {"name": "v", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "w", "configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}},
            ],
            "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
            "nodeSelector": {"zone": "a"},
            "securityContext": {"runAsUser": 1},
        },
    },
    "/apis/apps/v1/namespaces/default/deployments": {
        "metadata": {"name": "d"},
        "spec": {
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "selector": {
                "matchLabels": {"app": "d"},
                "matchExpressions": [{"key": "app", "operator": "In", "values": ["d"]}],
            },
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": "i:1"}]},
            },
        },
    },
    "/api/v1/namespaces/default/services": {
        "metadata": {"name": "s"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "d"},
            "ports": [{"name": "a", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            "externalIPs": ["203.0.113.1"],
        },
    },
    "/api/v1/nodes": {
        "metadata": {"name": "n"},
        "spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        "status": {
            "capacity": {"cpu": "2"},
            "addresses": [{"type": "InternalIP", "address": "203.0.113.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    },
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {
        "metadata": {"name": "e"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["203.0.113.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "a", "port": 80, "protocol": "TCP"}],
    },
    "/api/v1/namespaces/default/secrets": {
        "metadata": {"name": "x"},
        "type": "Opaque",
        "data": {"a": "YQ=="},
        "stringData": {"b": "c"},
    },
    "/api/v1/namespaces/default/events": {
        "metadata": {"name": "v", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "r",
        "message": "m",
        "type": "Normal",
        "firstTimestamp": "2026-01-01T00:00:00Z",
    },
    "/apis/coordination.k8s.io/v1/namespaces/default/leases": {
        "metadata": {"name": "l"},
        "spec": {"holderIdentity": "h", "renewTime": "2026-01-01T00:00:00.000000Z"},
    },
}


def mutated(rng, value):
    """A copy with one place anywhere in it replaced by something else, or removed."""
    places = []

    def collect(inner, path):
        places.append(path)
        items = inner.items() if isinstance(inner, dict) else []
        if isinstance(inner, list):
            items = enumerate(inner)
        for key, below in items:
            collect(below, (*path, key))

    collect(value, ())
    copy = json.loads(json.dumps(value))
    chosen = rng.choice(places[1:])
    holder = copy
    for step in chosen[:-1]:
        holder = holder[step]
    if rng.random() < 0.3:
        del holder[chosen[-1]]
    else:
        holder[chosen[-1]] = rng.choice(VALUES)
    return copy


@pytest.mark.parametrize("seed", range(2))
async def test_almost_right_objects(world, seed):
    rng = random.Random(seed)
    accepted = 0
    for _ in range(500):
        where, good = rng.choice(list(VALID.items()))
        document = mutated(rng, good)
        kind = rng.choice(["merge", "strategic-merge"])
        name = good["metadata"]["name"]
        steps = [
            ("POST", where, document, "application/json"),
            ("PATCH", f"{where}/{name}", document, f"application/{kind}-patch+json"),
            ("PUT", f"{where}/{name}", document, "application/json"),
            ("PATCH", f"{where}/{name}/status", document, "application/merge-patch+json"),
        ]
        for method, target, sent, content_type in steps:
            reply = await world.client(method, target, sent, content_type=content_type)
            story = f"{method} {target} {sent} -> {reply.status} {reply.body[:300]!r}"
            assert reply.status < 500, story
            accepted += reply.status < 300
        listed = await world.client.get(where, accept=TABLE)
        assert listed.status == 200, (where, listed.body)
        if rng.random() < 0.3:
            await world.client("DELETE", f"{where}/{name}?gracePeriodSeconds=0")
    assert accepted > 100
