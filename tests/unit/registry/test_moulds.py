"""Pods of one make: the later ones are what they would have been without the first."""

import copy
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.types.pod import Pod
from orchestrator.api.types.view import decode_view
from orchestrator.kit.errors import AlreadyExists, Forbidden, Invalid, NotFound
from orchestrator.registry import creator
from orchestrator.registry.options import WriteOptions
from orchestrator.registry.registry import Registry
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store
from tests.unit.registry.documents import key, pod_document

RICH = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "generateName": "web-", "creationTimestamp": None,
        "labels": {"app": "web"}, "annotations": {"note": "\u00e9 \"'"},
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u-1",
             "controller": True},
        ],
        "finalizers": ["example.com/held"],
    },
    "spec": {
        "priorityClassName": "high",
        "containers": [
            {"name": "c", "image": "web:1", "ports": [{"containerPort": 80}],
             "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
             "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
             "readinessProbe": {"grpc": {"port": 5}}},
        ],
        "initContainers": [{"name": "i", "image": "init"}],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "n"}],
        "schedulingGates": [{"name": "example.com/gate"}],
    },
}  # fmt: skip
HIGH = {"metadata": {"name": "high"}, "value": 100}


@pytest.fixture
def counted(monkeypatch):
    """How many pods went all the way through admission."""
    calls = []
    real = creator.admit_document

    def counting(resource, *args, **more):
        if resource.resource == "pods":
            calls.append(resource)
        return real(resource, *args, **more)

    monkeypatch.setattr(creator, "admit_document", counting)
    return calls


def named(source, name):
    document = copy.deepcopy(source)
    document["metadata"]["name"] = name
    return document


def bare(item):
    """A stored pod without what differs from one to the next."""
    document = msgspec.json.decode(item.data)
    meta = document["metadata"]
    for field in ("name", "uid", "resourceVersion"):
        assert meta.pop(field)
    return document


async def create(registry, source, **options):
    told: list[str] = []
    made = WriteOptions(warnings=told, **options)
    return await registry.create("pods", "default", source, options=made), told


@pytest.mark.parametrize("manager", ["", "kubectl"])
async def test_the_third_of_a_make_is_like_the_first(registry, counted, clock, manager):
    await registry.create("priorityclasses.scheduling.k8s.io", "", HIGH)
    sent = copy.deepcopy(RICH)
    found = [
        await create(registry, named(RICH, f"web-{number}"), field_manager=manager)
        for number in range(4)
    ]
    assert len(counted) == 2, "one to see it, one to see it again"
    items, told = zip(*found, strict=True)
    assert bare(items[0]) == bare(items[2]) == bare(items[3])
    orders = [list(item.doc["metadata"]) for item in items]
    assert orders == orders[:1] * 4, "and their fields stand in one order"
    assert told[0] == told[2] != []
    assert len({item.uid for item in items}) == 4
    assert sent == RICH, "what was sent is not changed"
    clock.now_s += 60
    later, _ = await create(registry, named(RICH, "web-later"), field_manager=manager)
    assert (
        later.doc["metadata"]["creationTimestamp"] != items[0].doc["metadata"]["creationTimestamp"]
    )
    for entry in later.doc["metadata"].get("managedFields", ()):
        assert entry["time"] == later.doc["metadata"]["creationTimestamp"]
    for item in (*items, later):
        assert item.view == decode_view(item.data, Pod)
        assert item.view.metadata.name == item.key.name
    assert items[3].view.spec is later.view.spec, "what is the same is there once"


async def test_generated_names_differ(registry, counted):
    await registry.create("priorityclasses.scheduling.k8s.io", "", HIGH)
    items = [(await create(registry, RICH))[0] for _ in range(30)]
    assert len(counted) == 2
    assert len({item.key.name for item in items}) == 30
    assert all(item.key.name.startswith("web-") for item in items)
    assert all(item.doc["metadata"]["generateName"] == "web-" for item in items)


async def test_what_is_wrong_with_a_name_is_told(registry):
    for name in ("one", "two", "three"):
        await create(registry, named(pod_document(), name))
    with pytest.raises(AlreadyExists):
        await create(registry, named(pod_document(), "two"))
    with pytest.raises(Invalid, match="RFC 1123"):
        await create(registry, named(pod_document(), "No_Name"))


async def test_what_one_request_was_told_is_not_told_to_the_next(registry):
    for name in ("one", "two"):
        said = WriteOptions(warnings=[f'duplicate field "spec" of {name}'])
        await registry.create("pods", "default", named(pod_document(), name), options=said)
    _, told = await create(registry, named(pod_document(), "three"))
    assert told == []


async def test_a_name_that_is_null_is_none(registry):
    for name in ("one", "two", "three"):
        await create(registry, named(pod_document(), name))
    with pytest.raises(Invalid, match="name or generateName is required"):
        await create(registry, named(pod_document(), None))


async def test_surroundings_that_change_count(registry, counted):
    for name in ("one", "two", "three"):
        await create(registry, named(pod_document(), name))
    account = key("serviceaccounts", "default")
    document = registry.get(account).thawed()
    document["imagePullSecrets"] = [{"name": "pull"}]
    await registry.update(account, document)
    pulls, _ = await create(registry, named(pod_document(), "pulls"))
    assert pulls.doc["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    made = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True}
    await registry.create("priorityclasses.scheduling.k8s.io", "", made)
    rated, _ = await create(registry, named(pod_document(), "rated"))
    assert rated.doc["spec"]["priority"] == 7
    limits = [{"type": "Container", "default": {"cpu": "3"}}]
    bounds = {"metadata": {"name": "l"}, "spec": {"limits": limits}}
    await registry.create("limitranges", "default", bounds)
    bounded, _ = await create(registry, named(pod_document(), "bounded"))
    assert bounded.doc["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "3"
    await registry.delete(account)
    with pytest.raises(Forbidden, match="service account"):
        await create(registry, named(pod_document(), "nobodys"))


async def test_quotas_hold_for_pods_of_one_make(registry):
    for name in ("one", "two", "three"):
        await create(registry, named(pod_document(), name))
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "4"}}}
    await registry.create("resourcequotas", "default", quota)
    await create(registry, named(pod_document(), "four"))
    with pytest.raises(Forbidden, match="exceeded quota"):
        await create(registry, named(pod_document(), "five"))


async def test_a_namespace_that_goes_takes_none(registry):
    await registry.create("namespaces", "", {"metadata": {"name": "team"}})
    for name in ("one", "two", "three"):
        await registry.create("pods", "team", named(pod_document(), name))
    await registry.delete(key("namespaces", "team", ""))
    with pytest.raises(Forbidden, match="being terminated"):
        await registry.create("pods", "team", named(pod_document(), "late"))
    with pytest.raises((Forbidden, NotFound)):
        await registry.create("pods", "elsewhere", named(pod_document(), "late"))


async def test_a_dry_run_leaves_nothing(registry):
    for name in ("one", "two", "three"):
        await create(registry, named(pod_document(), name))
    await create(registry, named(pod_document(), "four"), dry_run=True)
    with pytest.raises(NotFound):
        registry.get(key("pods", "four"))


_WORDS = st.sampled_from(["a", "b-c", "0", "web"])


@st.composite
def pods(draw):
    """Pods of few makes, in any order of their fields."""
    container = {"name": draw(_WORDS), "image": draw(st.sampled_from(["x", "x:1", "y@sha256:00"]))}
    if draw(st.booleans()):
        container["resources"] = {"requests": {"cpu": draw(st.sampled_from(["1", "1000m"]))}}
    spec = {"containers": [container], "unknown": 1} if draw(st.booleans()) else {
        "containers": [container], "restartPolicy": draw(st.sampled_from(["Never", "Always"])),
    }  # fmt: skip
    meta = {"labels": draw(st.dictionaries(_WORDS, _WORDS, max_size=2))}
    return {"metadata": meta, "spec": spec}


class Still:
    def wall(self):
        return 1_800_000_000.0

    monotonic = wall


@settings(max_examples=25)
@given(st.lists(pods(), min_size=1, max_size=8), st.integers())
async def test_moulds_change_nothing(sources, seed):
    """LAW: with and without moulds the same writes give the same objects and warnings."""
    seen = []
    for remembers in (True, False):
        store = await Store.open(InlineSqlite())
        registry = Registry(store, Still(), random.Random(seed))
        await registry.ensure_builtins()
        if not remembers:
            registry._creator._make = lambda *_: None
        found = []
        for number, source in enumerate(sources * 3):
            item, told = await create(registry, named(source, f"p{number}"), field_manager="m")
            assert item.view == decode_view(item.data, Pod)
            found.append((item.data, sorted(told)))
        seen.append(found)
        await store.close()
    assert seen[0] == seen[1]
