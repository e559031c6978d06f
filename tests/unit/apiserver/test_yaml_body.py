"""YAML bodies: Kubernetes' reading of YAML, and bodies that would blow up."""

import pytest

from orchestrator.apiserver.yaml_body import load_yaml
from orchestrator.kit.errors import BadRequest


def test_values():
    text = b"a: 1\nb: on\nc: 2026-01-02\nd: 1.5\n7: x\ntrue: y\ne: [~, 'no']\nf: 0o17\n"
    assert load_yaml(text, 50) == {
        "a": 1,
        "b": True,
        "c": "2026-01-02",
        "d": 1.5,
        "7": "x",
        "true": "y",
        "e": [None, "no"],
        "f": "0o17",
    }


def test_small_aliases_are_allowed():
    assert load_yaml(b"a: &x {k: v}\nb: *x\n", 50) == {"a": {"k": "v"}, "b": {"k": "v"}}


def test_billion_laughs():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(BadRequest, match="aliases expanded"):
        load_yaml("\n".join(lines).encode(), 50)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: &a [*a]", "contains itself"),
        (b"[" * 80 + b"]" * 80, "nested deeper than 50"),
        (b"a: b: c", "yaml: line 1"),
        (b"a: .nan", "cannot be written as JSON"),
        (b"a: !!python/object:os.system {}", "yaml: line 1"),
        (b"a: 1\n---\nb: 2\n", "several YAML documents"),
        (b"? [1]\n: 2\n", "yaml|key"),
        (b"a: *missing", "missing|undefined"),
    ],
)
def test_refused(text, message):
    with pytest.raises(BadRequest, match=message):
        load_yaml(text, 50)


def test_empty():
    assert load_yaml(b"# nothing\n", 50) is None
