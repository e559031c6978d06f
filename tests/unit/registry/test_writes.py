"""Create, update, patch: what is stored, what is refused, and which writes are none."""

import asyncio
import random

import pytest

from orchestrator.api.resources import by_resource
from orchestrator.api.schema import strict
from orchestrator.kit.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    EntityTooLarge,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
)
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.registry.registry import Registry
from orchestrator.store.objects import Draft, Put
from tests.unit.registry.documents import deployment_document, key, pod_document

WEB = key("deployments.apps", "web")


async def made(registry: Registry, **spec):
    return await registry.create("deployments.apps", "default", deployment_document(**spec))


async def test_a_new_object_has_what_the_server_gives_it(registry, store):
    sent = deployment_document()
    sent["status"] = {"replicas": 9}
    sent["metadata"] |= {"uid": "mine", "generation": 7, "creationTimestamp": None}
    item = await registry.create("deployments.apps", "default", sent)
    meta = item.doc["metadata"]
    assert meta["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert (meta["generation"], meta["namespace"]) == (1, "default")
    assert len(meta["uid"]) == 36
    assert meta["uid"] != "mine"
    assert meta["resourceVersion"] == str(store.revision) == str(item.revision)
    assert item.doc["status"] == {}
    assert item.view.spec.replicas == 1
    assert sent["metadata"]["uid"] == "mine", "the caller's document is not changed"
    assert registry.get(WEB) is item


async def test_names_are_generated_and_do_not_clash(registry):
    document = pod_document()
    del document["metadata"]["name"]
    document["metadata"]["generateName"] = "web-"
    items = [await registry.create("pods", "default", document) for _ in range(20)]
    names = {item.key.name for item in items}
    assert len(names) == 20
    assert all(len(n) == 9 and n.startswith("web-") for n in names)


async def test_a_generated_name_that_is_taken_is_drawn_again(store, clock, registry):
    one, two = (Registry(store, clock, random.Random(5)) for _ in range(2))
    document = {"metadata": {"generateName": "x-"}}
    first = await one.create("configmaps", "default", document)
    second = await two.create("configmaps", "default", document)
    assert first.key != second.key


async def test_what_is_there_already(registry):
    await made(registry)
    with pytest.raises(AlreadyExists, match=r'^deployments\.apps "web" already exists$') as caught:
        await made(registry)
    assert (caught.value.group, caught.value.kind, caught.value.name) == (
        "apps",
        "deployments",
        "web",
    )


async def test_two_creates_at_once_make_one_object(registry):
    results = await asyncio.gather(made(registry), made(registry), return_exceptions=True)
    assert sorted(type(r).__name__ for r in results) == ["AlreadyExists", "StoredObject"]


@pytest.mark.parametrize(
    ("resource", "namespace", "error"),
    [
        ("pods", "nowhere", NotFound),
        ("pods", "", BadRequest),
        ("nodes", "default", BadRequest),
        ("podtemplates", "default", MethodNotAllowed),
        ("selfsubjectreviews.authentication.k8s.io", "", MethodNotAllowed),
        ("gadgets", "default", NotFound),
    ],
)
async def test_where_nothing_can_be_created(registry, resource, namespace, error):
    with pytest.raises(error):
        await registry.create(resource, namespace, pod_document())


async def test_a_missing_namespace_is_named(registry):
    with pytest.raises(NotFound, match=r'^namespaces "nowhere" not found$'):
        await registry.create("pods", "nowhere", pod_document())


async def test_a_revision_in_a_new_object_is_refused(registry):
    document = pod_document()
    document["metadata"]["resourceVersion"] = "5"
    with pytest.raises(BadRequest, match="resourceVersion should not be set"):
        await registry.create("pods", "default", document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"spec": {"replicas": "three"}},
            "cannot be handled as a Deployment: json: cannot unmarshal",
        ),
        ({"kind": "Pod"}, "take a Deployment"),
        ({"apiVersion": "apps/v1beta1"}, "does not match the expected API version"),
        ({"spec": {"template": {"spec": {"containers": [None]}}}}, "holds null"),
        ({"metadata": {"name": "web", "namespace": "other"}}, "namespace of the provided object"),
    ],
)
async def test_what_cannot_be_read_is_400(registry, change, words):
    with pytest.raises(BadRequest, match=words):
        await registry.create("deployments.apps", "default", {**deployment_document(), **change})


async def test_unknown_fields_warn_refuse_or_vanish(registry):
    document = deployment_document(replicaz=3)
    with pytest.raises(BadRequest) as caught:
        await registry.create(
            "deployments.apps", "default", document, options=WriteOptions(field_validation="Strict")
        )
    assert caught.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.replicaz"'
    )
    warn = WriteOptions()
    item = await registry.create("deployments.apps", "default", document, options=warn)
    assert warn.warnings == ['unknown field "spec.replicaz"']
    assert "replicaz" not in item.doc["spec"]
    quiet = WriteOptions(field_validation="Ignore")
    document["metadata"]["name"] = "other"
    await registry.create("deployments.apps", "default", document, options=quiet)
    assert quiet.warnings == []


async def test_fields_without_effect_are_kept_and_named(registry):
    options = WriteOptions()
    document = pod_document(runtimeClassName="r", subdomain="s")
    item = await registry.create("pods", "default", document, options=options)
    assert item.doc["spec"]["runtimeClassName"] == "r"
    places = [w.split(":")[0] for w in options.warnings]
    assert places == ["spec.runtimeClassName", "spec.subdomain"]
    later = WriteOptions()
    change = Patch("merge", {"metadata": {"labels": {"a": "b"}}})
    await registry.patch(item.key, change, options=later)
    assert later.warnings == [], "said once, when it came"


async def test_faults_are_told_all_at_once(registry):
    document = deployment_document(replicas=-1)
    document["spec"]["template"]["metadata"]["labels"] = {"other": "x"}
    with pytest.raises(Invalid) as caught:
        await registry.create("deployments.apps", "default", document)
    assert caught.value.message.startswith('Deployment.apps "web" is invalid: [spec.replicas: ')
    assert [c.field for c in caught.value.causes] == [
        "spec.replicas",
        "spec.template.metadata.labels",
    ]
    assert caught.value.kind == "Deployment"


async def test_a_dry_run_answers_and_stores_nothing(registry, store):
    before = store.revision
    dry = WriteOptions(dry_run=True)
    document = deployment_document()
    item = await registry.create("deployments.apps", "default", document, options=dry)
    assert item.doc["spec"]["replicas"] == 1
    assert "resourceVersion" not in item.doc["metadata"]
    assert store.revision == before
    stored = await made(registry)
    patch = Patch("merge", {"spec": {"replicas": 5}})
    patched = await registry.patch(WEB, patch, options=dry)
    assert patched.doc["spec"]["replicas"] == 5
    assert registry.get(WEB) is stored


async def test_an_object_can_be_too_big(store, clock, registry):
    huge = {"metadata": {"name": "x", "annotations": {}}, "data": {"a": "x" * (1024 * 1024 + 1)}}
    with pytest.raises(Invalid, match="Too long"):
        await registry.create("configmaps", "default", huge)
    many = [f"app-{i:04}-{'x' * 200}" for i in range(8000)]
    document = pod_document()
    document["spec"]["containers"][0]["args"] = many
    with pytest.raises(EntityTooLarge):
        await registry.create("pods", "default", document)


# ---------------------------------------------------------------- update


async def test_a_write_that_changes_nothing_makes_no_revision(registry, store):
    item = await made(registry)
    before = store.revision
    assert await registry.update(WEB, item.thawed()) is item
    assert await registry.update(WEB, deployment_document()) is item
    assert await registry.patch(WEB, Patch("merge", {"spec": {"replicas": 1}})) is item
    assert store.revision == before


async def test_generation_counts_changes_of_what_is_wanted(registry):
    await made(registry)
    labelled = await registry.patch(WEB, Patch("merge", {"metadata": {"labels": {"a": "b"}}}))
    assert labelled.doc["metadata"]["generation"] == 1
    scaled = await registry.patch(WEB, Patch("merge", {"spec": {"replicas": 2}}))
    assert scaled.doc["metadata"]["generation"] == 2
    status = Patch("merge", {"status": {"observedGeneration": 2}})
    reported = await registry.patch(WEB, status, subresource="status")
    assert reported.doc["metadata"]["generation"] == 2


async def test_a_stale_revision_is_a_conflict(registry):
    old = (await made(registry)).thawed()
    await registry.patch(WEB, Patch("merge", {"spec": {"replicas": 2}}))
    old["spec"]["replicas"] = 3
    with pytest.raises(Conflict) as caught:
        await registry.update(WEB, old)
    assert caught.value.message == (
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    del old["metadata"]["resourceVersion"]
    assert (await registry.update(WEB, old)).view.spec.replicas == 3, "without: last write wins"
    stale = Patch("merge", {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 9}})
    with pytest.raises(Conflict):
        await registry.patch(WEB, stale)


async def test_another_incarnation_is_a_conflict(registry):
    document = (await made(registry)).thawed()
    document["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(Conflict, match="UID in precondition"):
        await registry.update(WEB, document)


async def test_each_field_has_one_writer(registry):
    await made(registry)
    both = {"spec": {"replicas": 4}, "status": {"replicas": 4}}
    main = await registry.patch(WEB, Patch("merge", both))
    assert main.doc["spec"]["replicas"] == 4
    assert main.doc["status"] == {}
    both = {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {"replicas": 5},
        "status": {"replicas": 5},
    }
    status = await registry.patch(WEB, Patch("merge", both), subresource="status")
    assert status.doc["spec"]["replicas"] == 4
    assert status.doc["status"] == {"replicas": 5}
    assert "annotations" not in status.doc["metadata"]


async def test_a_pods_annotations_may_come_with_its_status(registry):
    await registry.create("pods", "default", pod_document())
    change = {
        "metadata": {"annotations": {"orch.dev/published-ports": "{}"}, "labels": {"x": "y"}},
        "status": {"phase": "Running"},
    }
    item = await registry.patch(key("pods", "a"), Patch("merge", change), subresource="status")
    assert item.view.status.phase == "Running"
    assert item.doc["metadata"]["annotations"] == {"orch.dev/published-ports": "{}"}
    assert "labels" not in item.doc["metadata"]


async def test_server_metadata_cannot_be_written(registry):
    item = await made(registry)
    document = item.thawed()
    document["metadata"] |= {
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "deletionTimestamp": "2001-01-01T00:00:00Z",
        "generation": 99,
        "managedFields": [{"manager": "me"}],
        "labels": {"a": "b"},
    }
    after = (await registry.update(WEB, document)).doc["metadata"]
    before = item.doc["metadata"]
    assert after["labels"] == {"a": "b"}
    for field in ("creationTimestamp", "generation", "uid"):
        assert after[field] == before[field]
    assert "deletionTimestamp" not in after
    assert "managedFields" not in after


@pytest.mark.parametrize(
    "patch",
    [
        Patch("json", [{"op": "replace", "path": "/spec/replicas", "value": 6}]),
        Patch("merge", {"spec": {"replicas": 6}}),
        Patch("strategic", {"spec": {"replicas": 6}}),
    ],
    ids=lambda p: p.type,
)
async def test_each_kind_of_patch(registry, patch):
    await made(registry)
    assert (await registry.patch(WEB, patch)).view.spec.replicas == 6


@pytest.mark.parametrize(
    ("patch", "error"),
    [
        (Patch("merge", {"metadata": {"name": "other"}}), BadRequest),
        (Patch("merge", {"metadata": {"namespace": "other"}}), BadRequest),
        (Patch("merge", {"metadata": None}), BadRequest),
        (Patch("merge", {"spec": {"replicas": "x"}}), BadRequest),
        (Patch("merge", {"spec": {"replicas": -1}}), Invalid),
        (Patch("merge", {"kind": "Pod"}), BadRequest),
        (Patch("json", [{"op": "test", "path": "/spec/replicas", "value": 7}]), Invalid),
        (Patch("merge", {"spec": {"selector": {"matchLabels": {"app": "x"}}}}), Invalid),
    ],
)
async def test_patches_that_are_refused_change_nothing(registry, store, patch, error):
    item = await made(registry)
    with pytest.raises(error):
        await registry.patch(WEB, patch)
    assert registry.get(WEB) is item


async def test_patches_at_once_all_count(registry):
    await registry.create("configmaps", "default", {"metadata": {"name": "c"}})
    await asyncio.gather(
        *(
            registry.patch(key("configmaps", "c"), Patch("merge", {"data": {f"k{i}": "v"}}))
            for i in range(30)
        )
    )
    assert len(registry.get(key("configmaps", "c")).doc["data"]) == 30


async def test_a_write_still_under_way_is_waited_for(registry, store):
    """As after a cancelled request: the store has decided a write that memory does not show."""
    config = key("configmaps", "c")
    item = await registry.create("configmaps", "default", {"metadata": {"name": "c"}})
    draft = Draft.of({**item.thawed(), "data": {"a": "1"}})
    pending = asyncio.ensure_future(store.write(Put(config, draft, item.revision)))
    await asyncio.sleep(0)
    assert store.get(config) is item
    after = await registry.patch(config, Patch("merge", {"data": {"b": "2"}}))
    assert after.doc["data"] == {"a": "1", "b": "2"}
    await pending


async def test_what_is_not_there(registry):
    with pytest.raises(NotFound, match=r'^deployments\.apps "web" not found$'):
        registry.get(WEB)
    with pytest.raises(NotFound):
        await registry.update(WEB, deployment_document())
    with pytest.raises(NotFound):
        await registry.patch(WEB, Patch("merge", {}))
    with pytest.raises(MethodNotAllowed):
        await registry.patch(WEB, Patch("merge", {}), subresource="log")


async def test_nothing_is_created_in_a_namespace_that_goes(registry):
    await registry.create("namespaces", "", {"metadata": {"name": "n"}})
    await registry.delete(ObjectKey("namespaces", "", "n"))
    with pytest.raises(Forbidden) as caught:
        await registry.create("pods", "n", pod_document())
    assert caught.value.message == (
        'pods "a" is forbidden: unable to create new content in namespace n because it is being '
        "terminated"
    )
    assert caught.value.causes[0].reason == "NamespaceTerminating"


async def test_stored_objects_pass_the_strict_check(registry):
    item = await registry.create("pods", "default", pod_document())
    assert not strict.check(by_resource("pods"), item.doc)


async def test_builtins_are_made_once(registry, store):
    before = store.revision
    await registry.ensure_builtins()
    assert store.revision == before
    names = [item.key.name for item in registry.list("namespaces").items]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    default = registry.get(ObjectKey("namespaces", "", "default")).doc
    assert default["spec"] == {"finalizers": ["kubernetes"]}
    assert default["status"] == {"phase": "Active"}
    assert default["metadata"]["labels"] == {"kubernetes.io/metadata.name": "default"}


async def test_what_is_reported_changes_that_and_nothing_else(registry, store, clock):
    pod = await registry.create("pods", "default", pod_document())
    body = {"status": {"phase": "Running"}, "metadata": {"annotations": {"ports": "1"}}}
    told = await registry.report(pod.key, body)
    expected = pod.thawed()
    expected["status"]["phase"] = "Running"
    expected["metadata"] |= {
        "annotations": {**(expected["metadata"].get("annotations") or {}), "ports": "1"},
        "resourceVersion": str(told.revision),
    }
    assert told.doc == expected
    assert registry.get(pod.key) is told
    again = await registry.report(pod.key, body)
    assert again is None  # it says so already
    assert store.revision == told.revision


async def test_reports_at_the_same_time_are_all_kept(registry):
    pod = await registry.create("pods", "default", pod_document())
    bodies = [{"metadata": {"annotations": {f"n{n}": "x"}}} for n in range(8)]
    await asyncio.gather(*(registry.report(pod.key, body) for body in bodies))
    found = registry.get(pod.key).doc["metadata"]["annotations"]
    assert {f"n{n}" for n in range(8)} <= set(found)


async def test_a_report_of_what_is_gone_is_refused(registry):
    with pytest.raises(NotFound, match='pods "web" not found'):
        await registry.report(key("pods", "web"), {"status": {}})
