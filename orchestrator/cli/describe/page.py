"""The page that a description is written on: titled lines, nested sections, aligned tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.cli.printing import columns
from orchestrator.kit.clock import parse_rfc3339


class Page:
    """Collects "Name:   value" lines; values of one section are aligned."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, str | None]] = []

    def field(self, name: str, value: object, level: int = 0) -> None:
        """One titled value; None and "" show as <none>."""
        text = "<none>" if value in (None, "") else str(value)
        self._rows.append((level, f"{name}:", text))

    def title(self, name: str, level: int = 0) -> None:
        """A section's heading."""
        self._rows.append((level, f"{name}:", None))

    def line(self, text: str, level: int = 0) -> None:
        """A line of its own."""
        self._rows.append((level, text, None))

    def mapping(self, name: str, values: Mapping[str, Any] | None, level: int = 0) -> None:
        """Labels and the like: one "key=value" a line under one title."""
        pairs = [f"{k}={v}" for k, v in sorted((values or {}).items())]
        self.field(name, pairs[0] if pairs else None, level)
        for pair in pairs[1:]:
            self._rows.append((level, "", pair))

    def table(self, rows: Sequence[Sequence[str]], level: int = 1) -> None:
        """An aligned table."""
        for text in columns(rows):
            self.line(text, level)

    def lines(self) -> list[str]:
        """The page; values aligned at the widest title of their level."""
        widths: dict[int, int] = {}
        for level, name, value in self._rows:
            if value is not None:
                widths[level] = max(widths.get(level, 0), len(name))
        return [
            (
                f"{'  ' * level}{name}"
                if value is None
                else f"{'  ' * level}{name.ljust(widths[level])}  {value}"
            ).rstrip()
            for level, name, value in self._rows
        ]


def age(since: str | None, now_s: float) -> str:
    """How long ago, as kubectl rounds it: "45s", "5m", "3h12m", "2d"."""
    if not since:
        return "<unknown>"
    seconds = max(0, int(now_s - parse_rfc3339(since)))
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        rest = seconds % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def events(page: Page, found: Sequence[dict[str, Any]], now_s: float) -> None:
    """The Events section, oldest first."""
    if not found:
        page.field("Events", None)
        return
    page.title("Events")
    rows = [
        ["Type", "Reason", "Age", "From", "Message"],
        ["----", "------", "----", "----", "-------"],
    ]
    for event in sorted(found, key=lambda e: str(e.get("lastTimestamp") or "")):
        count = event.get("count") or 1
        when = age(event.get("lastTimestamp"), now_s)
        if count > 1:
            when += f" (x{count} over {age(event.get('firstTimestamp'), now_s)})"
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent")
        rows.append(
            [event.get("type", ""), event.get("reason", ""), when, source or "",
             str(event.get("message", "")).strip()]
        )  # fmt: skip
    page.table(rows)


def heading(page: Page, document: dict[str, Any]) -> None:
    """Name, namespace, labels, annotations."""
    meta = document["metadata"]
    page.field("Name", meta["name"])
    if meta.get("namespace"):
        page.field("Namespace", meta["namespace"])
    page.mapping("Labels", meta.get("labels"))
    annotations = {
        k: v if len(str(v)) <= 140 else f"{str(v)[:137]}..."
        for k, v in (meta.get("annotations") or {}).items()
        if k != "kubectl.kubernetes.io/last-applied-configuration"
    }
    page.mapping("Annotations", annotations)


def conditions(
    page: Page, found: Sequence[dict[str, Any]] | None, *, reasons: bool = False
) -> None:
    """The Conditions section."""
    if not found:
        return
    page.title("Conditions")
    rows = [["Type", "Status", "Reason", "Message"] if reasons else ["Type", "Status"]]
    rows.append(["-" * len(c) for c in rows[0]])
    for condition in found:
        row = [str(condition.get("type", "")), str(condition.get("status", ""))]
        if reasons:
            row += [str(condition.get("reason", "")), str(condition.get("message", ""))]
        rows.append(row)
    page.table(rows)
