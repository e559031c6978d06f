"""Status documents, byte by byte."""

from orchestrator.apiserver.answers import error_answer, warning_headers
from orchestrator.apiserver.errors import encode_status, for_http, success_status
from orchestrator.kit.errors import Cause, Invalid, NotFound, Unauthorized


def test_key_order_and_newline():
    error = NotFound(
        'deployments.apps "web" not found', name="web", group="apps", kind="deployments"
    )
    assert encode_status(error) == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",'
        b'"message":"deployments.apps \\"web\\" not found","reason":"NotFound",'
        b'"details":{"name":"web","group":"apps","kind":"deployments"},"code":404}\n'
    )


def test_causes():
    error = Invalid(
        "m", name="web", kind="Pod", causes=[Cause("FieldValueRequired", "r", "spec.x")]
    )
    assert encode_status(error) == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"m",'
        b'"reason":"Invalid","details":{"name":"web","kind":"Pod","causes":[{"reason":'
        b'"FieldValueRequired","message":"r","field":"spec.x"}]},"code":422}\n'
    )


def test_success():
    assert success_status(name="web", group="apps", kind="deployments", uid="u") == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success",'
        b'"details":{"name":"web","group":"apps","kind":"deployments","uid":"u"}}\n'
    )


def test_framework_codes_keep_their_reason():
    assert (for_http(404).reason, for_http(405).reason) == ("NotFound", "MethodNotAllowed")
    assert for_http(418).code == 400
    assert for_http(502).code == 500


def test_unauthorized_names_its_scheme():
    assert (b"www-authenticate", b'Bearer realm="orch"') in error_answer(Unauthorized("x")).headers


def test_warnings_are_quoted_and_bounded():
    assert warning_headers(['unknown field "spec.x"', 'unknown field "spec.x"']) == [
        (b"warning", b'299 - "unknown field \\"spec.x\\""')
    ]
    assert warning_headers(["a\r\nSet-Cookie: b"]) == [(b"warning", b'299 - "a  Set-Cookie: b"')]
    assert len(warning_headers([f"{i}{'x' * 1000}" for i in range(9)])) == 4
