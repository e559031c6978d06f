"""Label selectors: text, structure, matching."""

import pytest

from orchestrator.api import labels
from orchestrator.api.types.meta import LabelSelector, LabelSelectorRequirement

WEB = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("gone!=x", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db)", True),
        ("gone notin (db)", True),
        ("app", True),
        ("gone", False),
        ("!gone", True),
        ("! app", False),
        ("app=web,tier=front", True),
        ("app=web,app=web", True),
        ("app=web,tier in (a,b)", False),
        ("n>4", True),
        ("n<4", False),
        ("app>4", False),
        ("gone=", False),
        ("app=", False),
        (" app = web , tier ", True),
        ("app in (,web)", True),
    ],
)
def test_matching(text, expected):
    assert labels.parse_label_selector(text).matches(WEB) is expected


def test_no_labels_at_all():
    assert labels.parse_label_selector("!app").matches(None)
    assert not labels.parse_label_selector("app").matches(None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app in web", "expected: '\\('"),
        ("app=(", "expected: identifier"),
        ("=x", "found '='"),
        ("a,,b", "identifier after ','"),
        ("app in (a", "found ''"),
        ("a b", "found 'b'"),
        ("app=-x", "a valid label must be"),
        ("a/b/c", "qualified name"),
        ("n>x", "must be an integer"),
        ("a,", "identifier after ','"),
    ],
)
def test_what_cannot_be_read_is_said_in_kubernetes_words(text, words):
    with pytest.raises(ValueError, match=words):
        labels.parse_label_selector(text)


def test_views_documents_and_text_agree():
    view = LabelSelector(
        match_labels={"app": "web"},
        match_expressions=(
            LabelSelectorRequirement(key="tier", operator="In", values=("a", "front")),
            LabelSelectorRequirement(key="old", operator="DoesNotExist"),
        ),
    )
    document = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front", "a"]},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert labels.from_view(view) == labels.from_document(document)
    assert str(labels.from_view(view)) == "app=web,tier in (a,front),!old"
    assert labels.parse_label_selector(str(labels.from_view(view))) == labels.from_view(view)
    assert labels.from_view(view).matches(WEB)
    assert labels.from_labels({"app": "web"}).matches(WEB)


def test_empty_matches_everything():
    assert labels.from_view(LabelSelector()).matches({})
    assert not labels.EVERYTHING
