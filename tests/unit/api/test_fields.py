"""Field selectors."""

import msgspec
import pytest

from orchestrator.api.fields import _BY_RESOURCE, parse_field_selector
from orchestrator.api.types.view import field_reader, view_of
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject

POD = {
    "metadata": {"name": "a", "namespace": "d"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]},
}


def matches(text, resource, document):
    """Whether an object is chosen; by its view and by its document alike."""
    key = ObjectKey(resource, "d", "a")
    selector = parse_field_selector(text, resource)
    item = StoredObject(key, Revision(1), msgspec.json.encode(document))
    by_view = selector.matches(item.field)
    assert item.doc == document, "decoded from now on"
    assert selector.matches(item.field) is by_view
    return by_view


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
    assert matches(text, "pods", POD) is expected


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
    node = {"metadata": {"name": "a"}, "spec": {}}
    assert matches("spec.unschedulable=false", "nodes", node)
    node["spec"] = {"unschedulable": True}
    assert matches("spec.unschedulable=true", "nodes", node)
    event = {
        "metadata": {"name": "a"},
        "involvedObject": {"uid": "u"},
        "source": {"component": "c"},
    }
    assert matches("involvedObject.uid=u,source=c,reportingComponent=c", "events", event)


def _set(document, path, value):
    for step in path[:-1]:
        document = document.setdefault(step, {})
    document[path[-1]] = value


@pytest.mark.parametrize("resource", sorted(_BY_RESOURCE))
def test_views_and_documents_give_the_same_values(resource):
    for field, path in _BY_RESOURCE[resource].items():
        if field == "status.podIPs":
            continue  # read from the document
        for value in ("text", "", 3, 0, True, False):
            document = {"metadata": {"name": "a", "namespace": "d"}}
            _set(document, path, value)
            try:
                msgspec.json.decode(msgspec.json.encode(document), type=view_of(resource))
            except msgspec.ValidationError:
                continue  # cannot be stored
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            assert matches(f"{field}={shown}", resource, document), (field, value)
        matches(f"{field}=x", resource, {"metadata": {"name": "a"}})


def test_what_pods_are_selected_by_most_needs_no_document():
    for path in (("spec", "nodeName"), ("status", "phase"), ("metadata", "name")):
        assert field_reader(view_of("pods"), path) is not None
