import pytest

from orchestrator.cli.targets import (
    collection_path,
    find_resource,
    object_path,
    parse_targets,
    typed_name,
)
from orchestrator.kit.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "plural"),
    [
        ("po", "pods"),
        ("pod", "pods"),
        ("Pods", "pods"),
        ("deploy", "deployments"),
        ("deployments.apps", "deployments"),
        ("deployment.v1.apps", "deployments"),
        ("svc", "services"),
        ("no", "nodes"),
        ("cm", "configmaps"),
        ("ReplicaSet", "replicasets"),
    ],
)
def test_words_name_resources(word: str, plural: str) -> None:
    assert find_resource(word).plural == plural


def test_an_unknown_word_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'resource type "podz"; did you mean "pods"'):
        find_resource("podz")


def test_types_and_names() -> None:
    (one,) = parse_targets(("pods", "a", "b"))
    assert (one.resource.plural, one.names) == ("pods", ("a", "b"))
    pods, services = parse_targets(("po,svc",))
    assert (pods.resource.plural, services.resource.plural) == ("pods", "services")
    first, second = parse_targets(("pod/a", "svc/b"))
    assert first.names == ("a",)
    assert second.names == ("b",)


def test_all_is_every_resource_of_that_category() -> None:
    plurals = [t.resource.plural for t in parse_targets(("all",))]
    assert {"pods", "services", "deployments", "replicasets"} <= set(plurals)
    assert "secrets" not in plurals


def test_mixed_forms_are_refused() -> None:
    with pytest.raises(ConfigError, match="either TYPE/NAME"):
        parse_targets(("pod/a", "b"))
    with pytest.raises(ConfigError, match="say what"):
        parse_targets(())


def test_paths() -> None:
    deployments, nodes = find_resource("deploy"), find_resource("nodes")
    assert collection_path(deployments, "x") == "/apis/apps/v1/namespaces/x/deployments"
    assert collection_path(deployments, "") == "/apis/apps/v1/deployments"
    assert object_path(nodes, "x", "n1") == "/api/v1/nodes/n1"
    assert object_path(deployments, "x", "w", "scale").endswith("/deployments/w/scale")
    assert typed_name(deployments, "w") == "deployment.apps/w"
