"""Approved requests get a certificate or a failure; done ones go."""

import base64

import pytest

from orchestrator.controllers.certificate.plan import plan
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.reconcile.intents import Delete, Patch, RequeueAfter
from orchestrator.store.objects import Draft, StoredObject

NOW_S = 1_800_000_000.0
KEY = ObjectKey("certificatesigningrequests.certificates.k8s.io", "", "c")


def stored(*kinds, certificate="", age_s=0.0, **spec):
    wanted = {
        "request": base64.b64encode(b"CSR").decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        **spec,
    }
    since = rfc3339(NOW_S - age_s)
    status = {
        "conditions": [{"type": kind, "status": "True", "lastUpdateTime": since} for kind in kinds]
    }
    if certificate:
        status["certificate"] = certificate
    document = {
        "kind": "CertificateSigningRequest",
        "apiVersion": "certificates.k8s.io/v1",
        "metadata": {"name": "c", "uid": "u", "creationTimestamp": since},
        "spec": wanted,
        "status": status,
    }
    return StoredObject(KEY, Revision(7), Draft.of(document).at(Revision(7)))


def issue(request, usages, lifetime_s):
    return b"%b %d %b" % (request, lifetime_s, ",".join(sorted(usages)).encode())


def refuse(*_):
    raise ValueError("no")


def test_an_approved_request_is_signed():
    patch, wait = plan(stored("Approved", expirationSeconds=600), issue, NOW_S)
    assert isinstance(patch, Patch)
    assert base64.b64decode(patch.patch["status"]["certificate"]) == b"CSR 600 client auth"
    assert (patch.subresource, wait) == ("status", RequeueAfter(86_400.0))
    patch, _ = plan(stored("Approved", expirationSeconds=2**31), issue, NOW_S)
    assert base64.b64decode(patch.patch["status"]["certificate"]).split()[1] == b"31536000"


@pytest.mark.parametrize(
    ("spec", "sign", "words"),
    [
        ({}, refuse, "no"),
        ({"usages": ["digital signature"]}, issue, 'usages must include "client auth"'),
        ({"usages": ["client auth", "server auth"]}, issue, "usages may not include: server auth"),
    ],
)
def test_a_request_that_cannot_be_signed_has_failed(spec, sign, words):
    patch, _ = plan(stored("Approved", **spec), sign, NOW_S)
    assert isinstance(patch, Patch)
    approved, failed = patch.patch["status"]["conditions"]
    assert approved["type"] == "Approved"
    assert (failed["type"], failed["reason"], failed["message"]) == (
        "Failed", "SignerValidationFailure", words
    )  # fmt: skip


@pytest.mark.parametrize(
    ("item", "left_s"),
    [
        (stored(), 86_400.0),
        (stored("Denied"), 3600.0),
        (stored("Approved", "Failed"), 3600.0),
        (stored("Approved", certificate="x"), 3600.0),
        (stored("Approved", signerName="example.com/own"), 86_400.0),
    ],
)
def test_the_others_wait_for_their_end(item, left_s):
    assert plan(item, refuse, NOW_S) == [RequeueAfter(left_s)]
    [gone] = plan(item, refuse, NOW_S + left_s)
    assert isinstance(gone, Delete)


def test_nothing_without_a_request():
    assert plan(None, refuse, NOW_S) == []
