"""Who may do what."""

import base64
import subprocess

import pytest

from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command("`auth can-i`, `--list`, `--as`")
def test_can_i(kubectl, bench):
    assert kubectl("auth", "can-i", "delete", "nodes").out == "yes\n"
    answer = kubectl.run("auth", "can-i", "delete", "nodes", "--as=nobody")
    assert (answer.code, answer.out) == (1, "no\n")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "b", "--role=reader", "--user=ann")
    assert kubectl("auth", "can-i", "list", "pods", "--as=ann").out == "yes\n"
    assert kubectl.run("auth", "can-i", "delete", "pods", "--as=ann").code == 1
    assert "[get list]" in kubectl("auth", "can-i", "--list", "--as=ann").out
    assert kubectl("get", "pods", "--as=ann").code == 0
    said = kubectl.fails("get", "secrets", "--as=ann")
    assert 'User "ann" cannot list resource "secrets" in API group ""' in said


@pytest.mark.command("`auth whoami`")
@pytest.mark.since(28)
def test_who_am_i(kubectl):
    said = kubectl("auth", "whoami").rows
    assert ["Username", "orch-admin"] in said
    assert any("system:masters" in row[-1] for row in said)
    assert ["Username", "ann"] in kubectl("auth", "whoami", "--as=ann").rows


@pytest.mark.command("`auth reconcile`")
def test_reconcile(kubectl, bench):
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "r", "namespace": bench.namespace},  # kubectl fills none in here
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }  # fmt: skip
    kubectl("auth", "reconcile", "-f", bench.file("r.yaml", role))
    role["rules"].append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]})
    kubectl("auth", "reconcile", "-f", bench.file("r.yaml", role))
    assert len(kubectl.get("role", "r")["rules"]) == 2


@pytest.mark.command("`create token`, and its use")
def test_token(kubectl, bench):
    kubectl("create", "serviceaccount", "robot")
    token = kubectl("create", "token", "robot", "--duration=1h").out.strip()
    head = ("--token", token, "--user", "nobody")
    kubectl("config", "set-credentials", "nobody")
    said = kubectl.fails("get", "pods", *head)
    assert (
        f'User "system:serviceaccount:{bench.namespace}:robot" cannot list resource "pods"' in said
    )
    kubectl(
        "create",
        "rolebinding",
        "v",
        "--clusterrole=view",
        f"--serviceaccount={bench.namespace}:robot",
    )
    until("the binding works", lambda: kubectl.run("get", "pods", *head).code == 0)
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    bound = kubectl(
        "create", "token", "robot", "--bound-object-kind=Secret", "--bound-object-name=s"
    )
    head = ("--token", bound.out.strip(), "--user", "nobody")
    assert kubectl.run("get", "pods", *head).code == 0
    kubectl("delete", "secret", "s")
    until("the token ends with its Secret", lambda: kubectl.run("get", "pods", *head).code == 1)


@pytest.mark.command("`set subject`")
def test_set_subject(kubectl, bench):
    kubectl("create", "rolebinding", "b", "--clusterrole=view", "--user=ann")
    assert kubectl.run("auth", "can-i", "list", "pods", "--as=ben").code == 1
    said = kubectl("set", "subject", "rolebinding", "b", "--user=ben", "--group=crew")
    assert "subjects updated" in said.out
    assert [s["name"] for s in kubectl.get("rolebinding", "b")["subjects"]] == [
        "ann",
        "ben",
        "crew",
    ]
    assert kubectl("auth", "can-i", "list", "pods", "--as=ben").out == "yes\n"


def signing_request(bench, user: str):
    """A request's manifest for a client certificate; the key lies beside it."""
    key, request = bench.folder / f"{user}.key", bench.folder / f"{user}.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
         "-subj", f"/O=devs/CN={user}"], check=True, capture_output=True,
    )  # fmt: skip
    name = f"{bench.namespace}-{user}"
    bench.used.append(f"csr {name}")
    document = {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request.read_bytes()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"],
        },
    }  # fmt: skip
    return name, key, bench.file("csr.yaml", document)


@pytest.mark.command("`certificate approve|deny`, and the certificate's use")
def test_certificate(kubectl, bench):
    name, key, file = signing_request(bench, "dave")
    kubectl("create", "-f", file)
    assert kubectl("get", "csr", name).rows[1][-1] == "Pending"
    assert "approved" in kubectl("certificate", "approve", name).out
    issued = until("issued", lambda: kubectl.get("csr", name).get("status", {}).get("certificate"))
    (bench.folder / "crt").write_bytes(base64.b64decode(issued))
    assert kubectl("get", "csr", name).rows[1][-1] == "Approved,Issued"
    kubectl("config", "set-credentials", "dave", f"--client-certificate={bench.folder / 'crt'}",
            f"--client-key={key}")  # fmt: skip
    assert 'User "dave" cannot list' in kubectl.fails("get", "pods", "--user=dave")
    name, _, file = signing_request(bench, "eve")
    kubectl("create", "-f", file)
    assert "denied" in kubectl("certificate", "deny", name).out
    assert kubectl("get", "csr", name).rows[1][-1] == "Denied"
    assert "certificate" not in kubectl.get("csr", name)["status"]
