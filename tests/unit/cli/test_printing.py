import yaml

from orchestrator.cli.describe.page import Page, age
from orchestrator.cli.printing import TablePrinter, to_json, to_yaml

TABLE = {
    "columnDefinitions": [
        {"name": "Name", "priority": 0},
        {"name": "Ready", "priority": 0},
        {"name": "Node", "priority": 1},
    ],
    "rows": [
        {"cells": ["web-1", "1/1", "a"], "object": {"metadata": {"namespace": "x"}}},
        {"cells": ["b", "0/1", None], "object": {"metadata": {"namespace": "y"}}},
    ],
}


def test_narrow_tables_leave_wide_columns_out() -> None:
    assert TablePrinter(wide=False).render(TABLE) == [
        "NAME    READY",
        "web-1   1/1",
        "b       0/1",
    ]


def test_wide_tables_with_namespaces() -> None:
    lines = TablePrinter(wide=True, namespace_column=True).render(TABLE)
    assert lines[0].split() == ["NAMESPACE", "NAME", "READY", "NODE"]
    assert lines[2].split() == ["y", "b", "0/1", "<none>"]


def test_later_tables_have_no_header_and_keep_the_columns() -> None:
    printer = TablePrinter(wide=False)
    printer.render(TABLE)
    again = printer.render({"rows": [{"cells": ["c", "1/1", "z"]}]})
    assert again == ["c       1/1"]


def test_yaml_round_trips_and_sorts() -> None:
    document = {"b": "true", "a": {"text": "one\ntwo\n", "n": "012"}, "c": [1, None]}
    text = to_yaml(document)
    assert yaml.safe_load(text) == document
    assert text.index("a:") < text.index("b:")
    assert '"c": [' in to_json(document)


def test_ages_are_rounded_as_kubectl_does() -> None:
    since, start = "2026-01-01T00:00:00Z", 1767225600
    cases = {45: "45s", 119: "119s", 150: "2m30s", 3600: "60m", 3600 * 3: "3h", 3600 * 49: "2d"}
    assert {s: age(since, start + s) for s in cases} == cases
    assert age(None, 0) == "<unknown>"


def test_pages_align_values_by_level() -> None:
    page = Page()
    page.field("Name", "web")
    page.field("Namespace", "")
    page.mapping("Labels", {"b": "2", "a": "1"})
    assert page.lines() == [
        "Name:       web",
        "Namespace:  <none>",
        "Labels:     a=1",
        "            b=2",
    ]
