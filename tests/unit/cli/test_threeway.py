"""The three-way patch, held against the server's own strategic merge: applying it must give what
the user wants and leave other writers' fields alone."""

import copy

import pytest

from orchestrator.api.patch.strategic import strategic_merge
from orchestrator.api.resources import by_resource
from orchestrator.api.schema.nodes import schema_of
from orchestrator.cli.threeway import three_way

SCHEMA = schema_of(by_resource("deployments.apps"))


def deployment(containers: list, replicas: int | None = 2, **more: object) -> dict:
    spec: dict = {"template": {"spec": {"containers": containers}}, **more}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "w"}, "spec": spec}


def container(name: str, image: str = "a:1", **more: object) -> dict:
    return {"name": name, "image": image, **more}


def apply(last: dict, wanted: dict, live: dict) -> tuple[dict, dict]:
    patch = three_way(last, wanted, live, SCHEMA)
    merged = strategic_merge(copy.deepcopy(live), copy.deepcopy(patch), SCHEMA)
    return patch, merged


def test_nothing_to_do_is_an_empty_patch() -> None:
    wanted = deployment([container("a")])
    live = deployment([container("a", imagePullPolicy="Always")], progressDeadlineSeconds=600)
    assert three_way(wanted, wanted, live, SCHEMA) == {}


def test_a_changed_image_changes_that_container_only() -> None:
    last = deployment([container("a"), container("b")])
    wanted = deployment([container("a", "a:2"), container("b")])
    live = deployment([container("a", imagePullPolicy="Always"), container("b")])
    patch, merged = apply(last, wanted, live)
    assert patch["spec"]["template"]["spec"]["containers"] == [{"name": "a", "image": "a:2"}]
    assert merged["spec"]["template"]["spec"]["containers"] == [
        container("a", "a:2", imagePullPolicy="Always"),
        container("b"),
    ]


def test_what_the_user_dropped_goes_and_what_others_set_stays() -> None:
    last = deployment([container("a"), container("b")], replicas=3)
    wanted = deployment([container("a")], replicas=None)
    live = deployment([container("a"), container("b"), container("injected")], replicas=7)
    _, merged = apply(last, wanted, live)
    names = [c["name"] for c in merged["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["a", "injected"]
    assert "replicas" not in merged["spec"]


def test_fields_never_applied_are_left_alone() -> None:
    wanted = deployment([container("a")], replicas=None)
    live = deployment([container("a")], replicas=7)
    assert three_way(wanted, wanted, live, SCHEMA) == {}


@pytest.mark.parametrize(
    ("last", "wanted", "expected"),
    [
        (["x"], ["x", "y"], ["x", "y", "z"]),
        (["x", "z"], ["x"], ["x"]),
    ],
    ids=["added", "removed"],
)
def test_primitive_lists_merge(last: list, wanted: list, expected: list) -> None:
    def with_finalizers(values: list) -> dict:
        document = deployment([container("a")])
        document["metadata"]["finalizers"] = values
        return document

    live = with_finalizers(["x", "z"])
    _, merged = apply(with_finalizers(last), with_finalizers(wanted), live)
    assert sorted(merged["metadata"]["finalizers"]) == sorted(expected)
