"""Admission policies through the API: whom they stop, what is said, and from when on."""

import pytest

from orchestrator.api import expressions
from orchestrator.api.resources import by_resource
from orchestrator.kit.errors import Invalid
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.executor import Executor, controller_user
from orchestrator.reconcile.intents import Create, Delete
from orchestrator.registry import asking, policies
from orchestrator.registry.options import WriteOptions
from orchestrator.registry.policies import AdmissionPolicies

pytest.importorskip("cel")

GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{GROUP}/validatingadmissionpolicies"
BINDINGS = f"{GROUP}/validatingadmissionpolicybindings"
MAPS = "/api/v1/namespaces/default/configmaps"
KEY = ObjectKey("configmaps", "default", "a")
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def rule(*resources, operations=("CREATE", "UPDATE"), groups=("*",), **more):
    return {
        "apiGroups": list(groups),
        "apiVersions": ["*"],
        "operations": list(operations),
        "resources": list(resources),
        **more,
    }


def policy(name, expression, *rules, **spec):
    validation = {"expression": expression}
    for word in ("message", "messageExpression", "reason"):
        if word in spec:
            validation[word] = spec.pop(word)
    return {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": list(rules) or [rule("configmaps")], **spec.pop("match", {})
            },
            "validations": [validation],
            **spec,
        },
    }  # fmt: skip


def binding(name, *actions, **spec):
    return {
        "metadata": {"name": f"{name}-binding"},
        "spec": {"policyName": name, "validationActions": list(actions or ["Deny"]), **spec},
    }


def config(name="a", data=None, **meta):
    return {"metadata": {"name": name, **meta}, "data": data or {}}


async def bind(world, document, *actions, **spec):
    await world.create(POLICIES, document)
    await world.create(BINDINGS, binding(document["metadata"]["name"], *actions, **spec))


NO_SECRETS = "!has(object.data) || !('password' in object.data)"


async def test_a_policy_counts_from_its_binding_to_its_end(world):
    wrong = config(data={"password": "x"})
    await world.create(POLICIES, policy("clean", NO_SECRETS))
    assert (await world.client("POST", MAPS, wrong)).status == 201
    await world.create(BINDINGS, binding("clean"))
    refused = await world.client("POST", MAPS, config("b", {"password": "x"}))
    said = (
        "ValidatingAdmissionPolicy 'clean' with binding 'clean-binding' denied request: failed "
        f"expression: {NO_SECRETS}"
    )
    assert (refused.status, refused.json["reason"]) == (422, "Invalid")
    assert refused.json["message"] == f'configmaps "b" is forbidden: {said}'
    assert refused.json["details"] == {
        "name": "b", "kind": "configmaps", "causes": [{"message": said}],
    }  # fmt: skip
    assert (await world.client("POST", MAPS, config("b"))).status == 201
    assert (await world.client("DELETE", f"{BINDINGS}/clean-binding")).status == 200
    assert (await world.client("POST", MAPS, config("c", {"password": "x"}))).status == 201


WRITES = {
    "create": ("POST", MAPS, config("b", {"password": "x"}), {}),
    "update": ("PUT", f"{MAPS}/a", config("a", {"password": "x"}), {}),
    "merge patch": (
        "PATCH", f"{MAPS}/a", {"data": {"password": "x"}},
        {"content_type": "application/merge-patch+json"},
    ),
    "json patch": (
        "PATCH", f"{MAPS}/a", b'[{"op": "add", "path": "/data", "value": {"password": "x"}}]',
        {"content_type": "application/json-patch+json"},
    ),
    "apply of a new one": (
        "PATCH", f"{MAPS}/b?fieldManager=me",
        {"apiVersion": "v1", "kind": "ConfigMap", **config("b", {"password": "x"})},
        {"content_type": "application/apply-patch+yaml"},
    ),
    "apply of an old one": (
        "PATCH", f"{MAPS}/a?fieldManager=me",
        {"apiVersion": "v1", "kind": "ConfigMap", **config("a", {"password": "x"})},
        {"content_type": "application/apply-patch+yaml"},
    ),
    "dry run": ("POST", f"{MAPS}?dryRun=All", config("b", {"password": "x"}), {}),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_every_way_to_write_is_asked_about(world, write):
    await world.create(MAPS, config("a"))
    await bind(world, policy("clean", NO_SECRETS, message="no passwords", reason="Forbidden"))
    method, path, body, headers = write
    refused = await world.client(method, path, body, **headers)
    assert (refused.status, refused.json["reason"]) == (403, "Forbidden")
    assert refused.json["message"].endswith("denied request: no passwords")


async def test_pods_of_one_make_are_each_asked_about(world):
    path = "/api/v1/namespaces/default/pods"

    def pod(name):
        spec = {"containers": [{"name": "c", "image": "i"}]}
        return {"metadata": {"name": name}, "spec": spec}

    for name in ("a", "b", "c"):
        await world.create(path, pod(name))
    await bind(world, policy("c", "object.metadata.name != 'd'", rule("pods")))
    assert (await world.client("POST", path, pod("d"))).status == 422
    assert (await world.client("POST", path, pod("e"))).status == 201


async def test_deletes_and_collections_of_them(world):
    for name in ("a", "b"):
        await world.create(MAPS, config(name, labels={"keep": str(name == "a").lower()}))
    expression = "object == null && oldObject.metadata.labels.keep != 'true'"
    await bind(world, policy("keep", expression, rule("configmaps", operations=["DELETE"])))
    assert (await world.client("DELETE", f"{MAPS}/a")).status == 422
    assert (await world.client("DELETE", MAPS)).status == 422
    assert (await world.client("GET", f"{MAPS}/a")).status == 200
    assert (await world.client("GET", f"{MAPS}/b")).status == 404


async def test_a_warning_lets_pass(world):
    document = policy("loud", "false", messageExpression="'not ' + object.metadata.name")
    await bind(world, document, "Warn", "Audit")
    made = await world.client("POST", MAPS, config("b"))
    assert made.status == 201
    assert made.all("warning") == [
        "299 - \"Validation failed for ValidatingAdmissionPolicy 'loud' with binding "
        "'loud-binding': not b\""
    ]


async def test_what_is_without_effect_is_said(world):
    reply = await world.client("POST", BINDINGS, binding("x", "Audit"))
    assert reply.all("warning") == [
        '299 - "spec.validationActions=Audit: kept, but orch does not act on this field yet"'
    ]


async def test_parameters(world):
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    document = policy(
        "limit", "object.spec.replicas <= int(params.data.most)", rule("deployments"),
        paramKind=kind, messageExpression="'at most ' + params.data.most",
    )  # fmt: skip
    place = {"name": "limits", "parameterNotFoundAction": "Deny"}
    await bind(world, document, paramRef=place)
    refused = await world.client("POST", DEPLOYMENTS, deployment(3))
    assert refused.json["message"].endswith(
        "denied request: failed to configure binding: no params found for policy binding with "
        "`Deny` parameterNotFoundAction"
    )
    await world.create(MAPS, config("limits", {"most": "2"}, labels={"limits": "yes"}))
    refused = await world.client("POST", DEPLOYMENTS, deployment(3))
    assert refused.json["message"].endswith("denied request: at most 2")
    assert (await world.client("POST", DEPLOYMENTS, deployment(2))).status == 201
    chosen = {"selector": {"matchLabels": {"limits": "yes"}}, "parameterNotFoundAction": "Allow"}
    await world.client("PUT", f"{BINDINGS}/limit-binding", binding("limit", paramRef=chosen))
    assert (await world.client("POST", DEPLOYMENTS, deployment(3, "b"))).status == 422
    await world.client("DELETE", f"{MAPS}/limits")
    assert (await world.client("POST", DEPLOYMENTS, deployment(3, "b"))).status == 201


def deployment(replicas, name="web"):
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }


async def test_scaling_is_a_request_of_its_own(world):
    await world.create(DEPLOYMENTS, deployment(1))
    expression = "object.kind == 'Scale' && object.spec.replicas < oldObject.spec.replicas + 2"
    await bind(world, policy("slow", expression, rule("*/scale")))
    change = {"spec": {"replicas": 3}}
    merge = {"content_type": "application/merge-patch+json"}
    assert (await world.client("PATCH", f"{DEPLOYMENTS}/web/scale", change, **merge)).status == 422
    assert (await world.client("PATCH", f"{DEPLOYMENTS}/web", change, **merge)).status == 200
    change = {"spec": {"replicas": 4}}
    assert (await world.client("PATCH", f"{DEPLOYMENTS}/web/scale", change, **merge)).status == 200


async def test_streams_and_posts_to_subresources(world):
    expression = "request.subResource != 'exec' || object.command[0] != 'sh'"
    everything = rule("pods/*", "serviceaccounts/token", operations=["CONNECT", "CREATE"])
    await bind(world, policy("shells", expression, everything, message="no shells"))
    pods = "/api/v1/namespaces/default/pods"
    refused = await world.client("POST", f"{pods}/p/exec?command=sh&stdout=true")
    assert refused.status == 422
    assert refused.json["message"].endswith("no shells")
    assert (await world.client("POST", f"{pods}/p/exec?command=ls&stdout=true")).status == 404
    await bind(world, policy("none", "false", everything, message="nothing"))
    node = {"target": {"name": "n"}}
    for place, body in (("binding", node), ("eviction", {}), ("portforward?ports=80", None)):
        refused = await world.client("POST", f"{pods}/p/{place}", body)
        assert refused.json["message"].endswith("nothing"), place
    tokens = "/api/v1/namespaces/default/serviceaccounts/default/token"
    assert (await world.client("POST", tokens, {})).json["message"].endswith("nothing")


async def test_status_is_meant_only_when_it_is_named(world):
    await world.create(DEPLOYMENTS, deployment(1))
    await bind(world, policy("no", "false", rule("deployments")))
    merge = {"content_type": "application/merge-patch+json"}
    change = {"status": {"replicas": 1}}
    path = f"{DEPLOYMENTS}/web/status"
    assert (await world.client("PATCH", path, change, **merge)).status == 200
    await bind(world, policy("status", "object.status.replicas < 2", rule("deployments/status")))
    change = {"status": {"replicas": 2}}
    assert (await world.client("PATCH", path, change, **merge)).status == 422


async def test_who_asks_and_what_they_may(world):
    role = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["configmaps", "special"]}
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    await world.create(f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": [role]})
    bound = {
        "metadata": {"name": "r"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "Group", "name": "dev"}],
    }
    await world.create(f"{rbac}/rolebindings", bound)
    expression = (
        "'dev' in request.userInfo.groups && request.userInfo.username == 'ann' && "
        "authorizer.requestResource.check('create').allowed() && "
        "authorizer.group('').resource('special').namespace('default').check('x').allowed() && "
        "!authorizer.group('').resource('special').namespace('other').check('x').allowed() && "
        "!authorizer.path('/metrics').check('get').allowed()"
    )
    await bind(world, policy("who", expression))
    assert (await world.client("POST", MAPS, config(), token="ann")).status == 201
    assert (await world.client("POST", MAPS, config("b"))).status == 422


async def test_policies_are_exempt(world):
    everything = rule("*", operations=["*"])
    await bind(world, policy("no", "false", everything))
    assert (await world.client("POST", MAPS, config())).status == 422
    assert (
        await world.client("PUT", f"{BINDINGS}/no-binding", binding("no", "Warn"))
    ).status == 200
    assert (await world.client("POST", MAPS, config())).status == 201
    assert (await world.client("DELETE", f"{POLICIES}/no")).status == 200


async def test_controllers_are_asked_and_the_server_is_not(world):
    await bind(world, policy("no", "false", rule("configmaps", operations=["*"])))
    await world.registry.create("configmaps", "default", config("own"))
    user = controller_user("replicaset-controller")
    asked = Executor(world.registry, user)
    with pytest.raises(Invalid, match="denied request"):
        await asked.carry_out([Create("configmaps", "default", config("b"))])
    with pytest.raises(Invalid, match="denied request"):
        await asked.carry_out([Delete(ObjectKey("configmaps", "default", "own"))])
    free = "request.userInfo.username.endsWith(':replicaset-controller')"
    await world.client("DELETE", f"{POLICIES}/no")
    await world.create(POLICIES, policy("no", free))
    await asked.carry_out([Create("configmaps", "default", config("b"))])


async def test_who_may_not_read_the_parameters_writes_no_policy_with_them(world):
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rules = [
        {"verbs": ["*"], "apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]},
        {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"]},
    ]
    await world.create(f"{rbac}/clusterroles", {"metadata": {"name": "r"}, "rules": rules})
    bound = {
        "metadata": {"name": "r"},
        "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "User", "name": "ann"}],
    }
    await world.create(f"{rbac}/clusterrolebindings", bound)

    async def write(path, document):
        return (await world.client("POST", path, document, token="ann")).json

    def of(kind, name):
        return policy(name, "true", paramKind={"apiVersion": "v1", "kind": kind})

    assert "spec" in await write(POLICIES, of("ConfigMap", "maps"))
    refused = await write(POLICIES, of("Secret", "secrets"))
    assert refused["message"].endswith(
        'is invalid: spec.paramKind: Forbidden: user ann must have "get" permission on all '
        "objects of the referenced paramKind (kind=Secret, apiVersion=v1)"
    )
    await world.create(POLICIES, of("Secret", "secrets"))
    reference = {"name": "t", "namespace": "default", "parameterNotFoundAction": "Deny"}
    refused = await write(BINDINGS, binding("secrets", paramRef=reference))
    assert refused["message"].endswith(
        'spec.paramRef: Forbidden: user ann does not have "get" permission on the object '
        "referenced by paramRef"
    )
    refused = await write(BINDINGS, binding("later", paramRef=reference))
    assert refused["reason"] == "Invalid"
    assert "spec" in await write(BINDINGS, binding("secrets", paramRef=reference | {"name": "s"}))


async def test_namespaces(world):
    match = {"namespaceSelector": {"matchLabels": {"env": "prod"}}}
    expression = "namespaceObject == null || namespaceObject.metadata.labels.env != 'prod'"
    rules = (rule("configmaps", "namespaces"),)
    await bind(world, policy("prod", expression, *rules, match=match))
    assert (await world.client("POST", MAPS, config())).status == 201
    home = {"metadata": {"name": "home", "labels": {"env": "prod"}}}
    assert (await world.client("POST", "/api/v1/namespaces", home)).status == 201
    assert (
        await world.client("POST", "/api/v1/namespaces/home/configmaps", config())
    ).status == 422


async def test_another_version_of_a_kind_is_the_same_kind(world):
    hpa = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    body = {
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50},
    }
    newest = rule("horizontalpodautoscalers", groups=["autoscaling"]) | {"apiVersions": ["v2"]}
    expression = (
        "object.spec.metrics[0].resource.target.averageUtilization > 60 || "
        "request.requestKind.version != 'v1' || request.kind.version != 'v2'"
    )
    await bind(world, policy("hpa", expression, newest))
    assert (await world.client("POST", hpa, body)).status == 422
    await world.client("DELETE", f"{POLICIES}/hpa")
    exact = policy("hpa", expression, newest, match={"matchPolicy": "Exact"})
    await world.create(POLICIES, exact)
    assert (await world.client("POST", hpa, body)).status == 201


async def test_a_failure_is_a_refusal_unless_it_is_to_be_ignored(world):
    await bind(world, policy("odd", "object.data.missing == 'x'"))
    refused = await world.client("POST", MAPS, config())
    assert refused.json["message"].endswith(
        "denied request: expression 'object.data.missing == 'x'' resulted in error: no such key: "
        "missing"
    )
    change = {"spec": {"failurePolicy": "Ignore"}}
    merge = {"content_type": "application/merge-patch+json"}
    await world.client("PATCH", f"{POLICIES}/odd", change, **merge)
    assert (await world.client("POST", MAPS, config())).status == 201


async def test_without_the_library_none_is_taken_and_stored_ones_refuse(world, monkeypatch):
    await bind(world, policy("old", "true"))
    expressions.program.cache_clear()
    for module in (expressions, policies):
        monkeypatch.setattr(module, "available", lambda: False)
    refused = await world.client("POST", POLICIES, policy("a", "true"))
    assert refused.status == 422
    assert "pip install 'orch[cel]'" in refused.json["message"]
    restarted = AdmissionPolicies(world.store, world.registry.catalog)
    question = asking.creation(
        by_resource("configmaps"), KEY, config(), WriteOptions(requester={"username": "ann"})
    )
    said = "ValidatingAdmissionPolicy 'old' denied request: failed to configure policy: "
    with pytest.raises(Invalid, match=said):
        restarted.review(question, [])
    expressions.program.cache_clear()


async def test_defaults_and_columns(world):
    made = await world.client("POST", POLICIES, policy("a", "true"))
    assert made.json["spec"]["failurePolicy"] == "Fail"
    constraints = made.json["spec"]["matchConstraints"]
    assert constraints.pop("resourceRules")[0]["scope"] == "*"
    assert constraints == {
        "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
    }  # fmt: skip
    assert made.json["metadata"]["generation"] == 1
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    shown = (await world.client("GET", POLICIES, accept=table)).json
    assert [c["name"] for c in shown["columnDefinitions"]] == [
        "Name", "Validations", "ParamKind", "Age",
    ]  # fmt: skip
    assert shown["rows"][0]["cells"] == ["a", 1, "<unset>", "0s"]
    reference = {"name": "p", "namespace": "n", "parameterNotFoundAction": "Deny"}
    await world.create(BINDINGS, binding("a", paramRef=reference))
    shown = (await world.client("GET", BINDINGS, accept=table)).json
    assert [c["name"] for c in shown["columnDefinitions"]] == [
        "Name", "PolicyName", "ParamRef", "Age",
    ]  # fmt: skip
    assert shown["rows"][0]["cells"] == ["a-binding", "a", "n/p", "0s"]
