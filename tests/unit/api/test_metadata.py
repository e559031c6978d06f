"""Name rules."""

import random

import pytest

from orchestrator.api import metadata
from orchestrator.api.resources import by_resource


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (metadata.is_label, ["a", "web-1", "1a"], ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n"]),
        (metadata.is_label_1035, ["a", "web-1"], ["", "1a", "a.b", "a" * 64]),
        (metadata.is_subdomain, ["a", "a.b", "1.2", "a" * 253], ["", "a..b", ".a", "A", "a" * 254]),
        (
            metadata.is_qualified_name,
            ["a", "A.b_c-d", "example.com/a", "1"],
            ["", "/a", "a/", "a/b/c", "a b", "Ex.com/a", "a" * 64, "-a"],
        ),
        (metadata.is_label_value, ["", "a", "A_b.c-d"], ["-a", "a b", "a" * 64, "a/b"]),
        (metadata.is_config_key, ["a", ".a", "A_b-c.d"], ["", ".", "..", "..a", "a/b", "a" * 254]),
        (metadata.is_env_name, ["A", "a.b-c", "1", "a b"], ["", "a=b", "ä"]),
        (metadata.is_port_name, ["http", "a-1"], ["", "1", "a--b", "-a", "a-", "A", "a" * 16]),
    ],
    ids=lambda v: v.__name__ if callable(v) else "",
)
def test_rules(check, good, bad):
    assert [text for text in good if check(text)] == []
    assert [text for text in bad if not check(text)] == []


def test_the_kind_decides_about_names():
    assert metadata.name_faults(by_resource("pods"), "a.b") == []
    assert metadata.name_faults(by_resource("namespaces"), "a.b")
    assert metadata.name_faults(by_resource("services"), "1a")
    assert metadata.name_faults(by_resource("pods"), "web-", prefix=True) == []
    assert metadata.name_faults(by_resource("pods"), "Web-", prefix=True)


def test_generated_names_fit():
    name = metadata.generated_name("x" * 80, random.Random(1))
    assert len(name) == 63
    assert set(name[58:]) <= set(metadata.SUFFIX_ALPHABET)
