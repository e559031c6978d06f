"""Roles and bindings through the API: what they allow, who may hand them out, acting as others."""

import random
import time

import pytest

from orchestrator.api.rbac.index import RuleIndex, group_subject, user_subject
from orchestrator.api.rbac.rules import Attributes

RBAC = "/apis/rbac.authorization.k8s.io/v1"
IN_DEFAULT = f"{RBAC}/namespaces/default"
PODS = "/api/v1/namespaces/default/pods"
GET_PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


def role(name, *rules, **more):
    return {"metadata": {"name": name}, "rules": list(rules), **more}


def binding(name, to, *subjects, kind="Role"):
    return {
        "metadata": {"name": name},
        "roleRef": {"kind": kind, "name": to},
        "subjects": list(subjects),
    }


ANN = {"kind": "User", "name": "ann"}
DEV = {"kind": "Group", "name": "dev"}


async def test_a_binding_counts_at_once_and_in_its_namespace_only(world):
    refused = await world.client("GET", PODS, token="ann")
    assert (refused.status, refused.json["message"]) == (
        403,
        'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the '
        'namespace "default"',
    )
    assert refused.json["details"] == {"kind": "pods"}
    await world.create(f"{IN_DEFAULT}/roles", role("reader", GET_PODS))
    await world.create(f"{IN_DEFAULT}/rolebindings", binding("readers", "reader", DEV))
    assert (await world.client("GET", PODS, token="ann")).status == 200
    everywhere = await world.client("GET", "/api/v1/pods", token="ann")
    assert everywhere.json["message"].endswith("at the cluster scope")
    elsewhere = "/api/v1/namespaces/kube-system/pods"
    assert (await world.client("GET", elsewhere, token="ann")).status == 403
    await world.client("DELETE", f"{IN_DEFAULT}/rolebindings/readers")
    assert (await world.client("GET", PODS, token="ann")).status == 403


async def test_a_list_or_watch_of_one_name_counts_as_that_object(world):
    named = {**GET_PODS, "verbs": ["list", "deletecollection"], "resourceNames": ["web"]}
    await world.create(f"{IN_DEFAULT}/roles", role("one", named))
    await world.create(f"{IN_DEFAULT}/rolebindings", binding("one", "one", ANN))

    async def code(method, query=""):
        return (await world.client(method, f"{PODS}{query}", token="ann")).status

    one = "?fieldSelector=metadata.name%3Dweb"
    assert await code("GET", one) == 200
    assert await code("GET", f"{one},status.phase%3DRunning") == 200
    assert await code("DELETE", one) == 200
    assert await code("GET", "?fieldSelector=metadata.name%3Dother") == 403
    assert await code("GET", "?fieldSelector=metadata.name!%3Dweb") == 403
    assert await code("GET", "?fieldSelector=nope%3Dmetadata.name") == 403
    assert await code("GET", f"{one}&watch=true") == 403
    assert await code("GET") == 403
    assert await code("DELETE") == 403


async def test_a_role_that_is_not_there_is_named(world):
    made = await world.create(
        f"{RBAC}/clusterrolebindings", binding("b", "nope", ANN, kind="ClusterRole")
    )
    assert made["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    assert made["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    refused = await world.client("GET", PODS, token="ann")
    assert refused.json["message"].endswith(
        ': RBAC: clusterrole.rbac.authorization.k8s.io "nope" not found'
    )


async def test_paths_outside_the_resource_tree(world):
    assert (await world.client("GET", "/metrics", token="ann")).status == 403
    rule = {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}
    await world.create(f"{RBAC}/clusterroles", role("metrics", rule))
    await world.create(
        f"{RBAC}/clusterrolebindings", binding("metrics", "metrics", ANN, kind="ClusterRole")
    )
    assert (await world.client("GET", "/metrics", token="ann")).status == 200


@pytest.mark.parametrize(
    ("kind", "document", "field", "words"),
    [
        ("roles", role("r", {"apiGroups": [""], "resources": ["pods"]}), "rules[0].verbs",
         "Required value: verbs must contain at least one value"),
        ("roles", role("r", {"verbs": ["get"], "nonResourceURLs": ["/x"]}),
         "rules[0].nonResourceURLs",
         'Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'),
        ("roles", role("r", {"verbs": ["get"], "resources": ["pods"]}), "rules[0].apiGroups",
         "Required value: resource rules must supply at least one api group"),
        ("roles", role("a%b"), "metadata.name", 'Invalid value: "a%b": may not contain \'%\''),
        ("rolebindings", binding("b", "r", kind="Pod"), "roleRef.kind",
         'Unsupported value: "Pod": supported values: "ClusterRole", "Role"'),
        ("rolebindings", binding("b", ""), "roleRef.name", "Required value"),
        ("rolebindings", binding("b", "r", {"kind": "Robot", "name": "x"}), "subjects[0].kind",
         'Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"'),
    ],
)  # fmt: skip
async def test_what_is_refused(world, kind, document, field, words):
    reply = await world.client("POST", f"{IN_DEFAULT}/{kind}", document)
    assert reply.status == 422, reply.body
    causes = reply.json["details"]["causes"]
    assert [(c["field"], c["message"]) for c in causes] == [(field, words)]


async def test_the_role_of_a_binding_stays(world):
    await world.create(f"{IN_DEFAULT}/rolebindings", binding("b", "one"))
    reply = await world.client("PUT", f"{IN_DEFAULT}/rolebindings/b", binding("b", "two"))
    assert reply.status == 422
    assert "cannot change roleRef" in reply.json["message"]


# ------------------------------------------------------------ escalation

MANAGE = {
    "verbs": ["create", "update", "get", "patch"],
    "apiGroups": ["rbac.authorization.k8s.io"],
    "resources": ["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
}


@pytest.fixture
async def manager(world):
    """ann manages roles everywhere and may get pods."""
    await world.create(f"{RBAC}/clusterroles", role("manage", MANAGE, GET_PODS))
    await world.create(
        f"{RBAC}/clusterrolebindings", binding("manage", "manage", ANN, kind="ClusterRole")
    )

    async def send(method, path, document, **headers):
        return await world.client(method, path, document, token="ann", **headers)

    return send


async def allow(world, **rule):
    await world.create(
        f"{RBAC}/clusterroles",
        role("more", {"apiGroups": ["rbac.authorization.k8s.io"], **rule}),
    )
    await world.create(
        f"{RBAC}/clusterrolebindings", binding("more", "more", ANN, kind="ClusterRole")
    )


async def test_nobody_writes_a_role_with_more_than_they_hold(world, manager):
    assert (await manager("POST", f"{IN_DEFAULT}/roles", role("fine", GET_PODS))).status == 201
    more = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}
    refused = await manager("POST", f"{IN_DEFAULT}/roles", role("more", more))
    assert (refused.status, refused.json["message"]) == (
        403,
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "ann" (groups=["dev" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    )
    change = {"rules": [GET_PODS, more]}
    patched = await manager(
        "PATCH", f"{IN_DEFAULT}/roles/fine", change, content_type="application/merge-patch+json"
    )
    assert patched.status == 403
    await allow(world, verbs=["escalate"], resources=["roles"])
    assert (await manager("POST", f"{IN_DEFAULT}/roles", role("more", more))).status == 201


async def test_applying_a_role_is_writing_it(world, manager):
    more = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        **role("more", {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}),
    }
    path = f"{IN_DEFAULT}/roles/more?fieldManager=ann"
    apply = {"content_type": "application/apply-patch+yaml"}
    assert (await manager("PATCH", path, more, **apply)).status == 403
    fine = {**more, "rules": [GET_PODS]}
    assert (await manager("PATCH", path, fine, **apply)).status == 201
    assert (await manager("PATCH", path, more, **apply)).status == 403


async def test_labels_of_a_strong_role_may_be_changed(manager, world):
    change = {"metadata": {"labels": {"a": "b"}}}
    path = f"{RBAC}/clusterroles/cluster-admin"
    reply = await manager("PATCH", path, change, content_type="application/merge-patch+json")
    assert reply.status == 200


async def test_nobody_binds_a_role_with_more_than_they_hold(world, manager):
    path = f"{IN_DEFAULT}/rolebindings"
    fine = binding("fine", "manage", ANN, kind="ClusterRole")
    assert (await manager("POST", path, fine)).status == 201
    more = binding("more", "edit", ANN, kind="ClusterRole")
    refused = await manager("POST", path, more)
    assert refused.status == 403
    assert 'Resources:["secrets"], Verbs:["get" "list" "watch"' in refused.json["message"]
    missing = await manager("POST", path, binding("none", "nope", ANN))
    assert (missing.status, missing.json["message"]) == (
        404, 'roles.rbac.authorization.k8s.io "nope" not found'
    )  # fmt: skip
    await allow(world, verbs=["bind"], resources=["clusterroles"], resourceNames=["edit"])
    assert (await manager("POST", path, more)).status == 201


async def test_aggregation_is_for_administrators(manager):
    selects = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    document = role("sum", aggregationRule=selects)
    refused = await manager("POST", f"{RBAC}/clusterroles", document)
    assert refused.json["message"].endswith(
        "must have cluster-admin privileges to use the aggregationRule"
    )


# ------------------------------------------------------------ acting as others


async def who(world, token="root", **headers):
    return await world.client(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token=token, **headers
    )


async def test_acting_as_others(world):
    seen = (await who(world, impersonate_user="bob", impersonate_group="qa")).json
    assert seen["status"]["userInfo"] == {
        "username": "bob", "groups": ["qa", "system:authenticated"]
    }  # fmt: skip
    more = {"impersonate_uid": "u1", "impersonate_extra_scopes": "view"}
    assert (await who(world, impersonate_user="bob", **more)).json["status"]["userInfo"] == {
        "username": "bob", "uid": "u1", "groups": ["system:authenticated"],
        "extra": {"scopes": ["view"]},
    }  # fmt: skip
    account = await who(world, impersonate_user="system:serviceaccount:default:bot")
    assert account.json["status"]["userInfo"]["groups"] == [
        "system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"
    ]  # fmt: skip
    assert (await who(world, impersonate_group="qa")).status == 400


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"impersonate_user": "bob"}, 'users "bob" is forbidden: User "ann" cannot impersonate '
         'resource "users" in API group "" at the cluster scope'),
        ({"impersonate_user": "system:serviceaccount:default:bot"},
         'serviceaccounts "bot" is forbidden: User "ann" cannot impersonate resource '
         '"serviceaccounts" in API group "" in the namespace "default"'),
        ({"impersonate_user": "eve", "impersonate_group": "system:masters"},
         'groups "system:masters" is forbidden: User "ann" cannot impersonate resource "groups" '
         'in API group "" at the cluster scope'),
        ({"impersonate_user": "eve", "impersonate_extra_scopes": "x"},
         'userextras.authentication.k8s.io "x" is forbidden: User "ann" cannot impersonate '
         'resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope'),
        ({"impersonate_user": "eve", "impersonate_uid": "1"},
         'uids.authentication.k8s.io "1" is forbidden: User "ann" cannot impersonate resource '
         '"uids" in API group "authentication.k8s.io" at the cluster scope'),
    ],
)  # fmt: skip
async def test_acting_as_others_needs_permission_for_each_part(world, headers, words):
    rule = {
        "verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"],
        "resourceNames": ["eve"],
    }  # fmt: skip
    await world.create(f"{RBAC}/clusterroles", role("eve", rule))
    await world.create(
        f"{RBAC}/clusterrolebindings", binding("eve", "eve", ANN, kind="ClusterRole")
    )
    assert (await who(world, "ann", impersonate_user="eve")).status == 201
    refused = await who(world, "ann", **headers)
    assert (refused.status, refused.json["message"]) == (403, words)
    assert (await world.client("GET", "/healthz", token="ann", **headers)).status == 403


# ------------------------------------------------------------ reviews

AUTHORIZATION = "/apis/authorization.k8s.io/v1"


async def ask(world, path, spec, token="root"):
    reply = await world.client("POST", f"{AUTHORIZATION}/{path}", {"spec": spec}, token=token)
    return reply.json.get("status") if reply.status == 201 else reply.json["message"]


async def test_access_reviews(world):
    await world.create(f"{IN_DEFAULT}/rolebindings", binding("v", "view", DEV, kind="ClusterRole"))
    wish = {"verb": "list", "resource": "pods", "namespace": "default"}
    yes = {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "v/default" of ClusterRole "view" to Group "dev"',
    }
    one = {"resourceAttributes": wish}
    assert await ask(world, "selfsubjectaccessreviews", one, "ann") == yes
    assert await ask(world, "subjectaccessreviews", {**one, "groups": ["dev"]}) == yes
    assert await ask(world, "subjectaccessreviews", {**one, "user": "x"}) == {"allowed": False}
    local = "namespaces/default/localsubjectaccessreviews"
    assert await ask(world, local, {**one, "user": "x", "groups": ["dev"]}) == yes
    elsewhere = "namespaces/kube-system/localsubjectaccessreviews"
    assert "must match metadata.namespace" in await ask(world, elsewhere, {**one, "user": "x"})
    assert "at least one of user or group" in await ask(world, "subjectaccessreviews", one)
    path = {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}
    assert await ask(world, "selfsubjectaccessreviews", path, "ann") == {"allowed": False}
    assert "exactly one of" in await ask(world, "selfsubjectaccessreviews", {**one, **path})
    assert "cannot create" in await ask(world, "subjectaccessreviews", {**one, "user": "x"}, "ann")


async def test_rules_review(world):
    await world.create(f"{IN_DEFAULT}/roles", role("reader", GET_PODS))
    await world.create(f"{IN_DEFAULT}/rolebindings", binding("readers", "reader", ANN))
    spec = {"namespace": "default"}
    mine = await ask(world, "selfsubjectrulesreviews", spec, "ann")
    assert GET_PODS in mine["resourceRules"]
    assert {"verbs": ["get"], "nonResourceURLs": ["/docs", "/docs/*"]} in mine["nonResourceRules"]
    other = await ask(world, "selfsubjectrulesreviews", {"namespace": "kube-system"}, "ann")
    assert GET_PODS not in other["resourceRules"]
    assert await ask(world, "selfsubjectrulesreviews", {}, "ann") == "no namespace on request"


async def test_token_review(world):
    path = "/apis/authentication.k8s.io/v1/tokenreviews"

    async def review(token):
        return (await world.client("POST", path, {"spec": {"token": token}})).json

    assert (await review("ann"))["status"]["user"] == {
        "username": "ann", "groups": ["dev", "system:authenticated"]
    }  # fmt: skip
    assert (await review("nope"))["status"] == {"user": {}, "error": "invalid bearer token"}
    assert (await review(""))["reason"] == "BadRequest"


# ------------------------------------------------------------ cost


def test_a_decision_is_quick_with_a_thousand_bindings():
    index, rng = RuleIndex(), random.Random(5)
    for number in range(1000):
        namespace = f"ns-{number % 50}"
        rules = [{"verbs": ["get"], "apiGroups": ["apps"], "resources": [f"kind{number}", "pods"]}]
        meta = {"name": f"r{number}", "namespace": namespace}
        index.put_role({"metadata": meta, "rules": rules})
        subjects = [{"kind": "User", "name": f"user-{number % 7}"}, {"kind": "Group", "name": "g"}]
        index.put_binding(
            {"metadata": meta, "roleRef": {"kind": "Role", "name": f"r{number}"},
             "subjects": subjects}
        )  # fmt: skip
    asker = (user_subject("user-3"), group_subject("g"), group_subject("system:authenticated"))
    wishes = [
        Attributes("get", "apps", f"kind{rng.randrange(1000)}", "", f"ns-{rng.randrange(50)}", "x")
        for _ in range(1000)
    ]
    for wish in wishes:
        index.allow(asker, wish)
    began_s = time.process_time()
    for wish in wishes:
        index.allow(asker, wish)
    assert (time.process_time() - began_s) / len(wishes) < 50e-6
