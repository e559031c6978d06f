"""Nobody grants more than they hold."""

import pytest

from orchestrator.api.rbac.escalation import covers_everything, sentence, uncovered
from orchestrator.api.rbac.rules import FULL_AUTHORITY, PolicyRule


def rule(verbs, groups, resources, names=()):
    return PolicyRule(tuple(verbs), tuple(groups), tuple(resources), tuple(names))


GET_PODS = rule(["get", "list"], [""], ["pods"])


@pytest.mark.parametrize(
    ("held", "wanted", "missing"),
    [
        ([GET_PODS], GET_PODS, []),
        ([GET_PODS], rule(["get", "delete"], [""], ["pods"]), ['Verbs:["delete"]']),
        ([GET_PODS], rule(["*"], [""], ["pods"]), ['Verbs:["*"]']),
        ([rule(["*"], ["*"], ["*"])], rule(["x"], ["y"], ["z/w"]), []),
        ([rule(["*"], ["*"], ["*/scale"])], rule(["get"], ["apps"], ["deployments/scale"]), []),
        ([rule(["get"], [""], ["pods"], ["a"])], GET_PODS, ['Verbs:["get" "list"]']),
        ([rule(["get"], [""], ["pods"], [""])], rule(["get"], [""], ["pods"]), ['Verbs:["get"]']),
        ([GET_PODS], rule(["get"], [""], ["pods"], ["a"]), []),
        ([PolicyRule(("get",), paths=("/x/*",))], PolicyRule(("get",), paths=("/x/y",)), []),
        ([PolicyRule(("get",), paths=("/x",))], PolicyRule(("get",), paths=("/x/*",)),
         ['NonResourceURLs:["/x/*"]']),
        ([*FULL_AUTHORITY], rule([str(n) for n in range(400)], ["a"], ["b"] * 400), []),
        ([GET_PODS], rule([str(n) for n in range(400)], ["a"], ["b"] * 400), ['APIGroups:["a"]']),
    ],
)  # fmt: skip
def test_uncovered(held, wanted, missing):
    found = uncovered(held, [wanted])
    assert len(found) == len(missing)
    for one, part in zip(found, missing, strict=True):
        assert part in one.text()


def test_sentence():
    told = sentence("ann", ["dev", "system:authenticated"], [GET_PODS])
    assert told == (
        'user "ann" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC '
        "permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}'
    )


def test_full_authority():
    assert covers_everything(FULL_AUTHORITY)
    assert not covers_everything(FULL_AUTHORITY[:1])
