"""Certificate signing requests through the API: who asks, who approves, what stays."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from orchestrator.apiserver.authn import Peer
from orchestrator.credentials.authority import create_authority
from orchestrator.credentials.signer import sign_client
from tests.unit.apiserver.client import TABLE

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SIGNER = "kubernetes.io/kube-apiserver-client"


def csr_pem(user="zoe", groups=("dev",), key=None, names=()):
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        found = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(found, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def document(pem=None, name="c", **spec):
    encoded = base64.b64encode(pem or csr_pem()).decode()
    wanted = {"request": encoded, "signerName": SIGNER, "usages": ["client auth"], **spec}
    return {"metadata": {"name": name}, "spec": wanted}


def with_condition(item, kind, **more):
    condition = {"type": kind, "status": "True", "reason": "Because", **more}
    return {**item, "status": {"conditions": [condition]}}


async def allow(world, *rules):
    subjects = [{"kind": "User", "name": "ann"}]
    role = {"metadata": {"name": "csr"}, "rules": list(rules)}
    await world.create(f"{RBAC}/clusterroles", role)
    reference = {"kind": "ClusterRole", "name": "csr"}
    binding = {"metadata": {"name": "csr"}, "roleRef": reference, "subjects": subjects}
    await world.create(f"{RBAC}/clusterrolebindings", binding)


def rule(*verbs, resource="certificatesigningrequests", names=()):
    found = {"verbs": list(verbs), "apiGroups": ["certificates.k8s.io"], "resources": [resource]}
    return {**found, "resourceNames": list(names)} if names else found


async def test_a_request_says_who_made_it(world):
    await allow(world, rule("create"))
    lied = document(username="root", groups=["system:masters"])
    made = await world.client("POST", PATH, lied, token="ann")
    assert made.status == 201
    assert made.json["spec"]["username"] == "ann"
    assert made.json["spec"]["groups"] == ["dev", "system:authenticated"]
    changed = {**made.json, "spec": {**made.json["spec"], "username": "root"}}
    put = await world.client("PUT", f"{PATH}/c", changed)
    assert put.json["spec"] == made.json["spec"]


async def test_a_request_that_is_applied_says_so_too(world):
    await allow(world, rule("create", "patch"))
    lied = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        **document(username="root", groups=["system:masters"], extra={"a": ["b"]}),
    }
    made = await world.client(
        "PATCH", f"{PATH}/c?fieldManager=ann", lied, token="ann",
        content_type="application/apply-patch+yaml",
    )  # fmt: skip
    assert made.status == 201, made.body
    spec = made.json["spec"]
    assert (spec["username"], spec["groups"]) == ("ann", ["dev", "system:authenticated"])
    assert "extra" not in spec


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"request": "bm9uZQ=="}, "spec.request", "PEM block type must be CERTIFICATE REQUEST"),
        ({"request": ""}, "spec.request", "Required value"),
        ({"usages": []}, "spec.usages", "Required value"),
        ({"usages": ["flying"]}, "spec.usages[0]", 'Unsupported value: "flying"'),
        ({"usages": ["client auth"] * 2}, "spec.usages[1]", "Duplicate value"),
        ({"signerName": ""}, "spec.signerName", "Required value"),
        ({"signerName": "x"}, "spec.signerName", "must be a fully qualified domain and path of"),
        ({"expirationSeconds": 599}, "spec.expirationSeconds", "less than 600 seconds"),
    ],
)
async def test_what_is_refused(world, spec, field, words):
    reply = await world.client("POST", PATH, document(**spec))
    assert reply.status == 422, reply.body
    [cause] = reply.json["details"]["causes"]
    assert cause["field"] == field
    assert words in cause["message"]


async def test_nobody_becomes_a_master_by_certificate(world):
    reply = await world.client("POST", PATH, document(csr_pem(groups=("system:masters",))))
    assert (reply.status, reply.json["message"]) == (
        403,
        'certificatesigningrequests.certificates.k8s.io "c" is forbidden: use of '
        "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    )


async def test_approval(world):
    made = await world.create(PATH, document())
    sneaked = with_condition(made, "Approved")
    assert "conditions" not in (await world.client("PUT", f"{PATH}/c", sneaked)).json.get(
        "status", {}
    )
    approved = await world.client("PUT", f"{PATH}/c/approval", with_condition(made, "Approved"))
    assert approved.status == 200
    [condition] = approved.json["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] == "2027-01-15T08:00:00Z"
    fresh = approved.json
    taken = {**fresh, "status": {}}
    refused = await world.client("PUT", f"{PATH}/c/approval", taken)
    assert 'updates may not remove a condition of type "Approved"' in refused.json["message"]
    both = [*fresh["status"]["conditions"], {"type": "Denied", "status": "True"}]
    refused = await world.client(
        "PUT", f"{PATH}/c/approval", {**fresh, "status": {"conditions": both}}
    )
    assert "Approved and Denied conditions are mutually exclusive" in refused.json["message"]
    rows = (await world.client.get(PATH, accept=TABLE)).json
    assert [column["name"] for column in rows["columnDefinitions"]] == [
        "Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"
    ]  # fmt: skip
    assert rows["rows"][0]["cells"] == ["c", "0s", SIGNER, "orch-admin", "<none>", "Approved"]


async def test_approval_needs_permission_for_the_signer(world):
    made = await world.create(PATH, document())
    body = with_condition(made, "Approved")
    await allow(
        world,
        rule("update", resource="certificatesigningrequests/approval"),
        rule("approve", resource="signers", names=["example.com/*"]),
    )
    refused = await world.client("PUT", f"{PATH}/c/approval", body, token="ann")
    assert refused.json["message"].endswith(
        f'user not permitted to approve requests with signerName "{SIGNER}"'
    )
    own = await world.create(PATH, document(name="own", signerName="example.com/own"))
    body = with_condition(own, "Approved")
    reply = await world.client("PUT", f"{PATH}/own/approval", body, token="ann")
    assert reply.status == 200


async def test_a_signer_writes_the_certificate_and_not_the_decision(world):
    made = await world.create(PATH, document(signerName="example.com/own"))
    body = with_condition(made, "Approved")
    body["status"]["certificate"] = "eA=="
    await allow(world, rule("update", resource="certificatesigningrequests/status"))
    refused = await world.client("PUT", f"{PATH}/c/status", body, token="ann")
    assert "user not permitted to sign requests with signerName" in refused.json["message"]
    signed = await world.client("PUT", f"{PATH}/c/status", body)
    assert signed.json["status"] == {"certificate": "eA=="}
    body = {**signed.json, "status": {"certificate": "eQ=="}}
    refused = await world.client("PUT", f"{PATH}/c/status", body)
    assert "updates may not modify existing certificate content" in refused.json["message"]


# ------------------------------------------------------------ signing

NOW_S = 1_800_000_000.0


@pytest.fixture(scope="module")
def root():
    return create_authority("test", NOW_S)


def test_the_certificate_is_for_that_user(root):
    pem = sign_client(root, csr_pem(names=("a.example",)), frozenset({"client auth"}), 600, NOW_S)
    made = x509.load_pem_x509_certificate(pem)
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(root.cert_pem))
    assert made.not_valid_after_utc.timestamp() == NOW_S + 600
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    found = Peer(made.public_bytes(Encoding.DER)).identity
    assert found is not None
    assert (found.user, found.groups) == ("zoe", ("dev", "system:authenticated"))


def test_it_ends_with_its_root(root):
    pem = sign_client(root, csr_pem(), frozenset(), 20 * 365 * 86_400, NOW_S)
    ends = x509.load_pem_x509_certificate(root.cert_pem).not_valid_after_utc
    assert x509.load_pem_x509_certificate(pem).not_valid_after_utc == ends


def test_weak_keys_and_nonsense_are_not_signed(root):
    weak = csr_pem(key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(ValueError, match="at least 2048 bits"):
        sign_client(root, weak, frozenset(), 600, NOW_S)
    with pytest.raises(ValueError):
        sign_client(root, b"nonsense", frozenset(), 600, NOW_S)
