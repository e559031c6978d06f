"""The table of kubectl's commands says what a run found, and nothing that it did not look at."""

from types import SimpleNamespace

import pytest

from tests.kubectl.table import Cell, Results


def report(outcome, when="call", reason=""):
    longrepr = ("file", 1, f"Skipped: {reason}") if reason else None
    return SimpleNamespace(
        failed=outcome == "failed", skipped=outcome == "skipped", when=when, longrepr=longrepr
    )


def cell(command="`get`", version="1.33", line=1, group="Reading", file="b.py"):
    return Cell(group, command, version, (file, line))


@pytest.mark.parametrize(
    ("reports", "shown"),
    [
        ([report("passed")], "✓"),
        ([report("failed")], "**fails**"),
        ([report("passed"), report("failed", "teardown")], "**fails**"),
        ([report("failed", "setup")], "**fails**"),
        ([report("failed"), report("passed")], "**fails**"),  # with one Helm, not with the other
        ([report("skipped", "setup", "no Helm")], "[1]"),
        ([report("skipped", "setup", "n/a: from 1.31 on")], "n/a [1]"),
    ],
)
def test_outcomes(reports, shown):
    results = Results()
    for each in reports:
        results.note(cell(), each)
    assert f"| `get` | {shown} |" in results.page(["1.33"])


def test_rows_are_in_the_order_of_the_tests_whoever_ends_first():
    results = Results()
    for made in (cell("c", file="z.py"), cell("b", line=9), cell("a", line=3, group="First")):
        results.note(made, report("passed"))
    page = results.page(["1.33"])
    assert page.index("| a |") < page.index("| b |") < page.index("| c |")


def test_notes_are_told_once():
    results = Results()
    for version in ("1.27", "1.28"):
        skipped = report("skipped", "setup", "n/a: kubectl has it from 1.31 on")
        results.note(cell(version=version), skipped)
    page = results.page(["1.27", "1.28"])
    assert "| n/a [1] | n/a [1] |" in page
    assert page.endswith("\n1. kubectl has it from 1.31 on\n")


def test_what_was_not_tried_is_missing():
    results = Results()
    results.note(cell(version="1.27"), report("passed"))
    results.note(cell("`top`", "1.28", 2), report("passed", "setup"))
    assert results.missing(["1.27", "1.28"]) == ["`get` with 1.28"]
    results.note(cell("`top`", "1.28", 2), report("passed"))
    assert results.missing(["1.27", "1.28"]) == ["`get` with 1.28", "`top` with 1.27"]


def test_a_run_of_one_version_renews_its_column():
    first, second = Results(), Results()
    for version in ("1.27", "1.28"):
        first.note(cell("`get|edit`", version, 1), report("failed"))
        first.note(cell("`run`", version, 2), report("passed"))
    first.note(cell("`wait`", "1.27", 3), report("skipped", "setup", "n/a: from 1.28 on"))
    first.note(cell("`wait`", "1.28", 3), report("skipped", "setup", "no Helm"))
    for line, command in enumerate(("`get|edit`", "`run`", "`wait`"), 1):
        second.note(cell(command, "1.28", line), report("passed"))
    second.keep(first.page(["1.27", "1.28"]), ["1.27"])
    assert second.missing(["1.27", "1.28"]) == []
    assert second.page(["1.27", "1.28"]).splitlines()[-5:] == [
        r"| `get\|edit` | **fails** | ✓ |",
        "| `run` | ✓ | ✓ |",
        "| `wait` | n/a [1] | ✓ |",
        "",
        "1. from 1.28 on",
    ]


def test_a_new_row_is_missing_from_the_columns_that_are_kept():
    first, second = Results(), Results()
    first.note(cell(version="1.27"), report("passed"))
    second.note(cell(version="1.28"), report("passed"))
    second.note(cell("`new`", "1.28", 2), report("passed"))
    second.keep(first.page(["1.27"]), ["1.27"])
    assert second.missing(["1.27", "1.28"]) == ["`new` with 1.27"]


def test_a_run_of_some_tests_does_not_drop_the_rows_of_the_others():
    first, second = Results(), Results()
    for version in ("1.27", "1.28"):
        first.note(cell("`get`", version, 1), report("passed"))
        first.note(cell("`run`", version, 2), report("passed"))
    second.note(cell("`get`", "1.28", 1), report("passed"))
    second.keep(first.page(["1.27", "1.28"]), ["1.27"])
    assert second.missing(["1.27", "1.28"]) == ["`run` with 1.28"]
