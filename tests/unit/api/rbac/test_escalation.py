"""Nobody grants more than they hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.rbac.escalation import covers_everything, sentence, uncovered
from orchestrator.api.rbac.grants import Grants
from orchestrator.api.rbac.rules import FULL_AUTHORITY, Attributes, PolicyRule


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


# ------------------------------------------------------------ the law

VERBS, GROUPS = st.sampled_from(["get", "list", "*"]), st.sampled_from(["", "apps", "*"])
RESOURCES = st.sampled_from(["pods", "pods/log", "*/log", "scales", "*"])
NAMES, PATHS = st.sampled_from(["", "a", "b"]), st.sampled_from(["/x", "/x/*", "/x/y", "*"])


def some(words, least=1):
    return st.lists(words, min_size=least, max_size=2).map(tuple)


RULES = st.lists(
    st.one_of(
        st.builds(
            PolicyRule, some(VERBS), some(GROUPS), some(RESOURCES), some(NAMES, least=0)
        ),
        st.builds(PolicyRule, verbs=some(VERBS), paths=some(PATHS)),
    ),
    max_size=4,
)  # fmt: skip
WISHES = [
    Attributes(verb, group, resource, sub, "", name)
    for verb in ("get", "list", "patch")
    for group in ("", "apps", "batch")
    for resource in ("pods", "scales", "others")
    for sub in ("", "log", "exec")
    for name in ("", "a", "c")
]


@settings(max_examples=60, deadline=None)
@given(RULES, RULES)
def test_what_is_covered_allows_nothing_new(held, wanted):
    """Whoever may hand rules out could have done everything that the rules allow."""
    missing = uncovered(held, wanted)
    mine, theirs = Grants(held), Grants(wanted)
    new = [wish for wish in WISHES if theirs.allow(wish) and not mine.allow(wish)]
    paths = [
        (verb, path)
        for verb in ("get", "list", "patch")
        for path in ("/x", "/x/y", "/x/z", "/other")
        if theirs.allow_path(verb, path) and not mine.allow_path(verb, path)
    ]
    if not missing:
        assert not new
        assert not paths
    covered = Grants([*held, *missing])
    assert all(covered.allow(wish) for wish in new)
    assert all(covered.allow_path(*there) for there in paths)


@settings(max_examples=60, deadline=None)
@given(RULES)
def test_one_may_always_hand_out_what_one_has(held):
    assert uncovered(held, held) == []
