"""Deletion: grace, finalizers, propagation, preconditions, namespaces, collections."""

import pytest

from orchestrator.api.labels import parse_label_selector
from orchestrator.kit.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator.kit.ids import ObjectKey, Revision, Uid
from orchestrator.registry.options import DeleteOptions, Patch
from tests.unit.registry.documents import deployment_document, key, pod_document

A = key("pods", "a")


async def bound_pod(registry, **meta):
    document = pod_document(nodeName="n1", terminationGracePeriodSeconds=20)
    document["metadata"] |= meta
    return await registry.create("pods", "default", document)


async def config_map(registry, name="c", **meta):
    return await registry.create("configmaps", "default", {"metadata": {"name": name, **meta}})


async def test_most_objects_go_at_once(registry, store):
    item = await config_map(registry)
    events = []
    store.subscribe(events.append)
    deleted = await registry.delete(item.key)
    assert deleted.gone
    assert store.get(item.key) is None
    assert [e.type for e in events] == ["DELETED"]
    assert deleted.object.revision == store.revision
    with pytest.raises(NotFound):
        await registry.delete(item.key)


async def test_a_bound_pod_gets_its_grace(registry, clock):
    await bound_pod(registry)
    deleted = await registry.delete(A)
    meta = deleted.object.doc["metadata"]
    assert not deleted.gone
    assert meta["deletionGracePeriodSeconds"] == 20
    assert meta["deletionTimestamp"] == "2027-01-15T08:00:20Z"
    again = await registry.delete(A)
    assert again.object is deleted.object, "again: nothing changes"
    done = await registry.delete(A, options=DeleteOptions(grace_s=0))
    assert done.gone
    with pytest.raises(NotFound):
        registry.get(A)


async def test_grace_can_be_shortened_never_extended(registry, clock):
    await bound_pod(registry)
    await registry.delete(A)
    clock.now_s += 2
    longer = await registry.delete(A, options=DeleteOptions(grace_s=60))
    assert longer.object.doc["metadata"]["deletionGracePeriodSeconds"] == 20
    shorter = await registry.delete(A, options=DeleteOptions(grace_s=5))
    meta = shorter.object.doc["metadata"]
    assert (meta["deletionGracePeriodSeconds"], meta["deletionTimestamp"]) == (
        5,
        "2027-01-15T08:00:05Z",
    )


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_with_nothing_running_goes_at_once(registry, phase):
    await bound_pod(registry)
    await registry.patch(A, Patch("merge", {"status": {"phase": phase}}), subresource="status")
    assert (await registry.delete(A)).gone


async def test_an_unbound_pod_goes_at_once(registry):
    await registry.create("pods", "default", pod_document())
    assert (await registry.delete(A)).gone


async def test_finalizers_hold_an_object_until_the_last_is_taken(registry):
    item = await config_map(registry, finalizers=["example.com/a", "example.com/b"])
    deleted = await registry.delete(item.key)
    assert not deleted.gone
    assert "deletionTimestamp" in deleted.object.doc["metadata"]
    change = {"metadata": {"finalizers": ["example.com/a", "example.com/c"]}}
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        await registry.patch(item.key, Patch("merge", change))
    change = {"metadata": {"finalizers": ["example.com/b"]}}
    assert (await registry.patch(item.key, Patch("merge", change))).doc["metadata"]["finalizers"]
    last = await registry.patch(item.key, Patch("merge", {"metadata": {"finalizers": None}}))
    assert "deletionTimestamp" in last.doc["metadata"]
    with pytest.raises(NotFound):
        registry.get(item.key)


async def test_finalizers_and_grace_both_hold_a_pod(registry):
    await bound_pod(registry, finalizers=["example.com/a"])
    await registry.delete(A)
    stopped = await registry.delete(A, options=DeleteOptions(grace_s=0))
    assert not stopped.gone
    await registry.patch(A, Patch("json", [{"op": "remove", "path": "/metadata/finalizers"}]))
    with pytest.raises(NotFound):
        registry.get(A)


async def test_removing_the_finalizer_first_keeps_the_grace(registry):
    await bound_pod(registry, finalizers=["example.com/a"])
    await registry.delete(A)
    await registry.patch(A, Patch("merge", {"metadata": {"finalizers": None}}))
    assert registry.get(A).doc["metadata"]["deletionGracePeriodSeconds"] == 20
    assert (await registry.delete(A, options=DeleteOptions(grace_s=0))).gone


@pytest.mark.parametrize(
    ("propagation", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
async def test_propagation_is_told_by_finalizers(registry, propagation, finalizer):
    item = await registry.create("deployments.apps", "default", deployment_document())
    deleted = await registry.delete(item.key, options=DeleteOptions(propagation=propagation))
    assert not deleted.gone
    assert deleted.object.doc["metadata"]["finalizers"] == [finalizer]
    assert deleted.object.doc["metadata"]["generation"] == 2
    again = await registry.delete(item.key)
    assert again.object is deleted.object, "a plain delete does not call it off"


async def test_background_takes_an_old_propagation_finalizer_away(registry):
    item = await config_map(registry, finalizers=["orphan"])
    assert not (await registry.delete(item.key)).gone
    assert (await registry.delete(item.key, options=DeleteOptions(propagation="Background"))).gone


async def test_preconditions(registry):
    item = await config_map(registry)
    with pytest.raises(Conflict, match="UID in precondition: x"):
        await registry.delete(item.key, options=DeleteOptions(uid=Uid("x")))
    with pytest.raises(Conflict, match="ResourceVersion in precondition: 1"):
        await registry.delete(item.key, options=DeleteOptions(expected=Revision(1)))
    right = DeleteOptions(uid=item.uid, expected=item.revision)
    assert (await registry.delete(item.key, options=right)).gone


async def test_a_dry_run_deletes_nothing(registry, store):
    item = await config_map(registry)
    await bound_pod(registry)
    before = store.revision
    assert (await registry.delete(item.key, options=DeleteOptions(dry_run=True))).gone
    pod = await registry.delete(A, options=DeleteOptions(dry_run=True))
    assert "deletionTimestamp" in pod.object.doc["metadata"]
    assert store.revision == before


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_some_namespaces_stay(registry, name):
    with pytest.raises(Forbidden, match="may not be deleted"):
        await registry.delete(ObjectKey("namespaces", "", name))


async def test_a_namespace_waits_for_its_finalizer(registry):
    ns = ObjectKey("namespaces", "", "n")
    await registry.create("namespaces", "", {"metadata": {"name": "n"}})
    deleted = await registry.delete(ns)
    assert not deleted.gone
    assert deleted.object.doc["status"]["phase"] == "Terminating"
    await registry.patch(ns, Patch("merge", {"spec": {"finalizers": None}}))
    assert registry.get(ns).doc["spec"] == {"finalizers": ["kubernetes"]}
    condition = {"status": {"conditions": [{"type": "X", "status": "True"}]}}
    await registry.patch(ns, Patch("merge", condition), subresource="status")
    document = registry.get(ns).thawed()
    document["spec"] = {}
    await registry.update(ns, document, subresource="finalize")
    with pytest.raises(NotFound):
        registry.get(ns)


async def test_a_collection(registry):
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await config_map(registry, name, labels={"app": app})
    await config_map(registry, "held", labels={"app": "x"}, finalizers=["example.com/a"])
    deleted = await registry.delete_collection(
        "configmaps", "default", labels=parse_label_selector("app=x")
    )
    assert [(d.object.key.name, d.gone) for d in deleted] == [
        ("a", True), ("b", True), ("held", False),
    ]  # fmt: skip
    assert [item.key.name for item in registry.list("configmaps").items] == ["c", "held"]


async def test_a_namespaces_finalizer_can_be_patched_away(registry):
    ns = ObjectKey("namespaces", "", "n")
    item = await registry.create("namespaces", "", {"metadata": {"name": "n"}})
    await registry.patch(ns, Patch("merge", {"spec": {"finalizers": []}}), subresource="finalize")
    assert registry.get(ns).uid == item.uid, "alone it does not delete"
    assert (await registry.delete(ns)).gone


async def test_a_failure_in_a_collection_stops_no_other(registry):
    for name in ("a", "b", "c"):
        await config_map(registry, name)
    b = registry.get(key("configmaps", "b"))
    with pytest.raises(Conflict):
        await registry.delete_collection("configmaps", options=DeleteOptions(uid=b.uid))
    assert [item.key.name for item in registry.list("configmaps").items] == ["a", "c"]
