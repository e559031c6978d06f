"""Roles, accounts, tokens and certificates with every kubectl found."""

import base64
import json
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import yaml

from tests.rig.kubectl import Kubectl

pytestmark = [pytest.mark.slow]


def until(condition, within_s=10.0):
    """Polls until the condition gives something."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
    return found


def login(kubectl, home, **user):
    """The same kubectl and cluster with another user's credentials."""
    home.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load(kubectl("config", "view", "--raw").out)
    config["users"] = [{"name": config["users"][0]["name"], "user": user}]
    path = home / "config"
    path.write_text(yaml.safe_dump(config))
    return Kubectl(kubectl.binary, path, home)


def whoami(kubectl):
    """Who the server says we are, also for kubectl older than `auth whoami`."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = kubectl("create", "--raw", path, "-f", "-", stdin=review)
    return json.loads(answer.out)["status"]["userInfo"]


def may(kubectl, *words):
    answer = kubectl.run("auth", "can-i", *words)
    assert answer.code in {0, 1}, answer.err
    return answer.lines[-1].split(" ")[0]


@pytest.fixture
def space(any_kubectl, request):
    """A namespace of this test and kubectl."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.lower())
    name = f"auth-{request.node.callspec.params['any_kubectl'].replace('.', '-')}-{words}"
    any_kubectl("create", "namespace", name)
    yield name
    any_kubectl("delete", "namespace", name, "--wait=false")


def test_roles_and_bindings(any_kubectl, space):
    kubectl, inside = any_kubectl, ("-n", space)
    made = kubectl(
        "create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log,deployments.apps",
        *inside,
    )  # fmt: skip
    assert made.lines == ["role.rbac.authorization.k8s.io/reader created"]
    kubectl(
        "create", "rolebinding", "readers", "--role=reader", "--user=ann", "--group=dev",
        f"--serviceaccount={space}:bot", *inside,
    )  # fmt: skip
    assert may(kubectl, "list", "pods", "--as", "ann", *inside) == "yes"
    assert may(kubectl, "get", "pods/log", "--as", "bob", "--as-group", "dev", *inside) == "yes"
    assert may(kubectl, "get", "pods", "--as", "bob", *inside) == "no"
    assert may(kubectl, "delete", "pods", "--as", "ann", *inside) == "no"
    assert may(kubectl, "get", "pods", "--as", "ann", "-n", "default") == "no"
    account = f"system:serviceaccount:{space}:bot"
    assert may(kubectl, "get", "deployments.apps", "--as", account, *inside) == "yes"
    rows = kubectl("get", "rolebindings", "-o", "wide", *inside).rows
    assert rows[0] == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert [rows[1][0], rows[1][1], *rows[1][3:]] == [
        "readers", "Role/reader", "ann", "dev", f"{space}/bot"
    ]  # fmt: skip
    listed = kubectl("auth", "can-i", "--list", "--as", "ann", *inside).out
    assert "deployments.apps" in listed
    refused = kubectl.fails("delete", "pod", "x", "--as", "ann", *inside)
    assert (
        'Error from server (Forbidden): pods "x" is forbidden: User "ann" cannot delete resource '
        f'"pods" in API group "" in the namespace "{space}"'
    ) in refused
    described = kubectl("describe", "role", "reader", *inside).out
    assert "pods/log" in described
    changed = kubectl.fails(
        "patch", "rolebinding", "readers", "--type=merge", *inside,
        "-p", '{"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"x"}}',
    )  # fmt: skip
    assert "cannot change roleRef" in changed


def test_who_am_i(any_kubectl, request):
    version = request.node.callspec.params["any_kubectl"]
    if int(version.split(".")[1]) < 28:
        pytest.skip("this kubectl asks an older version of the API")
    acting = ("--as", "ann", "--as-group", "dev", "--as-group", "ops", "--as-uid", "7")
    found = json.loads(any_kubectl("auth", "whoami", "-o", "json", *acting).out)
    assert found["status"]["userInfo"] == {
        "username": "ann", "uid": "7", "groups": ["dev", "ops", "system:authenticated"]
    }  # fmt: skip


def test_cluster_roles_and_paths(any_kubectl, space):
    kubectl, name = any_kubectl, space
    kubectl("create", "clusterrole", name, "--verb=get", "--non-resource-url=/metrics")
    kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={name}")
    try:
        assert may(kubectl, "get", "/metrics", "--as", name) == "yes"
        assert "apiserver_request_total" in kubectl("get", "--raw", "/metrics", "--as", name).out
        refused = kubectl.fails("get", "--raw", "/metrics", "--as", "bob")
        assert 'forbidden: User "bob" cannot get path "/metrics"' in refused
        rows = kubectl("get", "clusterrolebindings", name).rows
        assert rows[1][1] == f"ClusterRole/{name}"
    finally:
        kubectl("delete", "clusterrolebinding,clusterrole", name)


def test_nobody_gives_away_more_than_they_have(any_kubectl, space):
    kubectl, inside = any_kubectl, ("-n", space)
    kubectl("create", "rolebinding", "admins", "--clusterrole=admin", "--user=ann", *inside)
    as_ann = (*inside, "--as", "ann")
    kubectl("create", "role", "fine", "--verb=get", "--resource=secrets", *as_ann)
    kubectl("create", "rolebinding", "fine", "--clusterrole=edit", "--user=bob", *as_ann)
    refused = kubectl.fails("create", "role", "more", "--verb=get", "--resource=nodes", *as_ann)
    assert (
        'user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not '
        'currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}'
    ) in refused
    refused = kubectl.fails(
        "create", "rolebinding", "more", "--clusterrole=cluster-admin", "--user=bob", *as_ann
    )
    assert "is attempting to grant RBAC permissions not currently held" in refused


def test_reconcile(any_kubectl, space):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "worker", "namespace": space},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "workers", "namespace": space},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "worker"
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}],
    }  # fmt: skip

    def reconcile():
        text = yaml.safe_dump_all([role, binding])
        return any_kubectl("auth", "reconcile", "-f", "-", stdin=text).out

    assert "role.rbac.authorization.k8s.io/worker reconciled" in reconcile()
    role["rules"][0]["verbs"].append("list")
    binding["roleRef"]["name"] = "other"  # reconcile makes the binding anew
    reconcile()
    inside = ("-n", space)
    rules = any_kubectl.get("role", "worker", *inside)["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}
    assert any_kubectl.get("rolebinding", "workers", *inside)["roleRef"]["name"] == "other"


def test_aggregated_roles_follow(any_kubectl, space):
    own = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": space, "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
        },
        "rules": [{"apiGroups": ["example.com"], "resources": ["cats"], "verbs": ["get"]}],
    }  # fmt: skip
    any_kubectl("create", "-f", "-", stdin=own)
    try:
        for name in ("view", "edit", "admin"):
            until(lambda n=name: own["rules"][0] in any_kubectl.get("clusterrole", n)["rules"])
    finally:
        any_kubectl("delete", "clusterrole", space)
    until(lambda: own["rules"][0] not in any_kubectl.get("clusterrole", "admin")["rules"])


def test_tokens_of_service_accounts(any_kubectl, space, tmp_path):
    kubectl, inside = any_kubectl, ("-n", space)
    assert kubectl.get("serviceaccount", "default", *inside)["metadata"]["name"] == "default"
    kubectl("create", "serviceaccount", "bot", *inside)
    kubectl("create", "rolebinding", "bot", "--clusterrole=view", f"--serviceaccount={space}:bot",
            *inside)  # fmt: skip
    token = kubectl("create", "token", "bot", "--duration=20m", *inside).out.strip()
    bot = login(kubectl, tmp_path / "bot", token=token)
    found = whoami(bot)
    assert found["username"] == f"system:serviceaccount:{space}:bot"
    assert found["groups"] == [
        "system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"
    ]  # fmt: skip
    assert may(bot, "list", "pods", *inside) == "yes"
    assert may(bot, "list", "secrets", *inside) == "no"
    assert "No resources found" in bot.run("get", "pods", *inside).err
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["exp"] - claims["iat"] == 1200
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "bot"
    known = json.loads(bot("get", "--raw", "/.well-known/openid-configuration").out)
    assert known["issuer"] == claims["iss"]
    assert json.loads(bot("get", "--raw", "/openid/v1/jwks").out)["keys"][0]["kty"] == "EC"
    kubectl("delete", "serviceaccount", "bot", *inside)
    assert "You must be logged in" in bot.fails("get", "pods", *inside)


def test_the_default_account_comes_back(any_kubectl, space):
    inside = ("-n", space)
    before = any_kubectl.get("serviceaccount", "default", *inside)["metadata"]["uid"]
    any_kubectl("delete", "serviceaccount", "default", *inside)
    words = ("get", "sa", "default", "-o", "jsonpath={.metadata.uid}", *inside)
    assert until(lambda: any_kubectl.run(*words).out) != before


def test_tokens_in_secrets(any_kubectl, space, tmp_path):
    kubectl, inside = any_kubectl, ("-n", space)
    kubectl("create", "serviceaccount", "bot", *inside)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "kept", "annotations": {"kubernetes.io/service-account.name": "bot"}
        },
    }  # fmt: skip
    kubectl("create", "-f", "-", *inside, stdin=secret)
    data = until(lambda: kubectl.get("secret", "kept", *inside).get("data"))
    assert base64.b64decode(data["namespace"]).decode() == space
    assert b"BEGIN CERTIFICATE" in base64.b64decode(data["ca.crt"])
    token = base64.b64decode(data["token"]).decode()
    bot = login(kubectl, tmp_path / "bot", token=token)
    assert whoami(bot)["username"] == f"system:serviceaccount:{space}:bot"
    kubectl("delete", "serviceaccount", "bot", *inside)
    until(lambda: kubectl.run("get", "secret", "kept", *inside).code != 0)


def test_pods_need_their_account(any_kubectl, space):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lost"},
        "spec": {"serviceAccountName": "ghost", "containers": [{"name": "c", "image": "web:1"}]},
    }
    refused = any_kubectl.fails("create", "-n", space, "-f", "-", stdin=pod)
    assert (
        f'pods "lost" is forbidden: error looking up service account {space}/ghost: '
        'serviceaccount "ghost" not found'
    ) in refused


def test_certificates(any_kubectl, space, tmp_path):
    kubectl, name = any_kubectl, space
    key, request = tmp_path / "key.pem", tmp_path / "csr.pem"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
         "-subj", "/O=dev/O=qa/CN=zoe"],
        check=True, capture_output=True,
    )  # fmt: skip
    csr = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request.read_bytes()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "expirationSeconds": 3600,
            "usages": ["client auth"],
        },
    }
    kubectl("create", "-f", "-", stdin=csr)
    rows = kubectl("get", "csr", name).rows
    assert rows[0] == [
        "NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"
    ]  # fmt: skip
    assert rows[1][2:] == ["kubernetes.io/kube-apiserver-client", "orch-admin", "60m", "Pending"]
    approved = kubectl("certificate", "approve", name).out
    assert f"certificatesigningrequest.certificates.k8s.io/{name} approved" in approved
    pem = until(lambda: kubectl.get("csr", name).get("status", {}).get("certificate"))
    assert kubectl("get", "csr", name).rows[1][-1] == "Approved,Issued"
    zoe = login(
        kubectl,
        tmp_path / "zoe",
        **{
            "client-certificate-data": pem,
            "client-key-data": base64.b64encode(key.read_bytes()).decode(),
        },
    )
    found = whoami(zoe)
    assert (found["username"], found["groups"]) == ("zoe", ["dev", "qa", "system:authenticated"])
    assert 'User "zoe" cannot list resource "pods"' in zoe.fails("get", "pods")
    denied = {**csr, "metadata": {"name": f"{name}-2"}}
    kubectl("create", "-f", "-", stdin=denied)
    kubectl("certificate", "deny", f"{name}-2")
    assert kubectl("get", "csr", f"{name}-2").rows[1][-1] == "Denied"
    kubectl("delete", "csr", name, f"{name}-2")


def test_without_credentials(server):
    """No kubectl here: it would ask for a user name."""
    authority = ssl.create_default_context(cafile=str(server.state_dir / "pki" / "ca.crt"))

    def fetch(path, **headers):
        url = f"https://127.0.0.1:{server.port}{path}"
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, context=authority) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())["message"]

    code, message = fetch("/api/v1/pods")
    assert code == 403
    assert message.startswith(
        'pods is forbidden: User "system:anonymous" cannot list resource "pods"'
    )
    assert fetch("/apis")[0] == 403
    assert fetch("/healthz") == (200, "ok")
    assert fetch("/api/v1/pods", Authorization="Bearer wrong") == (401, "Unauthorized")
