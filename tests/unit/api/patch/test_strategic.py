"""Strategic merge patch on Deployments, Pods, Services and Nodes: what kubectl relies on."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.patch.strategic import strategic_merge
from orchestrator.api.resources import by_resource
from orchestrator.api.schema.nodes import schema_of
from orchestrator.kit.errors import BadRequest

POD = schema_of(by_resource("pods"))
DEPLOYMENT = schema_of(by_resource("deployments.apps"))
SERVICE = schema_of(by_resource("services"))


def pod(live: dict, patch: dict) -> dict:
    before = copy.deepcopy((live, patch))
    merged = strategic_merge({"spec": live}, {"spec": patch}, POD)["spec"]
    assert before == (live, patch), "arguments are not changed"
    return merged


def names(items: list[dict]) -> list[str]:
    return [item["name"] for item in items]


C = [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}, {"name": "c", "image": "c:1"}]


def test_items_merge_by_key_and_keep_what_others_set():
    merged = pod({"containers": C}, {"containers": [{"name": "b", "image": "b:2"}]})
    assert merged["containers"][1] == {"name": "b", "image": "b:2"}
    assert names(merged["containers"]) == ["a", "b", "c"]


def test_null_removes_and_scalars_replace():
    merged = pod({"hostname": "x", "nodeName": "n"}, {"hostname": None, "nodeName": "m"})
    assert merged == {"nodeName": "m"}


def test_delete_directive_in_a_list():
    merged = pod({"containers": C}, {"containers": [{"$patch": "delete", "name": "b"}]})
    assert names(merged["containers"]) == ["a", "c"]


def test_replace_directive_in_a_list():
    patch = {"containers": [{"name": "z"}, {"$patch": "replace"}]}
    assert pod({"containers": C}, patch)["containers"] == [{"name": "z"}]


def test_merge_directive_in_a_list_is_the_default():
    patch = {"containers": [{"$patch": "merge", "name": "a", "image": "a:2"}]}
    assert pod({"containers": C}, patch)["containers"][0] == {"name": "a", "image": "a:2"}


def test_replace_and_delete_in_a_map():
    live = {"securityContext": {"runAsUser": 1, "fsGroup": 2}}
    patch = {"securityContext": {"$patch": "replace", "runAsGroup": 3, "fsGroup": None}}
    assert pod(live, patch) == {"securityContext": {"runAsGroup": 3}}
    assert pod(live, {"securityContext": {"$patch": "delete"}}) == {"securityContext": {}}


def test_the_whole_template_can_be_replaced_as_rollout_undo_does():
    live = {"spec": {"template": {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": C}}}}
    patch = {"spec": {"template": {"$patch": "replace", "spec": {"containers": C[:1]}}}}
    merged = strategic_merge(live, patch, DEPLOYMENT)
    assert merged == {"spec": {"template": {"spec": {"containers": C[:1]}}}}


def test_set_element_order_orders_and_server_only_items_keep_their_place():
    patch = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
        "containers": [{"name": "c", "image": "c:2"}],
    }
    merged = pod({"containers": C}, patch)["containers"]
    assert names(merged) == ["b", "c", "a"]
    assert merged[1]["image"] == "c:2"


def test_set_element_order_alone():
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert names(pod({"containers": C}, patch)["containers"]) == ["b", "a", "c"]


def test_new_items_come_where_the_order_says():
    patch = {
        "$setElementOrder/containers": [{"name": "n"}, {"name": "a"}, {"name": "b"}, {"name": "c"}],
        "containers": [{"name": "n", "image": "n:1"}],
    }
    assert names(pod({"containers": C}, patch)["containers"]) == ["n", "a", "b", "c"]


def test_new_items_without_an_order_go_first():
    assert names(pod({"containers": C}, {"containers": [{"name": "n"}]})["containers"])[0] == "n"


def test_an_order_that_the_list_contradicts_is_refused():
    patch = {
        "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
        "containers": [{"name": "b"}, {"name": "a"}],
    }
    with pytest.raises(BadRequest, match="does not match"):
        pod({"containers": C, "securityContext": {}}, patch)


def test_a_delete_may_go_with_an_order():
    patch = {
        "$setElementOrder/containers": [{"name": "a"}, {"name": "c"}],
        "containers": [{"$patch": "delete", "name": "b"}],
    }
    assert names(pod({"containers": C}, patch)["containers"]) == ["a", "c"]


def test_primitive_lists_merge_and_delete():
    live = {"metadata": {"finalizers": ["a", "b"]}}
    merged = strategic_merge(live, {"metadata": {"finalizers": ["c", "a"]}}, POD)
    assert sorted(merged["metadata"]["finalizers"]) == ["a", "b", "c"]
    patch = {
        "metadata": {
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "$setElementOrder/finalizers": ["c", "b"],
            "finalizers": ["c"],
        }
    }
    merged = strategic_merge(live, patch, POD)
    assert merged == {"metadata": {"finalizers": ["c", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge(live, patch, POD) == {"metadata": {"finalizers": ["b"]}}


def test_lists_without_a_strategy_are_replaced():
    live = {"containers": [{"name": "a", "command": ["x", "y"]}]}
    patch = {"containers": [{"name": "a", "command": ["z"]}]}
    assert pod(live, patch)["containers"][0]["command"] == ["z"]


def test_retain_keys_drops_the_other_sources_of_a_volume():
    live = {"volumes": [{"name": "v", "emptyDir": {}}]}
    patch = {
        "volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/"}}]
    }
    assert pod(live, patch)["volumes"] == [{"name": "v", "hostPath": {"path": "/"}}]


def test_retain_keys_for_a_deployment_strategy():
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    merged = strategic_merge(live, patch, DEPLOYMENT)
    assert merged == {"spec": {"strategy": {"type": "Recreate"}}}


def test_retain_keys_must_name_what_the_patch_sets():
    patch = {"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}}
    with pytest.raises(BadRequest, match="does not name"):
        strategic_merge({"spec": {"strategy": {}}}, patch, DEPLOYMENT)


def test_service_ports_merge_by_port():
    live = {"spec": {"ports": [{"port": 80, "nodePort": 30001}, {"port": 81}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    merged = strategic_merge(live, patch, SERVICE)["spec"]["ports"]
    assert merged[0] == {"port": 80, "nodePort": 30001, "targetPort": 8080}


def test_directives_never_reach_the_object_when_nothing_was_there():
    patch = {
        "containers": [
            {
                "name": "a",
                "$setElementOrder/ports": [{"containerPort": 1}],
                "ports": [{"containerPort": 1}],
            },
            {"$patch": "delete", "name": "b"},
        ],
        "$setElementOrder/containers": [{"name": "a"}],
    }
    assert pod({}, patch) == {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]}


@pytest.mark.parametrize(
    "patch",
    [
        {"containers": [{"image": "x"}]},
        {"containers": [{"name": "a", "$patch": "explode"}]},
        {"securityContext": {"$patch": "explode"}},
        {"$setElementOrder/containers": "a"},
        {"$deleteFromPrimitiveList/x": "a"},
        {"$retainKeys": "a"},
    ],
    ids=str,
)
def test_nonsense_is_refused(patch):
    with pytest.raises(BadRequest):
        pod({"containers": C, "securityContext": {}}, patch)


def test_without_a_schema_maps_merge_and_lists_are_replaced():
    live = {"data": {"a": 1, "b": [1]}}
    assert strategic_merge(live, {"data": {"b": [2]}}, None) == {"data": {"a": 1, "b": [2]}}


_CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abcdef")},
        optional={
            "image": st.sampled_from(["x:1", "x:2"]),
            "args": st.lists(st.sampled_from(["p", "q"])),
        },
    ),
    unique_by=lambda container: container["name"],
)


@given(_CONTAINERS, _CONTAINERS)
def test_a_patch_that_holds_already_changes_nothing(live, wanted):
    once = pod({"containers": live}, {"containers": wanted})
    assert pod(once, {"containers": wanted}) == once
    merged = {container["name"]: container for container in once["containers"]}
    assert set(merged) == {container["name"] for container in live + wanted}
    for container in wanted:
        assert container.items() <= merged[container["name"]].items()


@given(_CONTAINERS, _CONTAINERS)
def test_the_order_that_a_patch_sets_is_kept(live, wanted):
    order = [{"name": container["name"]} for container in wanted]
    patch = {"$setElementOrder/containers": order, "containers": wanted}
    merged = names(pod({"containers": live}, patch).get("containers", []))
    ours = [item["name"] for item in order]
    assert [name for name in merged if name in ours] == ours
    theirs = [name for name in names(live) if name not in ours]
    assert [name for name in merged if name not in ours] == theirs
