"""Which form is chosen from Accept and Content-Type."""

import pytest

from orchestrator.apiserver.negotiation import (
    AnswerFormat,
    Form,
    answer_format,
    body_form,
    patch_type,
)
from orchestrator.kit.errors import NotAcceptable, UnsupportedMediaType

KUBECTL_TABLE = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", AnswerFormat()),
        ("*/*", AnswerFormat()),
        ("application/vnd.kubernetes.protobuf,application/json", AnswerFormat()),
        ("application/vnd.kubernetes.protobuf, */*", AnswerFormat()),
        (KUBECTL_TABLE, AnswerFormat(Form.TABLE, "v1")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", AnswerFormat(Form.TABLE, "v1beta1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", AnswerFormat()),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            AnswerFormat(Form.PARTIAL, "v1"),
        ),
        ("application/yaml", AnswerFormat(encoding="yaml")),
        ("application/yaml;q=0.5,application/json;q=0.9", AnswerFormat()),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", AnswerFormat()),
        ("application/json;stream=watch", AnswerFormat()),
    ],
)
def test_answer(accept, expected):
    assert answer_format(accept) == expected


@pytest.mark.parametrize(
    "accept", ["application/vnd.kubernetes.protobuf", "text/html", "application/json;q=0"]
)
def test_not_acceptable(accept):
    if accept.endswith("q=0"):
        assert answer_format(accept) == AnswerFormat()  # nothing usable stated: JSON
        return
    with pytest.raises(NotAcceptable):
        answer_format(accept)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("", "json"),
        ("application/json", "json"),
        ("application/json; charset=utf-8", "json"),
        ("Application/YAML", "yaml"),
        ("application/vnd.kubernetes.protobuf", "protobuf"),
    ],
)
def test_body(content_type, expected):
    assert body_form(content_type) == expected


def test_unknown_body():
    with pytest.raises(UnsupportedMediaType, match="accepted media types include"):
        body_form("application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json-patch+json", "json"),
        ("application/merge-patch+json", "merge"),
        ("application/strategic-merge-patch+json; charset=utf-8", "strategic"),
    ],
)
def test_patch(content_type, expected):
    assert patch_type(content_type) == expected


@pytest.mark.parametrize("content_type", ["", "application/json", "application/apply-patch+cbor"])
def test_unknown_patch(content_type):
    with pytest.raises(UnsupportedMediaType, match=r"application/merge-patch\+json"):
        patch_type(content_type)
