"""Random clusters and pods, from a seed."""

import random
from typing import Any

from orchestrator.api.labels import Requirement, Selector
from orchestrator.api.types.node import Taint
from orchestrator.api.types.pod import Toleration
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.settings import Profile
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import Matcher, Spread, Term

ZONE, NAME, RACK = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"
GIB = 1 << 30
NAMESPACES = {"a": {"team": "x"}, "b": {"team": "y"}}


def some(rng: random.Random, chance: float) -> bool:
    return rng.random() < chance


def host(rng: random.Random, number: int) -> Host:
    name = f"h{number}"
    labels = {NAME: name}
    if some(rng, 0.85):
        labels[ZONE] = rng.choice("xyz")
    if some(rng, 0.5):
        labels[RACK] = str(rng.randrange(3))
    if some(rng, 0.3):
        labels["disk"] = rng.choice(["ssd", "hdd"])
    taints = []
    if some(rng, 0.2):
        effect = rng.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"])
        taints.append(Taint(key="dedicated", value=rng.choice("pq"), effect=effect))
    if some(rng, 0.15):
        taints.append(Taint(key="old", effect="PreferNoSchedule"))
    allocatable = {
        "cpu": rng.choice([1000, 2000, 4000]),
        "memory": rng.choice([1, 2, 4]) * GIB,
        "pods": rng.choice([2, 4, 10]),
    }
    if some(rng, 0.3):
        allocatable["example.com/gpu"] = rng.randrange(1, 3)
    images = {image: rng.randrange(10, 900) << 20 for image in ("web:1", "db:2") if some(rng, 0.4)}
    return Host(name, some(rng, 0.95), some(rng, 0.07), labels, tuple(taints), allocatable, images)


def matcher(rng: random.Random, *, leaving: bool = True) -> Matcher:
    if some(rng, 0.05):
        return Matcher(None, frozenset({"a"}), leaving=leaving)
    operator: Any = rng.choice(["in", "in", "notin", "exists"])
    values = frozenset(rng.sample(["web", "db", "job"], rng.randrange(1, 3)))
    selector = Selector((Requirement("app", operator, values),))
    where = Selector((Requirement("team", "=", frozenset({"y"})),)) if some(rng, 0.2) else None
    return Matcher(selector, frozenset(rng.choice(["a", "ab"])), where, leaving)


def term(rng: random.Random, weight: int = 0) -> Term:
    return Term(rng.choice([ZONE, NAME, RACK]), matcher(rng), weight)


def spread(rng: random.Random) -> Spread:
    return Spread(
        topology=rng.choice([ZONE, NAME, RACK]),
        matcher=matcher(rng, leaving=False),
        max_skew=rng.randrange(1, 3),
        hard=some(rng, 0.5),
        min_domains=rng.choice([1, 1, 2, 4]),
        honors_affinity=some(rng, 0.7),
        honors_taints=some(rng, 0.3),
    )


def expression(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        [
            {"key": "disk", "operator": "In", "values": ["ssd"]},
            {"key": "disk", "operator": "NotIn", "values": ["hdd"]},
            {"key": ZONE, "operator": "In", "values": ["x", "y"]},
            {"key": RACK, "operator": "Exists"},
            {"key": RACK, "operator": "DoesNotExist"},
            {"key": RACK, "operator": "Gt", "values": ["0"]},
            {"key": RACK, "operator": "Lt", "values": ["2"]},
        ]
    )


def node_term(rng: random.Random) -> dict[str, Any]:
    if some(rng, 0.15):
        names = [f"h{rng.randrange(8)}" for _ in range(3)]
        field = {"key": "metadata.name", "operator": rng.choice(["In", "NotIn"]), "values": names}
        return {"matchFields": [field]}
    return {"matchExpressions": [expression(rng) for _ in range(rng.randrange(0, 3))]}


def template(rng: random.Random) -> Template:
    requests: dict[str, int] = {}
    if some(rng, 0.8):
        requests["cpu"] = rng.choice([100, 250, 500])
    if some(rng, 0.6):
        requests["memory"] = rng.choice([1, 2]) * GIB // 4
    if some(rng, 0.1):
        requests["example.com/gpu"] = 1
    tolerations = []
    if some(rng, 0.3):
        tolerations.append(Toleration(key="dedicated", operator="Exists"))
    if some(rng, 0.1):
        tolerations.append(Toleration(operator="Exists"))
    app = rng.choice(["web", "db", "job"])
    return Template(
        namespace=rng.choice("ab"),
        labels={"app": app},
        requests=tuple(sorted(requests.items())),
        usual=(requests.get("cpu", 100), requests.get("memory", 200 << 20)),
        selector={"disk": "ssd"} if some(rng, 0.1) else None,
        required=[node_term(rng) for _ in range(rng.randrange(1, 3))] if some(rng, 0.25) else None,
        preferred=[(rng.randrange(1, 100), node_term(rng)) for _ in range(rng.randrange(3))]
        if some(rng, 0.3)
        else (),
        tolerations=tuple(tolerations),
        ports=frozenset({(rng.choice(["0.0.0.0", "10.0.0.1"]), "TCP", 80)})
        if some(rng, 0.1)
        else frozenset(),
        images=tuple(rng.sample(["web:1", "db:2"], rng.randrange(0, 3))),
        workload=rng.choice(["", app, app]),
        priority=rng.choice([0, 0, 10]),
        spread=tuple(spread(rng) for _ in range(rng.randrange(1, 3))) if some(rng, 0.3) else (),
        attracts=tuple(term(rng) for _ in range(rng.randrange(1, 3))) if some(rng, 0.12) else (),
        repels=(term(rng),) if some(rng, 0.15) else (),
        wishes=tuple(term(rng, rng.choice([-50, 10, 100])) for _ in range(2))
        if some(rng, 0.2)
        else (),
    )


def profile(rng: random.Random) -> Profile:
    if some(rng, 0.15):
        return Profile(strategy="round-robin")
    return Profile(
        fit=rng.choice(["least", "least", "most", "ratio"]),
        shape=((0, 0), (40, 10), (100, 3)),
        weight_workload=rng.choice([0, 3]),
        weight_zones=rng.choice([0, 2]),
    )


def key(number: int) -> ObjectKey:
    return ObjectKey("pods", "a", f"p{number:04}")


def uid(number: int) -> Uid:
    return Uid(f"u{number}")
