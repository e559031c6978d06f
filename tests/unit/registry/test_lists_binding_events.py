"""Pages, binding, events."""

import asyncio

import pytest

from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.fields import parse_field_selector
from orchestrator.api.labels import parse_label_selector
from orchestrator.api.resources import by_resource
from orchestrator.api.schema import strict
from orchestrator.api.validation.kinds import validate_create
from orchestrator.kit.errors import BadRequest, Conflict, NotFound
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.registry.options import Patch
from tests.unit.registry.documents import key, pod_document


async def fill(registry, count=10):
    await registry.create("namespaces", "", {"metadata": {"name": "other"}})
    for i in range(count):
        namespace = "default" if i % 2 else "other"
        document = {"metadata": {"name": f"c{i:02}", "labels": {"third": str(i % 3)}}}
        await registry.create("configmaps", namespace, document)


async def test_pages_give_each_object_once_in_order_and_never_expire(registry):
    await fill(registry)
    seen, token, revisions = [], "", set()
    while True:
        page = registry.list("configmaps", limit=3, continue_token=token)
        seen += [item.key for item in page.items]
        revisions.add(page.revision)
        token = page.continue_token
        if not token:
            break
        assert page.remaining == 10 - len(seen)
        name = f"z{len(seen)}"
        await registry.create("secrets", "default", {"metadata": {"name": name}})
        if len(seen) == 3:
            await registry.delete(seen[-1])  # the object that the token names
    assert seen == sorted(seen)
    assert len(seen) == 10
    assert len(revisions) == 1, "later pages carry the first one's revision"


async def test_selectors_with_pages(registry):
    await fill(registry)
    chosen = parse_label_selector("third=0")
    first = registry.list("configmaps", labels=chosen, limit=2)
    assert first.remaining is None
    assert first.continue_token
    rest = registry.list("configmaps", labels=chosen, limit=2, continue_token=first.continue_token)
    assert not rest.continue_token
    names = [item.key.name for item in (*first.items, *rest.items)]
    assert sorted(names) == ["c00", "c03", "c06", "c09"]
    named = parse_field_selector("metadata.name=c01", "configmaps")
    assert [i.key.name for i in registry.list("configmaps", fields=named).items] == ["c01"]
    assert len(registry.list("configmaps", "other").items) == 5


@pytest.mark.parametrize("token", ["x", "!!!!", "WzIsMSwiYSIsImIiXQ", "bnVsbA"])
async def test_a_token_that_is_not_ours(registry, token):
    with pytest.raises(BadRequest, match="continue key is not valid"):
        registry.list("configmaps", continue_token=token)


A = key("pods", "a")


async def test_binding_sets_the_node_once(registry):
    await registry.create("pods", "default", pod_document())
    item = await registry.bind(A, "n1")
    assert item.view.spec.node_name == "n1"
    assert [(c.type, c.status) for c in item.view.status.conditions] == [("PodScheduled", "True")]
    assert await registry.bind(A, "n1") is item
    with pytest.raises(Conflict, match='already assigned to node "n1"'):
        await registry.bind(A, "n2")
    with pytest.raises(NotFound):
        await registry.bind(key("pods", "b"), "n1")


async def test_binding_at_once_has_one_winner(registry):
    await registry.create("pods", "default", pod_document())
    results = await asyncio.gather(
        *(registry.bind(A, f"n{i}") for i in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(r, Exception) for r in results) == 1


async def test_a_pod_that_is_going_is_not_bound(registry):
    document = pod_document()
    document["metadata"]["finalizers"] = ["example.com/a"]
    await registry.create("pods", "default", document)
    await registry.delete(A)
    with pytest.raises(Conflict, match="is being deleted"):
        await registry.bind(A, "n1")


async def test_unschedulable_is_replaced_by_the_binding(registry):
    await registry.create("pods", "default", pod_document())
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    change = Patch("merge", {"status": {"conditions": [condition]}})
    await registry.patch(A, change, subresource="status")
    item = await registry.bind(A, "n1")
    assert [(c.status, c.reason) for c in item.view.status.conditions] == [("True", "")]


# ---------------------------------------------------------------- events


async def tell(registry, message="went wrong", about=A, **more):
    await registry.record(about, "Warning", "Failed", message, "test", **more)


async def test_repeats_are_counted(registry, clock):
    pod = await registry.create("pods", "default", pod_document())
    await tell(registry)
    clock.now_s += 60
    await tell(registry)
    await tell(registry, "something else")
    events = registry.list("events", "default").items
    counted = next(e.doc for e in events if e.doc["message"] == "went wrong")
    assert len(events) == 2
    assert counted["count"] == 2
    assert counted["firstTimestamp"] == "2027-01-15T08:00:00Z"
    assert counted["lastTimestamp"] == "2027-01-15T08:01:00Z"
    assert counted["involvedObject"]["uid"] == pod.uid
    chosen = parse_field_selector(f"involvedObject.uid={pod.uid},source=test", "events")
    assert len(registry.list("events", fields=chosen).items) == 2


@pytest.mark.parametrize(
    "about",
    [
        A,
        ObjectKey("nodes", "", "n1"),
        ObjectKey("clusterroles.rbac.authorization.k8s.io", "", "system:node"),
        key("pods", "p" * 235 + ".q"),
    ],
    ids=str,
)
async def test_what_is_recorded_is_right_though_nobody_looks(registry, about):
    """LAW: an event is what it would be had it come by the front door."""
    await tell(registry, about=about, host="n1")
    (event,) = registry.list("events").items
    row, document = by_resource("events"), event.thawed()
    assert not strict.check(row, document)
    assert validate_create(row, document) == ()
    apply_defaults("events", document)
    assert document == event.doc
    assert event.doc["metadata"]["creationTimestamp"] == "2027-01-15T08:00:00Z"
    other = {**event.thawed(), "metadata": {"name": "other", "namespace": "default"}}
    made = await registry.create("events", "default", other)
    assert set(made.doc["metadata"]) == set(event.doc["metadata"])


async def test_events_stay_undecoded_until_somebody_looks(registry):
    for _ in range(2):
        await tell(registry)
        (event,) = registry.list("events").items
        with pytest.raises(AttributeError):
            object.__getattribute__(event, "view")
    assert event.doc["count"] == 2


async def test_the_same_said_at_once_is_one_event(registry):
    await asyncio.gather(*(tell(registry) for _ in range(10)))
    (event,) = registry.list("events").items
    assert event.doc["count"] == 10


async def test_who_says_too_much_about_one_object_is_not_written_down(registry, clock):
    for number in range(40):
        await tell(registry, f"number {number}")
    assert len(registry.list("events").items) == 25
    await tell(registry, "of another", about=key("pods", "other"))
    await tell(registry, "of another host", host="n1")
    await tell(registry, "of the next of this name", uid=Uid("next"))
    assert len(registry.list("events").items) == 28
    clock.now_s += 299
    await tell(registry, "too early")
    clock.now_s += 2
    await tell(registry, "one more")
    await tell(registry, "and no other")
    messages = [e.doc["message"] for e in registry.list("events").items]
    assert len(messages) == 29
    assert "one more" in messages


async def test_another_incarnation_has_its_own_events(registry):
    await tell(registry, uid=Uid("one"))
    await tell(registry, uid=Uid("two"), host="n1")
    assert [e.doc["count"] for e in registry.list("events").items] == [1, 1]


async def test_events_about_nodes_stand_in_default(registry):
    await tell(registry, about=ObjectKey("nodes", "", "n1"))
    (event,) = registry.list("events", "default").items
    assert event.doc["involvedObject"] == {"kind": "Node", "name": "n1", "apiVersion": "v1"}


async def test_a_namespace_that_goes_takes_no_more(registry):
    await registry.create("namespaces", "", {"metadata": {"name": "n"}})
    await registry.delete(ObjectKey("namespaces", "", "n"))
    await tell(registry, about=ObjectKey("pods", "n", "a"))
    await tell(registry, about=ObjectKey("pods", "gone", "a"))
    assert registry.list("events").items == []


async def test_old_events_are_removed(registry, clock):
    await tell(registry)
    clock.now_s += 3000
    await tell(registry, "newer")
    assert await registry.prune_events(clock.now_s + 700) == 1
    assert [e.doc["message"] for e in registry.list("events").items] == ["newer"]


async def test_long_messages_and_names_are_cut(registry):
    await tell(registry, "x" * 5000, about=key("pods", "p" * 253))
    (event,) = registry.list("events").items
    assert len(event.doc["message"]) == 1024
    assert len(event.key.name) == 253
