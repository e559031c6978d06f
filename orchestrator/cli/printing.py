"""Answers as text: tables as kubectl prints them, YAML, JSON, names."""

import json
from collections.abc import Iterable, Sequence
from typing import Any


class TablePrinter:
    """Prints server-side tables; rows of later events keep the first header's column widths."""

    def __init__(self, *, wide: bool, headers: bool = True, namespace_column: bool = False) -> None:
        self._wide = wide
        self._headers = headers
        self._namespaces = namespace_column
        self._columns: list[int] = []
        self._widths: list[int] = []

    def render(
        self, table: dict[str, Any], *, prefix: str = "", lead: Sequence[str] = ()
    ) -> list[str]:
        """Lines for a Table (`meta.k8s.io/v1`); the header only the first time.

        Args:
            table: the server's Table.
            prefix: put in front of each name ("deployment.apps/") when several kinds are shown.
            lead: cells put in front of each row, one per row (`--watch-events`).
        """
        rows = table.get("rows") or []
        lines: list[list[str]] = []
        if not self._columns:
            definitions = table["columnDefinitions"]
            self._columns = [
                i for i, c in enumerate(definitions) if self._wide or not c.get("priority")
            ]
            if self._headers:
                names = [str(definitions[i]["name"]).upper() for i in self._columns]
                lines.append([*(["NAMESPACE"] if self._namespaces else []), *names])
        for position, row in enumerate(rows):
            cells = [_cell(row["cells"][i]) for i in self._columns]
            if prefix and cells:
                cells[0] = prefix + cells[0]
            if self._namespaces:
                meta = (row.get("object") or {}).get("metadata") or {}
                cells.insert(0, str(meta.get("namespace", "")))
            if position < len(lead):
                cells.insert(0, lead[position])
            lines.append(cells)
        for cells in lines:
            for i, cell in enumerate(cells):
                if i == len(self._widths):
                    self._widths.append(0)
                self._widths[i] = max(self._widths[i], len(cell))
        return [_line(cells, self._widths) for cells in lines]


def _cell(value: Any) -> str:
    if value is None:
        return "<none>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [c.ljust(w) for c, w in zip(cells, widths, strict=False)]
    return "   ".join(padded).rstrip()


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned lines for rows of cells, three blanks between columns."""
    table = [list(r) for r in rows]
    widths = [max(len(r[i]) for r in table if i < len(r)) for i in range(max(map(len, table)))]
    return [_line(r, widths) for r in table]


def to_json(document: Any) -> str:
    """JSON as kubectl prints it: four blanks, keys sorted."""
    return json.dumps(document, indent=4, sort_keys=True, ensure_ascii=False)


def to_yaml(document: Any) -> str:
    """YAML as kubectl prints it: keys sorted, block style, strings quoted where needed."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # C or pure
        """A dumper of its own, so that the representer below stays local."""

    def represent(dumper: Any, text: str) -> Any:
        style = "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    rendered: str = yaml.dump(
        document, Dumper=Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True
    )
    return rendered
