"""Field selectors."""

import pytest

from orchestrator.api.fields import parse_field_selector

POD = {
    "metadata": {"name": "a", "namespace": "d"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True), ("metadata.name=a", True), ("metadata.name==a,metadata.name=a", True),
        ("metadata.name=b", False), ("status.phase!=Failed,status.phase!=Succeeded", True),
        ("spec.nodeName=n1,", True), ("spec.nodeName=", False), ("spec.hostNetwork=false", True),
        ("status.podIPs=10.0.0.1", True), ("status.nominatedNodeName=", True),
    ],
)  # fmt: skip
def test_matching(text, expected):
    assert parse_field_selector(text, "pods").matches(POD) is expected


def test_a_field_that_the_kind_does_not_offer_is_refused():
    with pytest.raises(ValueError, match=r"^field label not supported: foo$"):
        parse_field_selector("foo=1", "pods")
    with pytest.raises(ValueError, match=r"not supported: spec\.nodeName"):
        parse_field_selector("spec.nodeName=1", "services.x")


@pytest.mark.parametrize(
    "text", ["foo", r"metadata.name=a\x", "metadata.name=a=b", "metadata.name=a\\"]
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="invalid"):
        parse_field_selector(text, "pods")


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        ("pods", "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName "
                 "spec.hostNetwork status.phase status.podIP status.podIPs "
                 "status.nominatedNodeName"),
        ("events", "involvedObject.kind involvedObject.namespace involvedObject.name "
                   "involvedObject.uid involvedObject.apiVersion involvedObject.resourceVersion "
                   "involvedObject.fieldPath reason reportingComponent source type"),
        ("events.events.k8s.io", "reason regarding.kind regarding.name regarding.uid "
                                 "regarding.namespace reportingController type"),
        ("namespaces", "status.phase name"),
        ("nodes", "spec.unschedulable"),
        ("secrets", "type"),
        ("services", "spec.clusterIP spec.type"),
        ("jobs.batch", "status.successful"),
        ("replicasets.apps", "status.replicas"),
        ("replicationcontrollers", "status.replicas"),
        ("certificatesigningrequests.certificates.k8s.io", "spec.signerName"),
        ("configmaps", ""),
    ],
)  # fmt: skip
def test_the_fields_of_each_kind_are_those_of_kubernetes(resource, fields):
    for field in ["metadata.name", "metadata.namespace", *fields.split()]:
        assert parse_field_selector(f"{field}=x", resource)
    for field in ("metadata.uid", "metadata.labels", "spec.replicas"):
        with pytest.raises(ValueError, match="not supported"):
            parse_field_selector(f"{field}=x", resource)


def test_escapes_read_back():
    selector = parse_field_selector(r"metadata.name=a\,b\=c\\", "pods")
    assert selector.required("metadata.name") == "a,b=c\\"
    assert parse_field_selector(str(selector), "pods") == selector


def test_absent_fields_have_their_zero_value():
    assert parse_field_selector("spec.unschedulable=false", "nodes").matches({"spec": {}})
    assert parse_field_selector("spec.unschedulable=true", "nodes").matches(
        {"spec": {"unschedulable": True}}
    )
    event = {"involvedObject": {"uid": "u"}, "source": {"component": "c"}}
    chosen = parse_field_selector("involvedObject.uid=u,source=c,reportingComponent=c", "events")
    assert chosen.matches(event)
