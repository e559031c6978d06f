"""Which hosts words name, and which nodes they make."""

import pytest

from orchestrator.kit.errors import ConfigError
from orchestrator.simulation.scenario import chosen, new_nodes

NODES = {"web-1": {"zone": "a"}, "web-2": {"zone": "b"}, "db-1": {"zone": "b"}}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["web-1"], ["web-1"]),
        (["zone=b"], ["db-1", "web-2"]),
        (["zone=b", "web-2", "web-1"], ["db-1", "web-1", "web-2"]),
    ],
)
def test_hosts_by_name_and_label(words, names):
    assert chosen("--fail", words, NODES) == names


def test_every_word_that_names_no_host_is_told():
    with pytest.raises(ConfigError) as refused:
        chosen("--fail", ["web-3", "zone=c", "web-1"], NODES)
    assert refused.value.problems == (
        "--fail web-3: no such node; did you mean web-2?",
        "--fail zone=c: no node has such a label",
    )


def test_new_nodes_have_names_that_are_free():
    made = new_nodes(["2:cpu=4,memory=8Gi,zone=a,disk=ssd,gpu=1"], {"new-1"}, {"gpu"})
    assert [one["metadata"]["name"] for one in made] == ["new-2", "new-3"]
    assert made[0]["metadata"]["labels"] == {
        "kubernetes.io/hostname": "new-2",
        "topology.kubernetes.io/zone": "a",
        "disk": "ssd",
    }
    assert made[0]["status"]["allocatable"] == {
        "cpu": "4", "memory": "8Gi", "gpu": "1", "pods": "110",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("cpu=4", "begins with how many, 1 to 5000; for example 3:cpu=4,memory=8Gi"),
        ("2:cpu=4", "says no memory; for example 3:cpu=4,memory=8Gi"),
        ("2:cpu=x,memory=8Gi", "cpu: 'x' is no amount"),
        ("2:cpu", "'cpu' is no KEY=VALUE; for example 3:cpu=4,memory=8Gi"),
    ],
)
def test_what_cannot_be_read(word, problem):
    with pytest.raises(ConfigError) as refused:
        new_nodes([word], (), ())
    assert refused.value.problems[0] == f"--add-nodes {word}: {problem}"
