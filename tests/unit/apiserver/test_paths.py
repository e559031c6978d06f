"""What request paths mean."""

import pytest

from orchestrator.apiserver.paths import DiscoveryPath, ObjectPath, OpenApiPath, parse_path
from orchestrator.kit.errors import NotFound


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/api", DiscoveryPath(core=True)),
        ("/api/", DiscoveryPath(core=True)),
        ("/api/v1/", DiscoveryPath(core=True, version="v1")),
        ("/apis/", DiscoveryPath(core=False)),
        ("/apis/apps", DiscoveryPath(core=False, group="apps")),
        ("/apis/apps/v1", DiscoveryPath(core=False, group="apps", version="v1")),
        ("/openapi/v2", OpenApiPath("v2")),
        ("/openapi/v3/apis/apps/v1", OpenApiPath("v3", "apis/apps/v1")),
    ],
)
def test_documents(raw, expected):
    assert parse_path(raw) == expected


@pytest.mark.parametrize(
    ("raw", "resource", "namespace", "given", "name", "subresource"),
    [
        ("/api/v1/pods", "pods", "", False, "", ""),
        ("/api/v1/pods/", "pods", "", False, "", ""),
        ("/api/v1/pods/web", "pods", "default", False, "web", ""),
        ("/api/v1/pods/web/log", "pods", "default", False, "web", "log"),
        ("/api/v1/nodes/n1/status", "nodes", "", False, "n1", "status"),
        ("/api/v1/namespaces", "namespaces", "", False, "", ""),
        ("/api/v1/namespaces/prod", "namespaces", "", False, "prod", ""),
        ("/api/v1/namespaces/prod/finalize", "namespaces", "", False, "prod", "finalize"),
        ("/api/v1/namespaces/prod/status", "namespaces", "", False, "prod", "status"),
        ("/api/v1/namespaces/prod/pods", "pods", "prod", True, "", ""),
        ("/api/v1/namespaces/prod/pods/web/", "pods", "prod", True, "web", ""),
        ("/api/v1/namespaces/namespaces/pods", "pods", "namespaces", True, "", ""),
        (
            "/apis/apps/v1/namespaces/prod/deployments/web/scale",
            "deployments.apps",
            "prod",
            True,
            "web",
            "scale",
        ),
        ("/apis/apps/v1/deployments", "deployments.apps", "", False, "", ""),
        ("/api/v1/namespaces/prod/configmaps/a%2Eb", "configmaps", "prod", True, "a.b", ""),
    ],
)
def test_objects(raw, resource, namespace, given, name, subresource):
    found = parse_path(raw)
    assert isinstance(found, ObjectPath)
    assert found.resource.resource == resource
    assert (found.namespace, found.namespace_given) == (namespace, given)
    assert (found.name, found.subresource) == (name, subresource)


@pytest.mark.parametrize(
    "raw",
    [
        "/",
        "/nope",
        "/apix",
        "/api/v1/unicorns",
        "/api/v1//pods",
        "/api/v1/namespaces/prod/unicorns",
        "/api/v1/namespaces/prod/pods/web/nothing",
        "/api/v1/namespaces/prod/pods/web/log/deeper",
        "/api/v1/namespaces/../pods",
        "/apis/apps/v1beta1/deployments",
        "/openapi",
    ],
)
def test_nothing_is_served_there(raw):
    with pytest.raises(NotFound, match="could not find the requested resource"):
        parse_path(raw)
