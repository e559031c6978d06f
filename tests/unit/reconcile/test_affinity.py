"""Required node affinity: which hosts fit."""

import pytest

from orchestrator.reconcile.affinity import fits, required_terms

LABELS = {"zone": "a", "cores": "8"}


def term(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (term("zone", "In", "a", "b"), True),
        (term("zone", "In", "b"), False),
        (term("other", "In", "b"), False),
        (term("zone", "NotIn", "b"), True),
        (term("other", "NotIn", "b"), True),
        (term("zone", "NotIn", "a"), False),
        (term("zone", "Exists"), True),
        (term("other", "Exists"), False),
        (term("other", "DoesNotExist"), True),
        (term("cores", "Gt", "4"), True),
        (term("cores", "Gt", "8"), False),
        (term("cores", "Lt", "16"), True),
        (term("zone", "Gt", "4"), False),
        (term("cores", "Gt"), False),
        (term("zone", "Near", "a"), False),
        ({}, False),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}, True),
        ({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n"]}]}, False),
    ],
)
def test_terms(one, expected):
    assert fits([one], "n", LABELS) is expected


def test_one_term_is_enough_and_none_is_no_wish():
    assert fits([term("zone", "In", "b"), term("zone", "In", "a")], "n", LABELS)
    assert fits(None, "n", {})
    assert not fits([], "n", LABELS)
    assert required_terms(None) is None
    assert required_terms({}) is None
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}
    assert required_terms({"nodeAffinity": required}) == [{}]
