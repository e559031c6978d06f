"""Which rule allows what; the index decides as a plain look at every binding would."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.rbac.grants import Grants
from orchestrator.api.rbac.index import RuleIndex, binding_of, group_subject, user_subject
from orchestrator.api.rbac.rules import (
    Attributes,
    PolicyRule,
    allows,
    allows_path,
    rule_of,
    rules_of,
)


def rule(verbs="get", groups="", resources="pods", names=""):
    return PolicyRule(
        tuple(verbs.split(",")),
        tuple(groups.split(",")),
        tuple(resources.split(",")),
        tuple(names.split(",")) if names else (),
    )


OBJECTS = [
    ("verb", rule("get,list"), Attributes("list", "", "pods"), True),
    ("other verb", rule("get,list"), Attributes("watch", "", "pods"), False),
    ("every verb", rule("*"), Attributes("impersonate", "", "pods"), True),
    ("group", rule(groups="apps"), Attributes("get", "apps", "pods"), True),
    ("other group", rule(groups="apps"), Attributes("get", "", "pods"), False),
    ("every group", rule(groups="*"), Attributes("get", "apps", "pods"), True),
    ("other resource", rule(), Attributes("get", "", "services"), False),
    ("every resource", rule(resources="*"), Attributes("get", "", "pods", "exec"), True),
    ("resource is not its subresource", rule(), Attributes("get", "", "pods", "log"), False),
    ("subresource", rule(resources="pods/log"), Attributes("get", "", "pods", "log"), True),
    ("subresource is not its resource", rule(resources="pods/log"),
     Attributes("get", "", "pods"), False),
    ("subresource of all", rule(resources="*/scale"), Attributes("get", "", "x", "scale"), True),
    ("other subresource of all", rule(resources="*/scale"),
     Attributes("get", "", "x", "status"), False),
    ("name", rule(names="a,b"), Attributes("get", "", "pods", "", "n", "b"), True),
    ("other name", rule(names="a,b"), Attributes("get", "", "pods", "", "n", "c"), False),
    ("a list has no name", rule("list", names="a"), Attributes("list", "", "pods"), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "wish", "expected"), [row[1:] for row in OBJECTS], ids=[row[0] for row in OBJECTS]
)
def test_objects(held, wish, expected):
    assert allows(held, wish) is expected
    assert Grants([held]).allow(wish) is expected


@pytest.mark.parametrize(
    ("known", "path", "expected"),
    [("/metrics", "/metrics", True), ("/metrics", "/metrics/x", False), ("*", "/any", True),
     ("/healthz/*", "/healthz/etcd", True), ("/healthz/*", "/healthz", False),
     ("/api*", "/apis/apps", True), ("/a*/b", "/ax/b", False)],
)  # fmt: skip
def test_paths(known, path, expected):
    held = PolicyRule(verbs=("get",), paths=(known,))
    assert allows_path(held, "get", path) is expected
    assert not allows_path(held, "post", path)


def test_a_rule_reads_as_it_was_written():
    document = {"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"],
                "resourceNames": ["web"]}  # fmt: skip
    assert rule_of(document).document() == document
    assert rule_of(document).text() == (
        '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["web"], Verbs:["get"]}'
    )


# ------------------------------------------------------------ the index

WORDS = {
    "verb": ["get", "list", "*"],
    "group": ["", "apps", "*"],
    "resource": ["pods", "pods/log", "*/log", "scales", "*"],
    "name": ["a", "b"],
}


def some(kind, least=1):
    return st.lists(st.sampled_from(WORDS[kind]), min_size=least, max_size=3)


RULES = st.one_of(
    st.fixed_dictionaries({
        "verbs": some("verb"), "apiGroups": some("group"), "resources": some("resource"),
        "resourceNames": some("name", least=0),
    }),
    st.fixed_dictionaries({
        "verbs": some("verb"),
        "nonResourceURLs": st.lists(st.sampled_from(["/x", "/x/*", "*"]), min_size=1, max_size=2),
    }),
)  # fmt: skip
NAMESPACES = st.sampled_from(["", "one", "two"])
NAMES = st.sampled_from(["r1", "r2", "r3"])
SUBJECTS = st.lists(
    st.sampled_from([
        {"kind": "User", "name": "ann"}, {"kind": "Group", "name": "dev"},
        {"kind": "ServiceAccount", "name": "bot"}, {"kind": "User", "name": "bob"},
        {"kind": "ServiceAccount", "name": "bot", "namespace": "two"},
    ]),
    max_size=3,
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("role"), NAMESPACES, NAMES, st.lists(RULES, max_size=3)),
        st.tuples(
            st.just("binding"), NAMESPACES, NAMES,
            st.tuples(st.sampled_from(["Role", "ClusterRole"]), NAMES, SUBJECTS),
        ),
        st.tuples(st.just("drop role"), NAMESPACES, NAMES, st.none()),
        st.tuples(st.just("drop binding"), NAMESPACES, NAMES, st.none()),
    ),
    max_size=12,
)  # fmt: skip
WISHES = st.builds(
    Attributes,
    st.sampled_from(["get", "list", "patch"]), st.sampled_from(["", "apps"]),
    st.sampled_from(["pods", "scales"]), st.sampled_from(["", "log"]), NAMESPACES,
    st.sampled_from(["", "a", "c"]),
)  # fmt: skip
ASKERS = st.sampled_from([
    (user_subject("ann"),), (user_subject("bob"), group_subject("dev")),
    (user_subject("system:serviceaccount:two:bot"),), (),
])  # fmt: skip


def meta(namespace, name):
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


def plain(roles, bindings, asker, wish, path):
    """Every binding, one after the other."""
    found = [False, False]
    for (namespace, _), document in bindings.items():
        binding = binding_of(document)
        if namespace not in {"", wish.namespace} or not set(asker) & set(binding.subjects):
            continue
        for held in roles.get(binding.role, ()):
            found[0] = found[0] or allows(held, wish)
            found[1] = found[1] or (not namespace and allows_path(held, "get", path))
    return found


@settings(max_examples=60, deadline=None)
@given(STEPS, st.lists(st.tuples(ASKERS, WISHES), min_size=1, max_size=4))
def test_the_index_decides_as_a_look_at_every_binding(steps, questions):
    index, roles, bindings = RuleIndex(), {}, {}
    for what, namespace, name, content in steps:
        document = meta(namespace, name)
        key = (namespace, name)
        if what == "role":
            document["rules"] = content
            roles[key] = rules_of(document)
            index.put_role(document)
        elif what == "binding":
            kind, role, subjects = content
            document["roleRef"] = {"kind": kind, "name": role}
            document["subjects"] = subjects
            bindings[key] = document
            index.put_binding(document)
        elif what == "drop role":
            roles.pop(key, None)
            index.drop_role(document)
        else:
            bindings.pop(key, None)
            index.drop_binding(document)
        for asker, wish in questions:
            expected = plain(roles, bindings, asker, wish, "/x/y")
            assert index.allow(asker, wish) is expected[0]
            assert index.allow_path(asker, "get", "/x/y") is expected[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(RULES, max_size=6), st.lists(WISHES, min_size=1, max_size=5))
def test_a_rule_too_large_to_multiply_out_decides_the_same(documents, wishes):
    held = [rule_of(document) for document in documents]
    filler = tuple(f"filler{number}" for number in range(600))
    large = [
        PolicyRule(r.verbs, r.groups, (*r.resources, *filler), r.names, r.paths)
        if r.resources else r
        for r in held
    ]  # fmt: skip
    for wish in wishes:
        assert Grants(large).allow(wish) is Grants(held).allow(wish)
