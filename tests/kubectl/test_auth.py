"""Who may do what."""

import base64
import subprocess

import pytest

from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command("`auth can-i`, `--list`, `--as`, `auth whoami`")
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
    if bench.minor >= 28:
        assert "system:masters" in kubectl("auth", "whoami").out


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


@pytest.mark.command("`certificate approve|deny`, and the certificate's use")
def test_certificate(kubectl, bench):
    name = bench.namespace
    bench.used.append(f"csr {name}")
    key, request = bench.folder / "key", bench.folder / "csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
         "-subj", "/O=devs/CN=dave"], check=True, capture_output=True,
    )  # fmt: skip
    document = {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request.read_bytes()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"],
        },
    }  # fmt: skip
    kubectl("create", "-f", bench.file("csr.yaml", document))
    assert kubectl("get", "csr", name).rows[1][-1] == "Pending"
    assert "approved" in kubectl("certificate", "approve", name).out
    issued = until("issued", lambda: kubectl.get("csr", name).get("status", {}).get("certificate"))
    (bench.folder / "crt").write_bytes(base64.b64decode(issued))
    assert kubectl("get", "csr", name).rows[1][-1] == "Approved,Issued"
    kubectl("config", "set-credentials", "dave", f"--client-certificate={bench.folder / 'crt'}",
            f"--client-key={key}")  # fmt: skip
    assert 'User "dave" cannot list' in kubectl.fails("get", "pods", "--user=dave")
