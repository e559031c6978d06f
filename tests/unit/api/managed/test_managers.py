"""Who owns what after updates and applies; what an apply makes of an object."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.managed.fieldset import difference, intersection, paths
from orchestrator.api.managed.managers import (
    ANCIENT,
    MOST_UPDATERS,
    Manager,
    applied,
    before_first_apply,
    decode,
    encode,
    first_applied,
    updated,
)
from orchestrator.api.managed.merging import merge
from orchestrator.api.managed.walking import added_fields, applied_fields, compare
from orchestrator.api.resources import by_resource
from orchestrator.api.schema.nodes import schema_of
from orchestrator.kit.errors import BadRequest, Conflict

DEPLOYMENT = schema_of(by_resource("deployments.apps"))
CONFIG_MAP = schema_of(by_resource("configmaps"))
NOW = "2026-01-01T00:00:00Z"


def config(*containers, replicas=None, labels=None, **spec):
    listed = [{"name": n, "image": i} if isinstance(i, str) else i for n, i in containers]
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": spec,
    }
    if replicas is not None:
        made["spec"]["replicas"] = replicas
    if labels:
        made["metadata"]["labels"] = labels
    if listed:
        made["spec"]["template"] = {"spec": {"containers": listed}}
    return made


def applier(name="kubectl"):
    return Manager(name, "Apply", "apps/v1")


def updater(name="edit", subresource=""):
    return Manager(name, "Update", "apps/v1", subresource)


def apply(entries, live, wanted, name="kubectl", force=False, schema=DEPLOYMENT):
    return applied(entries, live, wanted, schema, applier(name), NOW, force=force)


def first(wanted, name="kubectl", schema=DEPLOYMENT):
    return copy.deepcopy(wanted), first_applied(wanted, schema, applier(name), NOW)


def owned(entries, name):
    return [p for e in entries if e.manager.name == name for p in paths(e.fields)]


def images(document):
    return [(c["name"], c.get("image")) for c in document["spec"]["template"]["spec"]["containers"]]


def test_what_an_apply_owns():
    _, entries = first(config(("c", "x:1"), replicas=2, labels={"a": "b"}))
    assert owned(entries, "kubectl") == [
        ".metadata.labels.a",
        ".spec.replicas",
        '.spec.template.spec.containers[name="c"]',
        '.spec.template.spec.containers[name="c"].image',
        '.spec.template.spec.containers[name="c"].name',
    ]


def test_keys_that_are_defaults_are_part_of_the_key():
    container = {"name": "c", "ports": [{"containerPort": 80}]}
    fields = applied_fields(config(("c", container)), DEPLOYMENT)
    assert '[containerPort=80,protocol="TCP"]' in "".join(paths(fields))
    with pytest.raises(BadRequest, match='omits key field "containerPort"'):
        applied_fields(config(("c", {"name": "c", "ports": [{"name": "x"}]})), DEPLOYMENT)


def test_applying_again_changes_nothing():
    wanted = config(("c", "x:1"), replicas=2)
    live, entries = first(wanted)
    again, kept = apply(entries, live, wanted)
    assert again == live
    assert kept == entries


def test_what_is_applied_no_more_goes():
    live, entries = first(
        config(("c", "x:1"), ("d", "y:1"), replicas=2, labels={"a": "1", "b": "2"})
    )
    live["spec"]["paused"] = True
    left, kept = apply(entries, live, config(("c", "x:1"), labels={"a": "1"}))
    assert images(left) == [("c", "x:1")]
    assert "replicas" not in left["spec"]
    assert left["metadata"] == {"name": "web", "labels": {"a": "1"}}
    assert left["spec"]["paused"] is True
    assert ".spec.replicas" not in owned(kept, "kubectl")


def test_what_another_owns_too_stays():
    live, entries = first(config(replicas=2, labels={"a": "1"}))
    live, entries = apply(entries, live, config(replicas=2), name="other")
    left, kept = apply(entries, live, config(labels={"a": "1"}))
    assert left["spec"]["replicas"] == 2
    assert owned(kept, "other") == [".spec.replicas"]


def test_conflicts_name_managers_and_fields():
    live, entries = first(config(("c", "x:1"), replicas=2))
    live["spec"]["replicas"] = 5
    entries = updated(entries, first(config(("c", "x:1"), replicas=2))[0], live, DEPLOYMENT,
                      updater("hpa", "scale"), NOW)  # fmt: skip
    assert owned(entries, "hpa") == [".spec.replicas"]
    assert ".spec.replicas" not in owned(entries, "kubectl")
    with pytest.raises(Conflict) as caught:
        apply(entries, live, config(("c", "x:1"), replicas=3))
    assert str(caught.value) == (
        'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: '
        ".spec.replicas"
    )
    (cause,) = caught.value.causes
    assert (cause.reason, cause.field) == ("FieldManagerConflict", ".spec.replicas")
    with pytest.raises(Conflict, match=r"2 conflicts: (.|\n)*kubectl\":\n- \.spec\.template"):
        apply(entries, live, config(("c", "x:2"), replicas=3), name="other")
    taken, kept = apply(entries, live, config(("c", "x:1"), replicas=3), force=True)
    assert taken["spec"]["replicas"] == 3
    assert owned(kept, "hpa") == []


def test_the_same_value_is_no_conflict():
    live, entries = first(config(replicas=2))
    _, kept = apply(entries, live, config(replicas=2), name="other")
    assert owned(kept, "kubectl") == owned(kept, "other") == [".spec.replicas"]


def test_items_keep_their_places():
    live = config(("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"))
    wanted = config(("new", "0"), ("d", "5"), ("b", "6"))
    made = merge(live, wanted, DEPLOYMENT)
    assert images(made) == [("new", "0"), ("a", "1"), ("c", "3"), ("d", "5"), ("b", "6")]
    assert images(live)[0] == ("a", "1")


def test_atomic_places_are_owned_as_a_whole():
    live, entries = first({**config(), "spec": {"selector": {"matchLabels": {"a": "1"}}}})
    assert owned(entries, "kubectl") == [".spec.selector"]
    with pytest.raises(Conflict, match=r"\.spec\.selector"):
        apply(entries, live, {**config(), "spec": {"selector": {"matchLabels": {"b": "1"}}}}, "x")


def test_updates_own_what_they_change_and_lose_what_others_change():
    old = config(("c", "x:1"), replicas=1)
    entries = updated([], None, old, DEPLOYMENT, updater("create"), NOW)
    assert ".spec.replicas" in owned(entries, "create")
    new = config(("c", "x:2"), replicas=1)
    entries = updated(entries, old, new, DEPLOYMENT, updater("edit"), NOW)
    image = '.spec.template.spec.containers[name="c"].image'
    assert owned(entries, "edit") == [image]
    assert image not in owned(entries, "create")
    assert updated(entries, new, copy.deepcopy(new), DEPLOYMENT, updater("x"), NOW) == entries
    gone = config(("c", "x:2"))
    entries = updated(entries, new, gone, DEPLOYMENT, updater("edit"), NOW)
    assert ".spec.replicas" not in owned(entries, "create")


def test_nobody_owns_what_is_the_servers():
    document = {**config(replicas=1), "status": {"replicas": 1}}
    document["metadata"] |= {"uid": "u", "generation": 1, "creationTimestamp": NOW}
    entries = updated([], None, document, DEPLOYMENT, updater(), NOW, {"status"})
    assert owned(entries, "edit") == [".spec.replicas"]
    (entry,) = before_first_apply(document, DEPLOYMENT, "apps/v1", NOW)
    assert list(paths(entry.fields)) == [".spec.replicas"]


def test_entries_are_read_as_they_are_written():
    _, entries = first(config(("c", "x:1"), replicas=2))
    entries = [
        *entries,
        *updated([], None, config(replicas=1), DEPLOYMENT, updater("u", "scale"), NOW),
    ]
    shown = encode(entries)
    assert [e["operation"] for e in shown] == ["Apply", "Update"]
    assert list(shown[1]) == [
        "manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource",
    ]  # fmt: skip
    assert decode(shown) == entries
    for wrong in ([{"operation": "Steal"}], [{"operation": "Apply", "fieldsType": "V2"}]):
        with pytest.raises(ValueError):
            decode(wrong)


def test_many_updaters_become_ancient():
    entries, old = [], {"metadata": {"name": "c"}, "data": {}}
    for number in range(MOST_UPDATERS + 5):
        new = {"metadata": {"name": "c"}, "data": {**old["data"], f"k{number}": "v"}}
        time = f"2026-01-01T00:00:{number:02}Z"
        entries = updated(entries, old, new, CONFIG_MAP, updater(f"m{number}"), time)
        old = new
    assert len(entries) == MOST_UPDATERS
    assert {".data.k0", ".data.k4"} <= set(owned(entries, ANCIENT))
    everything = [p for e in entries for p in paths(e.fields) if p != ".data"]
    assert len(set(everything)) == MOST_UPDATERS + 5


DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["m", "n", "o"]), DATA), min_size=1, max_size=6))
def test_laws_of_forced_applies(story):
    live, entries = {"metadata": {"name": "c"}}, []
    wants = {}
    for name, data in story:
        wanted = {"metadata": {"name": "c"}, **({"data": data} if data else {})}
        wants[name] = data
        live, entries = apply(entries, live, wanted, name, force=True, schema=CONFIG_MAP)
        assert {k: live.get("data", {}).get(k) for k in data} == data
        again, kept = apply(entries, live, wanted, name, schema=CONFIG_MAP)
        assert (again, encode(kept)) == (live, encode(entries))
        # every field has an owner, and every owner's value is the one that is there
        every = added_fields(live, CONFIG_MAP).get("f:data", {})
        leaves = {key for key in every if key != "."}
        theirs = {key for e in entries for key in e.fields.get("f:data", {}) if key != "."}
        assert leaves == theirs
        for entry in entries:
            for key in entry.fields.get("f:data", {}):
                if key != ".":
                    assert wants[entry.manager.name][key[2:]] == live["data"][key[2:]]


@given(DATA, DATA)
def test_comparisons_tell_all_that_differs(one, other):
    found = compare({"data": one}, {"data": other}, CONFIG_MAP)
    changed = set(paths(found.changed))
    assert changed == {f".data.{k}" for k in other if one.get(k) != other[k]}
    assert set(paths(found.removed)) == {f".data.{k}" for k in one if k not in other}
    assert not intersection(found.changed, found.removed)
    assert difference(found.changed, found.changed) == {}
