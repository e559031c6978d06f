"""The application around the Kubernetes tree: health, version, metrics, documentation, errors."""

import base64

import pytest


async def test_health_needs_no_credential(world):
    for path in ("/healthz", "/livez", "/readyz", "/healthz/", "/readyz/store"):
        reply = await world.client("GET", path, token="")
        assert (reply.status, reply.body) == (200, b"ok"), path


async def test_verbose_health(world):
    reply = await world.client.get("/readyz?verbose")
    assert reply.body == b"[+]ping ok\n[+]store ok\n[+]informers ok\nreadyz check passed\n"


async def test_failing_check(world):
    world.faults["informers"] = "no snapshot yet"
    ready = await world.client("GET", "/readyz", token="")
    assert ready.status == 500
    assert b"[-]informers failed: no snapshot yet\nreadyz check failed\n" in ready.body
    assert (await world.client.get("/livez")).status == 200
    assert (await world.client.get("/readyz/store")).status == 200
    assert (await world.client.get("/readyz?exclude=informers")).status == 200
    assert (await world.client.get("/readyz/nothing")).status == 404


@pytest.mark.parametrize("path", ["/version", "/healthz", "/api/v1/pods"])
async def test_a_wrong_credential_is_refused_everywhere(world, path):
    reply = await world.client("GET", path, token="nobody-has-this-one")
    assert (reply.status, reply.json["reason"]) == (401, "Unauthorized")


async def test_version_is_public(world):
    reply = await world.client("GET", "/version/", token="")
    assert reply.json["gitVersion"].startswith("v1.33.")
    assert {"major", "minor", "gitCommit", "goVersion", "compiler", "platform"} <= set(reply.json)


@pytest.mark.parametrize(
    "path", ["/api", "/apis/apps/v1", "/api/v1/pods", "/metrics", "/docs", "/openapi/v3", "/nope"]
)
async def test_everything_else_needs_a_credential(world, path):
    reply = await world.client("GET", path, token="wrong")
    assert reply.status == 401
    assert reply.body == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",'
        b'"message":"Unauthorized","reason":"Unauthorized","code":401}\n'
    )
    nobody = await world.client("GET", path, token="")
    assert (nobody.status, nobody.json["kind"]) == (401 if path == "/docs" else 403, "Status")
    if path == "/api/v1/pods":
        assert nobody.json["message"] == (
            'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group '
            '"" at the cluster scope'
        )


async def test_framework_errors_are_status_documents(world):
    missing = await world.client.get("/nope")
    assert (missing.status, missing.json["kind"], missing.json["reason"]) == (
        404,
        "Status",
        "NotFound",
    )
    wrong = await world.client("POST", "/version", {})
    assert (wrong.status, wrong.json["kind"], wrong.json["reason"]) == (
        405,
        "Status",
        "MethodNotAllowed",
    )
    broken = await world.client.get("/api/v1/pods?limit=%zz")
    assert (broken.status, broken.json["reason"]) == (400, "BadRequest")


async def test_metrics(world):
    await world.client.get("/api/v1/pods")
    text = (await world.client.get("/metrics")).body.decode()
    assert 'apiserver_request_total{code="200",resource="pods",verb="LIST"} 1.0' in text
    assert (await world.client("GET", "/metrics", token="ann")).status == 403


async def test_root_lists_paths(world):
    assert {"/api", "/apis/apps", "/metrics"} <= set((await world.client.get("/")).json["paths"])


async def test_documentation_is_self_contained(world):
    password = base64.b64encode(b"me:root").decode()
    page = await world.client("GET", "/docs", token="", authorization=f"Basic {password}")
    assert page.header("content-type").startswith("text/html")
    text = page.body.decode()
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" in text
    name = "io.k8s.api.apps.v1.DeploymentSpec"
    definition = (await world.client.get(f"/docs/definitions/{name}")).body.decode()
    assert "revisionHistoryLimit" in definition
    assert f"/docs/definitions/{name.replace('Spec', 'Strategy')}" in definition
    assert (await world.client.get("/docs/definitions/nope")).status == 404
    assert "/version" in (await world.client.get("/docs/openapi.json")).json["paths"]


async def test_browser_is_asked_for_a_password_on_pages_only(world):
    page = await world.client("GET", "/docs", token="")
    assert page.header("www-authenticate").startswith("Basic ")
    api = await world.client("GET", "/api", token="wrong")
    assert api.header("www-authenticate").startswith("Bearer ")


async def test_discovery_forms(world):
    plain = await world.client.get("/api/")
    assert plain.json["kind"] == "APIVersions"
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    aggregated = await world.client.get("/apis", accept=accept)
    assert aggregated.header("content-type") == (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )
    assert aggregated.header("vary") == "Accept"
    etag = aggregated.header("etag")
    unchanged = await world.client.get("/apis", accept=accept, if_none_match=etag)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert unchanged.all("content-type") == []
    assert (await world.client.get("/apis/apps/v1")).json["groupVersion"] == "apps/v1"
    assert (await world.client.get("/apis/unknown/v1")).status == 404
    assert (await world.client("POST", "/apis", {})).status == 405


async def test_large_answers_are_compressed_when_accepted(world):
    plain = await world.client.get("/apis/apps/v1")
    packed = await world.client.get("/apis/apps/v1", accept_encoding="gzip")
    assert plain.header("content-encoding") == ""
    assert packed.header("content-encoding") == "gzip"
    import gzip

    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) == int(packed.header("content-length")) < len(plain.body)


async def test_head_has_no_body(world):
    reply = await world.client("HEAD", "/api/v1/pods")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.header("content-length")) > 0
